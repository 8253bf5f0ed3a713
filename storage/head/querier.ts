/** Reads one view of the head: series of all its generations, united by their labels. */
import { selectSeries } from '../index/select.ts'
import type { Querier, Queryable, SeriesSet } from '../interface.ts'
import { compareLabels, compareUtf8, Labels } from '../model/labels.ts'
import type { Matcher } from '../model/matcher.ts'
import { SampleColumns } from '../model/sample.ts'
import { ReaderPins, type Slab } from '../slab/slab.ts'
import { Directory } from './directory.ts'
import { Generation } from './generation.ts'
import { mergeColumns } from './merge-columns.ts'
import { FIRST_T, HASH, LAST_T, readRow } from './series-row.ts'

export class HeadQueryable implements Queryable {
  private readonly slab: Slab
  private readonly directory: Directory
  private readonly pins: ReaderPins

  /** `reader` is this thread's slot, 0 ≤ reader < READERS_MAX; no two threads share one. */
  constructor(slab: Slab, reader: number) {
    this.slab = slab
    this.directory = new Directory(slab)
    this.pins = new ReaderPins(slab, reader)
  }

  querier(mint: number, maxt: number): Querier {
    const pin = this.pins.acquire()
    try {
      const { roots, commit } = this.directory.view()
      const generations = roots
        .map((rootAt) => new Generation(this.slab, rootAt))
        .filter((generation) => generation.mint <= maxt && generation.maxt >= mint)
      return new HeadQuerier(generations, commit, mint, maxt, () => this.pins.release(pin))
    } catch (error) {
      this.pins.release(pin)
      throw error
    }
  }
}

class HeadQuerier implements Querier {
  private readonly generations: readonly GenerationReader[]
  private readonly commit: number
  private readonly mint: number
  private readonly maxt: number
  private readonly release: () => void
  private isOpen = true

  constructor(
    generations: readonly Generation[],
    commit: number,
    mint: number,
    maxt: number,
    release: () => void,
  ) {
    this.generations = generations.map((generation) => new GenerationReader(generation))
    this.commit = commit
    this.mint = mint
    this.maxt = maxt
    this.release = release
  }

  async select(matchers: readonly Matcher[]): Promise<SeriesSet> {
    const parts: SeriesPart[] = []
    for (const reader of this.generations) {
      for (const index of reader.find(matchers, this.mint, this.maxt))
        parts.push({ reader, index, next: null })
    }
    const series = this.generations.length > 1 ? unite(parts) : parts
    const found = series.map((part) => ({ labels: part.reader.labels(part.index), part }))
    found.sort((a, b) => compareLabels(a.labels, b.labels))
    const late = new SampleColumns()
    return {
      count: found.length,
      labels: (i) => found[i].labels,
      read: (i, into) => this.read(found[i].part, into, late),
    }
  }

  private read(first: SeriesPart, into: SampleColumns, late: SampleColumns): void {
    into.clear()
    for (let part: SeriesPart | null = first; part !== null; part = part.next) {
      const { generation } = part.reader
      const rowAt = generation.rowAt(part.index)
      const target = into.length === 0 ? into : late
      target.clear()
      readRow(generation.slab, rowAt, this.commit, this.mint, this.maxt, target)
      if (target === late) mergeColumns(into, late)
    }
  }

  async labelNames(matchers: readonly Matcher[]): Promise<string[]> {
    const names = new Set<string>()
    for (const reader of this.generations) {
      if (matchers.length === 0) reader.allNames(names)
      else reader.namesOf(reader.find(matchers, this.mint, this.maxt), names)
    }
    return [...names].sort(compareUtf8)
  }

  async labelValues(name: string, matchers: readonly Matcher[]): Promise<string[]> {
    const values = new Set<string>()
    for (const reader of this.generations) {
      if (matchers.length === 0) reader.allValues(name, values)
      else reader.valuesOf(name, reader.find(matchers, this.mint, this.maxt), values)
    }
    return [...values].sort(compareUtf8)
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.release()
  }
}

/** A series in one generation; `next` is the same series in a newer one. */
interface SeriesPart {
  reader: GenerationReader
  index: number
  next: SeriesPart | null
}

/** Chains parts with equal labels. Requires: parts of older generations come first. Returns the first parts. */
function unite(parts: readonly SeriesPart[]): SeriesPart[] {
  const first: SeriesPart[] = []
  /** Last part of each series, by two words of its hash; a list where those collide. */
  const tails = new Map<number, SeriesPart[]>()
  for (const part of parts) {
    const key = part.reader.hashKey(part.index)
    const chains = tails.get(key)
    if (chains === undefined) {
      tails.set(key, [part])
      first.push(part)
      continue
    }
    const position = chains.findIndex((tail) => isSameSeries(tail, part))
    if (position < 0) {
      chains.push(part)
      first.push(part)
    } else {
      chains[position].next = part
      chains[position] = part
    }
  }
  return first
}

function isSameSeries(a: SeriesPart, b: SeriesPart): boolean {
  if (!a.reader.hasEqualHash(a.index, b)) return false
  return compareLabels(a.reader.labels(a.index), b.reader.labels(b.index)) === 0
}

/** One generation as one querier sees it: its number of series, and strings decoded so far. */
class GenerationReader {
  readonly generation: Generation
  private readonly seriesCount: number
  private readonly texts: string[] = []

  constructor(generation: Generation) {
    this.generation = generation
    this.seriesCount = generation.seriesCount
  }

  /** Series that pass and have samples between mint and maxt. */
  find(matchers: readonly Matcher[], mint: number, maxt: number): Uint32Array {
    const { f64 } = this.generation.slab
    return selectSeries(this.generation, matchers, this.seriesCount).filter((index) => {
      const rowAt = this.generation.rowAt(index)
      return f64[rowAt + FIRST_T] <= maxt && f64[rowAt + LAST_T] >= mint
    })
  }

  labels(index: number): Labels {
    const { u32 } = this.generation.slab
    const record = this.generation.labelsIndex(index)
    const count = u32[record]
    const pairs = new Array<string>(count * 2)
    for (let i = 0; i < count; i++) {
      const pair = u32[record + 1 + i]
      pairs[2 * i] = this.text(this.generation.pairName(pair))
      pairs[2 * i + 1] = this.text(this.generation.pairValue(pair))
    }
    return new Labels(pairs)
  }

  /** 52 bits of the series' hash. */
  hashKey(index: number): number {
    const { u32 } = this.generation.slab
    const hash = this.generation.rowAt(index) * 2 + HASH
    return u32[hash] * 0x100000 + (u32[hash + 1] >>> 12)
  }

  hasEqualHash(index: number, other: SeriesPart): boolean {
    const { u32 } = this.generation.slab
    const a = this.generation.rowAt(index) * 2 + HASH
    const b = other.reader.generation.rowAt(other.index) * 2 + HASH
    return (
      u32[a] === u32[b] && u32[a + 1] === u32[b + 1] && u32[a + 2] === u32[b + 2] && u32[a + 3] === u32[b + 3]
    )
  }

  allNames(into: Set<string>): void {
    const count = this.generation.nameCount
    for (let name = 0; name < count; name++) into.add(this.text(this.generation.nameSymbol(name)))
  }

  allValues(name: string, into: Set<string>): void {
    const found = this.generation.findName(name)
    if (found < 0) return
    for (const pair of this.generation.pairsOfName(found))
      into.add(this.text(this.generation.pairValue(pair)))
  }

  namesOf(series: Uint32Array, into: Set<string>): void {
    const { u32 } = this.generation.slab
    const symbols = new Set<number>()
    for (const index of series) {
      const record = this.generation.labelsIndex(index)
      for (let i = 1; i <= u32[record]; i++) symbols.add(this.generation.pairName(u32[record + i]))
    }
    for (const symbol of symbols) into.add(this.text(symbol))
  }

  valuesOf(name: string, series: Uint32Array, into: Set<string>): void {
    const { u32 } = this.generation.slab
    const nameSymbol = this.generation.symbols.findText(name)
    const symbols = new Set<number>()
    for (const index of series) {
      const record = this.generation.labelsIndex(index)
      for (let i = 1; i <= u32[record]; i++) {
        const pair = u32[record + i]
        if (this.generation.pairName(pair) === nameSymbol) symbols.add(this.generation.pairValue(pair))
      }
    }
    for (const symbol of symbols) into.add(this.text(symbol))
  }

  private text(symbol: number): string {
    let text = this.texts[symbol]
    if (text === undefined) {
      text = this.generation.symbols.text(symbol)
      this.texts[symbol] = text
    }
    return text
  }
}
