/**
 * deriv, predict_linear and double_exponential_smoothing on floats, for all steps of one series.
 *
 * Source: Prometheus promql/functions.go linearRegression and funcDoubleExponentialSmoothing.
 */
import { QueryError } from '../errors.ts'
import { formatFixed } from '../syntax/go-format.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { RangeKernel, Windows } from './windows.ts'

/** A fitted line, and the fit's own memory. */
interface Line {
  /** A second. */
  slope: number
  intercept: number
  /** Kahan–Neumaier sums of x, y, xy and x², then their compensations. */
  readonly sums: Float64Array
}

function isConstant(v: Float64Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i++) if (v[i] !== v[from]) return false
  return true
}

/** Least squares through the samples [from, to); the intercept is the value at `interceptMs`. */
function fitLine(w: Windows, from: number, to: number, interceptMs: number, line: Line): void {
  const { t, v } = w
  if (isConstant(v, from, to)) {
    const isInfinite = v[from] === Infinity || v[from] === -Infinity
    line.slope = isInfinite ? Number.NaN : 0
    line.intercept = isInfinite ? Number.NaN : v[from]
    return
  }
  const sums = line.sums.fill(0)
  for (let i = from; i < to; i++) {
    const x = (t[i] - interceptMs) / 1e3
    const y = v[i]
    for (let k = 0; k < 4; k++) {
      const term = k === 0 ? x : k === 1 ? y : k === 2 ? x * y : x * x
      const total = sums[k]
      const next = total + term
      if (next === Infinity || next === -Infinity) sums[k + 4] = 0
      else if (Math.abs(total) >= Math.abs(term)) sums[k + 4] += total - next + term
      else sums[k + 4] += term - next + total
      sums[k] = next
    }
  }
  const n = to - from
  const sumX = sums[0] + sums[4]
  const sumY = sums[1] + sums[5]
  const covariance = sums[2] + sums[6] - (sumX * sumY) / n
  const variance = sums[3] + sums[7] - (sumX * sumX) / n
  line.slope = covariance / variance
  line.intercept = sumY / n - (line.slope * sumX) / n
}

/** Needs two samples in the window. `seconds` asks for a prediction so far ahead; without it the slope. */
function regress(w: Windows, seconds: Float64Array | undefined, out: Column): number {
  const { t, from, to, evalMs } = w
  const { values, present } = out
  const line: Line = { slope: 0, intercept: 0, sums: new Float64Array(8) }
  let found = 0
  for (let s = 0; s < w.count; s++) {
    if (to[s] - from[s] < 2) {
      present[s] = ABSENT
      continue
    }
    w.spend(to[s] - from[s])
    // Any time near the samples keeps the sums small.
    fitLine(w, from[s], to[s], seconds === undefined ? t[from[s]] : evalMs[s], line)
    values[s] = seconds === undefined ? line.slope : line.slope * seconds[s] + line.intercept
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

function checkFactor(name: string, short: string, value: number): void {
  // NaN passes, as upstream.
  if (value <= 0 || value >= 1) {
    const text = `invalid ${name} factor. Expected: 0 < ${short} < 1, got: ${formatFixed(value, 6)}`
    throw new QueryError('execution', text)
  }
}

/** Holt's linear method: level and trend, each smoothed by its factor. Needs two samples. */
function smooth(w: Windows, smoothing: Float64Array, trend: Float64Array, out: Column): number {
  const { v, from, to } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < w.count; s++) {
    present[s] = ABSENT
    if (to[s] === from[s]) continue
    const sf = smoothing[s]
    const tf = trend[s]
    checkFactor('smoothing', 'sf', sf)
    checkFactor('trend', 'tf', tf)
    if (to[s] - from[s] < 2) continue
    w.spend(to[s] - from[s])
    let previous = 0
    let level = v[from[s]]
    let slope = v[from[s] + 1] - level
    for (let i = from[s] + 1; i < to[s]; i++) {
      if (i > from[s] + 1) slope = tf * (level - previous) + (1 - tf) * slope
      const next = sf * v[i] + (1 - sf) * (level + slope)
      previous = level
      level = next
    }
    values[s] = level
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

export const REGRESSION_KERNELS: Readonly<Record<string, RangeKernel>> = {
  deriv: (w, _, out) => regress(w, undefined, out),
  predict_linear: (w, [seconds], out) => regress(w, seconds, out),
  double_exponential_smoothing: (w, [smoothing, trend], out) => smooth(w, smoothing, trend, out),
}
