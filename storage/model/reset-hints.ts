/**
 * The counter reset hints that native histograms are read with. What was given with them at the append does not come back as
 * it was: `gauge` does; `reset` and all that follows on no histogram is `unknown`; what goes on where the histogram before it
 * ended is `not_reset`. Source: Prometheus tsdb/chunkenc (`appendable` of the histogram appenders, `counterResetHint` of the
 * iterators), whose chunks hold no reset, and whose first histogram of a chunk is always `unknown`. Its chunks also end where
 * they are full; there it says less than it could, which we do not.
 */
import { type CounterResetHint, CUSTOM_SCHEMA, type FloatHistogram, type Span } from './histogram.ts'
import { isHistogramKind, type SampleColumns } from './sample.ts'

/** What a storage keeps of a histogram: `not_reset` is what it finds out itself. */
export function withStoredHint(histogram: FloatHistogram): FloatHistogram {
  return histogram.counterResetHint === 'not_reset'
    ? { ...histogram, counterResetHint: 'unknown' }
    : histogram
}

/**
 * Gives all histograms of a series the hints that they are read with. The first sample may have `not_reset` already, from a
 * histogram before it that is not asked for. Requires: the histograms belong to the columns alone.
 */
export function setResetHints({ kind, v, histograms, length, allFloat }: SampleColumns): void {
  if (allFloat) return
  let before: FloatHistogram | undefined
  for (let i = 0; i < length; i++) {
    if (!isHistogramKind(kind[i])) {
      before = undefined
      continue
    }
    const now = histograms[v[i]]
    if (i > 0) setHint(now, kind[i] === kind[i - 1] ? before : undefined)
    else if (now.counterResetHint === 'reset') setHint(now, undefined)
    before = now
  }
}

/** Gives a histogram the hint that it is read with behind `before`, one of its kind, the sample before it; undefined: none. */
export function setHint(now: FloatHistogram, before: FloatHistogram | undefined): void {
  const { counterResetHint: given } = now
  if (given === 'gauge') return
  const isContinued = given !== 'reset' && before !== undefined && continues(before, now)
  const own: { counterResetHint: CounterResetHint } = now
  own.counterResetHint = isContinued ? 'not_reset' : 'unknown'
}

/** Whether no bucket of a counter is less than before, and the two can be compared. */
function continues(before: FloatHistogram, now: FloatHistogram): boolean {
  return (
    before.counterResetHint !== 'gauge' &&
    !(now.count < before.count) &&
    now.schema === before.schema &&
    now.zeroThreshold === before.zeroThreshold &&
    (now.schema !== CUSTOM_SCHEMA || areEqual(before.customValues, now.customValues)) &&
    !(now.zeroCount < before.zeroCount) &&
    haveGrown(before.positiveSpans, before.positiveBuckets, now.positiveSpans, now.positiveBuckets) &&
    haveGrown(before.negativeSpans, before.negativeBuckets, now.negativeSpans, now.negativeBuckets)
  )
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Whether each bucket has what it had at least; one that was empty may be gone. */
function haveGrown(
  spans: readonly Span[],
  counts: readonly number[],
  nowSpans: readonly Span[],
  nowCounts: readonly number[],
): boolean {
  if (spans === nowSpans) {
    for (let i = 0; i < counts.length; i++) if (nowCounts[i] < counts[i]) return false
    return true
  }
  /** Of the newer histogram: the span and the bucket that are next, and the bucket's index. */
  let span = 0
  let inSpan = 0
  let bucket = 0
  let nowIndex = nowSpans.length > 0 ? nowSpans[0].offset : 0
  let index = 0
  let i = 0
  for (const { offset, length } of spans) {
    index += offset
    for (const end = index + length; index < end; index++, i++) {
      while (span < nowSpans.length && (inSpan === nowSpans[span].length || nowIndex < index)) {
        if (inSpan < nowSpans[span].length) {
          inSpan++
          nowIndex++
          bucket++
        } else {
          inSpan = 0
          if (++span < nowSpans.length) nowIndex += nowSpans[span].offset
        }
      }
      const isThere = span < nowSpans.length && nowIndex === index
      if ((isThere ? nowCounts[bucket] : 0) < counts[i]) return false
    }
  }
  return true
}
