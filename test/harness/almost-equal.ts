/** When two results count as equal. */

const EPSILON = 1e-6
/** Smallest normal float: below it a relative difference means nothing. */
const MIN_NORMAL = 2.2250738585072014e-308

/** Equal within a relative error of 1e-6; NaNs are equal. */
export function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true
  if (a === b) return true
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < EPSILON * MIN_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON
}
