/**
 * The identity of series: labels, the index from labels to series, and the index from label pairs to series.
 * Generations in a row share one table, so that a cut makes no series anew; when most of its series are gone, the
 * next generation begins with a new one.
 *
 * All of it lies in the slab behind one root record, so any thread attaches by the root's address. `SeriesTable`
 * reads; `SeriesTableWriter` is its one writer.
 *
 * Root record, indexes of u32:
 *    0  number of the table           1–4  counts of series, symbols, pairs, names (published last)
 *    5–8  page tables of the rows of series, symbols, pairs, names
 *    9–11  cells of the hash tables of symbols, pairs, series
 *
 * Series row (4 words, u32): 0 address of the labels record, 1–4 hash of the labels, 5 table that the series was
 *    taken over into (0 = none), 6 its index there
 * Labels record (u32): count, then count pair ids in the order of their names
 * Pair row (4 words, u32): 0 name symbol, 1 value symbol, 2 number of postings, 3 first segment, 4 last segment,
 *    5 fill of the last segment, 6 next pair of the same name + 1
 * Name row (2 words, u32): 0 symbol, 1 first pair + 1, 2 last pair + 1, 3 number of pairs
 * Postings segment (u32): 0 address of the next, 1 capacity, then series indexes, ascending. A posting is there
 *    before the count of series shows its series; readers stop at their count.
 */
import { hashPair } from '../slab/hash.ts'
import { HashTable } from '../slab/hash-table.ts'
import { Arena, Rows } from '../slab/memory.ts'
import type { Slab } from '../slab/slab.ts'
import { Symbols } from '../slab/symbols.ts'
import type { LabelBytes } from './label-bytes.ts'

const NUMBER = 0
const SERIES_COUNT = 1
const SYMBOL_COUNT = 2
const PAIR_COUNT = 3
const NAME_COUNT = 4
const SERIES_ROWS = 5
const SYMBOL_ROWS = 6
const PAIR_ROWS = 7
const NAME_ROWS = 8
const SYMBOL_CELL = 9
const PAIR_CELL = 10
const SERIES_CELL = 11

const SERIES_SHIFT = 2
const PAIR_SHIFT = 2
const NAME_SHIFT = 1

const LABELS_AT = 0
const HASH = 1
const MOVED_TABLE = 5
const MOVED_TO = 6

const SEGMENT_HEADER = 2
const SEGMENT_CAPACITY_MIN = 2
const SEGMENT_CAPACITY_MAX = 4096

export class SeriesTable {
  readonly slab: Slab
  readonly rootAt: number
  readonly number: number
  readonly symbols: Symbols
  protected readonly series: Rows
  protected readonly pairs: Rows
  protected readonly names: Rows
  protected readonly pairTable: HashTable
  protected readonly seriesTable: HashTable
  protected readonly root: number

  constructor(slab: Slab, rootAt: number) {
    const { u32 } = slab
    const root = rootAt * 2
    this.slab = slab
    this.rootAt = rootAt
    this.root = root
    this.number = u32[root + NUMBER]
    this.series = new Rows(slab, u32[root + SERIES_ROWS], SERIES_SHIFT)
    this.pairs = new Rows(slab, u32[root + PAIR_ROWS], PAIR_SHIFT)
    this.names = new Rows(slab, u32[root + NAME_ROWS], NAME_SHIFT)
    this.symbols = new Symbols(slab, u32[root + SYMBOL_ROWS], root + SYMBOL_CELL, root + SYMBOL_COUNT)
    this.pairTable = new HashTable(slab, root + PAIR_CELL)
    this.seriesTable = new HashTable(slab, root + SERIES_CELL)
  }

  get seriesCount(): number {
    return Atomics.load(this.slab.u32, this.root + SERIES_COUNT)
  }

  get pairCount(): number {
    return Atomics.load(this.slab.u32, this.root + PAIR_COUNT)
  }

  get nameCount(): number {
    return Atomics.load(this.slab.u32, this.root + NAME_COUNT)
  }

  /** Index into u32 of the labels record of a series: the number of pairs, then the pair ids. */
  labelsIndex(index: number): number {
    return this.slab.u32[this.series.at(index) * 2 + LABELS_AT] * 2
  }

  /** Index into u32 of the hash of a series' labels: four of them. */
  hashIndex(index: number): number {
    return this.series.at(index) * 2 + HASH
  }

  pairName(pair: number): number {
    return this.slab.u32[this.pairs.at(pair) * 2]
  }

  pairValue(pair: number): number {
    return this.slab.u32[this.pairs.at(pair) * 2 + 1]
  }

  /** The pair of these two symbols, or −1. */
  findPair(name: number, value: number): number {
    if (name < 0 || value < 0) return -1
    return this.pairTable.find(
      hashPair(name, value),
      (pair) => this.pairName(pair) === name && this.pairValue(pair) === value,
    )
  }

  nameSymbol(name: number): number {
    return this.slab.u32[this.names.at(name) * 2]
  }

  /** The name row with this text, or −1. */
  findName(text: string): number {
    const symbol = this.symbols.findText(text)
    if (symbol < 0) return -1
    const count = this.nameCount
    for (let name = 0; name < count; name++) if (this.nameSymbol(name) === symbol) return name
    return -1
  }

  /** Pair ids of a name, in order of their making. */
  pairsOfName(name: number): number[] {
    const { u32 } = this.slab
    const row = this.names.at(name) * 2
    const count = Atomics.load(u32, row + 3)
    const pairs: number[] = []
    let pair = u32[row + 1] - 1
    for (let i = 0; i < count; i++) {
      pairs.push(pair)
      pair = u32[this.pairs.at(pair) * 2 + 6] - 1
    }
    return pairs
  }

  postingsCount(pair: number): number {
    return Atomics.load(this.slab.u32, this.pairs.at(pair) * 2 + 2)
  }

  /** Puts the series of a pair below `seriesCount` into `out` from `offset` on, ascending; the end offset. */
  readPostings(pair: number, seriesCount: number, out: Uint32Array, offset: number): number {
    const { u32 } = this.slab
    const row = this.pairs.at(pair) * 2
    let left = Atomics.load(u32, row + 2)
    let segment = u32[row + 3] * 2
    while (left > 0) {
      const n = Math.min(left, u32[segment + 1])
      for (let i = 0; i < n; i++) {
        const series = u32[segment + SEGMENT_HEADER + i]
        if (series >= seriesCount) return offset
        out[offset++] = series
      }
      left -= n
      segment = u32[segment] * 2
    }
    return offset
  }

  /** The series with these labels, or −1. */
  findSeries(labels: LabelBytes): number {
    return this.seriesTable.find(labels.hash[0], (index) => this.isSeries(index, labels))
  }

  /** The series with the same hash as series `index` of another table, or −1. */
  findSameSeries(other: SeriesTable, index: number): number {
    const { u32 } = this.slab
    const wanted = other.hashIndex(index)
    return this.seriesTable.find(u32[wanted], (candidate) => {
      const hash = this.hashIndex(candidate)
      for (let i = 0; i < 4; i++) if (u32[hash + i] !== u32[wanted + i]) return false
      return true
    })
  }

  /** Index in table `table` of a series that was taken over into it, or −1. */
  movedTo(index: number, table: number): number {
    const row = this.series.at(index) * 2
    return this.slab.u32[row + MOVED_TABLE] === table ? this.slab.u32[row + MOVED_TO] : -1
  }

  /** Whether the series was taken over into another table. */
  hasMoved(index: number): boolean {
    return this.slab.u32[this.series.at(index) * 2 + MOVED_TABLE] !== 0
  }

  /** For the head's writer. */
  markMoved(index: number, table: number, to: number): void {
    const row = this.series.at(index) * 2
    this.slab.u32[row + MOVED_TABLE] = table
    this.slab.u32[row + MOVED_TO] = to
  }

  private isSeries(index: number, labels: LabelBytes): boolean {
    const { u32 } = this.slab
    const hash = this.hashIndex(index)
    for (let i = 0; i < 4; i++) if (u32[hash + i] !== labels.hash[i]) return false
    const record = this.labelsIndex(index)
    if (u32[record] !== labels.count) return false
    for (let i = 0; i < labels.count; i++) if (!this.isPair(u32[record + 1 + i], labels, i)) return false
    return true
  }

  /** Whether the pair is label `i`. */
  protected isPair(pair: number, { bytes, ends }: LabelBytes, i: number): boolean {
    const start = i === 0 ? 0 : ends[2 * i - 1] + 1
    return (
      this.symbols.equals(this.pairName(pair), bytes, start, ends[2 * i]) &&
      this.symbols.equals(this.pairValue(pair), bytes, ends[2 * i] + 1, ends[2 * i + 1])
    )
  }

  /** Puts the labels of a series into `into`, with the hash that is known. */
  copyLabels(index: number, into: LabelBytes): void {
    const { u32, u8 } = this.slab
    const record = this.labelsIndex(index)
    const { symbols } = this
    into.clear()
    for (let i = 0; i < u32[record]; i++) {
      const pair = u32[record + 1 + i]
      for (const symbol of [this.pairName(pair), this.pairValue(pair)]) {
        into.addBytes(u8, symbols.startOf(symbol), symbols.endOf(symbol))
      }
    }
    const hash = this.hashIndex(index)
    into.finishWith(u32, hash)
  }
}

export class SeriesTableWriter extends SeriesTable {
  readonly owner: number
  private readonly arena: Arena
  private readonly nameOfSymbol = new Map<number, number>()

  private constructor(slab: Slab, rootAt: number, owner: number, arena: Arena) {
    super(slab, rootAt)
    this.owner = owner
    this.arena = arena
  }

  /** A new, empty table. `number` ≥ 1, of no other table; `owner` has no memory. Throws NO_MEMORY, then it has none. */
  static create(slab: Slab, number: number, owner: number): SeriesTableWriter {
    try {
      const arena = new Arena(slab, owner)
      const rootAt = arena.allocate(8)
      const root = rootAt * 2
      slab.u32[root + NUMBER] = number
      // Page tables are extents of their own; only what is used of them becomes real memory.
      for (const field of [SERIES_ROWS, SYMBOL_ROWS, PAIR_ROWS, NAME_ROWS]) {
        slab.u32[root + field] = slab.allocate(owner)
      }
      return new SeriesTableWriter(slab, rootAt, owner, arena)
    } catch (error) {
      slab.free(owner)
      throw error
    }
  }

  /** Adds a series that `findSeries` did not find; its index. Throws NO_MEMORY, then there is none. */
  addSeries(labels: LabelBytes): number {
    const { u32 } = this.slab
    const index = this.seriesCount
    this.series.reserve(index, this.owner)
    const recordAt = this.arena.allocate((labels.count + 2) >>> 1)
    const record = recordAt * 2
    u32[record] = labels.count
    // Series come target by target, so most labels are those that the one before has at the same place.
    const before = index === 0 ? record : this.labelsIndex(index - 1)
    const shared = index === 0 ? 0 : Math.min(labels.count, u32[before])
    for (let i = 0; i < labels.count; i++) {
      const isSame = i < shared && this.isPair(u32[before + 1 + i], labels, i)
      u32[record + 1 + i] = isSame ? u32[before + 1 + i] : this.internLabel(labels, i)
    }
    const row = this.series.at(index) * 2
    u32[row + LABELS_AT] = recordAt
    for (let i = 0; i < 4; i++) u32[row + HASH + i] = labels.hash[i]
    // All that takes memory comes before the first posting: one of a series that was not made after all would
    // show the next series, which gets its index, under a label that is not its own.
    for (let i = 0; i < labels.count; i++) this.reservePosting(u32[record + 1 + i])
    this.seriesTable.insert(labels.hash[0], index, index, this.owner)
    for (let i = 0; i < labels.count; i++) this.addPosting(u32[record + 1 + i], index)
    Atomics.store(u32, this.root + SERIES_COUNT, index + 1)
    return index
  }

  private internLabel({ bytes, ends }: LabelBytes, i: number): number {
    const start = i === 0 ? 0 : ends[2 * i - 1] + 1
    const name = this.symbols.intern(bytes, start, ends[2 * i], this.arena, this.owner)
    const value = this.symbols.intern(bytes, ends[2 * i] + 1, ends[2 * i + 1], this.arena, this.owner)
    return this.internPair(name, value)
  }

  private internPair(name: number, value: number): number {
    const { u32 } = this.slab
    const found = this.findPair(name, value)
    if (found >= 0) return found
    const pair = this.pairCount
    this.pairs.reserve(pair, this.owner)
    // Before the pair is found by anyone, so that there is none without a place in its name's list.
    this.names.reserve(this.nameCount, this.owner)
    const row = this.pairs.at(pair) * 2
    u32[row] = name
    u32[row + 1] = value
    this.pairTable.insert(hashPair(name, value), pair, pair, this.owner)
    Atomics.store(u32, this.root + PAIR_COUNT, pair + 1)
    this.addToName(name, pair)
    return pair
  }

  /** Requires: there is room for a name's row. */
  private addToName(symbol: number, pair: number): void {
    const { u32 } = this.slab
    let name = this.nameOfSymbol.get(symbol)
    if (name === undefined) {
      name = this.nameCount
      u32[this.names.at(name) * 2] = symbol
      this.nameOfSymbol.set(symbol, name)
      Atomics.store(u32, this.root + NAME_COUNT, name + 1)
    }
    const row = this.names.at(name) * 2
    if (u32[row + 2] === 0) u32[row + 1] = pair + 1
    else u32[this.pairs.at(u32[row + 2] - 1) * 2 + 6] = pair + 1
    u32[row + 2] = pair + 1
    Atomics.store(u32, row + 3, u32[row + 3] + 1)
  }

  /** Makes room for one more posting of a pair. */
  private reservePosting(pair: number): void {
    const { u32 } = this.slab
    const row = this.pairs.at(pair) * 2
    const lastAt = u32[row + 4]
    const capacity = lastAt === 0 ? 0 : u32[lastAt * 2 + 1]
    if (u32[row + 5] < capacity) return
    const grown = Math.max(SEGMENT_CAPACITY_MIN, Math.min(SEGMENT_CAPACITY_MAX, capacity * 2))
    const segmentAt = this.arena.allocate((SEGMENT_HEADER + grown + 1) >>> 1)
    u32[segmentAt * 2 + 1] = grown
    if (lastAt === 0) u32[row + 3] = segmentAt
    else u32[lastAt * 2] = segmentAt
    u32[row + 4] = segmentAt
    u32[row + 5] = 0
  }

  private addPosting(pair: number, series: number): void {
    const { u32 } = this.slab
    const row = this.pairs.at(pair) * 2
    u32[u32[row + 4] * 2 + SEGMENT_HEADER + u32[row + 5]] = series
    u32[row + 5]++
    Atomics.store(u32, row + 2, u32[row + 2] + 1)
  }
}
