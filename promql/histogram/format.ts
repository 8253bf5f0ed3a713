/** Native histograms as Go prints them. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { formatFloatShort } from '../syntax/go-format.ts'
import { isCustom } from './bounds.ts'
import { negativeBuckets, positiveBuckets } from './buckets.ts'

/** `{count:3, sum:5, [-2,-1):1, [-0.001,0.001]:1, (1,2]:1}`: the buckets that are not empty, ascending. */
export function formatHistogram(histogram: FloatHistogram): string {
  const { count, sum, zeroThreshold, zeroCount } = histogram
  const parts = [`count:${formatFloatShort(count)}`, `sum:${formatFloatShort(sum)}`]
  const add = (lower: number, upper: number, inBucket: number, isLowerIn: boolean, isUpperIn: boolean) => {
    if (inBucket === 0) return
    const bounds = `${formatFloatShort(lower)},${formatFloatShort(upper)}`
    parts.push(`${isLowerIn ? '[' : '('}${bounds}${isUpperIn ? ']' : ')'}:${formatFloatShort(inBucket)}`)
  }
  const negative = negativeBuckets(histogram)
  for (let i = negative.count.length - 1; i >= 0; i--) {
    add(negative.lower[i], negative.upper[i], negative.count[i], true, false)
  }
  add(-zeroThreshold, zeroThreshold, zeroCount, true, true)
  const positive = positiveBuckets(histogram)
  for (let i = 0; i < positive.count.length; i++) {
    const isFirst = isCustom(histogram) && positive.lower[i] === Number.NEGATIVE_INFINITY
    add(positive.lower[i], positive.upper[i], positive.count[i], isFirst, true)
  }
  return `{${parts.join(', ')}}`
}
