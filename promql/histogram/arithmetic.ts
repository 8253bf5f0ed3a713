/**
 * Sums, differences and multiples of native histograms. Inputs stay as they are.
 *
 * Source: Prometheus model/histogram/float_histogram.go.
 */
import type { CounterResetHint, FloatHistogram } from '../../storage/model/histogram.ts'
import { haveSameBounds, haveSameLayout } from './bounds.ts'
import { type Layout, layoutOf, reconcile, reduceLayout } from './reconcile.ts'
import { combine, type Sparse, toSpans } from './sparse.ts'

export interface Combined {
  readonly histogram: FloatHistogram
  /** One says that its counter began anew, the other that it did not. */
  readonly resetConflict: boolean
  /** Custom bounds differed, and those that both have are left. */
  readonly reconciled: boolean
}

/** a + b; undefined where exponential buckets meet custom ones. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  return combineHistograms(a, b, 1)
}

/** a − b; as addHistograms. The hint is that of a sum: whoever subtracts says what comes out. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  return combineHistograms(a, b, -1)
}

function combineHistograms(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): Combined | undefined {
  if (haveSameLayout(a, b)) return combineAlike(a, b, sign)
  const left = layoutOf(a)
  const right = layoutOf(b)
  const reconciled = reconcile(left, right)
  if (reconciled === undefined) return undefined
  left.zeroCount += sign * right.zeroCount
  left.positive = combine(left.positive, right.positive, sign)
  left.negative = combine(left.negative, right.negative, sign)
  const histogram = fromLayout(
    left,
    mergeHints(a.counterResetHint, b.counterResetHint),
    a.count + sign * b.count,
    a.sum + sign * b.sum,
  )
  return { histogram, resetConflict: areInConflict(a.counterResetHint, b.counterResetHint), reconciled }
}

/** Requires: the same layout. */
function combineAlike(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): Combined {
  const histogram = {
    ...a,
    counterResetHint: mergeHints(a.counterResetHint, b.counterResetHint),
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positiveBuckets: combineLists(a.positiveBuckets, b.positiveBuckets, sign),
    negativeBuckets: combineLists(a.negativeBuckets, b.negativeBuckets, sign),
  }
  return {
    histogram,
    resetConflict: areInConflict(a.counterResetHint, b.counterResetHint),
    reconciled: false,
  }
}

function combineLists(a: readonly number[], b: readonly number[], sign: 1 | -1): number[] {
  const out = a.slice()
  for (let i = 0; i < out.length; i++) out[i] += sign * b[i]
  return out
}

export function fromLayout(
  layout: Layout,
  counterResetHint: CounterResetHint,
  count: number,
  sum: number,
  keepsEmpty = true,
): FloatHistogram {
  const { schema, zeroThreshold, zeroCount, customValues } = layout
  const positive = toSpans(layout.positive, keepsEmpty)
  const negative = toSpans(layout.negative, keepsEmpty)
  return {
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: positive.buckets,
    negativeBuckets: negative.buckets,
    customValues,
  }
}

export function areInConflict(a: CounterResetHint, b: CounterResetHint): boolean {
  return (a === 'reset' && b === 'not_reset') || (a === 'not_reset' && b === 'reset')
}

/** A gauge makes all a gauge; else what both say, or nothing. */
export function mergeHints(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown'
}

export function withHint(histogram: FloatHistogram, counterResetHint: CounterResetHint): FloatHistogram {
  return histogram.counterResetHint === counterResetHint ? histogram : { ...histogram, counterResetHint }
}

function scaled(histogram: FloatHistogram, f: (value: number) => number): FloatHistogram {
  const { zeroCount, count, sum, positiveBuckets, negativeBuckets } = histogram
  return {
    ...histogram,
    zeroCount: f(zeroCount),
    count: f(count),
    sum: f(sum),
    positiveBuckets: positiveBuckets.map(f),
    negativeBuckets: negativeBuckets.map(f),
  }
}

/** All counts and the sum by a factor; a negative one makes a gauge. */
export function scaleHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  const result = scaled(histogram, (value) => value * factor)
  return factor < 0 ? withHint(result, 'gauge') : result
}

/** As scaleHistogram; division by 0 leaves no buckets. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const result = scaled(histogram, (value) => value / divisor)
  if (divisor < 0) return withHint(result, 'gauge')
  if (divisor !== 0) return result
  return { ...result, positiveSpans: [], negativeSpans: [], positiveBuckets: [], negativeBuckets: [] }
}

/** The same at a coarser schema. Requires: schema ≤ histogram.schema, both exponential, or the same. */
export function reduceResolution(histogram: FloatHistogram, schema: number): FloatHistogram {
  if (schema === histogram.schema) return histogram
  const layout = layoutOf(histogram)
  reduceLayout(layout, schema)
  return fromLayout(layout, histogram.counterResetHint, histogram.count, histogram.sum)
}

/** The same without empty buckets. */
export function compactHistogram(histogram: FloatHistogram): FloatHistogram {
  if (!histogram.positiveBuckets.includes(0) && !histogram.negativeBuckets.includes(0)) return histogram
  const { counterResetHint, count, sum } = histogram
  return fromLayout(layoutOf(histogram), counterResetHint, count, sum, false)
}

function areSameSides(a: Sparse, b: Sparse): boolean {
  if (a.indices.length !== b.indices.length) return false
  return a.indices.every((index, i) => index === b.indices[i] && Object.is(a.counts[i], b.counts[i]))
}

/** Whether all but the hints is equal, bit by bit; buckets with count 0 count. */
export function equalHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  const left = layoutOf(a)
  const right = layoutOf(b)
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    Object.is(a.zeroCount, b.zeroCount) &&
    haveSameBounds(a.customValues, b.customValues) &&
    areSameSides(left.positive, right.positive) &&
    areSameSides(left.negative, right.negative)
  )
}
