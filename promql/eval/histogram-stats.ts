/**
 * Histograms of which only count and sum are wanted.
 *
 * Their buckets and bounds go, but first they tell where the counter began anew: every histogram that does not say it gets a hint.
 * Source: Prometheus promql/histogram_stats_iterator.go. Upstream does it to save memory; it is done here since it shows: in
 * the hints, and so in warnings, and in the size of samples.
 */
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import { isHistogramKind, type SampleColumns } from '../../storage/model/sample.ts'
import { detectReset } from '../histogram/reset.ts'

export function reduceToStats(samples: SampleColumns): void {
  const { histograms, kind, v, length } = samples
  let previous: FloatHistogram | undefined
  for (let i = 0; i < length; i++) {
    if (!isHistogramKind(kind[i])) continue
    const histogram = histograms[v[i]]
    const { count, sum, schema } = histogram
    const counterResetHint = hintOf(histogram, previous)
    histograms[v[i]] = { ...EMPTY_HISTOGRAM, counterResetHint, count, sum, schema }
    previous = histogram
  }
}

function hintOf(histogram: FloatHistogram, previous: FloatHistogram | undefined) {
  const { counterResetHint } = histogram
  if (counterResetHint !== 'unknown' || previous === undefined) return counterResetHint
  return detectReset(histogram, previous) ? 'reset' : 'not_reset'
}
