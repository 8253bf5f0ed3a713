/**
 * deriv, predict_linear and double_exponential_smoothing on floats, for all steps of one series.
 *
 * Source: Prometheus promql/functions.go linearRegression and funcDoubleExponentialSmoothing.
 */
import { QueryError } from '../errors.ts'
import { formatFixed } from '../syntax/go-format.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { RangeKernel, Windows } from './windows.ts'

/** A fitted line; and the sums of x and x² of its window, which the next one of the same shape takes over. */
class Line {
  /** A second. */
  slope = 0
  intercept = 0
  private sumX = 0
  private sumXX = 0
  /** Shape of the window that the sums are of: its length, and the first sample's distance from the intercept. */
  private length = 0
  private firstMs = 0

  /**
   * Least squares through the samples [from, to); the intercept is the value at `interceptMs`. `isEven`: they are all one
   * interval apart, the same in each window for which this is said.
   */
  fit({ t, v }: Windows, from: number, to: number, interceptMs: number, isEven: boolean): void {
    if (isConstant(v, from, to)) {
      const isInfinite = v[from] === Infinity || v[from] === -Infinity
      this.slope = isInfinite ? Number.NaN : 0
      this.intercept = isInfinite ? Number.NaN : v[from]
      return
    }
    const n = to - from
    if (!isEven || n !== this.length || t[from] - interceptMs !== this.firstMs) {
      this.sumTimes(t, from, to, interceptMs)
      this.length = isEven ? n : 0
      this.firstMs = t[from] - interceptMs
    }
    let sumY = 0
    let cY = 0
    let sumXY = 0
    let cXY = 0
    for (let i = from; i < to; i++) {
      const y = v[i]
      const xy = ((t[i] - interceptMs) / 1e3) * y
      // TwoSum, as in window-sums.ts.
      const nextY = sumY + y
      const virtualY = nextY - sumY
      cY += sumY - (nextY - virtualY) + (y - virtualY)
      sumY = nextY
      const nextXY = sumXY + xy
      const virtualXY = nextXY - sumXY
      cXY += sumXY - (nextXY - virtualXY) + (xy - virtualXY)
      sumXY = nextXY
    }
    // Where a sum overflowed upstream's compensation is 0.
    const totalY = Number.isFinite(sumY) ? sumY + cY : sumY
    const totalXY = Number.isFinite(sumXY) ? sumXY + cXY : sumXY
    const { sumX, sumXX } = this
    const covariance = totalXY - (sumX * totalY) / n
    const variance = sumXX - (sumX * sumX) / n
    this.slope = covariance / variance
    this.intercept = totalY / n - (this.slope * sumX) / n
  }

  private sumTimes(t: Float64Array, from: number, to: number, interceptMs: number): void {
    let sumX = 0
    let cX = 0
    let sumXX = 0
    let cXX = 0
    for (let i = from; i < to; i++) {
      const x = (t[i] - interceptMs) / 1e3
      const xx = x * x
      const nextX = sumX + x
      const virtualX = nextX - sumX
      cX += sumX - (nextX - virtualX) + (x - virtualX)
      sumX = nextX
      const nextXX = sumXX + xx
      const virtualXX = nextXX - sumXX
      cXX += sumXX - (nextXX - virtualXX) + (xx - virtualXX)
      sumXX = nextXX
    }
    this.sumX = sumX + cX
    this.sumXX = sumXX + cXX
  }
}

function isConstant(v: Float64Array, from: number, to: number): boolean {
  for (let i = from + 1; i < to; i++) if (v[i] !== v[from]) return false
  return true
}

/** For each sample, how many of the gaps up to it are not the series' usual one, that between its first two. */
function countUneven({ t, length }: Windows, into: Int32Array): void {
  const usual = t[1] - t[0]
  let uneven = 0
  into[0] = 0
  for (let i = 1; i < length; i++) {
    if (t[i] - t[i - 1] !== usual) uneven++
    into[i] = uneven
  }
}

/** Needs two samples in the window. `seconds` asks for a prediction so far ahead; without it the slope. */
function regress(w: Windows, seconds: Float64Array | undefined, out: Column): number {
  const { t, from, to, evalMs } = w
  const { values, present } = out
  const line = new Line()
  const uneven = w.scratchIntegers(w.length)
  countUneven(w, uneven)
  let found = 0
  for (let s = 0; s < w.count; s++) {
    if (to[s] - from[s] < 2) {
      present[s] = ABSENT
      continue
    }
    w.spend(to[s] - from[s])
    const isEven = uneven[to[s] - 1] === uneven[from[s]]
    // Any time near the samples keeps the sums small.
    line.fit(w, from[s], to[s], seconds === undefined ? t[from[s]] : evalMs[s], isEven)
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

/** Throws QueryError where a factor is not between 0 and 1. */
export function checkFactors(smoothing: number, trend: number): void {
  checkFactor('smoothing', 'sf', smoothing)
  checkFactor('trend', 'tf', trend)
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
    checkFactors(sf, tf)
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
