/** What a storage says of resets when it gives back the histograms of a series. */
import type { CounterResetHint } from '../../../storage/model/histogram.ts'
import type { DataSample } from './data-set.ts'
import { type Buckets, equalBounds, fromFloatHistogram, isCustom, type NaiveHistogram } from './histogram.ts'

function shrinks(before: Buckets, after: Buckets): boolean {
  return [...before].some(([index, count]) => (after.get(index) ?? 0) < count)
}

/** The hint of a histogram after the one before it in the series, if any. */
function derivedHint(current: NaiveHistogram, previous: NaiveHistogram | undefined): CounterResetHint {
  if (current.hint === 'gauge') return 'gauge'
  if (current.hint === 'reset') return 'unknown'
  if (previous === undefined || previous.hint === 'gauge') return 'unknown'
  if (isCustom(current) !== isCustom(previous)) return 'unknown'
  if (current.count < previous.count) return 'unknown'
  const isSameLayout =
    current.schema === previous.schema &&
    current.zeroThreshold === previous.zeroThreshold &&
    equalBounds(current.bounds, previous.bounds)
  if (!isSameLayout) return 'unknown'
  if (current.zeroCount < previous.zeroCount) return 'unknown'
  const hasReset =
    shrinks(previous.positive, current.positive) || shrinks(previous.negative, current.negative)
  return hasReset ? 'unknown' : 'not_reset'
}

/** The samples with the hints that are read back. A float or stale marker between two histograms parts them. */
export function withStoredHints(samples: readonly DataSample[]): DataSample[] {
  let previous: NaiveHistogram | undefined
  return samples.map((sample) => {
    const { value } = sample
    if (typeof value !== 'object') {
      previous = undefined
      return sample
    }
    const hint = derivedHint(fromFloatHistogram(value), previous)
    const stored = { ...value, counterResetHint: hint }
    previous = fromFloatHistogram(stored)
    return { ...sample, value: stored }
  })
}
