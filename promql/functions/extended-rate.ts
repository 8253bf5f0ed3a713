/**
 * rate, increase and delta of windows with `anchored` or `smoothed`, changes and resets of anchored ones.
 *
 * Nothing is extrapolated. Anchored takes the value at the window's start from the newest sample before it; smoothed
 * interpolates at both ends. Source: Prometheus promql/functions.go extendedRate, pickFirstSampleIndices.
 */
import { QueryError } from '../errors.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { extendedHistogramChange } from './extended-histogram-rate.ts'
import type { ExtendedWindows, Extension } from './extended-windows.ts'
import { interpolate } from './interpolate.ts'
import { countPairs } from './mixed-over-time.ts'
import { durationSeconds } from './rate.ts'

/** As RangeKernel, over extended windows. */
export type ExtendedKernel = (windows: ExtendedWindows, out: Column) => number

/** What extendedChange works out: at the window's start, and at its end. */
export interface EndValues {
  left: number
  right: number
}

/**
 * The values at the ends of the window of step s, into `into`; false where it has none. Requires: the data of the step
 * are floats, at least one.
 */
export function endValues(w: ExtendedWindows, s: number, isCounter: boolean, into: EndValues): boolean {
  const { t, v, from } = w.data.all
  const endMs = w.endMs[s]
  const startMs = endMs - w.rangeMs
  const first = w.firstOf(s)
  const last = w.lastOf(s)
  if (t[last] <= startMs || (w.isSmoothed && t[first] > endMs)) return false
  into.left =
    w.isSmoothed && t[first] < startMs
      ? interpolate(t[first], v[first], t[first + 1], v[first + 1], startMs, isCounter)
      : v[first]
  into.right =
    w.isSmoothed && last > from[s] && t[last] > endMs
      ? interpolate(t[last - 1], v[last - 1], t[last], v[last], endMs, isCounter)
      : v[last]
  return true
}

/** What the drops between left, the samples inside the window, and right lost. */
function resetCorrection(w: ExtendedWindows, s: number, { left, right }: EndValues): number {
  const { t, v, spend } = w.data.all
  let first = w.firstOf(s)
  let last = w.lastOf(s)
  if (t[first] <= w.endMs[s] - w.rangeMs) first++
  if (t[last] >= w.endMs[s]) last--
  spend(Math.max(last - first, 0))
  let correction = 0
  let previous = left
  for (let i = first; i <= last; i++) {
    if (v[i] < previous) correction += previous
    previous = v[i]
  }
  return right < previous ? correction + previous : correction
}

function changeKernel(isCounter: boolean, isRate: boolean): ExtendedKernel {
  return (w, out) => {
    const { data, rangeMs } = w
    const { from, to } = data.all
    const divisor = isRate ? durationSeconds(rangeMs) : 0
    const ends = { left: 0, right: 0 }
    let found = 0
    for (let s = 0; s < w.count; s++) {
      out.present[s] = ABSENT
      if (to[s] === from[s]) continue
      if (data.histogramsIn(s) > 0) {
        if (data.floatsIn(s) > 0) data.notes.mixed()
        else {
          const change = extendedHistogramChange(w, s, isCounter, divisor)
          if (change !== undefined) out.setHistogram(s, change)
        }
      } else if (endValues(w, s, isCounter, ends)) {
        let change = ends.right - ends.left
        if (isCounter) change += resetCorrection(w, s, ends)
        out.values[s] = isRate ? change / divisor : change
        out.present[s] = PRESENT_FLOAT
      }
      if (out.present[s] !== ABSENT) found++
    }
    return found
  }
}

/** Events from the anchor on; none where nothing lies after the window's start. */
function countKernel(isReset: boolean): ExtendedKernel {
  return (w, out) => {
    const { all } = w.data
    const { t, from, to } = all
    const before = all.scratchIntegers(all.length)
    countPairs(w.data, isReset, before)
    let found = 0
    for (let s = 0; s < w.count; s++) {
      out.present[s] = ABSENT
      if (to[s] === from[s] || t[to[s] - 1] <= w.endMs[s] - w.rangeMs) continue
      out.values[s] = before[to[s] - 1] - before[w.firstOf(s)]
      out.present[s] = PRESENT_FLOAT
      found++
    }
    return found
  }
}

const RATES: Readonly<Record<string, ExtendedKernel>> = {
  delta: changeKernel(false, false),
  increase: changeKernel(true, false),
  rate: changeKernel(true, true),
}

/** In the order of their names. */
const KERNELS: Readonly<Record<Extension, Readonly<Record<string, ExtendedKernel>>>> = {
  anchored: { changes: countKernel(false), ...RATES, resets: countKernel(true) },
  smoothed: RATES,
}

/** Throws QueryError where the function has no such windows. */
export function extendedKernel(name: string, extension: Extension): ExtendedKernel {
  const kernels = KERNELS[extension]
  if (name in kernels) return kernels[name]
  const names = Object.keys(kernels).join(', ')
  throw new QueryError(
    'execution',
    `${extension} modifier can only be used with: ${names} - not with ${name}`,
  )
}
