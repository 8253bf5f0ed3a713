/** One side's buckets by their absolute indices, the form in which histograms are combined. */
import type { Span } from '../../storage/model/histogram.ts'

export interface Sparse {
  /** Ascending. */
  readonly indices: number[]
  readonly counts: number[]
}

/** Index of each bucket of the spans. */
export function bucketIndices(spans: readonly Span[]): number[] {
  const indices: number[] = []
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) indices.push(index++)
  }
  return indices
}

export function toSparse(spans: readonly Span[], buckets: readonly number[]): Sparse {
  return { indices: bucketIndices(spans), counts: [...buckets] }
}

/** `keepsEmpty`: buckets with count 0 stay. */
export function toSpans(
  { indices, counts }: Sparse,
  keepsEmpty: boolean,
): { spans: Span[]; buckets: number[] } {
  const spans: { offset: number; length: number }[] = []
  const buckets: number[] = []
  let next = 0
  for (let i = 0; i < indices.length; i++) {
    if (!keepsEmpty && counts[i] === 0) continue
    if (spans.length > 0 && indices[i] === next) spans[spans.length - 1].length++
    else spans.push({ offset: indices[i] - next, length: 1 })
    next = indices[i] + 1
    buckets.push(counts[i])
  }
  return { spans, buckets }
}

/** Merges the buckets that `indexOf` gives one index; it must not descend. */
export function mapIndices({ indices, counts }: Sparse, indexOf: (index: number) => number): Sparse {
  const out: Sparse = { indices: [], counts: [] }
  for (let i = 0; i < indices.length; i++) {
    const index = indexOf(indices[i])
    const last = out.indices.length - 1
    if (last >= 0 && out.indices[last] === index) out.counts[last] += counts[i]
    else {
      out.indices.push(index)
      out.counts.push(counts[i])
    }
  }
  return out
}

/** A bucket of a finer schema lies whole in one of a schema that is `steps` coarser. */
export function coarsen(side: Sparse, steps: number): Sparse {
  return steps === 0 ? side : mapIndices(side, (index) => ((index - 1) >> steps) + 1)
}

/** a + sign · b, bucket by bucket. */
export function combine(a: Sparse, b: Sparse, sign: 1 | -1): Sparse {
  const indices: number[] = []
  const counts: number[] = []
  let i = 0
  let k = 0
  while (i < a.indices.length || k < b.indices.length) {
    const ia = i < a.indices.length ? a.indices[i] : Number.POSITIVE_INFINITY
    const ib = k < b.indices.length ? b.indices[k] : Number.POSITIVE_INFINITY
    indices.push(Math.min(ia, ib))
    if (ia < ib) counts.push(a.counts[i++])
    else if (ib < ia) counts.push(sign * b.counts[k++])
    else counts.push(a.counts[i++] + sign * b.counts[k++])
  }
  return { indices, counts }
}
