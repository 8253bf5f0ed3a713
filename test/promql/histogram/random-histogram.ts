/** Native histograms for tests: random ones, and their buckets as a table. */
import {
  type CounterResetHint,
  CUSTOM_SCHEMA,
  EMPTY_HISTOGRAM,
  type FloatHistogram,
  type Span,
} from '../../../storage/model/histogram.ts'
import type { Prng } from '../../harness/prng.ts'

/** Counts by absolute index; empty buckets are left out. */
export function bucketsOf(spans: readonly Span[], counts: readonly number[]): Map<number, number> {
  const buckets = new Map<number, number>()
  let index = 0
  let at = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length; i++, index++, at++) if (counts[at] !== 0) buckets.set(index, counts[at])
  }
  return buckets
}

export function fromBuckets(buckets: Map<number, number>): { spans: Span[]; counts: number[] } {
  const indices = [...buckets.keys()].sort((a, b) => a - b)
  const spans: { offset: number; length: number }[] = []
  let next = 0
  for (const index of indices) {
    if (spans.length > 0 && index === next) spans[spans.length - 1].length++
    else spans.push({ offset: index - next, length: 1 })
    next = index + 1
  }
  return { spans, counts: indices.map((index) => buckets.get(index)!) }
}

function randomBuckets(random: Prng, lo: number, hi: number): { spans: Span[]; counts: number[] } {
  const buckets = new Map<number, number>()
  for (let i = random.int(0, 6); i > 0; i--) {
    buckets.set(random.int(lo, hi), random.chance(0.2) ? 0 : random.int(1, 20))
  }
  return fromBuckets(buckets)
}

const HINTS: readonly CounterResetHint[] = ['unknown', 'unknown', 'unknown', 'reset', 'not_reset', 'gauge']

/** Counts are whole numbers, so that sums of some are exact in any order. */
export function randomHistogram(random: Prng, options: { custom?: boolean } = {}): FloatHistogram {
  const counterResetHint = random.pick(HINTS)
  const sum = random.int(-50, 500)
  if (options.custom ?? random.chance(0.3)) {
    const customValues = random.chance(0.7) ? [1, 5, 10] : [1, 2, 5]
    const { spans, counts } = randomBuckets(random, 0, 3)
    const count = counts.reduce((total, value) => total + value, 0)
    const positive = { positiveSpans: spans, positiveBuckets: counts, customValues }
    return { ...EMPTY_HISTOGRAM, counterResetHint, schema: CUSTOM_SCHEMA, sum, count, ...positive }
  }
  const positive = randomBuckets(random, -6, 6)
  const negative = randomBuckets(random, -6, 6)
  const zeroCount = random.int(0, 5)
  return {
    ...EMPTY_HISTOGRAM,
    counterResetHint,
    schema: random.int(-1, 2),
    zeroThreshold: random.pick([0, 0, 0.001, 0.5, 1.7]),
    zeroCount,
    sum,
    count: [...positive.counts, ...negative.counts].reduce((total, value) => total + value, zeroCount),
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  }
}

/** One bucket of schema 0, (1, 2]. */
export function simple(count: number, sum = count, rest: Partial<FloatHistogram> = {}): FloatHistogram {
  const positiveSpans = [{ offset: 1, length: 1 }]
  return { ...EMPTY_HISTOGRAM, count, sum, positiveSpans, positiveBuckets: [count], ...rest }
}

/** `count` observations with custom bounds 1 and 5, all in the first bucket. */
export function custom(count: number, customValues: readonly number[] = [1, 5]): FloatHistogram {
  const positiveSpans = [{ offset: 0, length: 1 }]
  const positiveBuckets = [count]
  return {
    ...EMPTY_HISTOGRAM,
    schema: CUSTOM_SCHEMA,
    count,
    sum: count,
    positiveSpans,
    positiveBuckets,
    customValues,
  }
}
