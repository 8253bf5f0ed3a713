/** Quantiles, fractions and spread of one native histogram. */
import { addCompensated, ZERO_SUM } from './floats.ts'
import { allBuckets, type Bucket, hasNaNs, isCustom, type NaiveHistogram } from './histogram.ts'
import { UndefinedResult } from './model.ts'

/** What NaN observations did to a quantile: it is NaN itself, or higher than it should be. */
export type NaNEffect = 'none' | 'result' | 'skew'

/** The zero bucket lies on one side where all others do. */
function oneSided(bucket: Bucket, { positive, negative }: NaiveHistogram): Bucket {
  if (!(bucket.lower <= 0 && bucket.upper >= 0)) return bucket
  if (negative.size === 0 && positive.size > 0) return { ...bucket, lower: 0 }
  if (positive.size === 0 && negative.size > 0) return { ...bucket, upper: 0 }
  return bucket
}

function isLinear(bucket: Bucket, histogram: NaiveHistogram): boolean {
  return isCustom(histogram) || (bucket.lower <= 0 && bucket.upper >= 0)
}

export function nativeQuantile(phi: number, histogram: NaiveHistogram): { value: number; nan: NaNEffect } {
  if (phi < 0) return { value: Number.NEGATIVE_INFINITY, nan: 'none' }
  if (phi > 1) return { value: Number.POSITIVE_INFINITY, nan: 'none' }
  if (histogram.count === 0 || Number.isNaN(phi)) return { value: Number.NaN, nan: 'none' }
  if (Number.isNaN(histogram.sum) && histogram.count < 0) {
    throw new UndefinedResult('NaN among less than no observations')
  }
  const isNaNSum = Number.isNaN(histogram.sum)
  const isForward = isNaNSum || phi < 0.5
  const buckets = isForward ? allBuckets(histogram) : allBuckets(histogram).toReversed()
  const rank = (isForward ? phi : 1 - phi) * histogram.count
  let bucket: Bucket = { lower: 0, upper: 0, count: 0, index: 0 }
  let seen = 0
  for (const next of buckets) {
    bucket = next
    seen += next.count
    if (seen >= rank) break
  }
  if (isCustom(histogram)) {
    if (bucket.lower === Number.NEGATIVE_INFINITY) {
      if (bucket.upper <= 0) return { value: bucket.upper, nan: 'none' }
      bucket = { ...bucket, lower: 0 }
    } else if (bucket.upper === Number.POSITIVE_INFINITY) return { value: bucket.lower, nan: 'none' }
  } else if (bucket.lower < 0 && bucket.upper > 0) bucket = oneSided(bucket, histogram)
  seen = Math.min(seen, histogram.count)
  if (seen < rank) {
    if (isNaNSum) return { value: Number.NaN, nan: 'result' }
    return { value: bucket.upper, nan: 'none' }
  }
  const nan = hasNaNs(histogram) ? 'skew' : 'none'
  const share = (isForward ? rank - (seen - bucket.count) : seen - rank) / bucket.count
  const { lower, upper } = bucket
  if (isLinear(bucket, histogram)) return { value: lower + (upper - lower) * share, nan }
  const from = Math.log2(Math.abs(lower))
  const to = Math.log2(Math.abs(upper))
  if (lower > 0) return { value: 2 ** (from + (to - from) * share), nan }
  return { value: -(2 ** (to + (from - to) * (1 - share))), nan }
}

/** How many observations of the bucket lie below `v`, which is inside of it. */
function below(bucket: Bucket, v: number, histogram: NaiveHistogram): number {
  const { lower, upper, count } = bucket
  if (isLinear(bucket, histogram)) {
    if (lower === Number.NEGATIVE_INFINITY) return count
    return (count * (v - lower)) / (upper - lower)
  }
  const from = Math.log2(Math.abs(lower))
  const to = Math.log2(Math.abs(upper))
  const at = Math.log2(Math.abs(v))
  const share = v > 0 ? (at - from) / (to - from) : 1 - (at - to) / (from - to)
  return count * share
}

/** The share of observations in (lower, upper]; those that are NaN are in none. */
export function nativeFraction(lower: number, upper: number, histogram: NaiveHistogram): number {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
  if (lower >= upper) return 0
  const all = allBuckets(histogram).reduce((sum, { count }) => sum + count, 0)
  const total = Number.isNaN(histogram.sum) ? all : histogram.count
  const rankOf = (v: number): number => Math.min(total, rankBelow(v))
  const rankBelow = (v: number): number => {
    let rank = 0
    for (const plain of allBuckets(histogram)) {
      const bucket = oneSided(plain, histogram)
      if (bucket.lower >= v) return rank
      if (bucket.upper > v) return rank + below(bucket, v, histogram)
      rank += bucket.count
    }
    return total
  }
  return (rankOf(upper) - rankOf(lower)) / histogram.count
}

/** The variance of observations that are taken to lie in the middle of their buckets. */
export function nativeVariance(histogram: NaiveHistogram): number {
  const mean = histogram.sum / histogram.count
  let total = ZERO_SUM
  for (const { lower, upper, count } of allBuckets(histogram)) {
    let middle = (lower + upper) / 2
    if (!isCustom(histogram)) {
      middle = lower <= 0 && upper >= 0 ? 0 : Math.sqrt(lower * upper) * (upper < 0 ? -1 : 1)
    }
    const delta = middle - mean
    total = addCompensated(count * delta * delta, total)
  }
  return (total.sum + total.lost) / histogram.count
}
