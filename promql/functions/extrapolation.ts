/**
 * How far the change between the samples of a window is extended towards its ends.
 *
 * Source: Prometheus promql/functions.go extrapolatedRate; rate.ts tells why, and works it out for many series at once.
 */

export interface SampledWindow {
  /** Open start and closed end of the window, Unix ms. */
  readonly startMs: number
  readonly endMs: number
  /** Times of its first and last sample. */
  readonly firstMs: number
  readonly lastMs: number
  /** Its samples less 1. */
  readonly gaps: number
  /** When the count of the first sample began, if that is in the window before it; else 0. */
  readonly originMs: number
  /**
   * The first value by the change, which tells when a counter was 0; Infinity where that is not to be looked at.
   */
  readonly firstShare: number
}

/**
 * What the change is to be multiplied with; to divide it by the window's length is left to the caller.
 * Requires: gaps > 0, or an origin.
 */
export function extrapolationFactor(window: SampledWindow): number {
  const { startMs, endMs, firstMs, lastMs, gaps, originMs, firstShare } = window
  let sampled = (lastMs - firstMs) / 1000
  const meanGap = gaps > 0 ? sampled / gaps : 0
  const threshold = meanGap * 1.1
  let toStart = (firstMs - startMs) / 1000
  let toEnd = (endMs - lastMs) / 1000
  if (originMs !== 0) {
    toStart = 0
    sampled = (lastMs - originMs) / 1000
  } else {
    if (toStart >= threshold) toStart = meanGap / 2
    const toZero = sampled * firstShare
    if (toZero < toStart) toStart = toZero
  }
  if (toEnd >= threshold) toEnd = meanGap / 2
  return sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
}

/** The start of the first sample's count where it lies inside the window before that sample; else 0. */
export function originInside(start: number, startMs: number, firstMs: number): number {
  return start > startMs && start < firstMs ? start : 0
}
