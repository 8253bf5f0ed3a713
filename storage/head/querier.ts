/** Reads one view of the head: series of all its generations, united by their labels. */
import { hide } from '../block/intervals.ts'
import { type Tombstone, TombstoneFilter } from '../block/tombstones.ts'
import type { LabelsCache, PlaceLabels } from '../labels-cache.ts'
import { compareLabels, type Labels } from '../model/labels.ts'
import type { Matcher } from '../model/matcher.ts'
import { SampleColumns } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import { estimateSamples } from './estimate-samples.ts'
import { Generation } from './generation.ts'
import { mergeColumns } from './merge-columns.ts'
import { isInUse } from './row-layout.ts'
import { readRow } from './row-reader.ts'
import type { SeriesTable } from './series-table.ts'
import { TableReader } from './table-reader.ts'

/** A series in one table; `next` is the same series in a newer one. */
export interface HeadSeries {
  reader: TableReader
  index: number
  labels: Labels
  next: HeadSeries | null
}

export class HeadReader {
  /** Oldest first. */
  private readonly readers: readonly TableReader[]
  /** Of the generations that tombstones may hide samples of. */
  private readonly filters = new Map<Generation, TombstoneFilter>()
  private readonly labels: LabelsCache
  private readonly commit: number
  private readonly mint: number
  private readonly maxt: number
  private readonly part = new SampleColumns()

  /** Requires: an epoch is pinned while it is used. `roots`: of the generations, oldest first. */
  constructor(
    slab: Slab,
    roots: readonly number[],
    tombstones: readonly Tombstone[],
    labels: LabelsCache,
    commit: number,
    mint: number,
    maxt: number,
  ) {
    const tables = new Map<number, SeriesTable>()
    const byTable = new Map<SeriesTable, Generation[]>()
    for (const rootAt of roots) {
      const generation = new Generation(slab, rootAt, tables)
      if (generation.mint > maxt || generation.maxt < mint) continue
      this.addFilter(generation, tombstones)
      const sharing = byTable.get(generation.table)
      if (sharing === undefined) byTable.set(generation.table, [generation])
      else sharing.push(generation)
    }
    this.readers = [...byTable].map(([table, sharing]) => new TableReader(table, sharing, mint, maxt))
    this.labels = labels
    this.commit = commit
    this.mint = mint
    this.maxt = maxt
  }

  /** Series that pass and have samples in the range, in no order. */
  select(matchers: readonly Matcher[]): HeadSeries[] {
    const found: HeadSeries[] = []
    for (const reader of this.readers) {
      const indexes = reader.find(matchers)
      const labels = this.labelsOf(reader).all(indexes, (index) => reader.labels(index))
      for (let i = 0; i < indexes.length; i++) {
        found.push({ reader, index: indexes[i], labels: labels[i], next: null })
      }
    }
    const united = this.readers.length > 1 ? unite(found) : found
    return this.hidesSamples ? united.filter((series) => this.hasSamples(series)) : united
  }

  /** An equal label set for the series, which another place has already. */
  replaceLabels({ reader, index }: HeadSeries, labels: Labels): void {
    this.labelsOf(reader).replace(index, labels)
  }

  private labelsOf({ table }: TableReader): PlaceLabels {
    return this.labels.place(`table ${table.number}`)
  }

  /** About how many samples of the range the series have. */
  estimateSamples(found: readonly HeadSeries[]): number {
    const counts = new Map<TableReader, number>()
    for (const first of found) {
      for (let series: HeadSeries | null = first; series !== null; series = series.next) {
        counts.set(series.reader, (counts.get(series.reader) ?? 0) + 1)
      }
    }
    let samples = 0
    for (const [{ generations }, count] of counts) {
      for (const { seriesCount, sampleCount, mint, maxt } of generations) {
        const totals = { series: seriesCount, samples: sampleCount, mint, maxt }
        samples += estimateSamples(totals, Math.min(count, seriesCount), this.mint, this.maxt)
      }
    }
    return samples
  }

  private addFilter(generation: Generation, tombstones: readonly Tombstone[]): void {
    const { number: finalGeneration, mint, maxt } = generation
    const filter = TombstoneFilter.for(tombstones, { finalGeneration, tombstone: 0, mint, maxt })
    if (!filter.isEmpty) this.filters.set(generation, filter)
  }

  /** Whether only reading tells if a series has samples left. */
  private get hidesSamples(): boolean {
    return this.filters.size > 0
  }

  private hasSamples(series: HeadSeries): boolean {
    const columns = new SampleColumns(16)
    this.read(series, columns)
    return columns.length > 0
  }

  /** Adds the samples of a series to `into`, which may have earlier arrivals. */
  read(first: HeadSeries, into: SampleColumns): void {
    for (let series: HeadSeries | null = first; series !== null; series = series.next) {
      for (const generation of series.reader.generations) {
        const at = generation.rowAt(series.index)
        if (!isInUse(generation.slab, at)) continue
        const target = into.length === 0 ? into : this.part
        target.clear()
        readRow(generation, at, this.commit, this.mint, this.maxt, target)
        const filter = this.filters.get(generation)
        if (filter !== undefined) hide(target, filter.intervals(first.labels))
        if (target === this.part) mergeColumns(into, target)
      }
    }
  }

  addNames(matchers: readonly Matcher[], into: Set<string>): void {
    if (this.hidesSamples) {
      for (const { labels } of this.select(matchers)) {
        for (let i = 0; i < labels.pairs.length; i += 2) into.add(labels.pairs[i])
      }
      return
    }
    for (const reader of this.readers) reader.addNames(matchers, into)
  }

  addValues(name: string, matchers: readonly Matcher[], into: Set<string>): void {
    if (this.hidesSamples) {
      for (const { labels } of this.select(matchers)) if (labels.has(name)) into.add(labels.get(name))
      return
    }
    for (const reader of this.readers) reader.addValues(name, matchers, into)
  }
}

/** Chains series with equal labels. Requires: those of older tables come first. Returns the first ones. */
function unite(found: readonly HeadSeries[]): HeadSeries[] {
  const first: HeadSeries[] = []
  /** Last part of each series, by two words of its hash; a list where those collide. */
  const tails = new Map<number, HeadSeries[]>()
  for (const series of found) {
    const key = series.reader.hashKey(series.index)
    const chains = tails.get(key)
    if (chains === undefined) {
      tails.set(key, [series])
      first.push(series)
      continue
    }
    const position = chains.findIndex((tail) => compareLabels(tail.labels, series.labels) === 0)
    if (position < 0) {
      chains.push(series)
      first.push(series)
    } else {
      chains[position].next = series
      chains[position] = series
    }
  }
  return first
}
