/**
 * The row of generations in memory, the present one last, with their tables; and how a series gets from one to the next: it
 * takes along its newest sample's time, value and kind, so that the append rules hold across cuts. One writer.
 */
import type { Slab } from '../slab/slab.ts'
import { Departed } from './departed.ts'
import { type Generation, GenerationWriter, tableOwner } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import { isInUse } from './row-layout.ts'
import { beginRow, beginRowBehind, newest, newestTime } from './series-row.ts'
import { type SeriesTable, SeriesTableWriter } from './series-table.ts'

/** A smaller table is not worth a new one. */
const TABLE_SERIES_MIN = 1024

export class GenerationRow {
  /** The present generation, and the table that it has. */
  current: GenerationWriter
  table: SeriesTableWriter
  /** Series in memory, those of several generations once. */
  series = 0
  seriesRemoved = 0
  private readonly slab: Slab
  /** Older generations, oldest first. */
  private readonly older: Generation[] = []
  /** Tables in use, by their number. */
  private readonly tables = new Map<number, SeriesTable>()
  private readonly departed = new Departed()
  private readonly scratch = new LabelBytes()

  /** Opens the first generation. Throws NO_MEMORY. */
  constructor(slab: Slab, firstGeneration: number) {
    this.slab = slab
    this.table = SeriesTableWriter.create(slab, firstGeneration, tableOwner(firstGeneration))
    this.tables.set(firstGeneration, this.table)
    this.current = GenerationWriter.create(slab, firstGeneration, this.table)
  }

  /** Oldest first. */
  get all(): Generation[] {
    return [...this.older, this.current]
  }

  /** How many are closed. */
  get closed(): number {
    return this.older.length
  }

  get oldest(): Generation {
    return this.older[0] ?? this.current
  }

  get tableNumbers(): number[] {
    return [...this.tables.keys()]
  }

  /** Undefined when no generation has it any more. */
  tableOf(number: number): SeriesTable | undefined {
    return this.tables.get(number)
  }

  /** Closes the present generation and opens the next one. Throws NO_MEMORY; then nothing has changed. */
  openNext(): void {
    const number = this.current.number + 1
    let { table } = this
    const isWornOut = table.seriesCount > TABLE_SERIES_MIN && this.current.seriesCount * 2 < table.seriesCount
    if (isWornOut) table = SeriesTableWriter.create(this.slab, number, tableOwner(number))
    let next: GenerationWriter
    try {
      next = GenerationWriter.create(this.slab, number, table)
    } catch (error) {
      if (isWornOut) this.slab.free(tableOwner(number))
      throw error
    }
    this.older.push(this.current)
    this.current = next
    this.table = table
    this.tables.set(table.number, table)
  }

  /**
   * Takes the oldest generation out; of its series that no newer one has, those with samples at `minT` or later are remembered.
   * Returns whether its table goes with it. Requires: there is a closed one.
   */
  dropOldest(minT: number): boolean {
    const dropped = this.older.shift()!
    this.noteDeparted(dropped, minT)
    const { number } = dropped.table
    if (this.all.some(({ table }) => table.number === number)) return false
    this.tables.delete(number)
    return true
  }

  /** Puts a generation in front of all others. Its number is smaller than theirs. */
  prepend(generation: Generation): void {
    this.tables.set(generation.table.number, generation.table)
    this.series += this.takeOver(generation)
    this.older.unshift(generation)
  }

  /** The series of an older table in the present one, added there if need be. Throws NO_MEMORY. */
  moveOver(from: SeriesTable, index: number): number {
    const moved = from.movedTo(index, this.table.number)
    if (moved >= 0) return moved
    from.copyLabels(index, this.scratch)
    const found = this.table.findSeries(this.scratch)
    const to = found >= 0 ? found : this.table.addSeries(this.scratch)
    from.markMoved(index, this.table.number, to)
    return to
  }

  /**
   * Begins the row of a series of the present table at `at`, which is reserved in the present generation. Returns whether an
   * older one has the series. The newest one that has a sample of it hands that over: a series may have been registered
   * without one.
   */
  begin(index: number, at: number): boolean {
    let isKnown = false
    for (let i = this.older.length - 1; i >= 0; i--) {
      const from = this.older[i]
      const isShared = from.table.number === this.table.number
      const found = isShared ? index : from.table.findSameSeries(this.table, index)
      if (found < 0) continue
      const fromAt = from.rowAt(found)
      if (!isInUse(this.slab, fromAt)) continue
      isKnown = true
      if (!isShared) from.table.markMoved(found, this.table.number, index)
      if (newestTime(from, fromAt) === Number.NEGATIVE_INFINITY) continue
      beginRow(this.current, at, from, fromAt)
      return true
    }
    const departed = this.departed.find(this.slab.u32, this.table.hashIndex(index))
    if (departed === undefined) beginRow(this.current, at, undefined, 0)
    else beginRowBehind(this.current, at, departed)
    if (!isKnown) this.series++
    return isKnown
  }

  /** Marks the series of a replayed generation that the present table has too. Returns how many no newer one has. */
  private takeOver(generation: Generation): number {
    const { slab, table: present } = this
    const { indexEnd, table } = generation
    const newer = this.all
    const sharing = newer.filter((other) => other.table.number === table.number)
    const later = newer.filter((other) => other.table.number === present.number)
    let own = 0
    for (let index = 0; index < indexEnd; index++) {
      if (!isInUse(slab, generation.rowAt(index))) continue
      if (sharing.some((other) => isInUse(slab, other.rowAt(index)))) continue
      const found = present.findSameSeries(table, index)
      if (found >= 0 && later.some((other) => isInUse(slab, other.rowAt(found)))) {
        table.markMoved(index, present.number, found)
      } else own++
    }
    return own
  }

  /** Remembers the newest samples of series that no newer generation has. */
  private noteDeparted(generation: Generation, minT: number): void {
    const { table, indexEnd } = generation
    const sharing = this.all.filter((newer) => newer.table.number === table.number)
    let removed = 0
    for (let index = 0; index < indexEnd; index++) {
      const at = generation.rowAt(index)
      if (!isInUse(this.slab, at) || table.hasMoved(index)) continue
      if (sharing.some((newer) => isInUse(this.slab, newer.rowAt(index)))) continue
      removed++
      const last = newest(generation, at)
      if (last !== undefined) this.departed.add(this.slab.u32, table.hashIndex(index), last, minT)
    }
    this.series -= removed
    this.seriesRemoved += removed
  }
}
