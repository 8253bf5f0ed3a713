/** Arithmetic of floats as Go does it, and sums that lose little. */

/** Go's math.Pow where it differs from JavaScript. */
export function goPow(x: number, y: number): number {
  if (x === 1) return 1
  if (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY) return 1
  return x ** y
}

/** Go's math.Max: +Inf wins over NaN, NaN over all else. */
export function goMax(x: number, y: number): number {
  if (x === Number.POSITIVE_INFINITY || y === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
  return Math.max(x, y)
}

/** Go's math.Min: −Inf wins over NaN, NaN over all else. */
export function goMin(x: number, y: number): number {
  if (x === Number.NEGATIVE_INFINITY || y === Number.NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY
  return Math.min(x, y)
}

/** A running sum and what its roundings lost so far (Neumaier). */
export interface Compensated {
  readonly sum: number
  readonly lost: number
}

export const ZERO_SUM: Compensated = { sum: 0, lost: 0 }

export function addCompensated(increment: number, { sum, lost }: Compensated): Compensated {
  const total = sum + increment
  if (!Number.isFinite(total) && !Number.isNaN(total)) return { sum: total, lost: 0 }
  if (Math.abs(sum) >= Math.abs(increment)) return { sum: total, lost: lost + (sum - total + increment) }
  return { sum: total, lost: lost + (increment - total + sum) }
}

export function sumOf(values: readonly number[]): number {
  let total = ZERO_SUM
  for (const value of values) total = addCompensated(value, total)
  return Number.isFinite(total.sum) ? total.sum + total.lost : total.sum
}

/** The mean; where the sum would overflow, means of means. Requires: not empty. */
export function meanOf(values: readonly number[]): number {
  let total: Compensated = { sum: values[0], lost: 0 }
  let mean: Compensated | undefined
  for (let i = 1; i < values.length; i++) {
    const count = i + 1
    if (mean === undefined) {
      const next = addCompensated(values[i], total)
      if (Math.abs(next.sum) !== Number.POSITIVE_INFINITY) {
        total = next
        continue
      }
      mean = { sum: total.sum / i, lost: total.lost / i }
    }
    const q = i / count
    mean = addCompensated(values[i] / count, { sum: q * mean.sum, lost: q * mean.lost })
  }
  if (mean !== undefined) return mean.sum + mean.lost
  return total.sum / values.length + total.lost / values.length
}

/** Order of values where NaN is the smallest. */
export function compareNaNFirst(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1
  if (Number.isNaN(b)) return 1
  return a - b || 0
}

/** The φ-quantile by linear interpolation between the nearest ranks. */
export function quantileOf(phi: number, values: readonly number[]): number {
  if (values.length === 0 || Number.isNaN(phi)) return Number.NaN
  if (phi < 0) return Number.NEGATIVE_INFINITY
  if (phi > 1) return Number.POSITIVE_INFINITY
  const sorted = values.toSorted((a, b) => (a === b ? 0 : compareNaNFirst(a, b)))
  const rank = phi * (sorted.length - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(sorted.length - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  return sorted[lower] * (1 - weight) + sorted[upper] * weight
}

/** Go's math.Log2: exact for powers of two, else by the natural logarithm of the fraction in [0.5, 1). */
export function goLog2(x: number): number {
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) return Math.log2(x)
  let exponent = 0
  let fraction = x
  for (; fraction >= 1; exponent++) fraction /= 2
  for (; fraction < 0.5; exponent--) fraction *= 2
  if (fraction === 0.5) return exponent - 1
  return Math.log(fraction) * Math.LOG2E + exponent
}

const LOG10_2 = 0.3010299956639812

/** Go's math.Log10. */
export function goLog10(x: number): number {
  return goLog2(x) * LOG10_2
}
