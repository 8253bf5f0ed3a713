/** rate, increase, delta, irate and idelta over one window. */
import { quoteString } from '../../../promql/syntax/go-format.ts'
import {
  add,
  detectReset,
  divide,
  isCustom,
  multiply,
  type NaiveHistogram,
  reduceSchema,
  subtract,
} from './histogram.ts'
import {
  isHistogram,
  type Settings,
  UndefinedResult,
  type Value,
  type Window,
  type WindowSample,
} from './model.ts'
import { metricName } from './naming.ts'
import type { Notes } from './notes.ts'

/** What a function over a window is told beside the window. */
export interface Place {
  readonly notes: Notes
  /** Byte offset that annotations show. */
  readonly start: number
  readonly settings: Settings
}

export function warnMixed({ labels }: Window, { notes, start }: Place): undefined {
  notes.warn(
    `encountered a mix of histograms and floats for metric name ${quoteString(metricName(labels))}`,
    start,
  )
}

export function warnExponentialAndCustom(
  { labels }: Pick<Window, 'labels'>,
  { notes, start }: Place,
): undefined {
  const name = quoteString(metricName(labels))
  notes.warn(
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${name}`,
    start,
  )
}

/** Whether start timestamps tell that the counter began anew between two samples. */
export function isStartReset(previous: WindowSample, current: WindowSample, settings: Settings): boolean {
  if (!settings.useStartTimestamps) return false
  const { startMs } = current
  if (startMs === 0 || startMs >= current.t || startMs < previous.t) return false
  if (startMs > previous.t) return true
  return previous.startMs !== 0 && previous.startMs !== previous.t && previous.startMs <= previous.t
}

function warnOverlaps(window: Window, place: Place): void {
  if (!place.settings.useStartTimestamps) return
  for (let i = 1; i < window.samples.length; i++) {
    const [previous, current] = [window.samples[i - 1], window.samples[i]]
    if (current.startMs === 0 || current.startMs >= previous.t || current.startMs === previous.startMs)
      continue
    const name = quoteString(metricName(window.labels))
    place.notes.warn(
      `sample has start time that overlaps with previous sample timestamp for metric ${name}`,
      place.start,
    )
  }
}

function floatDifference(samples: readonly WindowSample[], isCounter: boolean, settings: Settings): number {
  const values = samples.map(({ value }) => value as number)
  let result = values.at(-1)! - values[0]
  for (let i = 1; isCounter && i < values.length; i++) {
    if (values[i] < values[i - 1] || isStartReset(samples[i - 1], samples[i], settings))
      result += values[i - 1]
  }
  return result
}

function histogramDifference(window: Window, isCounter: boolean, place: Place): NaiveHistogram | undefined {
  const { samples, labels } = window
  const { notes, start, settings } = place
  const all = samples.map(({ value }) => value as NaiveHistogram)
  const name = quoteString(metricName(labels))
  const last = all.at(-1)!
  const resets = all.map(
    (histogram, i) =>
      isCounter &&
      i > 0 &&
      (isStartReset(samples[i - 1], samples[i], settings) || detectReset(histogram, all[i - 1])),
  )
  const used = all.slice()
  if (resets[1]) {
    used[0] = {
      ...all[1],
      hint: 'unknown',
      zeroThreshold: 0,
      zeroCount: 0,
      count: 0,
      sum: 0,
      positive: new Map(),
      negative: new Map(),
    }
  }
  const tellGauges = (some: readonly NaiveHistogram[]) => {
    if (!isCounter || !some.some(({ hint }) => hint === 'gauge')) return
    notes.warn(`this native histogram metric is not a counter: ${name}`, start)
  }
  // Upstream looks at the ends first, and forgets what it had to tell of them at a misfit between.
  if (isCustom(last) !== isCustom(used[0])) {
    tellGauges([all[0], last])
    return warnExponentialAndCustom(window, place)
  }
  const relevant = isCounter ? used : [used[0], last]
  if (relevant.some((histogram) => isCustom(histogram) !== isCustom(last))) {
    return warnExponentialAndCustom(window, place)
  }
  tellGauges(all)
  const schema = Math.min(...relevant.map((histogram) => histogram.schema))
  const difference = subtract(reduceSchema(last, schema), used[0])!
  if (difference.reconciled) notes.info('mismatched custom buckets were reconciled during subtraction', start)
  let result = difference.histogram
  for (let i = 1; isCounter && i < used.length; i++) {
    // The second sample is held against the empty one that took the place of the first.
    const isReset = isStartReset(samples[i - 1], samples[i], settings) || detectReset(all[i], used[i - 1])
    if (!isReset) continue
    const sum = add(result, used[i - 1])!
    if (sum.reconciled) notes.info('mismatched custom buckets were reconciled during addition', start)
    result = sum.histogram
  }
  if (!isCounter && (all[0].hint !== 'gauge' || last.hint !== 'gauge')) {
    notes.warn(`this native histogram metric is not a gauge: ${name}`, start)
  }
  return { ...result, hint: 'gauge' }
}

/** The difference over the window, extrapolated to its borders where the samples come near them. */
export function extrapolatedRate(
  window: Window,
  isCounter: boolean,
  isRate: boolean,
  place: Place,
): Value | undefined {
  const { samples, startMs, endMs } = window
  const histograms = samples.filter(({ value }) => isHistogram(value))
  if (histograms.length > 0 && histograms.length < samples.length) return warnMixed(window, place)
  if (isCounter) warnOverlaps(window, place)
  const first = samples[0]
  const last = samples.at(-1)!
  const startsInside =
    isCounter &&
    place.settings.useStartTimestamps &&
    first.startMs !== 0 &&
    first.startMs > startMs &&
    first.startMs < first.t
  if (samples.length < 2 && !startsInside) return undefined
  if (samples.length < 2 && histograms.length > 0) {
    throw new UndefinedResult('what the rate of a single histogram says of resets')
  }
  let result: Value | undefined =
    histograms.length > 0
      ? histogramDifference(window, isCounter, place)
      : floatDifference(samples, isCounter, place.settings)
  if (result === undefined) return undefined
  let toStart = (first.t - startMs) / 1000
  let toEnd = (endMs - last.t) / 1000
  let sampled = (last.t - first.t) / 1000
  const average = samples.length > 1 ? sampled / (samples.length - 1) : 0
  const threshold = average * 1.1
  if (startsInside) {
    toStart = 0
    sampled = (last.t - first.startMs) / 1000
    if (isHistogram(result)) {
      const sum = add(result, first.value as NaiveHistogram)
      if (sum === undefined) return warnExponentialAndCustom(window, place)
      if (sum.reconciled) {
        place.notes.info('mismatched custom buckets were reconciled during addition', place.start)
      }
      result = { ...sum.histogram, hint: 'gauge' }
    } else result += first.value as number
  } else {
    if (toStart >= threshold) toStart = average / 2
    const rise = isHistogram(result) ? result.count : result
    const begin = isHistogram(first.value) ? first.value.count : first.value
    if (isCounter && rise > 0 && begin >= 0) toStart = Math.min(toStart, sampled * (begin / rise))
  }
  if (toEnd >= threshold) toEnd = average / 2
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled
  if (isRate) factor /= (endMs - startMs) / 1000
  return isHistogram(result) ? multiply(result, factor) : result * factor
}

/** The difference of the last two samples, a second where `isRate`. */
export function instantRate(window: Window, isRate: boolean, place: Place): Value | undefined {
  const [previous, current] = window.samples.slice(-2)
  if (current === undefined) return undefined
  const seconds = (current.t - previous.t) / 1000
  if (isHistogram(current.value) !== isHistogram(previous.value)) return warnMixed(window, place)
  const isNew = isRate && isStartReset(previous, current, place.settings)
  if (!isHistogram(current.value)) {
    const before = previous.value as number
    const difference = isNew || (isRate && current.value < before) ? current.value : current.value - before
    return isRate ? difference / seconds : difference
  }
  const before = previous.value as NaiveHistogram
  const name = quoteString(metricName(window.labels))
  const gauges = [current.value, before].filter(({ hint }) => hint === 'gauge').length
  const { notes, start } = place
  if (isRate && gauges > 0) notes.warn(`this native histogram metric is not a counter: ${name}`, start)
  if (!isRate && gauges < 2) notes.warn(`this native histogram metric is not a gauge: ${name}`, start)
  let result = current.value
  if (!isNew && !(isRate && detectReset(current.value, before))) {
    const difference = subtract(current.value, before)
    if (difference === undefined) return warnExponentialAndCustom(window, place)
    if (difference.reconciled)
      notes.info('mismatched custom buckets were reconciled during subtraction', start)
    result = difference.histogram
  }
  result = { ...result, hint: 'gauge' }
  return isRate ? divide(result, seconds) : result
}
