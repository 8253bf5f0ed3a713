/**
 * The operators `</` and `>/`: what of a native histogram lies below, or above, a value.
 *
 * A bucket that has the value inside keeps a part, by interpolation. Once anything was taken away, count and sum are what the
 * buckets say, each with its observations in the middle of what is left of it.
 * Source: Prometheus model/histogram/float_histogram.go TrimBuckets.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { compactHistogram } from './arithmetic.ts'
import { isCustom } from './bounds.ts'
import { type BucketList, negativeBuckets, positiveBuckets } from './buckets.ts'
import { fractionBelow } from './quantile.ts'

/** What is left of a bucket, and where its observations are taken to lie. */
interface Rest {
  readonly count: number
  readonly middle: number
}

const NOTHING: Rest = { count: 0, middle: 0 }

/** The observations up to the value. */
export function keepBelow(histogram: FloatHistogram, value: number): FloatHistogram {
  return new Trimming(histogram, value, true).result()
}

/** The observations from the value on. */
export function keepAbove(histogram: FloatHistogram, value: number): FloatHistogram {
  return new Trimming(histogram, value, false).result()
}

class Trimming {
  private readonly histogram: FloatHistogram
  private readonly value: number
  /** What is above the value goes, rather than what is below. */
  private readonly isUpper: boolean
  private readonly isLinear: boolean
  private count = 0
  private sum = 0
  private isChanged = false

  constructor(histogram: FloatHistogram, value: number, isUpper: boolean) {
    this.histogram = histogram
    this.value = value
    this.isUpper = isUpper
    this.isLinear = isCustom(histogram)
  }

  result(): FloatHistogram {
    const { histogram } = this
    const positive = this.trimSide(positiveBuckets(histogram), true)
    const negative = this.trimSide(negativeBuckets(histogram), false)
    const zeroCount =
      histogram.zeroCount > 0 ? this.keep(histogram.zeroCount, this.zeroRest()) : histogram.zeroCount
    if (!this.isChanged) return histogram
    const { count, sum } = this
    return compactHistogram({
      ...histogram,
      count,
      sum,
      zeroCount,
      positiveBuckets: positive,
      negativeBuckets: negative,
    })
  }

  /** Notes what is left of a bucket that had `before`. */
  private keep(before: number, { count, middle }: Rest): number {
    this.count += count
    // A rest of 0 may have no middle.
    if (count !== 0) this.sum += middle * count
    if (count !== before) this.isChanged = true
    return count
  }

  private trimSide({ lower, upper, count }: BucketList, isPositive: boolean): number[] {
    return count.map((before, i) =>
      before === 0 ? before : this.keep(before, this.bucketRest(lower[i], upper[i], before, isPositive)),
    )
  }

  private bucketRest(lower: number, upper: number, count: number, isPositive: boolean): Rest {
    const { value, isUpper, isLinear } = this
    const isKept = isUpper ? upper <= value : lower >= value
    if (isKept) return { count, middle: middleOf(lower, upper, isPositive, isLinear) }
    const isCut = isUpper ? lower < value : upper > value
    if (!isCut) return NOTHING
    if (lower === Number.NEGATIVE_INFINITY || upper === Number.POSITIVE_INFINITY) {
      return this.endRest(lower, upper, count)
    }
    const below = isLinear ? (value - lower) / (upper - lower) : fractionBelow(lower, upper, value)
    return isUpper
      ? { count: count * below, middle: middleOf(lower, value, isPositive, isLinear) }
      : { count: count - count * below, middle: middleOf(value, upper, isPositive, isLinear) }
  }

  /** Of a bucket without end, which has the value inside. */
  private endRest(lower: number, upper: number, count: number): Rest {
    const { value, isUpper } = this
    if (lower === Number.NEGATIVE_INFINITY) {
      // A first bucket that ends above 0 is taken to begin at 0.
      const isPositive = upper > 0 && upper !== Number.POSITIVE_INFINITY
      if (isUpper) {
        if (value > 0 && isPositive) return { count: (count * value) / upper, middle: value / 2 }
        return upper <= 0 ? { count, middle: value } : NOTHING
      }
      if (value >= 0 && isPositive) return { count: count * (1 - value / upper), middle: (value + upper) / 2 }
      return NOTHING
    }
    return isUpper || value < lower ? NOTHING : { count, middle: value }
  }

  private zeroRest(): Rest {
    const { histogram, value, isUpper } = this
    const { zeroCount, zeroThreshold } = histogram
    const hasPositive = histogram.positiveBuckets.some((count) => count !== 0)
    const hasNegative = histogram.negativeBuckets.some((count) => count !== 0)
    const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold
    const upper = hasNegative && !hasPositive ? 0 : zeroThreshold
    const isBelow = value <= lower
    if (isBelow || value >= upper) {
      return isBelow === isUpper ? NOTHING : { count: zeroCount, middle: (lower + upper) / 2 }
    }
    const part = (isUpper ? value - lower : upper - value) / (upper - lower)
    return { count: zeroCount * part, middle: isUpper ? (lower + value) / 2 : (value + upper) / 2 }
  }
}

/** Where the observations of (lower, upper] are taken to lie. */
function middleOf(lower: number, upper: number, isPositive: boolean, isLinear: boolean): number {
  const isUpperFinite = Number.isFinite(upper)
  if (!Number.isFinite(lower)) {
    if (!isUpperFinite) return 0
    return upper > 0 ? upper / 2 : upper
  }
  if (!isUpperFinite) return lower
  if (isLinear) return (lower + upper) / 2
  const middle = Math.sqrt(Math.abs(lower * upper))
  return isPositive ? middle : -middle
}
