/**
 * The head's one writer: takes batches, keeps the row of generations, and decides when one is cut or dropped.
 *
 * A sample's way: `check` against the series' newest sample; at commit `check` once more, into the log's present
 * turn and into the series' staging row with that turn's commit number; when the turn is written, the number is
 * published and queries see it.
 */
import { APPEND_UNKNOWN_REF, APPENDED, type AppendOutcome, StorageError } from '../errors.ts'
import type { CommitCounts, SeriesRef } from '../interface.ts'
import type { Labels } from '../model/labels.ts'
import type { Kind } from '../model/sample.ts'
import { Retirements, type Slab } from '../slab/slab.ts'
import type { CommitLog } from '../wal/commit-log.ts'
import type { SampleBatch } from '../wal/record.ts'
import { Directory } from './directory.ts'
import { type Generation, GenerationWriter } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import { carryNewest, checkAppend, hasSample, MOVED_GENERATION, MOVED_TO, stage } from './series-row.ts'

/** How far behind the newest sample of all a sample may be (reference: half of upstream's chunk range). */
export const APPENDABLE_WINDOW_MS = 3_600_000

/** A ref is generation × 2^32 + index: a safe integer, never 0. */
const REF_GENERATION = 2 ** 32

/** Kept free in the slab, so that a commit that was let in never runs out of memory half way. */
export const SLACK_BYTES = 64 * 2 ** 20

export interface HeadLimits {
  /** Bytes of all generations; beyond it the oldest one goes. */
  headBytesMax: number
  /** A generation is cut when its samples span this much time and it has `cutBytesMin` … */
  cutSpanMs: number
  /** … since many small generations would cost more than they are worth … */
  cutBytesMin: number
  /** … and in any case when it has this many bytes. */
  cutBytesMax: number
}

export interface HeadStats {
  series: number
  seriesCreated: number
  seriesRemoved: number
  samplesAppended: number
  chunks: number
  generations: number
  usedBytes: number
  /** NaN when there is no sample. */
  mint: number
  maxt: number
}

export class Head {
  readonly slab: Slab
  readonly directory: Directory
  private readonly log: CommitLog
  private readonly limits: HeadLimits
  private readonly onDropped: (generation: number) => void
  private readonly retirements: Retirements
  private current: GenerationWriter
  /** Older generations, oldest first. */
  private older: Generation[] = []
  private maxt = Number.NEGATIVE_INFINITY
  private readonly scratch = new LabelBytes()
  private series = 0
  private seriesCreated = 0
  private seriesRemoved = 0
  private samplesAppended = 0
  private isOverBytes = false

  /** `onDropped`: the generation is gone from memory, and its log can go. */
  constructor(
    slab: Slab,
    log: CommitLog,
    firstGeneration: number,
    limits: HeadLimits,
    onDropped: (generation: number) => void,
  ) {
    this.slab = slab
    this.log = log
    this.limits = limits
    this.onDropped = onDropped
    this.directory = new Directory(slab)
    this.retirements = new Retirements(slab)
    this.current = GenerationWriter.create(slab, firstGeneration)
    this.showRoots()
  }

  /** Samples older than this are out of bounds, for appenders made now. */
  get minValidT(): number {
    return this.maxt - APPENDABLE_WINDOW_MS
  }

  get generation(): number {
    return this.current.number
  }

  /** The series with these labels in the present generation. Throws NO_MEMORY. */
  register(labels: Labels): SeriesRef {
    this.scratch.set(labels)
    return this.refOf(this.registerBytes(this.scratch))
  }

  /** What appending would answer, against what is committed; `minValidT` is the appender's bound. */
  check(ref: SeriesRef, t: number, v: number, kind: Kind, minValidT: number): AppendOutcome {
    const index = this.resolve(ref)
    if (index < 0) return APPEND_UNKNOWN_REF
    return checkAppend(this.slab, this.current.rowAt(index), t, v, kind, minValidT)
  }

  /**
   * Index of the series in the present generation, −1 when the ref's generation is gone. A series of an older
   * generation moves over now, with its newest sample's time, value and kind, so that the rules hold across cuts.
   */
  resolve(ref: SeriesRef): number {
    const generation = Math.floor(ref / REF_GENERATION)
    const index = ref - generation * REF_GENERATION
    if (generation === this.current.number) return index
    const from = this.older.find((candidate) => candidate.number === generation)
    if (from === undefined) return -1
    const row = from.rowAt(index) * 2
    const { u32 } = this.slab
    if (u32[row + MOVED_GENERATION] !== this.current.number) {
      from.copyLabels(index, this.scratch)
      markRowMoved(this.slab, row / 2, this.current.number, this.registerBytes(this.scratch))
    }
    return u32[row + MOVED_TO] - 1
  }

  refOf(index: number): SeriesRef {
    return this.current.number * REF_GENERATION + index
  }

  /** Whether samples can be taken: there is room in the log's buffer and in the slab. */
  get hasRoom(): boolean {
    return this.log.hasRoom && this.slab.capacityBytes - this.slab.usedBytes > SLACK_BYTES
  }

  /**
   * Puts a batch into the log and the rows; [0, length) of `refs` and the columns. Samples that lost their place
   * since they were checked are left out. `batch.index` is overwritten, and the batch is as long as what was taken.
   */
  apply(refs: Float64Array, batch: SampleBatch, minValidT: number): CommitCounts {
    const count = batch.length
    let taken = 0
    let outOfOrder = 0
    // First the rows, one after the other, since a later sample of the batch is checked against an earlier one.
    for (let i = 0; i < count; i++) {
      const index = this.resolve(refs[i])
      if (index < 0) {
        outOfOrder++
        continue
      }
      const rowAt = this.current.rowAt(index)
      const t = batch.t[i]
      const v = batch.v[i]
      const kind = batch.kind[i] as Kind
      const outcome = checkAppend(this.slab, rowAt, t, v, kind, minValidT)
      if (outcome < 0) outOfOrder++
      if (outcome !== APPENDED) continue
      const isChunkMade = stage(this.slab, rowAt, t, v, kind, this.log.commit, this.current.arena)
      this.current.noteSample(t, isChunkMade)
      batch.index[taken] = index
      batch.t[taken] = t
      batch.v[taken] = v
      batch.kind[taken] = kind
      taken++
      if (t > this.maxt) this.maxt = t
    }
    batch.length = taken
    if (taken > 0) this.log.addSamples(batch)
    this.samplesAppended += taken
    return { appended: taken, outOfOrder }
  }

  /** Resolves when all that was applied so far is durable and visible. */
  durable(): Promise<void> {
    return this.log.durable()
  }

  /** Cuts and drops as the limits ask. Walks the owner table, so it is called once a second and not a commit. */
  maintain(): void {
    const bytes = this.slab.ownedBytes(this.current.number)
    const span = this.current.maxt - this.current.mint
    const { cutBytesMax, cutBytesMin, cutSpanMs, headBytesMax } = this.limits
    if (bytes >= cutBytesMax || (span >= cutSpanMs && bytes >= cutBytesMin)) this.cut()
    while (this.liveBytes() > headBytesMax && this.older.length > 0) this.dropOldest()
    this.isOverBytes = this.liveBytes() > headBytesMax
    this.retirements.sweep()
  }

  /** Closes the present generation and opens the next one. */
  cut(): void {
    const next = GenerationWriter.create(this.slab, this.current.number + 1)
    this.older.push(this.current)
    this.current = next
    this.log.setGeneration(next.number)
    this.showRoots()
  }

  /** Takes in what was replayed, oldest first. Their numbers are smaller than that of any generation here. */
  install(replayed: readonly Generation[]): void {
    for (const generation of [...replayed].reverse()) {
      this.series += generation.seriesCount - this.markMoved(generation)
      this.older.unshift(generation)
      this.maxt = Math.max(this.maxt, generation.maxt)
    }
    this.showRoots()
  }

  stats(): HeadStats {
    const all = [...this.older, this.current]
    const mint = Math.min(...all.map((generation) => generation.mint))
    return {
      series: this.series,
      seriesCreated: this.seriesCreated,
      seriesRemoved: this.seriesRemoved,
      samplesAppended: this.samplesAppended,
      chunks: all.reduce((sum, generation) => sum + generation.chunkCount, 0),
      generations: all.length,
      usedBytes: this.slab.usedBytes,
      mint: Number.isFinite(mint) ? mint : Number.NaN,
      maxt: Number.isFinite(this.maxt) ? this.maxt : Number.NaN,
    }
  }

  private registerBytes(labels: LabelBytes): number {
    const found = this.current.findSeries(labels)
    if (found >= 0) return found
    if (this.isOverBytes) {
      throw new StorageError(
        'NO_MEMORY',
        `the head is full (${this.limits.headBytesMax} bytes): no new series`,
      )
    }
    const index = this.current.addSeries(labels)
    this.log.addSeries(index, labels)
    if (!this.carryOver(labels, index)) {
      this.series++
      this.seriesCreated++
    }
    return index
  }

  /**
   * Whether an older generation has the series. The newest one that has a sample of it hands that over: a series
   * may have been registered without one.
   */
  private carryOver(labels: LabelBytes, index: number): boolean {
    let isKnown = false
    for (let i = this.older.length - 1; i >= 0; i--) {
      const found = this.older[i].findSeries(labels)
      if (found < 0) continue
      isKnown = true
      const rowAt = this.older[i].rowAt(found)
      markRowMoved(this.slab, rowAt, this.current.number, index)
      if (!hasSample(this.slab, rowAt)) continue
      carryNewest(this.slab, rowAt, this.current.rowAt(index))
      break
    }
    return isKnown
  }

  /** Marks the series of a generation that newer ones have too; how many. */
  private markMoved(generation: Generation): number {
    let moved = 0
    for (const newer of [...this.older, this.current]) {
      for (let index = 0; index < newer.seriesCount; index++) {
        const found = generation.findSameSeries(newer, index)
        if (found < 0) continue
        const rowAt = generation.rowAt(found)
        if (this.slab.u32[rowAt * 2 + MOVED_GENERATION] === 0) moved++
        markRowMoved(this.slab, rowAt, newer.number, index)
      }
    }
    return moved
  }

  private dropOldest(): void {
    const dropped = this.older.shift()!
    let removed = 0
    for (let index = 0; index < dropped.seriesCount; index++) {
      if (this.slab.u32[dropped.rowAt(index) * 2 + MOVED_GENERATION] === 0) removed++
    }
    this.series -= removed
    this.seriesRemoved += removed
    this.showRoots()
    this.retirements.retire(dropped.number)
    this.onDropped(dropped.number)
  }

  /** Bytes of generations that queries still see; dropped ones that wait for a reader are not counted. */
  private liveBytes(): number {
    let bytes = this.slab.ownedBytes(this.current.number)
    for (const generation of this.older) bytes += this.slab.ownedBytes(generation.number)
    return bytes
  }

  private showRoots(): void {
    this.directory.setRoots([...this.older, this.current].map((generation) => generation.rootAt))
  }
}

function markRowMoved(slab: Slab, rowAt: number, generation: number, index: number): void {
  slab.u32[rowAt * 2 + MOVED_GENERATION] = generation
  slab.u32[rowAt * 2 + MOVED_TO] = index + 1
}
