/**
 * Brings two histograms to one layout: the coarser schema and the wider zero bucket, or the bounds that both have.
 *
 * Source: Prometheus model/histogram/float_histogram.go reconcileZeroBuckets, zeroCountForLargerThreshold,
 * intersectCustomBucketBounds.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { commonBounds, exponentialBound, haveSameBounds, isCustom } from './bounds.ts'
import { coarsen, mapIndices, type Sparse, toSparse } from './sparse.ts'

/** A histogram's buckets, to be worked on. */
export interface Layout {
  schema: number
  zeroThreshold: number
  zeroCount: number
  positive: Sparse
  negative: Sparse
  customValues: readonly number[]
}

export function layoutOf(histogram: FloatHistogram): Layout {
  const { schema, zeroThreshold, zeroCount, customValues } = histogram
  return {
    schema,
    zeroThreshold,
    zeroCount,
    positive: toSparse(histogram.positiveSpans, histogram.positiveBuckets),
    negative: toSparse(histogram.negativeSpans, histogram.negativeBuckets),
    customValues,
  }
}

/**
 * Makes the layouts of two histograms the same, in place. Answers whether custom bounds differed; undefined where
 * exponential buckets meet custom ones.
 */
export function reconcile(a: Layout, b: Layout): boolean | undefined {
  const custom = isCustom(a)
  if (custom !== isCustom(b)) return undefined
  if (custom) {
    if (haveSameBounds(a.customValues, b.customValues)) return false
    const bounds = commonBounds(a.customValues, b.customValues)
    rollUp(a, bounds)
    rollUp(b, bounds)
    return true
  }
  // Widening one may take it beyond the other, since a populated bucket is never cut.
  while (a.zeroThreshold !== b.zeroThreshold) {
    if (a.zeroThreshold < b.zeroThreshold) widenZero(a, b.zeroThreshold)
    else widenZero(b, a.zeroThreshold)
  }
  const schema = Math.min(a.schema, b.schema)
  reduceLayout(a, schema)
  reduceLayout(b, schema)
  return false
}

export function reduceLayout(layout: Layout, schema: number): void {
  const steps = layout.schema - schema
  layout.positive = coarsen(layout.positive, steps)
  layout.negative = coarsen(layout.negative, steps)
  layout.schema = schema
}

/** Merges custom buckets so that only `bounds` are left, all of which it has. */
export function rollUp(layout: Layout, bounds: readonly number[]): void {
  const { customValues } = layout
  layout.positive = mapIndices(layout.positive, (index) => {
    if (index >= customValues.length) return bounds.length
    let i = 0
    while (i < bounds.length && bounds[i] < customValues[index]) i++
    return i
  })
  layout.customValues = bounds
}

/** Takes the buckets inside ±threshold into the zero bucket, which ends up wider where it would cut a populated bucket. */
export function widenZero(layout: Layout, threshold: number): void {
  const { schema } = layout
  for (let isSettled = false; !isSettled; ) {
    isSettled = true
    for (const { indices, counts } of [layout.positive, layout.negative]) {
      for (let i = 0; i < indices.length && exponentialBound(indices[i] - 1, schema) < threshold; i++) {
        const upper = exponentialBound(indices[i], schema)
        if (upper <= threshold || counts[i] === 0) continue
        threshold = upper
        isSettled = false
      }
    }
  }
  absorbBelow(layout, threshold)
}

/** Takes all buckets that begin inside ±threshold into the zero bucket, whole. */
export function absorbBelow(layout: Layout, threshold: number): void {
  layout.positive = absorb(layout, layout.positive, threshold)
  layout.negative = absorb(layout, layout.negative, threshold)
  layout.zeroThreshold = threshold
}

function absorb(layout: Layout, { indices, counts }: Sparse, threshold: number): Sparse {
  let i = 0
  while (i < indices.length && exponentialBound(indices[i] - 1, layout.schema) < threshold) {
    layout.zeroCount += counts[i++]
  }
  return { indices: indices.slice(i), counts: counts.slice(i) }
}
