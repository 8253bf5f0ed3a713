/** `anchored` and `smoothed`: values at the very borders of a window. */

import { quoteString } from '../../../promql/syntax/go-format.ts'
import {
  add,
  detectReset,
  divide,
  equalBounds,
  isCustom,
  multiply,
  type NaiveHistogram,
  subtract,
} from './histogram.ts'
import { isHistogram, UndefinedResult, type Value, type Window, type WindowSample } from './model.ts'
import { metricName } from './naming.ts'
import { type Place, warnExponentialAndCustom, warnMixed } from './rate.ts'

/** Values on the line between two; a counter that started anew rises from nothing. Undefined: of two kinds. */
function between(a: WindowSample, b: WindowSample, t: number, isCounter: boolean): Value | undefined {
  if (!isHistogram(a.value) && !isHistogram(b.value)) {
    const from = isCounter && b.value < a.value ? 0 : a.value
    return from + ((b.value - from) * (t - a.t)) / (b.t - a.t)
  }
  if (!isHistogram(a.value) || !isHistogram(b.value)) return undefined
  if (isCustom(a.value) !== isCustom(b.value)) return undefined
  refuseOtherBounds([a.value, b.value])
  const share = (t - a.t) / (b.t - a.t)
  if (isCounter && detectReset(b.value, a.value)) return multiply(b.value, share)
  const difference = subtract(b.value, a.value)
  if (difference === undefined) return undefined
  return add(a.value, multiply(difference.histogram, share))?.histogram
}

/** Bounds that differ are reconciled; when that is told of here is not written down. */
function refuseOtherBounds(histograms: readonly NaiveHistogram[]): void {
  if (histograms.every(({ bounds }) => equalBounds(bounds, histograms[0].bounds))) return
  throw new UndefinedResult('bounds that differ under anchored or smoothed')
}

/**
 * A smoothed selector at the end of its window: on the line between the neighbours, the last value where none
 * follows, nothing where none comes before. `place` is told of histograms that do not go together.
 */
export function smoothedValue(window: Window, place: Place): Value | undefined {
  const { samples, endMs } = window
  if (isMixed(samples)) return warnMixed(window, place)
  const before = samples.filter(({ t }) => t <= endMs).at(-1)
  if (before === undefined) return undefined
  const after = samples.find(({ t }) => t > endMs)
  if (before.t === endMs || after === undefined) {
    if (isHistogram(before.value)) throw new UndefinedResult('what a smoothed histogram says of resets')
    return before.value
  }
  const isCounter = isHistogram(before.value) && before.value.hint !== 'gauge'
  return between(before, after, endMs, isCounter) ?? warnExponentialAndCustom(window, place)
}

function isMixed(samples: readonly WindowSample[]): boolean {
  return new Set(samples.map(({ value }) => isHistogram(value))).size > 1
}

/** The samples that `changes` and `resets` see of an anchored window: from the last at or before its start on. */
export function anchoredSamples({ samples, startMs }: Window): readonly WindowSample[] {
  const first = samples.findLastIndex(({ t }) => t <= startMs)
  if (!samples.some(({ t }) => t > startMs)) return []
  return samples.slice(Math.max(0, first))
}

interface Borders {
  readonly left: WindowSample
  readonly right: WindowSample
  /** Those strictly inside. */
  readonly inner: readonly WindowSample[]
}

function bordersOf(
  window: Window,
  isSmoothed: boolean,
  isCounter: boolean,
): Borders | 'incompatible' | undefined {
  const { samples, startMs, endMs } = window
  const before = samples.filter(({ t }) => t <= startMs).at(-1)
  const after = samples.find(({ t }) => t > startMs)
  const last = samples.filter(({ t }) => t <= endMs).at(-1)
  const next = samples.find(({ t }) => t > endMs)
  const isInside = ({ t }: WindowSample) => t > startMs && t < endMs
  if (!isSmoothed) {
    if (after === undefined || last === undefined) return undefined
    const left = before ?? after
    const inner = samples.filter((sample) => isInside(sample) && sample !== left && sample !== last)
    return { left, right: last, inner }
  }
  if (after === undefined) return undefined
  let left: WindowSample = before ?? after
  if (before !== undefined && before.t < startMs) {
    const value = between(before, after, startMs, isCounter)
    if (value === undefined) return 'incompatible'
    left = { t: startMs, value, startMs: 0 }
  }
  if (last === undefined) return undefined
  let right: WindowSample = last
  if (last.t < endMs && next !== undefined) {
    const value = between(last, next, endMs, isCounter)
    if (value === undefined) return 'incompatible'
    right = { t: endMs, value, startMs: 0 }
  }
  const inner = samples.filter((sample) => isInside(sample) && sample !== left && sample !== right)
  return { left, right, inner }
}

function floatIncrease({ left, right, inner }: Borders, isCounter: boolean): number {
  let result = (right.value as number) - (left.value as number)
  if (!isCounter) return result
  let previous = left.value as number
  let correction = 0
  for (const sample of [...inner, right]) {
    const value = sample.value as number
    if (value < previous) correction += previous
    previous = value
  }
  result += correction
  return result
}

function histogramIncrease(borders: Borders, isCounter: boolean): NaiveHistogram | undefined {
  const all = [borders.left, ...borders.inner, borders.right].map(({ value }) => value as NaiveHistogram)
  if (all.some((histogram) => isCustom(histogram) !== isCustom(all[0]))) return undefined
  refuseOtherBounds(all)
  let total = subtract(all.at(-1)!, all[0])!.histogram
  for (let i = 1; isCounter && i < all.length; i++) {
    if (detectReset(all[i], all[i - 1])) total = add(total, all[i - 1])!.histogram
  }
  return { ...total, hint: 'gauge' }
}

function tellHints(window: Window, { left, right, inner }: Borders, isCounter: boolean, place: Place): void {
  const hints = [left, ...inner, right].map(({ value }) => (value as NaiveHistogram).hint)
  const name = quoteString(metricName(window.labels))
  if (isCounter && hints.includes('gauge')) {
    place.notes.warn(`this native histogram metric is not a counter: ${name}`, place.start)
  }
  if (!isCounter && (hints[0] !== 'gauge' || hints.at(-1) !== 'gauge')) {
    place.notes.warn(`this native histogram metric is not a gauge: ${name}`, place.start)
  }
}

/** rate, increase and delta over such a window: no extrapolation. */
export function extendedRate(
  window: Window,
  isCounter: boolean,
  isRate: boolean,
  place: Place & { readonly isSmoothed: boolean },
): Value | undefined {
  if (isMixed(window.samples)) return warnMixed(window, place)
  const borders = bordersOf(window, place.isSmoothed, isCounter)
  if (borders === 'incompatible') return warnExponentialAndCustom(window, place)
  if (borders === undefined) return undefined
  const seconds = (window.endMs - window.startMs) / 1000
  if (isHistogram(borders.left.value)) {
    tellHints(window, borders, isCounter, place)
    const increase = histogramIncrease(borders, isCounter)
    if (increase === undefined) return warnExponentialAndCustom(window, place)
    return isRate ? divide(increase, seconds) : increase
  }
  const increase = floatIncrease(borders, isCounter)
  return isRate ? increase / seconds : increase
}
