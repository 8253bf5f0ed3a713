/**
 * The head's one writer: takes batches, keeps the row of generations, and decides when one is cut or dropped.
 *
 * A sample's way: `check` against the series' newest sample; at commit `check` once more, into the log's present
 * turn and into the series' staging row with that turn's commit number; when the turn is written, the number is
 * published and queries see it.
 */
import {
  APPEND_NO_MEMORY,
  APPEND_UNKNOWN_REF,
  APPENDED,
  type AppendOutcome,
  StorageError,
} from '../errors.ts'
import type { CommitCounts, SeriesRef } from '../interface.ts'
import type { Labels } from '../model/labels.ts'
import type { Kind } from '../model/sample.ts'
import { EXTENT_BYTES, EXTENT_WORDS, Retirements, type Slab } from '../slab/slab.ts'
import type { CommitLog } from '../wal/commit-log.ts'
import type { SampleBatch } from '../wal/samples.ts'
import { Directory, GENERATIONS_MAX } from './directory.ts'
import { type Generation, GenerationWriter } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import {
  carryNewest,
  checkAppend,
  hasSample,
  MOVED_GENERATION,
  MOVED_TO,
  STAGE_WORDS_MAX,
  stage,
} from './series-row.ts'

/** How far behind the newest sample of all a sample may be (reference: half of upstream's chunk range). */
export const APPENDABLE_WINDOW_MS = 3_600_000

/** A ref is generation × 2^32 + index: a safe integer, never 0. */
const REF_GENERATION = 2 ** 32

/** Kept free in the slab for commits of what was let in, and for cuts. */
export const SLACK_BYTES = 64 * 2 ** 20

/** In `batch.index`: the ref's generation is gone. */
const INDEX_NONE = 0xffffffff

export interface HeadLimits {
  /** Bytes of all generations; beyond it the oldest one goes. */
  headBytesMax: number
  /** A generation is cut when the newest time moved on by this much since the last cut and it has `cutBytesMin` … */
  cutSpanMs: number
  /** … since many small generations would cost more than they are worth … */
  cutBytesMin: number
  /**
   * … and when it has this many bytes and an eighth of `cutSpanMs`, or half of `headBytesMax`: every live series is
   * made anew after a cut, so that small generations of many series would hold series and hardly a sample.
   */
  cutBytesMax: number
}

/** See `cutBytesMax`. */
const CUT_SPAN_PARTS = 8

/** What went at the byte bound: samples from `mint` to `maxt`, both inclusive. */
export interface DroppedGeneration {
  number: number
  mint: number
  maxt: number
  sampleCount: number
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
  readonly limits: HeadLimits
  private readonly onDropped: (dropped: DroppedGeneration, oldest: number) => void
  private readonly retirements: Retirements
  private current: GenerationWriter
  /** Older generations, oldest first. */
  private older: Generation[] = []
  private maxt = Number.NEGATIVE_INFINITY
  /** The newest time when the present generation was opened, −Infinity when there was none. */
  private cutT = Number.NEGATIVE_INFINITY
  /** Whether what was replayed is here; before, nothing is dropped, since what is older is not there yet. */
  private isInstalled = false
  private readonly scratch = new LabelBytes()
  private series = 0
  private seriesCreated = 0
  private seriesRemoved = 0
  private samplesAppended = 0

  /** `onDropped`: `oldest` is the oldest generation left in memory; the log of all before it can go. */
  constructor(
    slab: Slab,
    log: CommitLog,
    firstGeneration: number,
    limits: HeadLimits,
    onDropped: (dropped: DroppedGeneration, oldest: number) => void,
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
    const found = this.current.findSeries(this.scratch)
    if (found >= 0) return this.refOf(found)
    if (!this.hasRoom) throw new StorageError('NO_MEMORY', 'the head has no room for a new series')
    return this.refOf(this.addSeries(this.scratch))
  }

  /** What appending would answer, against what is committed; `minValidT` is the appender's bound. */
  check(ref: SeriesRef, t: number, v: number, kind: Kind, minValidT: number): AppendOutcome {
    let index: number
    try {
      index = this.resolve(ref)
    } catch (error) {
      if (isNoMemory(error)) return APPEND_NO_MEMORY
      throw error
    }
    if (index < 0) return APPEND_UNKNOWN_REF
    return checkAppend(this.slab, this.current.rowAt(index), t, v, kind, minValidT)
  }

  /**
   * Index of the series in the present generation, −1 when the ref's generation is gone. A series of an older
   * generation moves over now, with its newest sample's time, value and kind, so that the rules hold across cuts.
   * Throws NO_MEMORY when it does not fit.
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
      const found = this.current.findSeries(this.scratch)
      const to = found >= 0 ? found : this.addSeries(this.scratch)
      markRowMoved(this.slab, row / 2, this.current.number, to)
    }
    return u32[row + MOVED_TO] - 1
  }

  refOf(index: number): SeriesRef {
    return this.current.number * REF_GENERATION + index
  }

  /** Whether series and samples can be taken: there is room in the log's buffer and in the slab. */
  get hasRoom(): boolean {
    return this.log.hasRoom && this.freeBytes > SLACK_BYTES
  }

  /**
   * Puts a batch into the log and the rows; [0, length) of `refs` and the columns. Samples that lost their place
   * since they were checked are left out. `batch.index` is overwritten, and the batch is as long as what was taken.
   * Throws CLOSED, and NO_MEMORY before any of it was taken.
   */
  apply(refs: Float64Array, batch: SampleBatch, minValidT: number): CommitCounts {
    if (this.log.hasClosed) throw new StorageError('CLOSED', 'the storage is closed')
    const count = batch.length
    for (let i = 0; i < count; i++) {
      const index = this.resolve(refs[i])
      batch.index[i] = index < 0 ? INDEX_NONE : index
    }
    // An extent may end in a gap of less than one record.
    const extents = Math.ceil((count * STAGE_WORDS_MAX) / (EXTENT_WORDS - STAGE_WORDS_MAX)) + 1
    if (this.freeBytes < extents * EXTENT_BYTES) {
      throw new StorageError('NO_MEMORY', `the head has no room for ${count} samples`)
    }
    try {
      return this.stageBatch(batch, minValidT)
    } finally {
      // Also should the replay's thread have been faster to the memory: what is in a row is in the log.
      if (batch.length > 0) this.log.addSamples(batch)
      this.samplesAppended += batch.length
    }
  }

  /** Puts samples with their `index` into the rows and moves what was taken to the front of the batch. */
  private stageBatch(batch: SampleBatch, minValidT: number): CommitCounts {
    const count = batch.length
    batch.length = 0
    let outOfOrder = 0
    // One after the other, since a later sample of the batch is checked against an earlier one.
    for (let i = 0; i < count; i++) {
      const index = batch.index[i]
      if (index === INDEX_NONE) {
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
      const taken = batch.length++
      batch.index[taken] = index
      batch.t[taken] = t
      batch.v[taken] = v
      batch.kind[taken] = kind
      if (t > this.maxt) this.maxt = t
    }
    return { appended: batch.length, outOfOrder }
  }

  /** Resolves when all that was applied so far is durable and visible. */
  durable(): Promise<void> {
    return this.log.durable()
  }

  /** Cuts and drops as the limits ask. Walks the owner table, so it is called once a second and not a commit. */
  maintain(): void {
    this.retirements.sweep()
    if (this.isCutDue()) {
      try {
        this.cut()
      } catch (error) {
        // The present generation goes on; what is dropped now or let go by a query makes room for the next try.
        if (!isNoMemory(error)) throw error
      }
    }
    if (!this.isInstalled) return
    const { headBytesMax } = this.limits
    while (this.older.length > 0) {
      // One place in the directory is kept for the next cut.
      if (this.liveBytes() <= headBytesMax && this.older.length + 1 < GENERATIONS_MAX) break
      this.dropOldest()
    }
  }

  /** Closes the present generation and opens the next one. Throws NO_MEMORY. */
  cut(): void {
    const next = GenerationWriter.create(this.slab, this.current.number + 1)
    this.older.push(this.current)
    this.current = next
    this.cutT = this.maxt
    this.log.setGeneration(next.number)
    this.showRoots()
  }

  /**
   * Takes in what was replayed, oldest first; once, before anything is dropped. Their numbers are smaller than that
   * of any generation here.
   */
  install(replayed: readonly Generation[]): void {
    this.isInstalled = true
    for (const generation of [...replayed].reverse()) {
      this.series += generation.seriesCount - this.markMoved(generation)
      this.older.unshift(generation)
      this.maxt = Math.max(this.maxt, generation.maxt)
      this.cutT = Math.max(this.cutT, generation.maxt)
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

  private get freeBytes(): number {
    return this.slab.capacityBytes - this.slab.usedBytes
  }

  /** By how far the newest time moved on, and not from the first time on: late samples are no reason for a cut. */
  private isCutDue(): boolean {
    const bytes = this.slab.ownedBytes(this.current.number)
    const span = this.current.maxt - Math.max(this.current.mint, this.cutT)
    const { cutBytesMax, cutBytesMin, cutSpanMs, headBytesMax } = this.limits
    if (span >= cutSpanMs && bytes >= cutBytesMin) return true
    if (span >= cutSpanMs / CUT_SPAN_PARTS && bytes >= cutBytesMax) return true
    return bytes >= headBytesMax / 2
  }

  /** Adds a series that the present generation does not have. */
  private addSeries(labels: LabelBytes): number {
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

  /** Marks the series of a replayed generation that a newer one has too; how many. */
  private markMoved(generation: Generation): number {
    let moved = 0
    const newer = [...this.older, this.current]
    const count = generation.seriesCount
    for (let index = 0; index < count; index++) {
      // Nearly always the next one has it.
      for (const candidate of newer) {
        const found = candidate.findSameSeries(generation, index)
        if (found < 0) continue
        markRowMoved(this.slab, generation.rowAt(index), candidate.number, found)
        moved++
        break
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
    const { number, mint, maxt, sampleCount } = dropped
    this.retirements.retire(number)
    this.onDropped({ number, mint, maxt, sampleCount }, this.oldest.number)
  }

  private get oldest(): Generation {
    return this.older[0] ?? this.current
  }

  /** Bytes of generations that new queries see; dropped ones, which are older, may wait for a reader. */
  private liveBytes(): number {
    return this.slab.ownedBytes(this.oldest.number, this.current.number)
  }

  private showRoots(): void {
    this.directory.setRoots([...this.older, this.current].map((generation) => generation.rootAt))
  }
}

function isNoMemory(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'NO_MEMORY'
}

function markRowMoved(slab: Slab, rowAt: number, generation: number, index: number): void {
  slab.u32[rowAt * 2 + MOVED_GENERATION] = generation
  slab.u32[rowAt * 2 + MOVED_TO] = index + 1
}
