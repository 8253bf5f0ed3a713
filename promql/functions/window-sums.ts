/**
 * Sums and averages of windows over one series.
 *
 * Where windows overlap, a window's sum is the difference of two prefix sums that are kept as unevaluated pairs of floats
 * (double-double, error-free additions by Knuth's TwoSum). Its relative error stays below 2^-51 as long as the result is no
 * smaller than 2^-50 of the largest prefix; where it is, or where a value is not finite, the window is summed by itself
 * with upstream's Kahan–Neumaier sum.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { Windows } from './windows.ts'

/** Smallest share of the largest prefix that a difference of prefixes is taken for. */
const CANCELLATION = 2 ** -50
/** How often windows have to read each sample, in the mean, before prefixes pay. */
const OVERLAP = 2

/** Kahan–Neumaier sum of v[from, to), from 0. Infinite or NaN as upstream's. */
export function kahanSum(v: Float64Array, from: number, to: number): number {
  let total = 0
  let c = 0
  for (let i = from; i < to; i++) {
    const x = v[i]
    const next = total + x
    // Knuth's TwoSum: the same rounding error as by Neumaier's two cases, without a branch.
    const virtual = next - total
    c += total - (next - virtual) + (x - virtual)
    total = next
  }
  // Once it has overflowed, or met a NaN, it never comes back, and upstream's compensation is 0.
  return Number.isFinite(total) ? total + c : total
}

/** Mean of the Kahan sum; where that would overflow, an incremental mean from there on. Requires: from < to. */
export function kahanAverage(v: Float64Array, from: number, to: number): number {
  let total = v[from]
  let c = 0
  for (let i = from + 1; i < to; i++) {
    const x = v[i]
    const next = total + x
    const virtual = next - total
    c += total - (next - virtual) + (x - virtual)
    total = next
  }
  const count = to - from
  return Number.isFinite(total) ? total / count + c / count : averageBeyondFloats(v, from, to)
}

/** As upstream goes on where the next value would make the sum infinite. */
function averageBeyondFloats(v: Float64Array, from: number, to: number): number {
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

/** The sum, or the mean, of each window that is not empty; returns how many those are. */
export function sumWindows(w: Windows, out: Column, isMean: boolean): number {
  const { from, to, count } = w
  let read = 0
  for (let s = 0; s < count; s++) read += to[s] - from[s]
  w.spend(Math.min(read, w.length))
  return read > OVERLAP * w.length ? sumByPrefixes(w, out, isMean) : sumEach(w, out, isMean)
}

function sumEach(w: Windows, out: Column, isMean: boolean): number {
  const { v, from, to, count } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < count; s++) {
    if (to[s] === from[s]) {
      present[s] = ABSENT
      continue
    }
    values[s] = isMean ? kahanAverage(v, from[s], to[s]) : kahanSum(v, from[s], to[s])
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

function sumByPrefixes(w: Windows, out: Column, isMean: boolean): number {
  const { v, from, to, count, length } = w
  const { values, present } = out
  // Prefix i, of v[0, i), is high[i] + low[i].
  const prefixes = w.scratchFloats(2 * length + 2)
  const lowAt = length + 1
  let high = 0
  let low = 0
  let largest = 0
  prefixes[0] = 0
  prefixes[lowAt] = 0
  for (let i = 0; i < length; i++) {
    const x = v[i]
    const next = high + x
    const virtual = next - high
    low += high - (next - virtual) + (x - virtual)
    high = next
    const size = next < 0 ? -next : next
    if (size > largest) largest = size
    prefixes[i + 1] = high
    prefixes[lowAt + i + 1] = low
  }
  // A value that is not finite leaves no prefix behind it finite.
  if (!Number.isFinite(high) || !Number.isFinite(low)) return sumEach(w, out, isMean)
  const smallest = largest * CANCELLATION
  let found = 0
  for (let s = 0; s < count; s++) {
    const first = from[s]
    const end = to[s]
    if (end === first) {
      present[s] = ABSENT
      continue
    }
    const a = prefixes[end]
    const b = prefixes[first]
    const difference = a - b
    const virtual = difference - a
    const error = a - (difference - virtual) - (b + virtual)
    const sum = difference + (error + (prefixes[lowAt + end] - prefixes[lowAt + first]))
    const size = Math.abs(sum)
    if (size >= smallest && size < Infinity) {
      values[s] = isMean ? sum / (end - first) : sum
    } else {
      w.spend(end - first)
      values[s] = isMean ? kahanAverage(v, first, end) : kahanSum(v, first, end)
    }
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}
