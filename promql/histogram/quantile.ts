/**
 * Quantiles and fractions of native histograms.
 *
 * Observations are taken to lie evenly in a custom bucket and in the zero bucket, and evenly by their logarithm in all others.
 * Source: Prometheus promql/quantile.go HistogramQuantile, HistogramFraction.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { exp2, log2 } from '../functions/math.ts'
import { isCustom } from './bounds.ts'
import { allBuckets, type BucketList } from './buckets.ts'

/** What observations of NaN, which are counted but lie in no bucket, do to a quantile. */
export type NanEffect = 'none' | 'result is NaN' | 'skewed higher'

export interface NativeQuantile {
  readonly value: number
  readonly nans: NanEffect
}

export interface NativeFraction {
  readonly value: number
  /** There are observations of NaN, and no fraction has them. */
  readonly hasNans: boolean
}

function certain(value: number): NativeQuantile {
  return { value, nans: 'none' }
}

/** A histogram with buckets on one side of 0 only is taken to have observed nothing on the other. */
function narrowZeroBucket(histogram: FloatHistogram, list: BucketList, b: number): void {
  const hasNegative = histogram.negativeBuckets.length > 0
  const hasPositive = histogram.positiveBuckets.length > 0
  if (hasPositive && !hasNegative) list.lower[b] = 0
  else if (hasNegative && !hasPositive) list.upper[b] = 0
}

/** The φ-quantile. NaN for φ NaN and without observations, −Inf for φ < 0, +Inf for φ > 1. */
export function nativeQuantile(phi: number, histogram: FloatHistogram): NativeQuantile {
  if (phi < 0) return certain(Number.NEGATIVE_INFINITY)
  if (phi > 1) return certain(Number.POSITIVE_INFINITY)
  if (histogram.count === 0 || Number.isNaN(phi)) return certain(Number.NaN)
  const list = allBuckets(histogram)
  const { lower, upper, count: counts } = list
  // Where NaN may have been observed, the rank counts from below: NaN is taken to be the greatest.
  const mayHaveNans = Number.isNaN(histogram.sum)
  const isForward = mayHaveNans || phi < 0.5
  const rank = (isForward ? phi : 1 - phi) * histogram.count
  const size = counts.length
  let b = 0
  let count = 0
  for (let i = 0; i < size; i++) {
    b = isForward ? i : size - 1 - i
    count += counts[b]
    if (counts[b] !== 0 && count >= rank) break
  }
  if (size > 0 && isCustom(histogram)) {
    if (lower[b] === Number.NEGATIVE_INFINITY) {
      if (upper[b] <= 0) return certain(upper[b])
      lower[b] = 0
    } else if (upper[b] === Number.POSITIVE_INFINITY) return certain(lower[b])
  } else if (lower[b] < 0 && upper[b] > 0) narrowZeroBucket(histogram, list, b)
  if (count > histogram.count) count = histogram.count
  if (count < rank) {
    if (mayHaveNans) return { value: Number.NaN, nans: 'result is NaN' }
    // Only where count and buckets do not agree.
    return certain(size === 0 ? 0 : upper[b])
  }
  // All observations were NaN, or the buckets are lost.
  if (size === 0) return { value: Number.NaN, nans: mayHaveNans ? 'skewed higher' : 'none' }
  const within = isForward ? rank - (count - counts[b]) : count - rank
  const value = interpolate(histogram, lower[b], upper[b], within / counts[b])
  return {
    value,
    nans: mayHaveNans && countFrom(counts, b, count) < histogram.count ? 'skewed higher' : 'none',
  }
}

/** `count`, which is that up to bucket b, with all after it. */
function countFrom(counts: readonly number[], b: number, count: number): number {
  for (let i = b + 1; i < counts.length; i++) count += counts[i]
  return count
}

/** The value below which `fraction` of a bucket's observations lie. */
function interpolate(histogram: FloatHistogram, lower: number, upper: number, fraction: number): number {
  if (isCustom(histogram) || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction
  const logLower = log2(Math.abs(lower))
  const logUpper = log2(Math.abs(upper))
  if (lower > 0) return exp2(logLower + (logUpper - logLower) * fraction)
  return -exp2(logUpper + (logLower - logUpper) * (1 - fraction))
}

/** The part of a bucket's observations that lies below `value`, which is inside. */
export function fractionBelow(lower: number, upper: number, value: number): number {
  const logLower = log2(Math.abs(lower))
  const logUpper = log2(Math.abs(upper))
  const logValue = log2(Math.abs(value))
  if (value > 0) return (logValue - logLower) / (logUpper - logLower)
  return 1 - (logValue - logUpper) / (logLower - logUpper)
}

/** The part of all observations, NaN among them, between two values. NaN for bounds NaN and without observations. */
export function nativeFraction(from: number, to: number, histogram: FloatHistogram): NativeFraction {
  if (histogram.count === 0 || Number.isNaN(from) || Number.isNaN(to)) {
    return { value: Number.NaN, hasNans: false }
  }
  if (from >= to) return { value: 0, hasNans: false }
  const list = allBuckets(histogram)
  const inBuckets = countFrom(list.count, -1, 0)
  const mayHaveNans = Number.isNaN(histogram.sum)
  const count = mayHaveNans ? inBuckets : histogram.count
  for (let b = 0; b < list.count.length; b++) {
    if (list.lower[b] <= 0 && list.upper[b] >= 0) narrowZeroBucket(histogram, list, b)
  }
  const low = Math.min(rankOf(from, histogram, list) ?? count, count)
  const high = Math.min(rankOf(to, histogram, list) ?? count, count)
  return { value: (high - low) / histogram.count, hasNans: mayHaveNans && count < histogram.count }
}

/** How many observations lie below the value; undefined where it is above all buckets. */
function rankOf(value: number, histogram: FloatHistogram, list: BucketList): number | undefined {
  let rank = 0
  for (let b = 0; b < list.count.length; b++) {
    const lower = list.lower[b]
    const upper = list.upper[b]
    const count = list.count[b]
    if (lower >= value) return rank
    if (upper > value) {
      if (!isCustom(histogram) && (lower > 0 || upper < 0)) {
        return rank + count * fractionBelow(lower, upper, value)
      }
      // From −Inf on there is nothing to go by: all of the bucket counts.
      if (lower === Number.NEGATIVE_INFINITY) return count
      return rank + (count * (value - lower)) / (upper - lower)
    }
    rank += count
  }
  return undefined
}
