/** `</` and `>/`: the observations of a histogram on one side of a value. */
import {
  type Bucket,
  type Buckets,
  isCustom,
  type NaiveHistogram,
  negativeBuckets,
  positiveBuckets,
  zeroBucket,
} from './histogram.ts'

interface Part {
  /** How many observations of the bucket stay. */
  readonly count: number
  /** Where they are taken to lie. */
  readonly middle: number
}

/** What observations between two bounds are taken to be. */
function middleOf(lower: number, upper: number, isLinear: boolean, isPositive: boolean): number {
  const infinite = Number.POSITIVE_INFINITY
  if (lower === -infinite) {
    if (upper === infinite) return 0
    return upper > 0 ? upper / 2 : upper
  }
  if (upper === infinite) return lower
  if (isLinear) return (lower + upper) / 2
  return Math.sqrt(Math.abs(lower * upper)) * (isPositive ? 1 : -1)
}

/** A bucket without lower or upper bound that `v` lies in. */
function cutInfinite({ lower, upper, count }: Bucket, v: number, keepsBelow: boolean): Part {
  const nothing = { count: 0, middle: 0 }
  if (lower !== Number.NEGATIVE_INFINITY) return keepsBelow ? nothing : { count, middle: v }
  const isHalf = upper > 0 && upper !== Number.POSITIVE_INFINITY
  if (keepsBelow) {
    if (v > 0 && isHalf) return { count: (count * v) / upper, middle: v / 2 }
    return upper <= 0 ? { count, middle: v } : nothing
  }
  if (v >= 0 && isHalf) return { count: count * (1 - v / upper), middle: (v + upper) / 2 }
  return nothing
}

/** The part of a bucket on the side that is kept. */
function cut(bucket: Bucket, v: number, keepsBelow: boolean, isLinear: boolean, isPositive: boolean): Part {
  const { lower, upper, count } = bucket
  const isWhole = keepsBelow ? upper <= v : lower >= v
  if (isWhole) return { count, middle: middleOf(lower, upper, isLinear, isPositive) }
  if (!(keepsBelow ? lower < v : upper > v)) return { count: 0, middle: 0 }
  if (!Number.isFinite(lower) || !Number.isFinite(upper)) return cutInfinite(bucket, v, keepsBelow)
  let share = (v - lower) / (upper - lower)
  if (!isLinear) {
    const [from, to, at] = [lower, upper, v].map((bound) => Math.log2(Math.abs(bound)))
    share = isPositive ? (at - from) / (to - from) : 1 - (at - to) / (from - to)
  }
  const below = count * share
  if (keepsBelow) return { count: below, middle: middleOf(lower, v, isLinear, isPositive) }
  return { count: count - below, middle: middleOf(v, upper, isLinear, isPositive) }
}

/** The zero bucket lies on one side where all others do. */
function cutZero(histogram: NaiveHistogram, v: number, keepsBelow: boolean): Part {
  let { lower, upper } = zeroBucket(histogram)
  const { zeroCount: count, positive, negative } = histogram
  if (positive.size === 0 && negative.size > 0) upper = 0
  if (negative.size === 0 && positive.size > 0) lower = 0
  const whole = { count, middle: (lower + upper) / 2 }
  const nothing = { count: 0, middle: 0 }
  if (v <= lower) return keepsBelow ? nothing : whole
  if (v >= upper) return keepsBelow ? whole : nothing
  if (keepsBelow) return { count: (count * (v - lower)) / (upper - lower), middle: (lower + v) / 2 }
  return { count: (count * (upper - v)) / (upper - lower), middle: (v + upper) / 2 }
}

/** The histogram with what lies below `v`, or above; the sum is that of the middles, if anything went. */
export function trim(histogram: NaiveHistogram, v: number, keepsBelow: boolean): NaiveHistogram {
  let count = 0
  let sum = 0
  let isTrimmed = false
  const take = (part: Part, before: number): number => {
    count += part.count
    sum += part.count * part.middle
    if (part.count !== before) isTrimmed = true
    return part.count
  }
  const keep = (buckets: readonly Bucket[], isPositive: boolean): Buckets => {
    const rest = new Map<number, number>()
    for (const bucket of buckets) {
      const part = cut(bucket, v, keepsBelow, isCustom(histogram), isPositive)
      if (take(part, bucket.count) !== 0) rest.set(bucket.index, part.count)
    }
    return rest
  }
  const positive = keep(positiveBuckets(histogram), true)
  const negative = keep(negativeBuckets(histogram), false)
  let { zeroCount } = histogram
  if (zeroCount > 0) zeroCount = take(cutZero(histogram, v, keepsBelow), zeroCount)
  return isTrimmed ? { ...histogram, count, sum, zeroCount, positive, negative } : histogram
}
