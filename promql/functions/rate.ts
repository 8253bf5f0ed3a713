/**
 * rate, increase, delta, irate, idelta on floats, for all steps of one series.
 *
 * Source: Prometheus promql/functions.go extrapolatedRate and instantValue, float branches. The order of float
 * operations is kept so that results agree bit for bit.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { RangeKernel, Windows } from './windows.ts'

/** Whole seconds and the rest are added apart, as Go's Duration.Seconds does. */
export function durationSeconds(ms: number): number {
  return Math.trunc(ms / 1000) + (ms % 1000) / 1000
}

/** Puts the indices i with v[i] < v[i − 1] into `into`, ascending; returns their number. */
function findResets(v: Float64Array, length: number, into: Int32Array): number {
  let count = 0
  let previous = v[0]
  for (let i = 1; i < length; i++) {
    const value = v[i]
    if (value < previous) into[count++] = i
    previous = value
  }
  return count
}

/** Of each step in `memo`: seconds between first and last sample, seconds to the window's start, factor. */
const MEMO = 3
/** Beyond any rounding of the comparison that it is for. */
const SURELY = 1 + 1e-9

/**
 * What times alone say of the extrapolation: how far the samples reach, how far to the start the change is extended, and by
 * which factor it grows then. 0 seconds where there are not two samples.
 */
function extrapolation({ t, times, endMs, rangeMs }: Windows, rangeSeconds: number): Float64Array {
  const { from, to } = times
  const memo = new Float64Array(from.length * MEMO)
  for (let s = 0; s < from.length; s++) {
    const first = from[s]
    const last = to[s] - 1
    if (last - first < 1) continue
    const sampled = (t[last] - t[first]) / 1000
    const meanGap = sampled / (last - first)
    const threshold = meanGap * 1.1
    let toStart = (t[first] - (endMs[s] - rangeMs)) / 1000
    if (toStart >= threshold) toStart = meanGap / 2
    memo[MEMO * s] = sampled
    memo[MEMO * s + 1] = toStart
    memo[MEMO * s + 2] = growth(sampled, toStart, toEndOf(t[last], endMs[s], meanGap), rangeSeconds)
  }
  return memo
}

function toEndOf(lastMs: number, endMs: number, meanGap: number): number {
  const toEnd = (endMs - lastMs) / 1000
  return toEnd >= meanGap * 1.1 ? meanGap / 2 : toEnd
}

/** `rangeSeconds`: 0 where the change is not divided by the time. */
function growth(sampled: number, toStart: number, toEnd: number, rangeSeconds: number): number {
  const factor = (sampled + toStart + toEnd) / sampled
  return rangeSeconds === 0 ? factor : factor / rangeSeconds
}

/**
 * Change over each window, extrapolated towards the window's ends.
 *
 * Needs two samples in the window. A counter's drops are made up for by adding the value before each, in order.
 * Why extrapolate: samples rarely sit on the ends. A gap to an end shorter than 1.1 mean gaps is taken as
 * covered, a longer one counts half a mean gap; and no counter is extended to before the time it would have
 * been 0.
 */
function extrapolatedChange(w: Windows, out: Column, isCounter: boolean, isRate: boolean): number {
  const { t, v, from, to, endMs, rangeMs } = w
  const { values, present } = out
  const rangeSeconds = isRate ? durationSeconds(rangeMs) : 0
  w.times.memo ??= extrapolation(w, rangeSeconds)
  const { memo } = w.times
  const resets = w.scratchIntegers(w.length)
  const resetCount = isCounter ? findResets(v, w.length, resets) : 0
  let firstReset = 0
  let found = 0
  for (let s = 0; s < w.count; s++) {
    const sampled = memo[MEMO * s]
    if (sampled === 0) {
      present[s] = ABSENT
      continue
    }
    const first = from[s]
    const last = to[s] - 1
    let change = v[last] - v[first]
    if (resetCount > 0) {
      while (firstReset < resetCount && resets[firstReset] <= first) firstReset++
      for (let r = firstReset; r < resetCount && resets[r] <= last; r++) change += v[resets[r] - 1]
    }
    let factor = memo[MEMO * s + 2]
    // A product tells mostly, without a division, that the counter was above 0 at the start.
    if (
      isCounter &&
      change > 0 &&
      v[first] >= 0 &&
      sampled * v[first] <= memo[MEMO * s + 1] * change * SURELY
    ) {
      const toZero = sampled * (v[first] / change)
      if (toZero < memo[MEMO * s + 1]) {
        const toEnd = toEndOf(t[last], endMs[s], sampled / (last - first))
        factor = growth(sampled, toZero, toEnd, rangeSeconds)
      }
    }
    values[s] = change * factor
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

/** Change between the last two samples of each window; a counter that dropped counts from 0. */
function instantChange(w: Windows, out: Column, isRate: boolean): number {
  const { t, v, from, to } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < w.count; s++) {
    const last = to[s] - 1
    if (last - from[s] < 1) {
      present[s] = ABSENT
      continue
    }
    const final = v[last]
    const previous = v[last - 1]
    // Not `final >= previous`: a NaN is no reset.
    const change = isRate && final < previous ? final : final - previous
    values[s] = isRate ? change / ((t[last] - t[last - 1]) / 1000) : change
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

export const RATE_KERNELS: Readonly<Record<string, RangeKernel>> = {
  rate: (w, _, out) => extrapolatedChange(w, out, true, true),
  increase: (w, _, out) => extrapolatedChange(w, out, true, false),
  delta: (w, _, out) => extrapolatedChange(w, out, false, false),
  irate: (w, _, out) => instantChange(w, out, true),
  idelta: (w, _, out) => instantChange(w, out, false),
}
