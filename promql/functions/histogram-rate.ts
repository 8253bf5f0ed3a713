/**
 * rate, increase, delta, irate and idelta of windows that hold histograms.
 *
 * Source: Prometheus promql/functions.go histogramRate, extrapolatedRate, instantValue. A window with floats and histograms
 * has no result. Where bucket layouts differ, the result has the coarsest one. Results are gauges.
 */
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  reduceResolution,
  scaleHistogram,
  subtractHistograms,
  withHint,
} from '../histogram/arithmetic.ts'
import { isCustom } from '../histogram/bounds.ts'
import { detectReset } from '../histogram/reset.ts'
import { ABSENT, type Column } from '../value.ts'
import { extrapolationFactor, originInside } from './extrapolation.ts'
import type { MixedKernel, MixedWindows } from './mixed-windows.ts'
import type { RangeNotes } from './range-notes.ts'
import { durationSeconds, RATE_KERNELS } from './rate.ts'
import { START_KERNELS } from './start-rate.ts'

/** Units of work that an operation on histograms costs. */
export const HISTOGRAM_WORK = 200

/** base + other; undefined where they do not go together. What is noteworthy is noted. */
export function addNoted(
  base: FloatHistogram,
  other: FloatHistogram,
  notes: RangeNotes,
): FloatHistogram | undefined {
  const sum = addHistograms(base, other)
  if (sum === undefined) notes.mixedSchemas()
  else if (sum.reconciled) notes.reconciled('addition')
  return sum?.histogram
}

/** base − other; as addNoted. */
export function subtractNoted(
  base: FloatHistogram,
  other: FloatHistogram,
  notes: RangeNotes,
): FloatHistogram | undefined {
  const difference = subtractHistograms(base, other)
  if (difference === undefined) notes.mixedSchemas()
  else if (difference.reconciled) notes.reconciled('subtraction')
  return difference?.histogram
}

/** The windows' floats by the kernel for floats: right wherever a window has no histogram. */
function fillFromFloats(name: string, w: MixedWindows, out: Column): number {
  if (w.hasFloatStarts && name in START_KERNELS) return START_KERNELS[name](w.floats, out, w.notes)
  return RATE_KERNELS[name](w.floats, [], out)
}

/** Change of a counter over the histograms [first, last]. Requires: first < last, and only histograms there. */
function counterIncrease(w: MixedWindows, first: number, last: number): FloatHistogram | undefined {
  const { pairs, histograms, notes } = w
  const final = histograms[last]!
  const second = histograms[first + 1]!
  let base = histograms[first]!
  // What was before a reset is not looked at, so that its buckets need not match.
  const startsAnew = pairs.isReset(first + 1)
  if (startsAnew) base = { ...EMPTY_HISTOGRAM, schema: second.schema, customValues: second.customValues }
  for (let i = startsAnew ? first + 1 : first; pairs.hasSchemaChange(first, last) && i <= last; i++) {
    if (isCustom(histograms[i]!) === isCustom(base)) continue
    // Upstream looks at the final one before those between, and forgets what it noted when one of these is odd.
    if (i === last || isCustom(final) !== isCustom(base)) noteGauges(w, first, last, true)
    notes.mixedSchemas()
    return undefined
  }
  const schema = pairs.minSchema(startsAnew ? first + 1 : first, last)
  let change = subtractNoted(reduceResolution(final, schema), base, notes)
  for (let i = first + 1; i <= last && change !== undefined; i++) {
    if (!pairs.isReset(i)) continue
    const before = i === first + 1 ? base : histograms[i - 1]!
    if (i === first + 1 && !pairs.isResetByStart(i) && !detectReset(second, base)) continue
    change = addNoted(change, before, notes)
  }
  if (change === undefined) return undefined
  noteGauges(w, first, last, false)
  if (pairs.hasOverlap(first, last)) notes.overlappingStart()
  return compactHistogram(withHint(change, 'gauge'))
}

function noteGauges({ pairs, notes }: MixedWindows, first: number, last: number, endsOnly: boolean): void {
  const isNoted = endsOnly
    ? pairs.hasGauge(first, first) || pairs.hasGauge(last, last)
    : pairs.hasGauge(first, last)
  if (isNoted) notes.notCounter()
}

/** Change of a gauge. Requires as counterIncrease. */
function gaugeChange(
  { histograms, notes }: MixedWindows,
  first: number,
  last: number,
): FloatHistogram | undefined {
  const base = histograms[first]!
  const final = histograms[last]!
  if (isCustom(base) !== isCustom(final)) {
    notes.mixedSchemas()
    return undefined
  }
  const schema = Math.min(base.schema, final.schema)
  const change = subtractNoted(reduceResolution(final, schema), base, notes)
  if (change === undefined) return undefined
  if (base.counterResetHint !== 'gauge' || final.counterResetHint !== 'gauge') notes.notGauge()
  return compactHistogram(withHint(change, 'gauge'))
}

/**
 * As extrapolatedChange of rate.ts, for the window of step s, which holds histograms only. `rangeSeconds` is 0 where the
 * change is not divided by the time.
 */
function fillExtrapolated(
  w: MixedWindows,
  s: number,
  isCounter: boolean,
  rangeSeconds: number,
  out: Column,
): void {
  const { all, pairs, histograms, notes } = w
  const { t, endMs, rangeMs } = all
  const first = all.from[s]
  const last = all.to[s] - 1
  const base = histograms[first]!
  const startMs = endMs[s] - rangeMs
  const originMs = isCounter && pairs.st.length > 0 ? originInside(pairs.st[first], startMs, t[first]) : 0
  if (first === last && originMs === 0) return
  all.spend(HISTOGRAM_WORK)
  let change: FloatHistogram | undefined = base
  let firstShare = Number.POSITIVE_INFINITY
  if (last > first) {
    change = isCounter ? counterIncrease(w, first, last) : gaugeChange(w, first, last)
    if (change === undefined) return
    if (isCounter && change.count > 0 && base.count >= 0) firstShare = base.count / change.count
    if (originMs !== 0) change = addNoted(change, base, notes)
    if (change === undefined) return
  }
  let factor = extrapolationFactor({
    startMs,
    endMs: endMs[s],
    firstMs: t[first],
    lastMs: t[last],
    gaps: last - first,
    originMs,
    firstShare,
  })
  if (rangeSeconds > 0) factor /= rangeSeconds
  out.setHistogram(s, scaleHistogram(change, factor))
}

function changeKernel(name: string, isCounter: boolean, isRate: boolean): MixedKernel {
  return (w, _, out) => {
    const { all, notes } = w
    const rangeSeconds = durationSeconds(all.rangeMs)
    fillFromFloats(name, w, out)
    let found = 0
    for (let s = 0; s < w.count; s++) {
      if (w.histogramsIn(s) > 0) {
        out.present[s] = ABSENT
        if (w.floatsIn(s) > 0) notes.mixed()
        else fillExtrapolated(w, s, isCounter, isRate ? rangeSeconds : 0, out)
      }
      if (out.present[s] !== ABSENT) found++
    }
    return found
  }
}

/** Change between the last two samples of each window, which both are histograms or both floats. */
function instantKernel(name: string, isRate: boolean): MixedKernel {
  return (w, _, out) => {
    const { from, to } = w.all
    fillFromFloats(name, w, out)
    let found = 0
    for (let s = 0; s < w.count; s++) {
      const last = to[s] - 1
      if (last - from[s] < 1) out.present[s] = ABSENT
      else if (w.histograms[last] !== undefined || w.histograms[last - 1] !== undefined) {
        out.present[s] = ABSENT
        const change = instantChange(w, last, isRate)
        if (change !== undefined) out.setHistogram(s, change)
      }
      if (out.present[s] !== ABSENT) found++
    }
    return found
  }
}

/** From the sample before `last` to it. */
function instantChange(w: MixedWindows, last: number, isRate: boolean): FloatHistogram | undefined {
  const { histograms, notes, pairs, all } = w
  const final = histograms[last]
  const base = histograms[last - 1]
  if (final === undefined || base === undefined) {
    notes.mixed()
    return undefined
  }
  all.spend(HISTOGRAM_WORK)
  const gauges = (final.counterResetHint === 'gauge' ? 1 : 0) + (base.counterResetHint === 'gauge' ? 1 : 0)
  if (isRate && gauges > 0) notes.notCounter()
  if (!isRate && gauges < 2) notes.notGauge()
  let change: FloatHistogram | undefined = final
  if (!isRate || !pairs.isReset(last)) change = subtractNoted(final, base, notes)
  if (change === undefined) return undefined
  change = compactHistogram(withHint(change, 'gauge'))
  return isRate ? divideHistogram(change, (all.t[last] - all.t[last - 1]) / 1000) : change
}

export const HISTOGRAM_RATE_KERNELS: Readonly<Record<string, MixedKernel>> = {
  rate: changeKernel('rate', true, true),
  increase: changeKernel('increase', true, false),
  delta: changeKernel('delta', false, false),
  irate: instantKernel('irate', true),
  idelta: instantKernel('idelta', false),
}
