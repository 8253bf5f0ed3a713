/**
 * Native histograms in answers: `{"count":"…","sum":"…","buckets":[[rule,"lower","upper","count"],…]}`.
 *
 * Buckets ascend; empty ones are left out, and `buckets` where there is none. The rule says which bounds belong to the bucket:
 * 0 the upper, 1 the lower, 2 neither, 3 both.
 */
import { isCustom } from '../../promql/histogram/bounds.ts'
import { type BucketList, negativeBuckets, positiveBuckets } from '../../promql/histogram/buckets.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { ByteWriter } from './byte-writer.ts'
import { formatValue, putTime, TIME_BYTES_MAX } from './json-number.ts'

const UPPER_IN = 0
const BOTH_IN = 3

/** `[time,histogram]`. */
export function writeHistogramSample(writer: ByteWriter, timeMs: number, histogram: FloatHistogram): void {
  const { count, sum } = histogram
  writer.ascii('[')
  writer.reserve(TIME_BYTES_MAX)
  writer.length = putTime(writer.bytes, writer.length, timeMs)
  writer.ascii(`,{"count":"${formatValue(count)}","sum":"${formatValue(sum)}"`)
  let separator = ',"buckets":['
  const write = (rule: number, lower: number, upper: number, inBucket: number): void => {
    if (inBucket === 0) return
    const bounds = `"${formatValue(lower)}","${formatValue(upper)}"`
    writer.ascii(`${separator}[${rule},${bounds},"${formatValue(inBucket)}"]`)
    separator = ','
  }
  const side = ({ lower, upper, count: counts }: BucketList, i: number): void => {
    write(ruleOf(lower[i], upper[i]), lower[i], upper[i], counts[i])
  }
  const negative = negativeBuckets(histogram)
  for (let i = negative.count.length - 1; i >= 0; i--) side(negative, i)
  const { zeroThreshold, zeroCount } = histogram
  if (!isCustom(histogram)) write(BOTH_IN, -zeroThreshold, zeroThreshold, zeroCount)
  const positive = positiveBuckets(histogram)
  for (let i = 0; i < positive.count.length; i++) side(positive, i)
  writer.ascii(separator === ',' ? ']}]' : '}]')
}

/** A bound belongs to its bucket where that lies on the side of 0. */
function ruleOf(lower: number, upper: number): number {
  if (lower < 0) return upper > 0 ? BOTH_IN : 1
  return upper > 0 ? UPPER_IN : 2
}
