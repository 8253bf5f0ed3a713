/**
 * rate, increase, irate and resets on floats of which some have start timestamps: a counter began anew also where these
 * say so, and where one lies in the window, the counter is known to have been 0 then.
 *
 * Source: Prometheus promql/functions.go extrapolatedRate, instantValue, funcResets.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { extrapolationFactor, originInside } from './extrapolation.ts'
import { countBetween } from './over-time.ts'
import type { RangeNotes } from './range-notes.ts'
import { durationSeconds } from './rate.ts'
import { isStartReset, overlapsPrevious } from './start-times.ts'
import type { Windows } from './windows.ts'

/** As RangeKernel; requires that the windows' samples have start timestamps. */
export type StartKernel = (windows: Windows, out: Column, notes: RangeNotes) => number

function isResetAt({ t, v, st }: Windows, i: number): boolean {
  return v[i] < v[i - 1] || isStartReset(st[i - 1], t[i - 1], st[i], t[i])
}

/** Puts the indices before which the counter began anew into `into`, ascending; returns their number. */
function findResets(w: Windows, into: Int32Array): number {
  let count = 0
  for (let i = 1; i < w.length; i++) if (isResetAt(w, i)) into[count++] = i
  return count
}

function extrapolatedIncrease(w: Windows, out: Column, notes: RangeNotes, isRate: boolean): number {
  const { t, v, st, from, to, endMs, rangeMs } = w
  const { values, present } = out
  const resets = w.scratchIntegers(w.length)
  const resetCount = findResets(w, resets)
  let firstReset = 0
  let found = 0
  for (let s = 0; s < w.count; s++) {
    present[s] = ABSENT
    const first = from[s]
    const last = to[s] - 1
    if (last < first) continue
    let change = v[last] - v[first]
    while (firstReset < resetCount && resets[firstReset] <= first) firstReset++
    for (let r = firstReset; r < resetCount && resets[r] <= last; r++) change += v[resets[r] - 1]
    noteOverlap(w, first, last, notes)

    const startMs = endMs[s] - rangeMs
    const originMs = originInside(st[first], startMs, t[first])
    if (originMs === 0 && last === first) continue
    const firstShare = change > 0 && v[first] >= 0 ? v[first] / change : Number.POSITIVE_INFINITY
    let factor = extrapolationFactor({
      startMs,
      endMs: endMs[s],
      firstMs: t[first],
      lastMs: t[last],
      gaps: last - first,
      originMs,
      firstShare,
    })
    if (originMs !== 0) change += v[first]
    if (isRate) factor /= durationSeconds(rangeMs)
    values[s] = change * factor
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

function noteOverlap({ t, st, spend }: Windows, first: number, last: number, notes: RangeNotes): void {
  spend(last - first)
  for (let i = first + 1; i <= last; i++) {
    if (!overlapsPrevious(st[i - 1], t[i - 1], st[i])) continue
    notes.overlappingStart()
    return
  }
}

function instantRate(w: Windows, out: Column): number {
  const { t, v, from, to } = w
  const { values, present } = out
  let found = 0
  for (let s = 0; s < w.count; s++) {
    const last = to[s] - 1
    if (last - from[s] < 1) {
      present[s] = ABSENT
      continue
    }
    const change = isResetAt(w, last) ? v[last] : v[last] - v[last - 1]
    values[s] = change / ((t[last] - t[last - 1]) / 1000)
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}

function countResets(w: Windows, out: Column): number {
  const { length } = w
  const before = w.scratchIntegers(length)
  before[0] = 0
  for (let i = 1; i < length; i++) before[i] = before[i - 1] + (isResetAt(w, i) ? 1 : 0)
  return countBetween(w, out, before)
}

export const START_KERNELS: Readonly<Record<string, StartKernel>> = {
  rate: (w, out, notes) => extrapolatedIncrease(w, out, notes, true),
  increase: (w, out, notes) => extrapolatedIncrease(w, out, notes, false),
  irate: (w, out) => instantRate(w, out),
  resets: (w, out) => countResets(w, out),
}
