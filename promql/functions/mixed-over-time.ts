/**
 * The *_over_time family, changes, resets and the regressions over series with floats and histograms.
 *
 * Source: Prometheus promql/functions.go. Functions that know floats only leave histograms out and say so where a window
 * has both; sums and averages have no result there.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { equalHistograms } from '../histogram/arithmetic.ts'
import { HistogramSum } from '../histogram/sum.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { HISTOGRAM_WORK } from './histogram-rate.ts'
import type { MixedKernel, MixedWindows } from './mixed-windows.ts'
import { countBetween, OVER_TIME_KERNELS } from './over-time.ts'
import { checkFactors, REGRESSION_KERNELS } from './regression.ts'
import { isStartReset } from './start-times.ts'
import type { RangeKernel } from './windows.ts'

/** The kernel's results over the floats of each window. */
function floatsOnly(kernel: RangeKernel): MixedKernel {
  return (w, args, out) => {
    for (let s = 0; s < w.count; s++) {
      if (w.floatsIn(s) === 0 || w.histogramsIn(s) === 0) continue
      w.notes.histogramsIgnored()
      break
    }
    return kernel(w.floats, args, out)
  }
}

/** Its arguments are looked at wherever a window holds anything. */
const smooth: MixedKernel = (w, args, out) => {
  const [smoothing, trend] = args
  const { from, to } = w.all
  for (let s = 0; s < w.count; s++) if (to[s] > from[s]) checkFactors(smoothing[s], trend[s])
  return floatsOnly(REGRESSION_KERNELS.double_exponential_smoothing)(w, args, out)
}

/** The sum, or the mean, of the histograms [from, to); undefined where they do not go together. */
function combine(w: MixedWindows, from: number, to: number, isMean: boolean): FloatHistogram | undefined {
  const { histograms, notes } = w
  w.all.spend((to - from) * HISTOGRAM_WORK)
  const sum = new HistogramSum(histograms[from]!, isMean)
  for (let i = from + 1; i < to; i++) {
    if (sum.add(histograms[i]!) === 'ok') continue
    notes.mixedSchemas()
    return undefined
  }
  const result = sum.value()
  if (sum.resetConflict) notes.conflictingResets('aggregation')
  if (sum.reconciled) notes.reconciled('aggregation')
  return result
}

/** Sums or means: of floats by their kernel, of histograms here. A step with the window of the step before has its result. */
function sumKernel(floatKernel: RangeKernel, isMean: boolean): MixedKernel {
  return (w, args, out) => {
    const { from, to } = w.all
    floatKernel(w.floats, args, out)
    let previousFrom = -1
    let previousTo = -1
    let result: FloatHistogram | undefined
    for (let s = 0; s < w.count; s++) {
      if (w.histogramsIn(s) === 0) continue
      out.present[s] = ABSENT
      if (w.floatsIn(s) > 0) {
        w.notes.mixed()
        continue
      }
      if (from[s] !== previousFrom || to[s] !== previousTo) result = combine(w, from[s], to[s], isMean)
      previousFrom = from[s]
      previousTo = to[s]
      if (result !== undefined) out.setHistogram(s, result)
    }
    return out.countPresent()
  }
}

/** A sample of each window that is not empty, by its index. */
function pickSample(w: MixedWindows, out: Column, isLast: boolean): number {
  const { v, from, to } = w.all
  let found = 0
  for (let s = 0; s < w.count; s++) {
    out.present[s] = ABSENT
    if (to[s] === from[s]) continue
    const i = isLast ? to[s] - 1 : from[s]
    const histogram = w.histograms[i]
    if (histogram !== undefined) out.setHistogram(s, histogram)
    else {
      out.values[s] = v[i]
      out.present[s] = PRESENT_FLOAT
    }
    found++
  }
  return found
}

/** Puts into `into` how many of the samples [0, i] are events towards the one before. */
export function countPairs(w: MixedWindows, isReset: boolean, into: Int32Array): void {
  const { length } = w.all
  let events = 0
  for (let i = 0; i < length; i++) {
    if (i > 0 && (isReset ? isResetAt(w, i) : isChangeAt(w, i))) events++
    into[i] = events
  }
}

function isResetAt({ all, histograms, pairs }: MixedWindows, i: number): boolean {
  const isHistogram = histograms[i] !== undefined
  if (isHistogram !== (histograms[i - 1] !== undefined)) return true
  if (isHistogram) return pairs.isReset(i)
  const { t, v } = all
  const { st } = pairs
  return v[i] < v[i - 1] || (st.length > 0 && isStartReset(st[i - 1], t[i - 1], st[i], t[i]))
}

function isChangeAt({ all, histograms }: MixedWindows, i: number): boolean {
  const histogram = histograms[i]
  const previous = histograms[i - 1]
  if (histogram !== undefined && previous !== undefined) return !equalHistograms(histogram, previous)
  if (histogram !== undefined || previous !== undefined) return true
  const value = all.v[i]
  return value !== all.v[i - 1] && !(Number.isNaN(value) && Number.isNaN(all.v[i - 1]))
}

function countKernel(isReset: boolean): MixedKernel {
  return (w, _, out) => {
    const { all } = w
    const before = all.scratchIntegers(all.length)
    countPairs(w, isReset, before)
    return countBetween(all, out, before)
  }
}

const FLOATS_ONLY: readonly string[] = (
  'min_over_time max_over_time ts_of_min_over_time ts_of_max_over_time stddev_over_time stdvar_over_time ' +
  'quantile_over_time mad_over_time'
).split(' ')

/** Those that look at times or at the number of samples only. */
const ANY_SAMPLE: readonly string[] =
  'count_over_time present_over_time ts_of_first_over_time ts_of_last_over_time'.split(' ')

const { sum_over_time: sumFloats, avg_over_time: averageFloats } = OVER_TIME_KERNELS

export const MIXED_OVER_TIME_KERNELS: Readonly<Record<string, MixedKernel>> = {
  ...Object.fromEntries(FLOATS_ONLY.map((name) => [name, floatsOnly(OVER_TIME_KERNELS[name])])),
  ...Object.fromEntries(
    ANY_SAMPLE.map((name): [string, MixedKernel] => [
      name,
      (w, args, out) => OVER_TIME_KERNELS[name](w.all, args, out),
    ]),
  ),
  deriv: floatsOnly(REGRESSION_KERNELS.deriv),
  predict_linear: floatsOnly(REGRESSION_KERNELS.predict_linear),
  double_exponential_smoothing: smooth,
  sum_over_time: sumKernel(sumFloats, false),
  avg_over_time: sumKernel(averageFloats, true),
  first_over_time: (w, _, out) => pickSample(w, out, false),
  last_over_time: (w, _, out) => pickSample(w, out, true),
  changes: countKernel(false),
  resets: countKernel(true),
}
