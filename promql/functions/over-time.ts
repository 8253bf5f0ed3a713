/**
 * The *_over_time family, changes and resets on floats, for all steps of one series.
 *
 * Source: Prometheus promql/functions.go. Counts, picks and extremes slide; sums and moments are summed again
 * for each window, in upstream's order, since their bits depend on it. A step whose window holds the same
 * samples as the step before takes over its result.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { quantile } from './quantile.ts'
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

/** Kahan–Neumaier sum from 0. */
function sum(v: Float64Array, from: number, to: number): number {
  let total = 0
  let c = 0
  for (let i = from; i < to; i++) {
    const x = v[i]
    const next = total + x
    if (next === Infinity || next === -Infinity) c = 0
    else if (Math.abs(total) >= Math.abs(x)) c += total - next + x
    else c += x - next + total
    total = next
  }
  return total === Infinity || total === -Infinity ? total : total + c
}

/** Mean of the Kahan sum; where that would overflow, an incremental mean from there on. */
function average(v: Float64Array, from: number, to: number): number {
  let total = v[from]
  let c = 0
  for (let i = from + 1; i < to; i++) {
    const x = v[i]
    const next = total + x
    if (next === Infinity || next === -Infinity) return incrementalAverage(v, from, i, to, total, c)
    if (Math.abs(total) >= Math.abs(x)) c += total - next + x
    else c += x - next + total
    total = next
  }
  const count = to - from
  return total / count + c / count
}

/** Goes on from the sum of [from, i) where adding v[i] would overflow. */
function incrementalAverage(
  v: Float64Array,
  from: number,
  i: number,
  to: number,
  total: number,
  compensation: number,
): number {
  let mean = total / (i - from)
  let c = compensation / (i - from)
  for (; i < to; i++) {
    const count = i - from + 1
    const q = (count - 1) / count
    const x = v[i] / count
    const scaled = q * mean
    c *= q
    mean = scaled + x
    if (mean === Infinity || mean === -Infinity) c = 0
    else if (Math.abs(scaled) >= Math.abs(x)) c += scaled - mean + x
    else c += x - mean + scaled
  }
  return mean + c
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

/** Counts the neighbours (i − 1, i) inside each window for which `isEvent` holds. */
function countEvents(w: Windows, out: Column, isEvent: (previous: number, value: number) => boolean): number {
  const { v, length } = w
  const before = w.scratchIntegers(length)
  let events = 0
  for (let i = 0; i < length; i++) {
    if (i > 0 && isEvent(v[i - 1], v[i])) events++
    before[i] = events
  }
  return pick(w, out, (from, to) => before[to - 1] - before[from])
}

function isChange(previous: number, value: number): boolean {
  return value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))
}

function isReset(previous: number, value: number): boolean {
  return value < previous
}

function quantileColumn(w: Windows, phi: Float64Array, out: Column): number {
  const { v, from, to } = w
  const { values, present } = out
  const scratch = w.scratchFloats(w.length)
  let found = 0
  for (let s = 0; s < w.count; s++) {
    const length = to[s] - from[s]
    if (length === 0) {
      present[s] = ABSENT
      continue
    }
    w.spend(length)
    scratch.set(v.subarray(from[s], to[s]))
    values[s] = quantile(phi[s], scratch, length)
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
  sum_over_time: (w, _, out) => reduce(w, out, sum),
  avg_over_time: (w, _, out) => reduce(w, out, average),
  stdvar_over_time: (w, _, out) => reduce(w, out, variance),
  stddev_over_time: (w, _, out) => reduce(w, out, (v, from, to) => Math.sqrt(variance(v, from, to))),
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
  changes: (w, _, out) => countEvents(w, out, isChange),
  resets: (w, _, out) => countEvents(w, out, isReset),
  quantile_over_time: (w, [phi], out) => quantileColumn(w, phi, out),
  mad_over_time: (w, _, out) => medianDeviation(w, out),
}
