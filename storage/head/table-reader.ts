/**
 * A table and its generations as one querier sees them: which series pass, their labels, and what labels there are.
 * Series count here that have a sample of the querier's range in one of the generations.
 */
import { selectSeries } from '../index/select.ts'
import { Labels } from '../model/labels.ts'
import type { Matcher } from '../model/matcher.ts'
import type { Generation } from './generation.ts'
import { isInUse } from './row-layout.ts'
import { firstTime, hasOwnSamples } from './row-reader.ts'
import { newestTime } from './series-row.ts'
import type { SeriesTable } from './series-table.ts'

export class TableReader {
  readonly table: SeriesTable
  /** Oldest first. */
  readonly generations: readonly Generation[]
  private readonly seriesCount: number
  private readonly mint: number
  private readonly maxt: number
  /** Of each generation: all its samples lie in the range, so that no row has to be asked for its times. */
  private readonly isWithin: readonly boolean[]
  private readonly texts: string[] = []

  constructor(table: SeriesTable, generations: readonly Generation[], mint: number, maxt: number) {
    this.table = table
    this.generations = generations
    this.seriesCount = table.seriesCount
    this.mint = mint
    this.maxt = maxt
    this.isWithin = generations.map((generation) => mint <= generation.mint && maxt >= generation.maxt)
  }

  /** Indexes of the series that pass, ascending. */
  find(matchers: readonly Matcher[]): Uint32Array {
    return selectSeries(this.table, matchers, this.seriesCount).filter((index) => this.hasSamples(index))
  }

  private hasSamples(index: number): boolean {
    for (let g = 0; g < this.generations.length; g++) {
      const generation = this.generations[g]
      const at = generation.rowAt(index)
      if (!isInUse(generation.slab, at)) continue
      if (this.isWithin[g]) {
        if (hasOwnSamples(generation.slab, at)) return true
      } else if (newestTime(generation, at) >= this.mint && firstTime(generation, at) <= this.maxt)
        return true
    }
    return false
  }

  labels(index: number): Labels {
    const { table } = this
    const { u32 } = table.slab
    const record = table.labelsIndex(index)
    const count = u32[record]
    const pairs = new Array<string>(count * 2)
    for (let i = 0; i < count; i++) {
      const pair = u32[record + 1 + i]
      pairs[2 * i] = this.text(table.pairName(pair))
      pairs[2 * i + 1] = this.text(table.pairValue(pair))
    }
    return new Labels(pairs)
  }

  /** 52 bits of the series' hash. */
  hashKey(index: number): number {
    const { u32 } = this.table.slab
    const hash = this.table.hashIndex(index)
    return u32[hash] * 0x100000 + (u32[hash + 1] >>> 12)
  }

  /** Adds the names of labels that series have; `matchers` may be empty. */
  addNames(matchers: readonly Matcher[], into: Set<string>): void {
    const { table } = this
    if (matchers.length === 0) {
      for (let name = 0; name < table.nameCount; name++) {
        const text = this.text(table.nameSymbol(name))
        if (!into.has(text) && table.pairsOfName(name).some((pair) => this.isPairUsed(pair))) into.add(text)
      }
      return
    }
    const { u32 } = table.slab
    const symbols = new Set<number>()
    for (const index of this.find(matchers)) {
      const record = table.labelsIndex(index)
      for (let i = 1; i <= u32[record]; i++) symbols.add(table.pairName(u32[record + i]))
    }
    for (const symbol of symbols) into.add(this.text(symbol))
  }

  /** Adds the values of a label that series have; `matchers` may be empty. */
  addValues(name: string, matchers: readonly Matcher[], into: Set<string>): void {
    const { table } = this
    if (matchers.length === 0) {
      const found = table.findName(name)
      if (found < 0) return
      for (const pair of table.pairsOfName(found)) {
        if (this.isPairUsed(pair)) into.add(this.text(table.pairValue(pair)))
      }
      return
    }
    const { u32 } = table.slab
    const nameSymbol = table.symbols.findText(name)
    const symbols = new Set<number>()
    const series = this.find(matchers)
    const found = table.findName(name)
    if (found < 0) return
    const pairs = table.pairsOfName(found)
    if (pairs.length < series.length) {
      this.addPairsOf(series, pairs, into)
      return
    }
    for (const index of series) {
      const record = table.labelsIndex(index)
      for (let i = 1; i <= u32[record]; i++) {
        const pair = u32[record + i]
        if (table.pairName(pair) === nameSymbol) symbols.add(table.pairValue(pair))
      }
    }
    for (const symbol of symbols) into.add(this.text(symbol))
  }

  /** Adds the values of those pairs that one of the series has: for many series and few pairs. */
  private addPairsOf(series: Uint32Array, pairs: readonly number[], into: Set<string>): void {
    const isFound = new Uint8Array(this.seriesCount)
    for (let i = 0; i < series.length; i++) isFound[series[i]] = 1
    for (const pair of pairs) {
      const end = this.readPostings(pair)
      let i = 0
      while (i < end && isFound[this.postings[i]] === 0) i++
      if (i < end) into.add(this.text(this.table.pairValue(pair)))
    }
  }

  private postings = new Uint32Array(1024)

  /** Puts the series of a pair into `postings`; how many. */
  private readPostings(pair: number): number {
    const count = this.table.postingsCount(pair)
    if (count > this.postings.length) this.postings = new Uint32Array(count * 2)
    return this.table.readPostings(pair, this.seriesCount, this.postings, 0)
  }

  /** Whether a series of the pair has samples: mostly the first that is looked at. */
  private isPairUsed(pair: number): boolean {
    const end = this.readPostings(pair)
    for (let i = 0; i < end; i++) if (this.hasSamples(this.postings[i])) return true
    return false
  }

  private text(symbol: number): string {
    let text = this.texts[symbol]
    if (text === undefined) {
      text = this.table.symbols.text(symbol)
      this.texts[symbol] = text
    }
    return text
  }
}
