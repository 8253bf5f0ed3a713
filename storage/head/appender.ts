/** One batch of writes: gathered in columns, applied as a whole at commit. */
import { APPEND_NO_MEMORY, APPENDED, type AppendOutcome, StorageError } from '../errors.ts'
import type { Appender, CommitCounts, SeriesRef } from '../interface.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import type { Labels } from '../model/labels.ts'
import { withStoredHint } from '../model/reset-hints.ts'
import { type HistogramKind, KIND_FLOAT, type Kind, type PlainKind } from '../model/sample.ts'
import { beginStarts, type GatheredBatch, growBatch } from './batch.ts'
import type { Head } from './head.ts'
import type { AppendBounds } from './series-row.ts'
import { encodeHistogram } from './staged-histogram.ts'

export class HeadAppender implements Appender {
  private readonly head: Head
  private readonly batch: GatheredBatch
  /** The head's bounds when this appender was made, so that a batch does not push out its own samples. */
  private readonly bounds: AppendBounds
  private isSpent = false

  constructor(head: Head) {
    this.head = head
    this.batch = head.batches.take()
    this.bounds = head.bounds
  }

  register(labels: Labels): SeriesRef {
    return this.head.register(labels)
  }

  append(ref: SeriesRef, t: number, v: number, kind: PlainKind, st = 0): AppendOutcome {
    if (!this.head.hasRoom) return APPEND_NO_MEMORY
    const outcome = this.head.check(ref, t, v, kind, this.bounds)
    if (outcome === APPENDED) this.add(ref, t, v, kind, st)
    return outcome
  }

  appendHistogram(
    ref: SeriesRef,
    t: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
    st = 0,
  ): AppendOutcome {
    if (!this.head.hasRoom) return APPEND_NO_MEMORY
    const stored = withStoredHint(histogram)
    const outcome = this.head.check(ref, t, 0, kind, this.bounds, encodeHistogram(stored, kind))
    if (outcome === APPENDED) this.add(ref, t, this.batch.histograms.push(stored) - 1, kind, st)
    return outcome
  }

  appendRow(refs: Float64Array, v: Float64Array, count: number, t: number, outcomes: Int8Array): number {
    const { head, batch, bounds } = this
    const hasRoom = head.hasRoom
    if (batch.length + count > batch.refs.length)
      growBatch(batch, batch.length + Math.max(batch.length, count))
    const { refs: toRefs, t: toT, v: toV, kind } = batch
    let others = 0
    for (let i = 0; i < count; i++) {
      let outcome: AppendOutcome = APPENDED
      if (!hasRoom) outcome = APPEND_NO_MEMORY
      else if (!head.isNext(refs[i], t, bounds)) outcome = head.check(refs[i], t, v[i], KIND_FLOAT, bounds)
      outcomes[i] = outcome
      if (outcome !== APPENDED) {
        others++
        continue
      }
      // As `add`, which V8 would make two numbers on the heap for.
      const to = batch.length
      toRefs[to] = refs[i]
      toT[to] = t
      toV[to] = v[i]
      kind[to] = KIND_FLOAT
      batch.length = to + 1
    }
    return others
  }

  async commit(): Promise<CommitCounts> {
    this.spend()
    const { head, batch } = this
    let counts: CommitCounts = { appended: 0, outOfOrder: 0 }
    let durable: Promise<void> | undefined
    try {
      if (batch.length > 0) {
        counts = head.apply(batch, this.bounds)
        durable = head.durable()
      }
    } finally {
      head.batches.give(batch)
    }
    await durable
    return counts
  }

  rollback(): void {
    this.spend()
    this.head.batches.give(this.batch)
  }

  private add(ref: SeriesRef, t: number, v: number, kind: Kind, st: number): void {
    const { batch } = this
    const i = batch.length
    if (i === batch.refs.length) growBatch(batch, 2 * i)
    batch.refs[i] = ref
    batch.t[i] = t
    batch.v[i] = v
    batch.kind[i] = kind
    if (st !== 0) {
      beginStarts(batch)
      batch.st[i] = st
    }
    batch.length = i + 1
  }

  private spend(): void {
    if (this.isSpent) throw new StorageError('CLOSED', 'the appender was committed or rolled back before')
    this.isSpent = true
  }
}
