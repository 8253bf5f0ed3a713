/**
 * The *_over_time family, changes and resets on floats, for all steps of one series.
 *
 * Source: Prometheus promql/functions.go. Counts, picks, extremes, sums and quantiles slide; variances are worked out again for
 * each window, in upstream's order, since their bits depend on it. A step whose window holds the same samples as the
 * step before takes over its result.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { quantile } from './quantile.ts'
import { quantileWindows } from './window-quantiles.ts'
import { sumWindows } from './window-sums.ts'
import type { RangeKernel, Windows } from './windows.ts'

/** One number from the samples [from, to) of a window that is not empty. */
type Reduction = (v: Float64Array, from: number, to: number) => number

/** Applies a reduction to every window that is not empty. */
function reduce(w: Windows, out: Column, reduction: Reduction): number {
  const { v, from, to } = w
  const { values, present } = out
  let found = 0
  let previousFrom = -1
  let previousTo = -1
  let result = 0
  for (let s = 0; s < w.count; s++) {
    if (to[s] === from[s]) {
      present[s] = ABSENT
      continue
    }
    if (from[s] !== previousFrom || to[s] !== previousTo) {
      previousFrom = from[s]
      previousTo = to[s]
      w.spend(previousTo - previousFrom)
      result = reduction(v, previousFrom, previousTo)
    }
    values[s] = result
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

/** Population variance by Welford's method with Kahan sums. */
function variance(v: Float64Array, from: number, to: number): number {
  let count = 0
  let mean = 0
  let cMean = 0
  let aux = 0
  let cAux = 0
  for (let i = from; i < to; i++) {
    count++
    const x = v[i]
    const delta = x - (mean + cMean)
    const step = delta / count
    const nextMean = mean + step
    // TwoSum, as in window-sums.ts.
    const virtualMean = nextMean - mean
    cMean += mean - (nextMean - virtualMean) + (step - virtualMean)
    mean = nextMean
    const square = delta * (x - (mean + cMean))
    const nextAux = aux + square
    const virtualAux = nextAux - aux
    cAux += aux - (nextAux - virtualAux) + (square - virtualAux)
    aux = nextAux
  }
  // Where a sum overflowed upstream's compensation is 0, and decides what comes after.
  return Number.isFinite(mean) && Number.isFinite(aux)
    ? (aux + cAux) / count
    : varianceBeyondFloats(v, from, to)
}

/** Two windows of one length at once: the second's work fills the time in which the first one's divisions are waited for. */
function variancePair(v: Float64Array, from: number, other: number, length: number, out: Float64Array): void {
  let mean = 0
  let cMean = 0
  let aux = 0
  let cAux = 0
  let mean2 = 0
  let cMean2 = 0
  let aux2 = 0
  let cAux2 = 0
  for (let i = 0; i < length; i++) {
    const count = i + 1
    const x = v[from + i]
    const y = v[other + i]
    const delta = x - (mean + cMean)
    const delta2 = y - (mean2 + cMean2)
    const step = delta / count
    const step2 = delta2 / count
    const nextMean = mean + step
    const nextMean2 = mean2 + step2
    const virtualMean = nextMean - mean
    const virtualMean2 = nextMean2 - mean2
    cMean += mean - (nextMean - virtualMean) + (step - virtualMean)
    cMean2 += mean2 - (nextMean2 - virtualMean2) + (step2 - virtualMean2)
    mean = nextMean
    mean2 = nextMean2
    const square = delta * (x - (mean + cMean))
    const square2 = delta2 * (y - (mean2 + cMean2))
    const nextAux = aux + square
    const nextAux2 = aux2 + square2
    const virtualAux = nextAux - aux
    const virtualAux2 = nextAux2 - aux2
    cAux += aux - (nextAux - virtualAux) + (square - virtualAux)
    cAux2 += aux2 - (nextAux2 - virtualAux2) + (square2 - virtualAux2)
    aux = nextAux
    aux2 = nextAux2
  }
  const isWhole = Number.isFinite(mean) && Number.isFinite(aux)
  const isWhole2 = Number.isFinite(mean2) && Number.isFinite(aux2)
  out[0] = isWhole ? (aux + cAux) / length : varianceBeyondFloats(v, from, from + length)
  out[1] = isWhole2 ? (aux2 + cAux2) / length : varianceBeyondFloats(v, other, other + length)
}

function varianceBeyondFloats(v: Float64Array, from: number, to: number): number {
  let count = 0
  let mean = 0
  let cMean = 0
  let aux = 0
  let cAux = 0
  for (let i = from; i < to; i++) {
    count++
    const delta = v[i] - (mean + cMean)
    const step = delta / count
    const nextMean = mean + step
    if (nextMean === Infinity || nextMean === -Infinity) cMean = 0
    else if (Math.abs(mean) >= Math.abs(step)) cMean += mean - nextMean + step
    else cMean += step - nextMean + mean
    mean = nextMean
    const square = delta * (v[i] - (mean + cMean))
    const nextAux = aux + square
    if (nextAux === Infinity || nextAux === -Infinity) cAux = 0
    else if (Math.abs(aux) >= Math.abs(square)) cAux += aux - nextAux + square
    else cAux += square - nextAux + aux
    aux = nextAux
  }
  return (aux + cAux) / count
}

/** The variance of each window that is not empty, or its root. */
function varianceColumn(w: Windows, out: Column, isRoot: boolean): number {
  const { v, from, to, count } = w
  const { values, present } = out
  const pair = new Float64Array(2)
  let found = 0
  let s = 0
  while (s < count) {
    const length = to[s] - from[s]
    if (length === 0) {
      present[s++] = ABSENT
      continue
    }
    const isPair = s + 1 < count && to[s + 1] - from[s + 1] === length
    w.spend(isPair ? 2 * length : length)
    if (isPair) variancePair(v, from[s], from[s + 1], length, pair)
    else pair[0] = variance(v, from[s], to[s])
    for (let i = 0; i < (isPair ? 2 : 1); i++, s++) {
      values[s] = isRoot ? Math.sqrt(pair[i]) : pair[i]
      present[s] = PRESENT_FLOAT
      found++
    }
  }
  return found
}

/** How many samples each window holds. */
function countColumn(w: Windows, out: Column): number {
  return pick(w, out, (from, to) => to - from)
}

/** A number that is worked out from the ends of a window that is not empty. */
function pick(w: Windows, out: Column, result: (from: number, to: number) => number): number {
  const { from, to } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < w.count; s++) {
    if (to[s] === from[s]) {
      present[s] = ABSENT
      continue
    }
    values[s] = result(from[s], to[s])
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

/**
 * Index of the extreme sample of each window, by a deque of indices whose values get worse from front to back.
 *
 * sign 1 looks for the greatest, −1 for the least. NaN loses to every number; in a window of NaNs only, the
 * first of them stands. Of equal values the first counts, or the last where `latest`; then it is the last NaN
 * too.
 */
function extreme(w: Windows, out: Column, sign: 1 | -1, latest: boolean, isTime: boolean): number {
  const { t, v, from, to } = w
  const { values, present } = out
  const deque = w.scratchIntegers(w.length)
  let front = 0
  let back = 0
  let next = 0
  let found = 0
  for (let s = 0; s < w.count; s++) {
    for (; next < to[s]; next++) {
      const x = v[next] * sign
      if (Number.isNaN(x)) continue
      while (back > front) {
        const worst = v[deque[back - 1]] * sign
        if (worst < x || (latest && worst === x)) back--
        else break
      }
      deque[back++] = next
    }
    while (front < back && deque[front] < from[s]) front++
    if (to[s] === from[s]) {
      present[s] = ABSENT
      continue
    }
    const best = front < back ? deque[front] : latest ? to[s] - 1 : from[s]
    values[s] = isTime ? t[best] / 1000 : v[best]
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

/** Counts the neighbours (i − 1, i) inside each window that differ, two NaNs not taken for different. */
function countChanges(w: Windows, out: Column): number {
  const { v, length } = w
  const before = w.scratchIntegers(length)
  let events = 0
  let previous = v[0]
  before[0] = 0
  for (let i = 1; i < length; i++) {
    const value = v[i]
    if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) events++
    before[i] = events
    previous = value
  }
  return countBetween(w, out, before)
}

/** Counts the neighbours (i − 1, i) inside each window of which the later one is less. */
function countResets(w: Windows, out: Column): number {
  const { v, length } = w
  const before = w.scratchIntegers(length)
  let events = 0
  before[0] = 0
  for (let i = 1; i < length; i++) {
    if (v[i] < v[i - 1]) events++
    before[i] = events
  }
  return countBetween(w, out, before)
}

/** The events inside each window that is not empty. `before[i]`: those up to sample i, from the first one on. */
export function countBetween(w: Windows, out: Column, before: Int32Array): number {
  const { from, to } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < w.count; s++) {
    if (to[s] === from[s]) {
      present[s] = ABSENT
      continue
    }
    values[s] = before[to[s] - 1] - before[from[s]]
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

/** Median of the distances from the median; NaN where there is any. */
function medianDeviation(w: Windows, out: Column): number {
  const scratch = w.scratchFloats(w.length)
  return reduce(w, out, (v, from, to) => {
    const length = to - from
    for (let i = from; i < to; i++) if (Number.isNaN(v[i])) return Number.NaN
    scratch.set(v.subarray(from, to))
    const median = quantile(0.5, scratch, length)
    for (let i = 0; i < length; i++) scratch[i] = Math.abs(v[from + i] - median)
    return quantile(0.5, scratch, length)
  })
}

export const OVER_TIME_KERNELS: Readonly<Record<string, RangeKernel>> = {
  sum_over_time: (w, _, out) => sumWindows(w, out, false),
  avg_over_time: (w, _, out) => sumWindows(w, out, true),
  stdvar_over_time: (w, _, out) => varianceColumn(w, out, false),
  stddev_over_time: (w, _, out) => varianceColumn(w, out, true),
  min_over_time: (w, _, out) => extreme(w, out, -1, false, false),
  max_over_time: (w, _, out) => extreme(w, out, 1, false, false),
  ts_of_min_over_time: (w, _, out) => extreme(w, out, -1, true, true),
  ts_of_max_over_time: (w, _, out) => extreme(w, out, 1, true, true),
  count_over_time: (w, _, out) => countColumn(w, out),
  present_over_time: (w, _, out) => pick(w, out, () => 1),
  first_over_time: (w, _, out) => pick(w, out, (from) => w.v[from]),
  last_over_time: (w, _, out) => pick(w, out, (_from, to) => w.v[to - 1]),
  ts_of_first_over_time: (w, _, out) => pick(w, out, (from) => w.t[from] / 1000),
  ts_of_last_over_time: (w, _, out) => pick(w, out, (_from, to) => w.t[to - 1] / 1000),
  changes: (w, _, out) => countChanges(w, out),
  resets: (w, _, out) => countResets(w, out),
  quantile_over_time: (w, [phi], out) => quantileWindows(w, phi, out),
  mad_over_time: (w, _, out) => medianDeviation(w, out),
}
