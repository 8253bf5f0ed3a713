/** Lines through the samples of a window, and smoothing of both level and trend. */
import { addCompensated, ZERO_SUM } from './floats.ts'

export interface FloatSample {
  readonly t: number
  readonly value: number
}

/** The least squares line: slope a second, and value at `originMs`. */
export function regression(
  samples: readonly FloatSample[],
  originMs: number,
): { slope: number; intercept: number } {
  const first = samples[0].value
  if (samples.every(({ value }, i) => i === 0 || value === first)) {
    if (Math.abs(first) === Number.POSITIVE_INFINITY) return { slope: Number.NaN, intercept: Number.NaN }
    return { slope: 0, intercept: first }
  }
  const sum = (term: (x: number, y: number) => number): number => {
    let total = ZERO_SUM
    for (const { t, value } of samples) total = addCompensated(term((t - originMs) / 1000, value), total)
    return total.sum + total.lost
  }
  const n = samples.length
  const sumX = sum((x) => x)
  const sumY = sum((_, y) => y)
  const covariance = sum((x, y) => x * y) - (sumX * sumY) / n
  const variance = sum((x) => x * x) - (sumX * sumX) / n
  const slope = covariance / variance
  return { slope, intercept: sumY / n - (slope * sumX) / n }
}

/** Holt's linear method. Requires: two samples. */
export function doubleSmoothing(samples: readonly FloatSample[], smoothing: number, trend: number): number {
  let previous = 0
  let level = samples[0].value
  let slope = samples[1].value - samples[0].value
  for (let i = 1; i < samples.length; i++) {
    const raw = smoothing * samples[i].value
    if (i > 1) slope = trend * (level - previous) + (1 - trend) * slope
    const next = raw + (1 - smoothing) * (level + slope)
    previous = level
    level = next
  }
  return level
}
