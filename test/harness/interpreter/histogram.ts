/**
 * Native histograms as maps from bucket index to count, and their arithmetic.
 *
 * Bucket i of an exponential schema is (2^((i−1)·2^−schema), 2^(i·2^−schema)], mirrored for negative values.
 * Bucket i of custom bounds is (bounds[i−1], bounds[i]], from −Inf and up to +Inf.
 */
import {
  type CounterResetHint,
  CUSTOM_SCHEMA,
  type FloatHistogram,
  type Span,
} from '../../../storage/model/histogram.ts'

import { UndefinedResult } from './model.ts'

export type Buckets = ReadonlyMap<number, number>

export interface NaiveHistogram {
  readonly hint: CounterResetHint
  readonly schema: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly count: number
  readonly sum: number
  /** No bucket that is 0. */
  readonly positive: Buckets
  readonly negative: Buckets
  /** Upper bounds without +Inf, of custom schemas only. */
  readonly bounds: readonly number[]
}

export function isCustom({ schema }: NaiveHistogram): boolean {
  return schema === CUSTOM_SCHEMA
}

function fromSpans(spans: readonly Span[], counts: readonly number[]): Buckets {
  const buckets = new Map<number, number>()
  let index = 0
  let next = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) {
      if (counts[next] !== 0) buckets.set(index, counts[next])
      index++
      next++
    }
  }
  return buckets
}

export function fromFloatHistogram(histogram: FloatHistogram): NaiveHistogram {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets, ...rest } = histogram
  return {
    hint: rest.counterResetHint,
    schema: rest.schema,
    zeroThreshold: rest.zeroThreshold,
    zeroCount: rest.zeroCount,
    count: rest.count,
    sum: rest.sum,
    positive: fromSpans(positiveSpans, positiveBuckets),
    negative: fromSpans(negativeSpans, negativeBuckets),
    bounds: rest.customValues,
  }
}

/** Upper bound of an exponential bucket of positive values. */
export function exponentialBound(index: number, schema: number): number {
  if (schema >= 0) {
    // 2^(i / 2^schema), with the whole part apart so that it is exact.
    const perOctave = 2 ** schema
    const whole = Math.floor(index / perOctave)
    if (whole > 1024 || (whole === 1024 && index % perOctave > 0)) return Number.POSITIVE_INFINITY
    if (whole === 1024) return Number.MAX_VALUE
    return 2 ** whole * 2 ** ((index - whole * perOctave) / perOctave)
  }
  const exponent = index * 2 ** -schema
  if (exponent === 1024) return Number.MAX_VALUE
  return exponent > 1024 ? Number.POSITIVE_INFINITY : 2 ** exponent
}

export interface Bucket {
  readonly lower: number
  readonly upper: number
  readonly count: number
  readonly index: number
}

export function positiveBuckets(histogram: NaiveHistogram): Bucket[] {
  const { positive, schema, bounds } = histogram
  const sorted = [...positive].toSorted(([a], [b]) => a - b)
  return sorted.map(([index, count]) => {
    if (isCustom(histogram)) {
      return {
        lower: index === 0 ? Number.NEGATIVE_INFINITY : bounds[index - 1],
        upper: index >= bounds.length ? Number.POSITIVE_INFINITY : bounds[index],
        count,
        index,
      }
    }
    const lower = exponentialBound(index - 1, schema)
    return { lower, upper: exponentialBound(index, schema), count, index }
  })
}

/** Nearest to zero first. */
export function negativeBuckets({ negative, schema }: NaiveHistogram): Bucket[] {
  const sorted = [...negative].toSorted(([a], [b]) => a - b)
  return sorted.map(([index, count]) => ({
    lower: -exponentialBound(index, schema),
    upper: -exponentialBound(index - 1, schema),
    count,
    index,
  }))
}

export function zeroBucket({ zeroThreshold, zeroCount }: NaiveHistogram): Bucket {
  return { lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount, index: 0 }
}

/** All buckets that are not empty, ascending; as upstream, a zero bucket with a negative count is left out. */
export function allBuckets(histogram: NaiveHistogram): Bucket[] {
  const zero = histogram.zeroCount > 0 ? [zeroBucket(histogram)] : []
  const { zeroThreshold } = histogram
  // Buckets that reach into the zero bucket begin where it ends.
  const clip = (bucket: Bucket): Bucket => {
    const { lower, upper } = bucket
    if (upper < 0 && upper > -zeroThreshold) return { ...bucket, upper: -zeroThreshold }
    return lower > 0 && lower < zeroThreshold ? { ...bucket, lower: zeroThreshold } : bucket
  }
  const negative = negativeBuckets(histogram).toReversed()
  return [...negative.map(clip), ...zero, ...positiveBuckets(histogram).map(clip)]
}

function mapCounts(buckets: Buckets, change: (count: number) => number): Buckets {
  const changed = new Map<number, number>()
  for (const [index, count] of buckets) {
    const value = change(count)
    if (value !== 0) changed.set(index, value)
  }
  return changed
}

function scaled(histogram: NaiveHistogram, change: (count: number) => number): NaiveHistogram {
  return {
    ...histogram,
    zeroCount: change(histogram.zeroCount),
    count: change(histogram.count),
    sum: change(histogram.sum),
    positive: mapCounts(histogram.positive, change),
    negative: mapCounts(histogram.negative, change),
  }
}

/** Whether empty buckets count depends on how the histogram is stored. */
function refuse(value: number): void {
  if (!Number.isFinite(value)) throw new UndefinedResult('a histogram scaled by what is no number')
}

export function multiply(histogram: NaiveHistogram, factor: number): NaiveHistogram {
  refuse(factor)
  const product = scaled(histogram, (count) => count * factor)
  return factor < 0 ? { ...product, hint: 'gauge' } : product
}

export function divide(histogram: NaiveHistogram, divisor: number): NaiveHistogram {
  refuse(divisor)
  const quotient = scaled(histogram, (count) => count / divisor)
  const hint = divisor < 0 ? 'gauge' : quotient.hint
  if (divisor !== 0) return { ...quotient, hint }
  return { ...quotient, hint, positive: new Map(), negative: new Map() }
}

/** The same observations in coarser buckets. Requires: schema ≤ that of the histogram. */
export function reduceSchema(histogram: NaiveHistogram, schema: number): NaiveHistogram {
  if (schema === histogram.schema) return histogram
  const width = 2 ** (histogram.schema - schema)
  const reduce = (buckets: Buckets): Buckets => {
    const coarse = new Map<number, number>()
    for (const [index, count] of [...buckets].toSorted(([a], [b]) => a - b)) {
      const target = Math.floor((index - 1) / width) + 1
      coarse.set(target, (coarse.get(target) ?? 0) + count)
    }
    return mapCounts(coarse, (count) => count)
  }
  return {
    ...histogram,
    schema,
    positive: reduce(histogram.positive),
    negative: reduce(histogram.negative),
  }
}

/**
 * The histogram with a zero bucket at least as wide, which takes in the buckets it reaches into; where it would end
 * inside of one, it grows to the end of that.
 */
export function widenZero(histogram: NaiveHistogram, threshold: number): NaiveHistogram {
  let width = threshold
  for (;;) {
    const reached = [...positiveBuckets(histogram), ...negativeBuckets(histogram)].map((bucket) => ({
      ...bucket,
      near: Math.min(Math.abs(bucket.lower), Math.abs(bucket.upper)),
      far: Math.max(Math.abs(bucket.lower), Math.abs(bucket.upper)),
    }))
    const cut = reached.find(({ near, far }) => near < width && far > width)
    if (cut === undefined) break
    width = cut.far
  }
  let { zeroCount } = histogram
  const absorb = (buckets: readonly Bucket[]): Buckets => {
    const rest = new Map<number, number>()
    for (const { lower, upper, count, index } of buckets) {
      if (Math.min(Math.abs(lower), Math.abs(upper)) < width) zeroCount += count
      else rest.set(index, count)
    }
    return rest
  }
  const positive = absorb(positiveBuckets(histogram))
  const negative = absorb(negativeBuckets(histogram))
  return { ...histogram, zeroThreshold: width, zeroCount, positive, negative }
}

/** The two with zero buckets of one width. */
function equalZeros(a: NaiveHistogram, b: NaiveHistogram): [NaiveHistogram, NaiveHistogram] {
  let [left, right] = [a, b]
  while (left.zeroThreshold !== right.zeroThreshold) {
    if (left.zeroThreshold > right.zeroThreshold) right = widenZero(right, left.zeroThreshold)
    else left = widenZero(left, right.zeroThreshold)
  }
  return [left, right]
}

/** The same observations under bounds that are some of its own. */
export function toBounds(histogram: NaiveHistogram, bounds: readonly number[]): NaiveHistogram {
  const positive = new Map<number, number>()
  for (const { upper, count } of positiveBuckets(histogram)) {
    const at = bounds.findIndex((bound) => bound >= upper)
    const index = at < 0 ? bounds.length : at
    positive.set(index, (positive.get(index) ?? 0) + count)
  }
  return { ...histogram, bounds, positive: mapCounts(positive, (count) => count) }
}

export function equalBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i])
}

export function commonBounds(a: readonly number[], b: readonly number[]): number[] {
  return a.filter((bound) => b.includes(bound))
}

export interface Combination {
  readonly histogram: NaiveHistogram
  /** A reset met the assurance that there was none. */
  readonly conflict: boolean
  /** The custom bounds differed. */
  readonly reconciled: boolean
}

function mergeHints(a: CounterResetHint, b: CounterResetHint): { hint: CounterResetHint; conflict: boolean } {
  if (a === b) return { hint: a, conflict: false }
  if (a === 'gauge' || b === 'gauge') return { hint: 'gauge', conflict: false }
  return { hint: 'unknown', conflict: a !== 'unknown' && b !== 'unknown' }
}

function combine(a: NaiveHistogram, b: NaiveHistogram, sign: 1 | -1): Combination | undefined {
  if (isCustom(a) !== isCustom(b)) return undefined
  const { hint, conflict } = mergeHints(a.hint, b.hint)
  let [left, right] = [a, b]
  const reconciled = isCustom(a) && !equalBounds(a.bounds, b.bounds)
  if (isCustom(a)) {
    const bounds = reconciled ? commonBounds(a.bounds, b.bounds) : a.bounds
    left = toBounds(a, bounds)
    right = toBounds(b, bounds)
  } else {
    ;[left, right] = equalZeros(a, b)
    const schema = Math.min(left.schema, right.schema)
    left = reduceSchema(left, schema)
    right = reduceSchema(right, schema)
  }
  const add = (x: Buckets, y: Buckets): Buckets => {
    const total = new Map(x)
    for (const [index, count] of y) total.set(index, (total.get(index) ?? 0) + sign * count)
    return mapCounts(total, (count) => count)
  }
  const histogram = {
    ...left,
    hint,
    zeroCount: left.zeroCount + sign * right.zeroCount,
    count: left.count + sign * right.count,
    sum: left.sum + sign * right.sum,
    positive: add(left.positive, right.positive),
    negative: add(left.negative, right.negative),
  }
  return { histogram, conflict, reconciled }
}

/** Undefined where exponential buckets meet custom ones. */
export function add(a: NaiveHistogram, b: NaiveHistogram): Combination | undefined {
  return combine(a, b, 1)
}

export function subtract(a: NaiveHistogram, b: NaiveHistogram): Combination | undefined {
  return combine(a, b, -1)
}

function equalBuckets(a: Buckets, b: Buckets): boolean {
  return a.size === b.size && [...a].every(([index, count]) => Object.is(b.get(index), count))
}

/** Whether all but the hint is the same. */
export function equal(a: NaiveHistogram, b: NaiveHistogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    Object.is(a.zeroCount, b.zeroCount) &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    equalBounds(a.bounds, b.bounds) &&
    equalBuckets(a.positive, b.positive) &&
    equalBuckets(a.negative, b.negative)
  )
}

/** Whether the counter started anew between the two. */
export function detectReset(current: NaiveHistogram, previous: NaiveHistogram): boolean {
  if (current.hint === 'reset') return true
  if (current.hint === 'not_reset') return false
  if (current.count < previous.count) return true
  if (isCustom(current) !== isCustom(previous)) return true
  let [now, before] = [current, previous]
  if (isCustom(current)) {
    if (!equalBounds(current.bounds, previous.bounds)) {
      const bounds = commonBounds(current.bounds, previous.bounds)
      now = toBounds(current, bounds)
      before = toBounds(previous, bounds)
    }
  } else {
    if (current.schema > previous.schema) return true
    if (current.zeroThreshold < previous.zeroThreshold) return true
    before = widenZero(previous, current.zeroThreshold)
    // The threshold ends inside of a bucket that had something.
    if (before.zeroThreshold !== current.zeroThreshold) return true
    if (current.zeroCount < before.zeroCount) return true
    before = reduceSchema(before, current.schema)
  }
  const drops = (old: Buckets, fresh: Buckets) =>
    [...old].some(([index, count]) => (fresh.get(index) ?? 0) < count)
  return drops(before.positive, now.positive) || drops(before.negative, now.negative)
}

/** Whether observations are counted that are in no bucket, since they are NaN. */
export function hasNaNs(histogram: NaiveHistogram): boolean {
  if (!Number.isNaN(histogram.sum)) return false
  return allBuckets(histogram).reduce((total, { count }) => total + count, 0) < histogram.count
}
