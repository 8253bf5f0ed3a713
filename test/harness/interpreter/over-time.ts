/** Functions over the samples of one window. */
import { formatFixed, formatFloatShort, quoteString } from '../../../promql/syntax/go-format.ts'
import { anchoredSamples, extendedRate } from './extended.ts'
import { addCompensated, meanOf, quantileOf, sumOf, ZERO_SUM } from './floats.ts'
import { detectReset, equal } from './histogram.ts'
import { averageHistograms, sumHistograms, tellSum } from './histogram-sum.ts'
import { InterpreterError, isHistogram, type Value, type Window, type WindowSample } from './model.ts'
import { metricName } from './naming.ts'
import {
  extrapolatedRate,
  instantRate,
  isStartReset,
  type Place,
  warnExponentialAndCustom,
  warnMixed,
} from './rate.ts'
import { doubleSmoothing, type FloatSample, regression } from './regression.ts'

export interface WindowCall extends Place {
  readonly evaluationMs: number
  /** The scalar arguments in their order. */
  readonly scalars: readonly number[]
  readonly isAnchored: boolean
  readonly isSmoothed: boolean
}

type WindowFunction = (window: Window, call: WindowCall) => Value | undefined

function floatsOf({ samples }: Window): FloatSample[] {
  return samples.flatMap(({ t, value }) => (isHistogram(value) ? [] : [{ t, value }]))
}

function tellIgnored(window: Window, { notes, start }: Place): void {
  if (!window.samples.some(({ value }) => isHistogram(value))) return
  const name = quoteString(metricName(window.labels))
  notes.info(
    `ignored histograms in a range containing both floats and histograms for metric name ${name}`,
    start,
  )
}

/** A function of the floats alone, of `least` at least; histograms among them are told of. */
function overFloats(
  least: number,
  compute: (samples: readonly FloatSample[], call: WindowCall) => number,
): WindowFunction {
  return (window, call) => {
    const floats = floatsOf(window)
    if (floats.length === 0) return undefined
    tellIgnored(window, call)
    return floats.length < least ? undefined : compute(floats, call)
  }
}

function valuesOf(samples: readonly FloatSample[]): number[] {
  return samples.map(({ value }) => value)
}

/** The sample that no other one beats; among equal ones the last where `takesLatest`. */
function best(
  samples: readonly FloatSample[],
  beats: (a: number, b: number) => boolean,
  takesLatest: boolean,
): FloatSample {
  let chosen = samples[0]
  for (const sample of samples) {
    const isEqual = takesLatest && sample.value === chosen.value
    if (beats(sample.value, chosen.value) || isEqual || Number.isNaN(chosen.value)) chosen = sample
  }
  return chosen
}

const isLess = (a: number, b: number) => a < b
const isGreater = (a: number, b: number) => a > b

function variance(samples: readonly FloatSample[]): number {
  let mean = ZERO_SUM
  let squares = ZERO_SUM
  for (const [i, { value }] of samples.entries()) {
    const delta = value - (mean.sum + mean.lost)
    mean = addCompensated(delta / (i + 1), mean)
    squares = addCompensated(delta * (value - (mean.sum + mean.lost)), squares)
  }
  return (squares.sum + squares.lost) / samples.length
}

function countSteps(samples: readonly WindowSample[], counts: (a: Value, b: Value) => boolean): number {
  let steps = 0
  for (let i = 1; i < samples.length; i++) if (counts(samples[i - 1].value, samples[i].value)) steps++
  return steps
}

function isReset(before: Value, after: Value): boolean {
  if (isHistogram(before) && isHistogram(after)) return detectReset(after, before)
  if (isHistogram(before) || isHistogram(after)) return true
  return after < before
}

function isChange(before: Value, after: Value): boolean {
  if (isHistogram(before) && isHistogram(after)) return !equal(before, after)
  if (isHistogram(before) || isHistogram(after)) return true
  return after !== before && !(Number.isNaN(after) && Number.isNaN(before))
}

function counting(counts: (a: Value, b: Value) => boolean): WindowFunction {
  return (window, { isAnchored }) => {
    const samples = isAnchored ? anchoredSamples(window) : window.samples
    return samples.length === 0 ? undefined : countSteps(samples, counts)
  }
}

function totalling(
  ofFloats: (values: readonly number[]) => number,
  ofHistograms: typeof sumHistograms,
): WindowFunction {
  return (window, call) => {
    const floats = floatsOf(window)
    if (floats.length === window.samples.length) return ofFloats(valuesOf(floats))
    if (floats.length > 0) return warnMixed(window, call)
    const total = ofHistograms(window.samples.flatMap(({ value }) => (isHistogram(value) ? [value] : [])))
    if (total.histogram === undefined) return warnExponentialAndCustom(window, call)
    tellSum(total, call.notes, call.start)
    return total.histogram
  }
}

function rating(isCounter: boolean, isRate: boolean): WindowFunction {
  return (window, call) => {
    if (call.isAnchored || call.isSmoothed) return extendedRate(window, isCounter, isRate, call)
    return extrapolatedRate(window, isCounter, isRate, call)
  }
}

function smoothing(samples: readonly FloatSample[], { scalars: [sf, tf] }: WindowCall): number {
  return doubleSmoothing(samples, sf, tf)
}

function checkFactor(name: string, factor: number, shown: string): void {
  if (factor > 0 && factor < 1) return
  if (Number.isNaN(factor)) return
  throw new InterpreterError(
    `invalid ${name} factor. Expected: 0 < ${shown} < 1, got: ${formatFixed(factor, 6)}`,
  )
}

export const WINDOW_FUNCTIONS: Readonly<Record<string, WindowFunction>> = {
  rate: rating(true, true),
  increase: rating(true, false),
  delta: rating(false, false),
  irate: (window, call) => instantRate(window, true, call),
  idelta: (window, call) => instantRate(window, false, call),
  resets: (window, call) => {
    const samples = call.isAnchored ? anchoredSamples(window) : window.samples
    if (samples.length === 0) return undefined
    return samples.filter((sample, i) => {
      const previous = samples[i - 1]
      if (previous === undefined) return false
      return isReset(previous.value, sample.value) || isStartReset(previous, sample, call.settings)
    }).length
  },
  changes: counting(isChange),
  present_over_time: () => 1,
  count_over_time: ({ samples }) => samples.length,
  first_over_time: ({ samples }) => samples[0].value,
  last_over_time: ({ samples }) => samples.at(-1)!.value,
  ts_of_first_over_time: ({ samples }) => samples[0].t / 1000,
  ts_of_last_over_time: ({ samples }) => samples.at(-1)!.t / 1000,
  sum_over_time: totalling(sumOf, sumHistograms),
  avg_over_time: totalling(meanOf, averageHistograms),
  min_over_time: overFloats(1, (samples) => best(samples, isLess, false).value),
  max_over_time: overFloats(1, (samples) => best(samples, isGreater, false).value),
  ts_of_min_over_time: overFloats(1, (samples) => best(samples, isLess, true).t / 1000),
  ts_of_max_over_time: overFloats(1, (samples) => best(samples, isGreater, true).t / 1000),
  stdvar_over_time: overFloats(1, variance),
  stddev_over_time: overFloats(1, (samples) => Math.sqrt(variance(samples))),
  mad_over_time: overFloats(1, (samples) => {
    if (samples.some(({ value }) => Number.isNaN(value))) return Number.NaN
    const median = quantileOf(0.5, valuesOf(samples))
    return quantileOf(
      0.5,
      valuesOf(samples).map((value) => Math.abs(value - median)),
    )
  }),
  quantile_over_time: overFloats(1, (samples, { scalars: [phi], notes, start }) => {
    if (!(phi >= 0 && phi <= 1)) {
      notes.warn(`quantile value should be between 0 and 1, got ${formatFloatShort(phi)}`, start)
    }
    return quantileOf(phi, valuesOf(samples))
  }),
  deriv: overFloats(2, (samples) => regression(samples, samples[0].t).slope),
  predict_linear: overFloats(2, (samples, { scalars: [seconds], evaluationMs }) => {
    const { slope, intercept } = regression(samples, evaluationMs)
    return slope * seconds + intercept
  }),
  double_exponential_smoothing: (window, call) => {
    checkFactor('smoothing', call.scalars[0], 'sf')
    checkFactor('trend', call.scalars[1], 'tf')
    return overFloats(2, smoothing)(window, call)
  },
}
