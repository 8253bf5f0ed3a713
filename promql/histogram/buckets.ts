/** The buckets of a native histogram one by one, with their bounds. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { exponentialBound, isCustom } from './bounds.ts'
import { bucketIndices } from './sparse.ts'

/** Parallel columns, one place a bucket, ascending by bounds. */
export interface BucketList {
  readonly lower: number[]
  readonly upper: number[]
  readonly count: number[]
}

/** Upper bound of positive bucket `index`; custom buckets end with one up to +Inf, and begin at −Inf. */
function upperBound({ schema, customValues }: FloatHistogram, index: number): number {
  if (!isCustom({ schema })) return exponentialBound(index, schema)
  if (index < 0) return Number.NEGATIVE_INFINITY
  return index < customValues.length ? customValues[index] : Number.POSITIVE_INFINITY
}

/** The buckets in the order of `positiveBuckets`: ascending. */
export function positiveBuckets(histogram: FloatHistogram): BucketList {
  const indices = bucketIndices(histogram.positiveSpans)
  return {
    lower: indices.map((index) => upperBound(histogram, index - 1)),
    upper: indices.map((index) => upperBound(histogram, index)),
    count: [...histogram.positiveBuckets],
  }
}

/** The buckets in the order of `negativeBuckets`: from 0 away. */
export function negativeBuckets(histogram: FloatHistogram): BucketList {
  const indices = bucketIndices(histogram.negativeSpans)
  return {
    lower: indices.map((index) => -upperBound(histogram, index)),
    upper: indices.map((index) => -upperBound(histogram, index - 1)),
    count: [...histogram.negativeBuckets],
  }
}

/**
 * All buckets: the negative ones, the zero bucket unless it is empty, the positive ones. A bucket that reaches into the zero
 * bucket ends there.
 */
export function allBuckets(histogram: FloatHistogram): BucketList {
  const { zeroThreshold, zeroCount } = histogram
  const negative = negativeBuckets(histogram)
  const positive = positiveBuckets(histogram)
  const list: BucketList = {
    lower: negative.lower.reverse(),
    upper: negative.upper.reverse(),
    count: negative.count.reverse(),
  }
  const push = (lower: number, upper: number, count: number) => {
    list.lower.push(lower)
    list.upper.push(upper)
    list.count.push(count)
  }
  for (let i = 0; i < list.upper.length; i++) list.upper[i] = Math.min(list.upper[i], -zeroThreshold)
  if (zeroCount > 0) push(-zeroThreshold, zeroThreshold, zeroCount)
  for (let i = 0; i < positive.lower.length; i++) {
    const lower = positive.lower[i]
    push(lower > 0 ? Math.max(lower, zeroThreshold) : lower, positive.upper[i], positive.count[i])
  }
  return list
}
