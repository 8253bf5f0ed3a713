/**
 * Sum or mean of many histograms, each number of them a Kahan–Neumaier sum.
 *
 * Source: Prometheus model/histogram/float_histogram.go KahanAdd; promql/functions.go and engine.go for the mean, which goes on
 * incrementally from where the sum would be infinite.
 */
import type { CounterResetHint, FloatHistogram } from '../../storage/model/histogram.ts'
import { divideHistogram, fromLayout, mergeHints } from './arithmetic.ts'
import { haveSameLayout } from './bounds.ts'
import { absorbBelow, type Layout, layoutOf, reconcile, reduceLayout, rollUp } from './reconcile.ts'
import { combine, type Sparse } from './sparse.ts'

/** The second result of `kahanAdd`. */
let compensation = 0

/** Kahan–Neumaier step: the new total; what it lost, with what was lost before, is in `compensation`. */
function kahanAdd(total: number, lost: number, x: number): number {
  const next = total + x
  if (next === Infinity || next === -Infinity) compensation = 0
  else if (Math.abs(total) >= Math.abs(x)) compensation = lost + (total - next + x)
  else compensation = lost + (x - next + total)
  return next
}

/** Brings what was lost into the layout that the total has come to. */
function follow(lost: Layout, total: Layout): void {
  if (lost.customValues !== total.customValues) rollUp(lost, total.customValues)
  if (lost.zeroThreshold !== total.zeroThreshold) absorbBelow(lost, total.zeroThreshold)
  if (lost.schema !== total.schema) reduceLayout(lost, total.schema)
}

/**
 * Whether the total, to which `other` has come, has the layout of the histogram that `other` was made of: counters mostly gain
 * buckets, so that the newest has all of them.
 */
function isLayoutOf(histogram: FloatHistogram, other: Layout, total: Layout): boolean {
  return (
    other.schema === histogram.schema &&
    other.zeroThreshold === histogram.zeroThreshold &&
    other.customValues === histogram.customValues &&
    total.positive.indices.length === histogram.positiveBuckets.length &&
    total.negative.indices.length === histogram.negativeBuckets.length
  )
}

function accumulateSide(total: Layout, lost: Layout, side: 'positive' | 'negative', other: Sparse): void {
  const indices: number[] = []
  const counts: number[] = []
  const rests: number[] = []
  const own = total[side]
  const rest = lost[side].counts
  let i = 0
  let k = 0
  while (i < own.indices.length || k < other.indices.length) {
    const ia = i < own.indices.length ? own.indices[i] : Number.POSITIVE_INFINITY
    const ib = k < other.indices.length ? other.indices[k] : Number.POSITIVE_INFINITY
    indices.push(Math.min(ia, ib))
    const isOwn = ia <= ib
    counts.push(kahanAdd(isOwn ? own.counts[i] : 0, isOwn ? rest[i] : 0, ib <= ia ? other.counts[k] : 0))
    rests.push(compensation)
    if (isOwn) i++
    if (ib <= ia) k++
  }
  total[side] = { indices, counts }
  lost[side] = { indices, counts: rests }
}

function accumulateList(counts: number[], rests: number[], other: readonly number[]): void {
  for (let i = 0; i < counts.length; i++) {
    counts[i] = kahanAdd(counts[i], rests[i], other[i])
    rests[i] = compensation
  }
}

/** All numbers by `f`. */
function mapLayout(layout: Layout, f: (value: number) => number): Layout {
  const side = ({ indices, counts }: Sparse): Sparse => ({ indices, counts: counts.map(f) })
  const { zeroCount, positive, negative } = layout
  return { ...layout, zeroCount: f(zeroCount), positive: side(positive), negative: side(negative) }
}

export class HistogramSum {
  /** A histogram said that its counter began anew, another that it did not. */
  resetConflict = false
  /** Custom bounds differed, and those that all have are left. */
  reconciled = false
  private readonly isMean: boolean
  /** Of a mean all, since where the sum overflows they are looked at again; of a sum the first. */
  private readonly added: FloatHistogram[]
  private hint: CounterResetHint
  /** A histogram with the total's layout, as long as there is one. */
  private shape: FloatHistogram | undefined
  /** Values, and what their rounding lost, in the same layout. */
  private total: Layout
  private lost: Layout
  /** Count and sum, then what their rounding lost. */
  private readonly scalars = new Float64Array(4)
  private isIncremental = false
  private hasReset: boolean
  private hasNoReset: boolean

  constructor(first: FloatHistogram, isMean: boolean) {
    this.isMean = isMean
    this.added = [first]
    this.hint = first.counterResetHint
    this.shape = first
    this.hasReset = first.counterResetHint === 'reset'
    this.hasNoReset = first.counterResetHint === 'not_reset'
    this.total = layoutOf(first)
    this.lost = mapLayout(this.total, () => 0)
    this.scalars[0] = first.count
    this.scalars[1] = first.sum
  }

  /** 'incompatible' where exponential buckets meet custom ones: there is no result then. */
  add(histogram: FloatHistogram): 'ok' | 'incompatible' {
    this.noteHint(histogram.counterResetHint)
    if (this.isMean) this.added.push(histogram)
    if (this.isIncremental) return this.addToMean(histogram)
    if (!this.accumulate(histogram)) return 'incompatible'
    if (!this.isMean || !this.hasOverflow()) return 'ok'
    this.restart(this.added.length - 1)
    return this.addToMean(histogram)
  }

  value(): FloatHistogram {
    const divisor = this.isMean && !this.isIncremental ? this.added.length : 1
    const { total, lost, scalars } = this
    const over = ({ indices, counts }: Sparse): Sparse => ({
      indices,
      counts: counts.map((x) => x / divisor),
    })
    const sum = {
      ...total,
      zeroCount: total.zeroCount / divisor + lost.zeroCount / divisor,
      positive: combine(over(total.positive), over(lost.positive), 1),
      negative: combine(over(total.negative), over(lost.negative), 1),
    }
    return fromLayout(
      sum,
      this.hint,
      scalars[0] / divisor + scalars[2] / divisor,
      scalars[1] / divisor + scalars[3] / divisor,
    )
  }

  private noteHint(hint: CounterResetHint): void {
    if (hint === 'reset') this.hasReset = true
    else if (hint === 'not_reset') this.hasNoReset = true
    if (this.hasReset && this.hasNoReset) this.resetConflict = true
    this.hint = mergeHints(this.hint, hint)
  }

  /** False where the layouts do not go together. */
  private accumulate(histogram: FloatHistogram): boolean {
    if (this.shape !== undefined && haveSameLayout(this.shape, histogram)) {
      this.accumulateAlike(histogram)
      return true
    }
    this.shape = undefined
    const other = layoutOf(histogram)
    const { total, lost } = this
    const reconciled = reconcile(total, other)
    if (reconciled === undefined) return false
    if (reconciled) this.reconciled = true
    follow(lost, total)
    total.zeroCount = kahanAdd(total.zeroCount, lost.zeroCount, other.zeroCount)
    lost.zeroCount = compensation
    accumulateSide(total, lost, 'positive', other.positive)
    accumulateSide(total, lost, 'negative', other.negative)
    this.accumulateScalars(histogram)
    if (isLayoutOf(histogram, other, total)) this.shape = histogram
    return true
  }

  /** Requires: the total's buckets are those of the histogram. */
  private accumulateAlike(histogram: FloatHistogram): void {
    const { total, lost } = this
    total.zeroCount = kahanAdd(total.zeroCount, lost.zeroCount, histogram.zeroCount)
    lost.zeroCount = compensation
    accumulateList(total.positive.counts, lost.positive.counts, histogram.positiveBuckets)
    accumulateList(total.negative.counts, lost.negative.counts, histogram.negativeBuckets)
    this.accumulateScalars(histogram)
  }

  private accumulateScalars(histogram: FloatHistogram): void {
    const { scalars } = this
    scalars[0] = kahanAdd(scalars[0], scalars[2], histogram.count)
    scalars[2] = compensation
    scalars[1] = kahanAdd(scalars[1], scalars[3], histogram.sum)
    scalars[3] = compensation
  }

  private hasOverflow(): boolean {
    const { total, scalars } = this
    const isInfinite = (x: number): boolean => x === Infinity || x === -Infinity
    return (
      isInfinite(scalars[0]) ||
      isInfinite(scalars[1]) ||
      isInfinite(total.zeroCount) ||
      total.positive.counts.some(isInfinite) ||
      total.negative.counts.some(isInfinite)
    )
  }

  /** Sums the first `count` again, and makes a mean of them. */
  private restart(count: number): void {
    const sum = new HistogramSum(this.added[0], false)
    for (let i = 1; i < count; i++) sum.accumulate(this.added[i])
    this.total = mapLayout(sum.total, (x) => x / count)
    this.lost = mapLayout(sum.lost, (x) => x / count)
    for (let i = 0; i < 4; i++) this.scalars[i] = sum.scalars[i] / count
    this.isIncremental = true
  }

  private addToMean(histogram: FloatHistogram): 'ok' | 'incompatible' {
    const count = this.added.length
    const share = (count - 1) / count
    this.total = mapLayout(this.total, (x) => x * share)
    this.lost = mapLayout(this.lost, (x) => x * share)
    for (let i = 0; i < 4; i++) this.scalars[i] *= share
    return this.accumulate(divideHistogram(histogram, count)) ? 'ok' : 'incompatible'
  }
}
