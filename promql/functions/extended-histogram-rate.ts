/**
 * rate, increase and delta of histograms in windows with `anchored` or `smoothed`.
 *
 * Source: Prometheus promql/functions.go extendedHistogramRate, correctForCounterResetsHistogram.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { compactHistogram, divideHistogram, withHint } from '../histogram/arithmetic.ts'
import { isCustom } from '../histogram/bounds.ts'
import { detectReset } from '../histogram/reset.ts'
import type { ExtendedWindows } from './extended-windows.ts'
import { addNoted, HISTOGRAM_WORK, subtractNoted } from './histogram-rate.ts'
import { interpolateHistograms } from './interpolate.ts'

/**
 * Change over the window of step s, divided by `divisor` unless that is 0; undefined where there is none.
 * Requires: the data of the step are histograms, at least one.
 */
export function extendedHistogramChange(
  w: ExtendedWindows,
  s: number,
  isCounter: boolean,
  divisor: number,
): FloatHistogram | undefined {
  const { notes, all } = w.data
  const { t } = all
  const first = w.firstOf(s)
  const last = w.lastOf(s)
  if (t[last] <= w.endMs[s] - w.rangeMs || (w.isSmoothed && t[first] > w.endMs[s])) return undefined
  all.spend((last - first + 1) * HISTOGRAM_WORK)
  if (!isUniform(w, first, last, isCounter)) return undefined
  const left = leftHistogram(w, s, first, isCounter)
  const right = left && rightHistogram(w, s, last, isCounter)
  if (left === undefined || right === undefined) return undefined
  if (!isCounter && (left.counterResetHint !== 'gauge' || right.counterResetHint !== 'gauge'))
    notes.notGauge()
  let change = subtractNoted(right, left, notes)
  if (change !== undefined && isCounter) change = addLost(w, s, change, left, right)
  if (change === undefined) return undefined
  if (divisor !== 0) change = divideHistogram(change, divisor)
  return compactHistogram(withHint(change, 'gauge'))
}

/** Whether all of [first, last] have exponential buckets, or all custom ones. Gauges are noted where they should not be. */
function isUniform({ data }: ExtendedWindows, first: number, last: number, isCounter: boolean): boolean {
  const { histograms, notes } = data
  for (let i = first; i <= last; i++) {
    const histogram = histograms[i]!
    if (isCustom(histogram) !== isCustom(histograms[first]!)) {
      notes.mixedSchemas()
      return false
    }
    if (isCounter && histogram.counterResetHint === 'gauge') notes.notCounter()
  }
  return true
}

function leftHistogram(
  w: ExtendedWindows,
  s: number,
  first: number,
  isCounter: boolean,
): FloatHistogram | undefined {
  const startMs = w.endMs[s] - w.rangeMs
  const { t } = w.data.all
  if (w.isSmoothed && t[first] < startMs) return between(w, first, startMs, isCounter)
  return w.data.histograms[first]
}

function rightHistogram(
  w: ExtendedWindows,
  s: number,
  last: number,
  isCounter: boolean,
): FloatHistogram | undefined {
  const { t, from } = w.data.all
  if (w.isSmoothed && last > from[s] && t[last] > w.endMs[s])
    return between(w, last - 1, w.endMs[s], isCounter)
  return w.data.histograms[last]
}

/** At `timeMs`, between the samples i and i + 1. */
function between({ data }: ExtendedWindows, i: number, timeMs: number, isCounter: boolean) {
  const { histograms, all, notes } = data
  const { t } = all
  return interpolateHistograms(t[i], histograms[i]!, t[i + 1], histograms[i + 1]!, timeMs, isCounter, notes)
}

/** Adds what the resets between left, the samples inside the window, and right lost. */
function addLost(
  w: ExtendedWindows,
  s: number,
  change: FloatHistogram,
  left: FloatHistogram,
  right: FloatHistogram,
): FloatHistogram | undefined {
  const { histograms, all, notes } = w.data
  let first = w.firstOf(s)
  const last = w.lastOf(s)
  let previous = left
  const isInterpolated = w.isSmoothed && all.t[first] < w.endMs[s] - w.rangeMs
  if (isInterpolated && detectReset(histograms[first + 1]!, histograms[first]!)) {
    // The interpolation has made up for this reset.
    previous = histograms[first + 1]!
    first++
  }
  if (first > last - 1) return change
  let lost: FloatHistogram | undefined
  const lose = (histogram: FloatHistogram): boolean => {
    lost = lost === undefined ? histogram : addNoted(lost, histogram, notes)
    return lost !== undefined
  }
  for (let i = first + 1; i < last; i++) {
    if (detectReset(histograms[i]!, previous) && !lose(previous)) return undefined
    previous = histograms[i]!
  }
  if (detectReset(right, previous) && !lose(previous)) return undefined
  return lost === undefined ? change : addNoted(change, lost, notes)
}
