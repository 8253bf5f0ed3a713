/**
 * The head's one writer: takes batches, keeps the row of generations, and decides when one is cut.
 *
 * A sample's way: `check` against the series' newest sample; at commit `check` once more, into the log's present
 * turn and into the series' staging row with that turn's commit number; when the turn is written, the number is
 * published and queries see it.
 *
 * A cut generation waits until it was written out as a block (`firstWaiting`, `release`); at most WAITING_MAX wait.
 */
import type { ByteWriter } from '../codec/byte-writer.ts'
import { APPEND_NO_MEMORY, APPEND_UNKNOWN_REF, type AppendOutcome, StorageError } from '../errors.ts'
import type { CommitCounts, SeriesRef } from '../interface.ts'
import type { Labels } from '../model/labels.ts'
import type { Kind } from '../model/sample.ts'
import { EXTENT_BYTES, Retirements, type Slab } from '../slab/slab.ts'
import type { CommitLog } from '../wal/commit-log.ts'
import { BatchPool, type GatheredBatch } from './batch.ts'
import { Directory, type ListedBlock } from './directory.ts'
import { type Generation, generationOwner, tableOwner } from './generation.ts'
import { GenerationRow } from './generation-row.ts'
import { LabelBytes } from './label-bytes.ts'
import { isInUse, isLaterCommit } from './row-layout.ts'
import { type AppendBounds, checkAppend, followsNewest, SAMPLE_WORDS_MAX } from './series-row.ts'
import { INDEX_NONE, Staging } from './staging.ts'

/** How far behind the newest sample of all a sample may be (reference: half of upstream's chunk range). */
export const APPENDABLE_WINDOW_MS = 3_600_000

/** A ref is table × 2^32 + index: a safe integer, never 0. */
const REF_TABLE = 2 ** 32

/** Kept free in the slab for commits of what was let in, and for cuts. */
export const SLACK_BYTES = 64 * 2 ** 20

/** Cut generations that may wait to be written out. */
const WAITING_MAX = 2

/** A smaller generation that was replayed is joined with the next one of the log rather than written out. */
export const WRITTEN_BYTES_MIN = 2 * 2 ** 20

export interface HeadLimits {
  /** Bytes of all generations and tables; beyond it nothing more is taken. */
  headBytesMax: number
  /** A generation is cut when the newest time moved on by this much since the last cut … */
  cutSpanMs: number
  /** … or when it has this many bytes. */
  cutBytesMax: number
  /** How late a sample may be behind the newest one of all, where its series has newer ones; 0 = not at all. */
  outOfOrderWindowMs: number
}

export interface HeadStats {
  series: number
  seriesCreated: number
  seriesRemoved: number
  samplesAppended: number
  histogramsAppended: number
  lateAppended: number
  chunks: number
  generations: number
  usedBytes: number
  /** NaN when there is no sample. */
  mint: number
  maxt: number
}

/** A closed generation, and the last of the log that is in it. */
export interface WaitingGeneration {
  generation: Generation
  finalGeneration: number
  /** Whether all its samples are in the log, and so visible. */
  isDurable: boolean
}

/** What disk and memory let in. */
export interface Admission {
  readonly allowsSeries: boolean
  readonly allowsSamples: boolean
}

export class Head {
  readonly slab: Slab
  readonly directory: Directory
  readonly limits: HeadLimits
  /** What is beside the generations; `show` after a change. */
  blocks: readonly ListedBlock[] = []
  private tombstonesAt = 0
  private tombstonesOwner = 0
  private readonly log: CommitLog
  private readonly admission: Admission
  private readonly retirements: Retirements
  private readonly row: GenerationRow
  private readonly staging: Staging
  /** Address of the row that `resolve` found or began. */
  private resolvedAt = 0
  readonly batches = new BatchPool()
  private maxt = Number.NEGATIVE_INFINITY
  /** The newest time when the present generation was opened, −Infinity when there was none. */
  private cutT = Number.NEGATIVE_INFINITY
  private hasCut = false
  /** The oldest closed generation with samples that are not in the log yet. */
  private undurable: number | undefined
  /** Of the present generation, and of all that new views see; as of the last look. */
  private currentBytes = 0
  private liveBytes = 0
  private readonly scratch = new LabelBytes()
  private seriesCreated = 0

  constructor(
    slab: Slab,
    log: CommitLog,
    firstGeneration: number,
    limits: HeadLimits,
    admission: Admission = { allowsSeries: true, allowsSamples: true },
  ) {
    this.slab = slab
    this.log = log
    this.limits = limits
    this.admission = admission
    this.directory = new Directory(slab)
    this.retirements = new Retirements(slab)
    this.row = new GenerationRow(slab, firstGeneration)
    this.staging = new Staging(slab)
    this.show()
  }

  /** What may be appended, for appenders made now. */
  get bounds(): AppendBounds {
    const { outOfOrderWindowMs } = this.limits
    return {
      minValidT: this.maxt - APPENDABLE_WINDOW_MS,
      minLateT: outOfOrderWindowMs > 0 ? this.maxt - outOfOrderWindowMs : Number.POSITIVE_INFINITY,
    }
  }

  get generation(): number {
    return this.row.current.number
  }

  /** Number of the oldest generation in memory. */
  get oldestGeneration(): number {
    return this.row.oldest.number
  }

  /** The series with these labels in the present table. Throws NO_MEMORY. */
  register(labels: Labels): SeriesRef {
    const { table } = this.row
    this.scratch.set(labels)
    const found = table.findSeries(this.scratch)
    if (found >= 0) return this.refOf(found)
    if (!this.hasRoom || !this.admission.allowsSeries) {
      throw new StorageError('NO_MEMORY', 'the head has no room for a new series')
    }
    return this.refOf(table.addSeries(this.scratch))
  }

  /** What appending would answer, against what is committed. `encoded` for a histogram. */
  check(
    ref: SeriesRef,
    t: number,
    v: number,
    kind: Kind,
    bounds: AppendBounds,
    encoded?: ByteWriter,
  ): AppendOutcome {
    let index: number
    try {
      index = this.resolve(ref)
    } catch (error) {
      if (isNoMemory(error)) return APPEND_NO_MEMORY
      throw error
    }
    if (index < 0) return APPEND_UNKNOWN_REF
    return checkAppend(this.row.current, this.resolvedAt, t, v, kind, bounds, encoded)
  }

  /** Whether `check` would surely answer APPENDED; the quick question, for rows of floats. */
  isNext(ref: SeriesRef, t: number, bounds: AppendBounds): boolean {
    const { current, table } = this.row
    const index = ref - table.number * REF_TABLE
    if (!(index >= 0 && index < INDEX_NONE && t >= bounds.minValidT)) return false
    const at = current.rowAt(index >>> 0)
    return isInUse(this.slab, at) && followsNewest(current, at, t)
  }

  /**
   * Index in the present table of a series whose row in the present generation is begun; −1 when the ref's table is
   * gone. A series of an older generation moves over now, with its newest sample's time, value and kind, so that
   * the rules hold across cuts. Throws NO_MEMORY when it does not fit.
   */
  resolve(ref: SeriesRef): number {
    const { row } = this
    const number = Math.floor(ref / REF_TABLE)
    let index = ref - number * REF_TABLE
    if (number !== row.table.number) {
      const from = row.tableOf(number)
      if (from === undefined) return -1
      index = row.moveOver(from, index)
    }
    this.resolvedAt = row.current.rowAt(index)
    if (!isInUse(this.slab, this.resolvedAt)) this.begin(index)
    return index
  }

  /** Whether series and samples can be taken: there is room in the log's buffer, in the slab and on the disk. */
  get hasRoom(): boolean {
    return (
      this.admission.allowsSamples && this.log.hasRoom && this.freeBytes > SLACK_BYTES && !this.isOverBound
    )
  }

  /**
   * Puts a batch into the log and the rows. Samples that lost their place since they were checked are left out.
   * `batch.index` is overwritten, and the batch is as long as what was taken.
   * Throws CLOSED, and NO_MEMORY before any of it was taken.
   */
  apply(batch: GatheredBatch, bounds: AppendBounds): CommitCounts {
    if (this.log.hasClosed) throw new StorageError('CLOSED', 'the storage is closed')
    const count = batch.length
    for (let i = 0; i < count; i++) {
      const index = this.resolve(batch.refs[i])
      batch.index[i] = index < 0 ? INDEX_NONE : index
    }
    if (this.freeBytes < count * SAMPLE_WORDS_MAX * 8 + 4 * EXTENT_BYTES) {
      throw new StorageError('NO_MEMORY', `the head has no room for ${count} samples`)
    }
    this.settle()
    try {
      return this.staging.stage(batch, this.row.current, bounds, this.log.commit)
    } finally {
      // Also should the replay's thread have been faster to the memory: what is in a row is in the log.
      if (batch.length > 0) this.log.addSamples(batch)
      this.maxt = Math.max(this.maxt, this.row.current.maxt)
    }
  }

  /** Resolves when all that was applied so far is durable and visible. */
  durable(): Promise<void> {
    return this.log.durable()
  }

  /** Cuts as the limits ask, and frees what no reader holds. Walks the owner table: once a second, not a commit. */
  maintain(): void {
    this.sweep()
    this.measure()
    if (this.row.closed >= WAITING_MAX || !this.isCutDue()) return
    try {
      this.cut()
    } catch (error) {
      // The present generation goes on; what is let go by a query makes room for the next try.
      if (!isNoMemory(error)) throw error
    }
  }

  /** Closes the present generation and opens the next one. Throws NO_MEMORY. */
  cut(): void {
    const { row } = this
    const closed = row.current.number
    row.openNext()
    this.noteUndurable(closed)
    this.hasCut = true
    this.cutT = this.maxt
    this.log.setGeneration(row.current.number)
    this.show()
  }

  /** Whether the present generation has no sample. */
  get isEmpty(): boolean {
    return this.row.current.sampleCount === 0
  }

  get generations(): number {
    return this.row.closed + 1
  }

  /** What is to be written out next. */
  get waiting(): WaitingGeneration | undefined {
    const [generation, next] = this.row.all
    if (next === undefined) return undefined
    // What was replayed and is small waits for the next one, so that many starts don't leave many small blocks.
    const isSmall = this.slab.ownedBytes(generationOwner(generation.number)) < WRITTEN_BYTES_MIN
    if (isSmall && !this.hasCut) return undefined
    const isDurable = this.undurable === undefined || generation.number < this.undurable
    return { generation, finalGeneration: next.number - 1, isDurable }
  }

  /**
   * Takes the oldest generation out of memory and shows `blocks` instead. Requires: all its samples are durable, and
   * are in one of the blocks. Its memory is freed when no reader holds it.
   */
  release(number: number, blocks: readonly ListedBlock[]): void {
    const { row } = this
    if (row.closed === 0 || row.oldest.number !== number)
      throw new Error(`generation ${number} is not the oldest closed one`)
    const table = row.oldest.table.number
    const isTableGone = row.dropOldest(Math.min(this.bounds.minValidT, this.bounds.minLateT))
    this.blocks = blocks
    this.show()
    this.retirements.retire(generationOwner(number))
    if (isTableGone) this.retirements.retire(tableOwner(table))
  }

  /** Whether a reader has a view open. */
  get hasReaders(): boolean {
    return this.slab.oldestPin() < Number.POSITIVE_INFINITY
  }

  /** Frees what no reader holds any more, and tells those who wait for it. */
  sweep(): void {
    this.retirements.sweep()
  }

  /** Calls `done` when no reader holds what was listed until now. */
  afterReaders(done: () => void): void {
    this.retirements.wait(done)
  }

  /** Puts tombstones (JSON, '' for none) into memory of `owner`, which has none, and shows them. Throws NO_MEMORY. */
  setTombstones(text: string, owner: number): void {
    const before = this.tombstonesOwner
    this.tombstonesAt = text === '' ? 0 : this.directory.storeTombstones(text, owner)
    this.tombstonesOwner = text === '' ? 0 : owner
    this.show()
    if (before !== 0) this.retirements.retire(before)
  }

  /** Puts generations, blocks and tombstones into the directory as they are now. */
  show(): void {
    const roots = this.row.all.map(({ rootAt }) => rootAt)
    this.directory.set(roots, this.blocks, this.tombstonesAt)
  }

  /**
   * Takes in what was replayed, oldest first; once. Their numbers are smaller than that of any generation here.
   * `maxt`: newest time of the blocks.
   */
  install(replayed: readonly Generation[], maxt: number): void {
    this.maxt = Math.max(this.maxt, maxt)
    for (const generation of [...replayed].reverse()) {
      this.row.prepend(generation)
      this.maxt = Math.max(this.maxt, generation.maxt)
      this.cutT = Math.max(this.cutT, generation.maxt)
    }
    this.show()
  }

  stats(): HeadStats {
    const { all, series, seriesRemoved } = this.row
    const { samples, histograms, late } = this.staging
    const mint = Math.min(...all.map((generation) => generation.mint))
    return {
      series,
      seriesCreated: this.seriesCreated,
      seriesRemoved,
      samplesAppended: samples,
      histogramsAppended: histograms,
      lateAppended: late,
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

  /** What readers keep though it has left the head does not count: the slab is larger for it. */
  private get isOverBound(): boolean {
    return this.liveBytes > this.limits.headBytesMax
  }

  /** Of a generation that is closed now. */
  private noteUndurable(number: number): void {
    this.undurable ??= number
    this.log.durable().then(
      () => {
        if (this.undurable === number)
          this.undurable = number + 1 < this.row.current.number ? number + 1 : undefined
      },
      () => {
        // The log closes: nothing more is written out in this life.
      },
    )
  }

  private measure(): void {
    const { slab, row } = this
    this.currentBytes = slab.ownedBytes(generationOwner(row.current.number))
    const generations = row.all.map(({ number }) => generationOwner(number))
    this.liveBytes = slab.ownedBytes(...generations, ...row.tableNumbers.map(tableOwner))
  }

  /** By how far the newest time moved on, and not from the first time on: late samples are no reason for a cut. */
  private isCutDue(): boolean {
    const { current } = this.row
    const span = current.maxt - Math.max(current.mint, this.cutT)
    return span >= this.limits.cutSpanMs || this.currentBytes >= this.limits.cutBytesMax
  }

  /** All views, open ones and those to come, see this commit. */
  private settle(): void {
    let settled = this.directory.commit
    this.slab.visitCommits((commit) => {
      if (isLaterCommit(settled, commit)) settled = commit
    })
    this.row.current.settledCommit = settled
  }

  private refOf(index: number): SeriesRef {
    return this.row.table.number * REF_TABLE + index
  }

  /** Begins the row of a series in the present generation. Throws NO_MEMORY, then there is none. */
  private begin(index: number): void {
    const { row } = this
    const { table, current } = row
    const at = current.reserveRow(index)
    this.resolvedAt = at
    const isKnown = row.begin(index, at)
    current.noteSeries(index)
    table.copyLabels(index, this.scratch)
    this.log.addSeries(index, this.scratch)
    if (!isKnown) this.seriesCreated++
  }
}

function isNoMemory(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'NO_MEMORY'
}
