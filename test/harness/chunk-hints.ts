/**
 * The counter reset hints with which upstream's storage gives back what it was given: scripts expect them.
 *
 * Upstream writes histograms into chunks without resets. The first of a chunk comes back with hint unknown, whatever is known;
 * those after it with not_reset; gauges stay gauges. A new chunk begins with each reset, change of layout, other kind of
 * sample, and after a stale marker; that it also begins when the one before is full is left out here.
 */
import {
  type CounterResetHint,
  CUSTOM_SCHEMA,
  type FloatHistogram,
  type Span,
} from '../../storage/model/histogram.ts'

function bucketsOf(spans: readonly Span[], counts: readonly number[]): Map<number, number> {
  const buckets = new Map<number, number>()
  let index = 0
  let at = 0
  for (const span of spans) {
    index += span.offset
    for (let i = 0; i < span.length; i++) buckets.set(index++, counts[at++])
  }
  return buckets
}

/** Whether each bucket has at least what it had before. */
function hasGrown(before: Map<number, number>, now: Map<number, number>): boolean {
  return [...before].every(([index, count]) => (now.get(index) ?? 0) >= count)
}

function continues(before: FloatHistogram, now: FloatHistogram): boolean {
  const isSameLayout =
    before.schema === now.schema &&
    before.zeroThreshold === now.zeroThreshold &&
    (now.schema !== CUSTOM_SCHEMA || String(before.customValues) === String(now.customValues))
  return (
    before.counterResetHint !== 'gauge' &&
    now.counterResetHint !== 'reset' &&
    isSameLayout &&
    now.count >= before.count &&
    now.zeroCount >= before.zeroCount &&
    hasGrown(
      bucketsOf(before.positiveSpans, before.positiveBuckets),
      bucketsOf(now.positiveSpans, now.positiveBuckets),
    ) &&
    hasGrown(
      bucketsOf(before.negativeSpans, before.negativeBuckets),
      bucketsOf(now.negativeSpans, now.negativeBuckets),
    )
  )
}

/** What was loaded so far, by series. Samples of a series are told in the order of their times. */
export class ChunkHints {
  private readonly newest = new Map<string, FloatHistogram>()

  /** A float, or a stale marker, comes to the series. */
  other(series: string): void {
    this.newest.delete(series)
  }

  /** A histogram comes to the series: the hint that it will have. */
  histogram(series: string, histogram: FloatHistogram): CounterResetHint {
    const before = this.newest.get(series)
    this.newest.set(series, histogram)
    if (histogram.counterResetHint === 'gauge') return 'gauge'
    return before !== undefined && continues(before, histogram) ? 'not_reset' : 'unknown'
  }
}
