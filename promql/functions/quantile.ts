/** The φ-quantile of a set of floats, as Prometheus promql/quantile.go `quantile` has it. */

/**
 * Linear interpolation at rank φ(n − 1) of the sorted values, where NaN is smallest.
 *
 * Sorts `values[0, length)` in place (NaN last, which is accounted for). NaN for no values or φ NaN, −Inf for
 * φ < 0, +Inf for φ > 1.
 */
export function quantile(phi: number, values: Float64Array, length: number): number {
  const sorted = values.subarray(0, length).sort()
  let nans = 0
  while (nans < length && Number.isNaN(sorted[length - 1 - nans])) nans++
  return quantileOfSorted(phi, sorted, length, nans)
}

/** The same of values that are sorted, NaN last; the last `nans` are such. */
export function quantileOfSorted(phi: number, sorted: Float64Array, length: number, nans: number): number {
  if (length === 0 || Number.isNaN(phi)) return Number.NaN
  if (phi < 0) return Number.NEGATIVE_INFINITY
  if (phi > 1) return Number.POSITIVE_INFINITY
  const rank = phi * (length - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(length - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  const low = lower < nans ? Number.NaN : sorted[lower - nans]
  const high = upper < nans ? Number.NaN : sorted[upper - nans]
  return low * (1 - weight) + high * weight
}

/** Whether φ deserves the warning about its bounds. */
export function isInvalidQuantile(phi: number): boolean {
  return Number.isNaN(phi) || phi < 0 || phi > 1
}
