/**
 * One generation of the head: the samples that arrived between two cuts, of the series of a `SeriesTable`. All of it
 * lies in the slab behind one root record, so any thread attaches by the root's address. `Generation` reads;
 * `GenerationWriter` is its one writer.
 *
 * Root record, indexes of u32:
 *    0  number of the generation   1  address of the table's root   2  page table of the rows of series
 *    3  page table of the stamps   4  number of stamps   5  number of chunks   6  number of series with a row
 *    7  highest index of a series with a row, + 1
 *  and of f64:  4 first time  5 last time (of all samples, staged ones included)  6 number of samples
 *
 * The row of a series (row-layout.ts) has the series' index in the table; only pages with a series of this generation
 * exist. A stamp (2 words: f64 time, u32 commit) stands for all samples of one time and commit, so that a
 * staged sample needs no time and commit of its own.
 *
 * Owners of memory: generation n owns as 2n, table n as 2n + 1.
 */

import { StorageError } from '../errors.ts'
import { Arena, Heap, Rows } from '../slab/memory.ts'
import type { Slab } from '../slab/slab.ts'
import { SeriesTable, type SeriesTableWriter } from './series-table.ts'

const NUMBER = 0
const TABLE = 1
const ROWS = 2
const STAMP_ROWS = 3
const STAMP_COUNT = 4
const CHUNKS = 5
const SERIES_COUNT = 6
const INDEX_END = 7
const MINT = 4
const MAXT = 5
const SAMPLES = 6

/** Log2 of the words of a row. */
const ROW_SHIFT = 4
const STAMP_SHIFT = 1

/** A stamp's id leaves two bits for the kind beside it. */
export const STAMPS_MAX = 2 ** 30

export function generationOwner(number: number): number {
  return 2 * number
}

export function tableOwner(number: number): number {
  return 2 * number + 1
}

export class Generation {
  readonly slab: Slab
  readonly rootAt: number
  readonly number: number
  readonly table: SeriesTable
  protected readonly rows: Rows
  protected readonly stamps: Rows
  protected readonly root: number

  /** `tables`: those attached already, by their number; a new one is added. */
  constructor(slab: Slab, rootAt: number, tables: Map<number, SeriesTable> = new Map()) {
    const { u32 } = slab
    const root = rootAt * 2
    this.slab = slab
    this.rootAt = rootAt
    this.root = root
    this.number = u32[root + NUMBER]
    const tableAt = u32[root + TABLE]
    // The number is the first word of its root.
    const number = u32[tableAt * 2]
    let table = tables.get(number)
    if (table === undefined) {
      table = new SeriesTable(slab, tableAt)
      tables.set(number, table)
    }
    this.table = table
    this.rows = new Rows(slab, u32[root + ROWS], ROW_SHIFT)
    this.stamps = new Rows(slab, u32[root + STAMP_ROWS], STAMP_SHIFT)
  }

  get chunkCount(): number {
    return this.slab.u32[this.root + CHUNKS]
  }

  /** Series with a row. */
  get seriesCount(): number {
    return this.slab.u32[this.root + SERIES_COUNT]
  }

  /** Rows have indexes below this. */
  get indexEnd(): number {
    return Atomics.load(this.slab.u32, this.root + INDEX_END)
  }

  get sampleCount(): number {
    return this.slab.f64[this.rootAt + SAMPLES]
  }

  /** Time of the first sample, +Infinity when there is none. */
  get mint(): number {
    return this.slab.f64[this.rootAt + MINT]
  }

  /** Time of the last sample, −Infinity when there is none. */
  get maxt(): number {
    return this.slab.f64[this.rootAt + MAXT]
  }

  /** Address of the row of series `index` of the table, 0 when this generation has none. */
  rowAt(index: number): number {
    return this.rows.find(index)
  }

  stampTime(stamp: number): number {
    return this.slab.f64[this.stamps.at(stamp)]
  }

  stampCommit(stamp: number): number {
    return this.slab.u32[this.stamps.at(stamp) * 2 + 2]
  }
}

/** Stamps remembered by their time. */
const STAMP_CACHE = 256

export class GenerationWriter extends Generation {
  readonly owner: number
  readonly arena: Arena
  readonly heap: Heap
  /** Whether a replay writes it, and nobody reads it meanwhile. */
  isBulk = false
  /** All views, also those to come, see this commit; a sample of a later one needs its stamp. */
  settledCommit = 0
  declare readonly table: SeriesTableWriter
  private lastT = Number.NaN
  private lastCommit = 0
  private lastStamp = 0
  private readonly cachedT = new Float64Array(STAMP_CACHE).fill(Number.NaN)
  private readonly cachedCommit = new Uint32Array(STAMP_CACHE)
  private readonly cachedStamp = new Uint32Array(STAMP_CACHE)

  private constructor(slab: Slab, rootAt: number, owner: number, arena: Arena, table: SeriesTableWriter) {
    super(slab, rootAt, new Map([[table.number, table]]))
    this.owner = owner
    this.arena = arena
    this.heap = new Heap(arena)
  }

  /** A new, empty generation. `number` ≥ 1, of no other generation. Throws NO_MEMORY, then it owns none. */
  static create(slab: Slab, number: number, table: SeriesTableWriter): GenerationWriter {
    const owner = generationOwner(number)
    try {
      const arena = new Arena(slab, owner)
      const rootAt = arena.allocate(8)
      const root = rootAt * 2
      slab.u32[root + NUMBER] = number
      slab.u32[root + TABLE] = table.rootAt
      // Page tables are extents of their own; only what is used of them becomes real memory.
      slab.u32[root + ROWS] = slab.allocate(owner)
      slab.u32[root + STAMP_ROWS] = slab.allocate(owner)
      slab.f64[rootAt + MINT] = Number.POSITIVE_INFINITY
      slab.f64[rootAt + MAXT] = Number.NEGATIVE_INFINITY
      return new GenerationWriter(slab, rootAt, owner, arena, table)
    } catch (error) {
      slab.free(owner)
      throw error
    }
  }

  /** Address of the row of series `index`, zeroed if it is new. Throws NO_MEMORY. */
  reserveRow(index: number): number {
    this.rows.reserveOne(index, this.owner)
    return this.rows.at(index)
  }

  /** Notes that a series has a row now. */
  noteSeries(index: number): void {
    const { u32 } = this.slab
    u32[this.root + SERIES_COUNT]++
    if (index >= u32[this.root + INDEX_END]) Atomics.store(u32, this.root + INDEX_END, index + 1)
  }

  /** Notes the time of a sample in the bounds. */
  noteTime(t: number): void {
    const { f64 } = this.slab
    if (t < f64[this.rootAt + MINT]) f64[this.rootAt + MINT] = t
    if (t > f64[this.rootAt + MAXT]) f64[this.rootAt + MAXT] = t
  }

  /** Counts a sample, whose time was noted. */
  countSample(): void {
    this.slab.f64[this.rootAt + SAMPLES]++
  }

  /** As `countSample`, of several. */
  countSamples(count: number): void {
    this.slab.f64[this.rootAt + SAMPLES] += count
  }

  /** Notes how many chunks there are more. */
  noteChunks(more: number): void {
    this.slab.u32[this.root + CHUNKS] += more
  }

  /** The stamp of a time and commit; mostly one that was asked for just before. Throws NO_MEMORY. */
  stampOf(t: number, commit: number): number {
    if (t === this.lastT && commit === this.lastCommit) return this.lastStamp
    this.lastT = t
    this.lastCommit = commit
    this.lastStamp = this.findStamp(t, commit)
    return this.lastStamp
  }

  private findStamp(t: number, commit: number): number {
    const slot = Math.abs(t % 65_521) & (STAMP_CACHE - 1)
    if (this.cachedT[slot] === t && this.cachedCommit[slot] === commit) return this.cachedStamp[slot]
    const { u32, f64 } = this.slab
    const stamp = u32[this.root + STAMP_COUNT]
    if (stamp === STAMPS_MAX) throw new StorageError('NO_MEMORY', 'the generation has no stamp left')
    this.stamps.reserve(stamp, this.owner)
    const at = this.stamps.at(stamp)
    f64[at] = t
    u32[at * 2 + 2] = commit
    u32[this.root + STAMP_COUNT] = stamp + 1
    this.cachedT[slot] = t
    this.cachedCommit[slot] = commit
    this.cachedStamp[slot] = stamp
    return stamp
  }
}
