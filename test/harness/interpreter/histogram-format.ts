/** The text that count_values gives for a native histogram. */
import { formatFloatShort } from '../../../promql/syntax/go-format.ts'
import {
  type Bucket,
  isCustom,
  type NaiveHistogram,
  negativeBuckets,
  positiveBuckets,
  zeroBucket,
} from './histogram.ts'

export function formatHistogram(histogram: NaiveHistogram): string {
  const parts = [`count:${formatFloatShort(histogram.count)}`, `sum:${formatFloatShort(histogram.sum)}`]
  for (const { lower, upper, count, index } of shownBuckets(histogram)) {
    const custom = isCustom(histogram)
    const isZero = !custom && lower === -upper
    const open = isZero || (custom ? index === 0 : lower < 0) ? '[' : '('
    const close = isZero || custom || upper > 0 ? ']' : ')'
    parts.push(
      `${open}${formatFloatShort(lower)},${formatFloatShort(upper)}${close}:${formatFloatShort(count)}`,
    )
  }
  return `{${parts.join(', ')}}`
}

/** All that are not empty, also with negative counts. */
function shownBuckets(histogram: NaiveHistogram): Bucket[] {
  const zero = histogram.zeroCount === 0 ? [] : [zeroBucket(histogram)]
  return [...negativeBuckets(histogram).toReversed(), ...zero, ...positiveBuckets(histogram)]
}
