/** One batch of writes: gathered in columns, applied as a whole at commit. */
import { APPEND_NO_MEMORY, APPENDED, type AppendOutcome, StorageError } from '../errors.ts'
import type { Appender, CommitCounts, SeriesRef } from '../interface.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import type { Labels } from '../model/labels.ts'
import { type HistogramKind, KIND_FLOAT, type Kind } from '../model/sample.ts'
import type { SampleBatch } from '../wal/samples.ts'
import type { Head } from './head.ts'

const CAPACITY_MIN = 64

export class HeadAppender implements Appender {
  private readonly head: Head
  private refs = new Float64Array(CAPACITY_MIN)
  private readonly batch: SampleBatch = {
    length: 0,
    index: new Uint32Array(CAPACITY_MIN),
    t: new Float64Array(CAPACITY_MIN),
    v: new Float64Array(CAPACITY_MIN),
    kind: new Uint8Array(CAPACITY_MIN),
    lastV: new Float64Array(CAPACITY_MIN),
    isKey: new Uint8Array(CAPACITY_MIN).fill(1),
    histograms: [],
  }
  /** The head's bound when this appender was made, so that a batch does not push out its own samples. */
  private readonly minValidT: number
  private isSpent = false

  constructor(head: Head) {
    this.head = head
    this.minValidT = head.minValidT
  }

  register(labels: Labels): SeriesRef {
    return this.head.register(labels)
  }

  append(ref: SeriesRef, t: number, v: number, kind: Kind): AppendOutcome {
    if (!this.head.hasRoom) return APPEND_NO_MEMORY
    const outcome = this.head.check(ref, t, v, kind, this.minValidT)
    if (outcome !== APPENDED) return outcome
    const i = this.batch.length
    if (i === this.refs.length) this.grow()
    this.refs[i] = ref
    this.batch.t[i] = t
    this.batch.v[i] = v
    this.batch.kind[i] = kind
    this.batch.length = i + 1
    return APPENDED
  }

  appendHistogram(
    _ref: SeriesRef,
    _t: number,
    _histogram: FloatHistogram,
    _kind: HistogramKind,
  ): AppendOutcome {
    throw new Error('the head takes no histograms yet')
  }

  appendRow(refs: Float64Array, v: Float64Array, count: number, t: number, outcomes: Int8Array): number {
    let others = 0
    for (let i = 0; i < count; i++) {
      outcomes[i] = this.append(refs[i], t, v[i], KIND_FLOAT)
      if (outcomes[i] !== APPENDED) others++
    }
    return others
  }

  async commit(): Promise<CommitCounts> {
    this.spend()
    if (this.batch.length === 0) return { appended: 0, outOfOrder: 0 }
    const counts = this.head.apply(this.refs, this.batch, this.minValidT)
    await this.head.durable()
    return counts
  }

  rollback(): void {
    this.spend()
  }

  private spend(): void {
    if (this.isSpent) throw new StorageError('CLOSED', 'the appender was committed or rolled back before')
    this.isSpent = true
  }

  private grow(): void {
    const capacity = this.refs.length * 2
    const widen = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.refs = widen(this.refs, new Float64Array(capacity))
    this.batch.index = new Uint32Array(capacity)
    this.batch.t = widen(this.batch.t, new Float64Array(capacity))
    this.batch.v = widen(this.batch.v, new Float64Array(capacity))
    this.batch.kind = widen(this.batch.kind, new Uint8Array(capacity))
    this.batch.lastV = new Float64Array(capacity)
    this.batch.isKey = new Uint8Array(capacity).fill(1)
  }
}
