/** The text that count_values gives for a native histogram. */
import { formatFloatShort } from '../../../promql/syntax/go-format.ts'
import { allBuckets, isCustom, type NaiveHistogram } from './histogram.ts'

export function formatHistogram(histogram: NaiveHistogram): string {
  const parts = [`count:${formatFloatShort(histogram.count)}`, `sum:${formatFloatShort(histogram.sum)}`]
  for (const { lower, upper, count, index } of allBuckets(histogram)) {
    const custom = isCustom(histogram)
    const open = (custom ? index === 0 : lower < 0) ? '[' : '('
    const close = custom || upper > 0 ? ']' : ')'
    parts.push(
      `${open}${formatFloatShort(lower)},${formatFloatShort(upper)}${close}:${formatFloatShort(count)}`,
    )
  }
  return `{${parts.join(', ')}}`
}
