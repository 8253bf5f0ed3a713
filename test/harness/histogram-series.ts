/** Builds the histograms of test series: repeated addition, and classic buckets turned into custom ones. */

import {
  type CounterResetHint,
  CUSTOM_SCHEMA,
  EMPTY_HISTOGRAM,
  type FloatHistogram,
  type Span,
} from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'

type Buckets = Map<number, number>

function toBuckets(spans: readonly Span[], counts: readonly number[], schemaStep: number): Buckets {
  const buckets: Buckets = new Map()
  let index = 0
  let at = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length; i++, index++, at++) {
      // A bucket of a finer schema lies whole in one of a coarser schema.
      const coarse = schemaStep === 0 ? index : Math.ceil(index / 2 ** schemaStep)
      buckets.set(coarse, (buckets.get(coarse) ?? 0) + counts[at])
    }
  }
  return buckets
}

function fromBuckets(buckets: Buckets): { spans: Span[]; counts: number[] } {
  const indexes = [...buckets.keys()].sort((a, b) => a - b)
  const spans: { offset: number; length: number }[] = []
  let next = 0
  for (const index of indexes) {
    if (spans.length > 0 && index === next) spans[spans.length - 1].length++
    else spans.push({ offset: index - next, length: 1 })
    next = index + 1
  }
  return { spans, counts: indexes.map((index) => buckets.get(index)!) }
}

function mergeHints(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown'
}

/**
 * `base + sign × increment` at the schema of the base, which must not be the finer one.
 * Throws Error also where zero buckets or custom bounds differ: test series have no need of it.
 */
export function addHistograms(base: FloatHistogram, increment: FloatHistogram, sign: 1 | -1): FloatHistogram {
  const step = increment.schema - base.schema
  if (step < 0) {
    const schemas = `from schema ${increment.schema} to ${base.schema}`
    throw new Error(`error combining histograms: cannot merge ${schemas}`)
  }
  const isCustom = base.schema === CUSTOM_SCHEMA
  const isLike = isCustom
    ? step === 0 && String(base.customValues) === String(increment.customValues)
    : base.zeroThreshold === increment.zeroThreshold
  if (!isLike) throw new Error('error combining histograms: zero thresholds or custom values differ')
  const add = (
    spans: readonly Span[],
    counts: readonly number[],
    otherSpans: readonly Span[],
    otherCounts: readonly number[],
  ) => {
    const sum = toBuckets(spans, counts, 0)
    for (const [index, count] of toBuckets(otherSpans, otherCounts, step)) {
      sum.set(index, (sum.get(index) ?? 0) + sign * count)
    }
    return fromBuckets(sum)
  }
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = increment
  const positive = add(base.positiveSpans, base.positiveBuckets, positiveSpans, positiveBuckets)
  const negative = add(base.negativeSpans, base.negativeBuckets, negativeSpans, negativeBuckets)
  return {
    ...base,
    counterResetHint: mergeHints(base.counterResetHint, increment.counterResetHint),
    zeroCount: base.zeroCount + sign * increment.zeroCount,
    count: base.count + sign * increment.count,
    sum: base.sum + sign * increment.sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  }
}

/** The samples of one classic histogram at one time. */
interface ClassicSample {
  /** Cumulative counts by upper bound. */
  readonly buckets: Map<number, number>
  count: number | undefined
  sum: number
}

function convertClassic({ buckets, count, sum }: ClassicSample): FloatHistogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b)
  const finite = bounds.filter((bound) => bound !== Number.POSITIVE_INFINITY)
  const last = bounds.length > 0 ? buckets.get(bounds[bounds.length - 1])! : 0
  const total = count ?? last
  const cumulative = [...finite.map((bound) => buckets.get(bound)!), total]
  const counts = cumulative.map((value, i) => value - (i === 0 ? 0 : cumulative[i - 1]))
  if (counts.some((value) => value < 0)) throw new Error('histogram bucket counts are not cumulative')
  return {
    ...EMPTY_HISTOGRAM,
    schema: CUSTOM_SCHEMA,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: counts.length }],
    positiveBuckets: counts,
    customValues: finite,
  }
}

/** One float sample of a loaded series. */
export interface FloatSample {
  readonly t: number
  readonly v: number
}

/** A histogram series that `load_with_nhcb` makes: times ascending. */
export interface HistogramSeries {
  readonly labels: Labels
  readonly samples: readonly { readonly t: number; readonly histogram: FloatHistogram }[]
}

const SUFFIX = /^(.*)_(bucket|count|sum)$/s

/** The histograms with custom buckets that a set of classic series stands for, without the suffixes of the name. */
export function classicToCustom(
  series: readonly { readonly labels: Labels; readonly samples: readonly FloatSample[] }[],
): HistogramSeries[] {
  const groups = new Map<string, { labels: Labels; byTime: Map<number, ClassicSample> }>()
  for (const { labels, samples } of series) {
    const match = SUFFIX.exec(labels.get('__name__'))
    if (match === null) continue
    const le = Number(labels.get('le').replace(/^([+-]?)Inf$/, '$1Infinity'))
    if (match[2] === 'bucket' && (labels.get('le') === '' || Number.isNaN(le))) continue
    const base = Labels.from({ ...labels.without(new Set(['le'])).toObject(), __name__: match[1] })
    let group = groups.get(base.key())
    if (group === undefined) {
      group = { labels: base, byTime: new Map() }
      groups.set(base.key(), group)
    }
    for (const { t, v } of samples) {
      let sample = group.byTime.get(t)
      if (sample === undefined) {
        sample = { buckets: new Map(), count: undefined, sum: 0 }
        group.byTime.set(t, sample)
      }
      if (match[2] === 'bucket') sample.buckets.set(le, v)
      else if (match[2] === 'count') sample.count = v
      else sample.sum = v
    }
  }
  return [...groups.values()].map(({ labels, byTime }) => ({
    labels,
    samples: [...byTime]
      .sort(([a], [b]) => a - b)
      .map(([t, sample]) => ({ t, histogram: convertClassic(sample) })),
  }))
}
