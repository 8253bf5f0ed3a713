/** Whether the counter that a histogram is began anew since the one before. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { commonBounds, haveSameBounds, haveSameLayout, isCustom } from './bounds.ts'
import { type Layout, layoutOf, reduceLayout, rollUp, widenZero } from './reconcile.ts'
import type { Sparse } from './sparse.ts'

/**
 * By the hint of `current` where it says, else by what no counter does: a count that drops, buckets that get finer, a zero
 * bucket that gets narrower. The sum is not looked at, since observations may be negative.
 * Source: Prometheus model/histogram/float_histogram.go DetectReset.
 */
export function detectReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.counterResetHint === 'reset') return true
  if (current.counterResetHint === 'not_reset') return false
  if (current.count < previous.count) return true
  if (haveSameLayout(current, previous)) {
    return (
      current.zeroCount < previous.zeroCount ||
      hasSmaller(current.positiveBuckets, previous.positiveBuckets) ||
      hasSmaller(current.negativeBuckets, previous.negativeBuckets)
    )
  }
  if (isCustom(current) !== isCustom(previous)) return true
  const before = layoutOf(previous)
  const now = layoutOf(current)
  if (isCustom(current)) return hasCustomDrop(now, before)
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true
  if (current.zeroThreshold !== previous.zeroThreshold) {
    widenZero(before, current.zeroThreshold)
    // The new zero bucket would cut a populated one.
    if (before.zeroThreshold !== current.zeroThreshold) return true
  }
  if (current.zeroCount < before.zeroCount) return true
  reduceLayout(before, current.schema)
  return hasDrop(now.positive, before.positive) || hasDrop(now.negative, before.negative)
}

function hasSmaller(now: readonly number[], before: readonly number[]): boolean {
  for (let i = 0; i < now.length; i++) if (now[i] < before[i]) return true
  return false
}

function hasCustomDrop(now: Layout, before: Layout): boolean {
  if (!haveSameBounds(now.customValues, before.customValues)) {
    const bounds = commonBounds(now.customValues, before.customValues)
    rollUp(now, bounds)
    rollUp(before, bounds)
  }
  return hasDrop(now.positive, before.positive)
}

/** Whether a bucket has less than before, or is gone though it was not empty. */
function hasDrop(now: Sparse, before: Sparse): boolean {
  let k = 0
  for (let i = 0; i < before.indices.length; i++) {
    const index = before.indices[i]
    while (k < now.indices.length && now.indices[k] < index) k++
    const isThere = k < now.indices.length && now.indices[k] === index
    if (isThere ? now.counts[k] < before.counts[i] : before.counts[i] !== 0) return true
  }
  return false
}
