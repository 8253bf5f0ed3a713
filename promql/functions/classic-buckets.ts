/**
 * Quantiles and fractions of classic histograms: cumulative counts at upper bounds.
 *
 * Source: Prometheus promql/quantile.go BucketQuantile, BucketFraction, ensureMonotonicAndIgnoreSmallDeltas.
 */

/** Differences below this part of the counts are rounding, and not told. */
const SMALL_DIFFERENCE = 1e-12
const MIN_NORMAL = 2 ** -1022

/** Buckets of one histogram at one step, by ascending bound; filled anew for each. */
export class Buckets {
  length = 0
  readonly bounds: Float64Array
  readonly counts: Float64Array
  /** What `forceMonotonic` had to raise: none where `maxDifference` is 0. */
  minBound = 0
  maxBound = 0
  maxDifference = 0

  constructor(capacity: number) {
    this.bounds = new Float64Array(capacity)
    this.counts = new Float64Array(capacity)
  }

  clear(): void {
    this.length = 0
    this.maxDifference = 0
  }

  /** Bounds come in ascending order; the counts of equal bounds are added up. */
  push(bound: number, count: number): void {
    if (this.length > 0 && this.bounds[this.length - 1] === bound) {
      this.counts[this.length - 1] += count
      return
    }
    this.bounds[this.length] = bound
    this.counts[this.length++] = count
  }

  private isComplete(): boolean {
    return this.length > 0 && this.bounds[this.length - 1] === Infinity
  }

  /** Makes the counts never fall: each is raised to the one before it. */
  private forceMonotonic(): void {
    const { bounds, counts } = this
    this.minBound = Infinity
    this.maxBound = -Infinity
    let previous = counts[0]
    for (let i = 1; i < this.length; i++) {
      const count = counts[i]
      if (count === previous) continue
      if (isAlmostEqual(previous, count)) {
        counts[i] = previous
        continue
      }
      if (count < previous) {
        counts[i] = previous
        if (bounds[i] < this.minBound) this.minBound = bounds[i]
        if (bounds[i] > this.maxBound) this.maxBound = bounds[i]
        if (previous - count > this.maxDifference) this.maxDifference = previous - count
        continue
      }
      previous = count
    }
  }

  /** The φ-quantile, linear inside a bucket. NaN without observations or without a bucket for +Inf. */
  quantile(phi: number): number {
    if (Number.isNaN(phi)) return Number.NaN
    if (phi < 0) return -Infinity
    if (phi > 1) return Infinity
    if (!this.isComplete()) return Number.NaN
    this.forceMonotonic()
    const { bounds, counts, length } = this
    if (length < 2 || counts[length - 1] === 0) {
      this.maxDifference = 0
      return Number.NaN
    }
    let rank = phi * counts[length - 1]
    const b = this.search(rank)
    if (b === length - 1) return bounds[length - 2]
    if (b === 0 && bounds[0] <= 0) return bounds[0]
    let start = 0
    let count = counts[b]
    if (b > 0) {
      start = bounds[b - 1]
      count -= counts[b - 1]
      rank -= counts[b - 1]
    }
    return start + (bounds[b] - start) * (rank / count)
  }

  /** First bucket but the last whose count reaches the rank, by halving as Go's sort.Search. */
  private search(rank: number): number {
    let low = 0
    let high = this.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.counts[middle] >= rank) high = middle
      else low = middle + 1
    }
    return low
  }

  /** The part of the observations between two values. */
  fraction(lower: number, upper: number): number {
    if (!this.isComplete()) return Number.NaN
    const { counts, length } = this
    const total = counts[length - 1]
    if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
    if (lower >= upper) return 0
    const low = Math.min(this.rankOf(lower), total)
    const high = Math.min(this.rankOf(upper), total)
    return (high - low) / total
  }

  /** How many observations are below the value, linear inside a bucket. */
  private rankOf(value: number): number {
    const { bounds, counts, length } = this
    let start = bounds[0] <= 0 ? -Infinity : 0
    let rank = 0
    for (let i = 0; i < length; i++) {
      if (i > 0) start = bounds[i - 1]
      if (start >= value) return rank
      if (bounds[i] > value) {
        if (start === -Infinity) return counts[i]
        return rank + ((counts[i] - rank) * (value - start)) / (bounds[i] - start)
      }
      rank = counts[i]
    }
    return counts[length - 1]
  }
}

/** util/almost.Equal with the tolerance for counts. */
function isAlmostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DIFFERENCE * MIN_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DIFFERENCE
}
