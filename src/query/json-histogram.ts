/**
 * Native histograms in answers: `{"count":"…","sum":"…","buckets":[[rule,"lower","upper","count"],…]}`.
 *
 * Buckets ascend, none reaches into the zero bucket; empty ones are left out, and `buckets` where there is none. The rule says
 * which bounds belong to the bucket: 0 the upper, 1 the lower, 2 neither, 3 both.
 */
import { isCustom } from '../../promql/histogram/bounds.ts'
import { allBuckets } from '../../promql/histogram/buckets.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { ByteWriter } from './byte-writer.ts'
import { formatValue, putTime, TIME_BYTES_MAX } from './json-number.ts'

const UPPER_IN = 0
const LOWER_IN = 1
const NEITHER_IN = 2
const BOTH_IN = 3

/** `[time,histogram]`. */
export function writeHistogramSample(writer: ByteWriter, timeMs: number, histogram: FloatHistogram): void {
  const { count, sum } = histogram
  writer.ascii('[')
  writer.reserve(TIME_BYTES_MAX)
  writer.length = putTime(writer.bytes, writer.length, timeMs)
  writer.ascii(`,{"count":"${formatValue(count)}","sum":"${formatValue(sum)}"`)
  let separator = ',"buckets":['
  const { lower, upper, count: counts } = allBuckets(histogram)
  const zeroAt = histogram.zeroCount > 0 ? histogram.negativeBuckets.length : -1
  for (let b = 0; b < counts.length; b++) {
    if (counts[b] === 0) continue
    const rule = b === zeroAt ? BOTH_IN : ruleOf(histogram, lower[b], upper[b])
    const bounds = `"${formatValue(lower[b])}","${formatValue(upper[b])}"`
    writer.ascii(`${separator}[${rule},${bounds},"${formatValue(counts[b])}"]`)
    separator = ','
  }
  writer.ascii(separator === ',' ? ']}]' : '}]')
}

/** Exponential buckets have the bound that is farther from 0, custom ones the upper, and the first of them both. */
function ruleOf(histogram: FloatHistogram, lower: number, upper: number): number {
  if (isCustom(histogram)) return lower === Number.NEGATIVE_INFINITY ? BOTH_IN : UPPER_IN
  if (lower < 0) return LOWER_IN
  // Bounds too small for a float are 0.
  return upper > 0 ? UPPER_IN : NEITHER_IN
}
