/**
 * What is in memory, counted: series and their labels. Reads the shared memory, in any thread.
 *
 * A series counts once, though several generations, and tables from before and after a start, may have it. The newest table
 * is counted by its pairs' numbers, without texts; what only older tables have is looked up in it by its bytes.
 */
import type { HeadStatus } from '../interface.ts'
import { labelBytes, topCounts } from '../model/cardinality.ts'
import { METRIC_NAME } from '../model/labels.ts'
import type { Slab } from '../slab/slab.ts'
import { Generation } from './generation.ts'
import { isInUse } from './row-layout.ts'
import type { SeriesTable } from './series-table.ts'

/** A table, and its generations. */
interface Part {
  table: SeriesTable
  generations: Generation[]
}

/** Pairs with their numbers of series, in parallel. */
interface PairCounts {
  names: string[]
  /** Position in `names` of the pair's name. */
  nameOf: Uint32Array
  /** Bytes of the value. */
  valueBytes: Uint32Array
  count: Float64Array
  value(pair: number): string
}

/** Requires: an epoch is pinned. `roots`: of the generations, oldest first; at least one. */
export function readHeadStatus(slab: Slab, roots: readonly number[], limit: number): HeadStatus {
  const tables = new Map<number, SeriesTable>()
  const parts = new Map<SeriesTable, Part>()
  const generations = roots.map((rootAt) => new Generation(slab, rootAt, tables))
  for (const generation of generations) {
    const { table } = generation
    const part = parts.get(table)
    if (part === undefined) parts.set(table, { table, generations: [generation] })
    else part.generations.push(generation)
  }
  const { series, pairs } = countPairs([...parts.values()])
  return {
    series,
    ...summarize(pairs, limit),
    chunks: generations.reduce((sum, { chunkCount }) => sum + chunkCount, 0),
    mint: Math.min(...generations.map(({ mint }) => mint)),
    maxt: Math.max(...generations.map(({ maxt }) => maxt)),
  }
}

function hasRow({ generations }: Part, index: number): boolean {
  for (const generation of generations) if (isInUse(generation.slab, generation.rowAt(index))) return true
  return false
}

/** `parts`: oldest first. */
function countPairs(parts: readonly Part[]): { series: number; pairs: PairCounts } {
  let series = 0
  const counted = parts.map((part, i) => {
    const newer = parts.slice(i + 1)
    const { table } = part
    const { u32 } = table.slab
    const seriesCount = table.seriesCount
    // After the series: each of their pairs is among them then.
    const counts = new Float64Array(table.pairCount)
    for (let index = 0; index < seriesCount; index++) {
      if (!hasRow(part, index) || newer.some((other) => hasSame(other, table, index))) continue
      series++
      const record = table.labelsIndex(index)
      for (let p = 1; p <= u32[record]; p++) counts[u32[record + p]]++
    }
    return counts
  })
  const newest = parts.length - 1
  const further = new FurtherPairs()
  for (let i = 0; i < newest; i++)
    further.take(parts[i].table, counted[i], parts[newest].table, counted[newest])
  return { series, pairs: joinPairs(parts[newest].table, counted[newest], further) }
}

function hasSame(part: Part, table: SeriesTable, index: number): boolean {
  const found = part.table.findSameSeries(table, index)
  return found >= 0 && hasRow(part, found)
}

interface TextPair {
  name: string
  value: string
  count: number
}

/** Pairs that the newest table does not have. */
class FurtherPairs {
  private readonly byKey = new Map<string, TextPair>()

  get all(): readonly TextPair[] {
    return [...this.byKey.values()]
  }

  /** Adds the counts of an older table to those of the newest one, where that has the pair. */
  take(table: SeriesTable, counts: Float64Array, newest: SeriesTable, newestCounts: Float64Array): void {
    const { u8 } = table.slab
    const symbolIn = (symbol: number): number =>
      newest.symbols.find(u8, table.symbols.startOf(symbol), table.symbols.endOf(symbol))
    for (let pair = 0; pair < counts.length; pair++) {
      if (counts[pair] === 0) continue
      const found = newest.findPair(symbolIn(table.pairName(pair)), symbolIn(table.pairValue(pair)))
      if (found >= 0 && found < newestCounts.length) {
        newestCounts[found] += counts[pair]
        continue
      }
      const name = table.symbols.text(table.pairName(pair))
      const value = table.symbols.text(table.pairValue(pair))
      // A name may have any character; a lone surrogate is in no text.
      const key = `${name}\ud800${value}`
      const known = this.byKey.get(key)
      if (known === undefined) this.byKey.set(key, { name, value, count: counts[pair] })
      else known.count += counts[pair]
    }
  }
}

function joinPairs(table: SeriesTable, counts: Float64Array, further: FurtherPairs): PairCounts {
  const { symbols } = table
  const names: string[] = []
  const positions = new Map<string, number>()
  const positionOf = (name: string): number => {
    let position = positions.get(name)
    if (position === undefined) {
      position = names.push(name) - 1
      positions.set(name, position)
    }
    return position
  }
  const bySymbol = new Map<number, number>()
  for (let name = 0; name < table.nameCount; name++) {
    const symbol = table.nameSymbol(name)
    bySymbol.set(symbol, positionOf(symbols.text(symbol)))
  }
  const own = counts.length
  const others = further.all
  const nameOf = new Uint32Array(own + others.length)
  const valueBytes = new Uint32Array(own + others.length)
  const count = new Float64Array(own + others.length)
  count.set(counts)
  for (let pair = 0; pair < own; pair++) {
    if (counts[pair] === 0) continue
    const value = table.pairValue(pair)
    nameOf[pair] = bySymbol.get(table.pairName(pair))!
    valueBytes[pair] = symbols.endOf(value) - symbols.startOf(value)
  }
  for (const [i, pair] of others.entries()) {
    nameOf[own + i] = positionOf(pair.name)
    valueBytes[own + i] = Buffer.byteLength(pair.value)
    count[own + i] = pair.count
  }
  const value = (pair: number): string =>
    pair < own ? symbols.text(table.pairValue(pair)) : others[pair - own].value
  return { names, nameOf, valueBytes, count, value }
}

function summarize({ names, nameOf, valueBytes, count, value }: PairCounts, limit: number) {
  const metric = names.indexOf(METRIC_NAME)
  const nameBytes = names.map((name) => Buffer.byteLength(name))
  const values = new Float64Array(names.length)
  const bytes = new Float64Array(names.length)
  const byMetric = new Float64Array(count.length)
  let labelPairs = 0
  for (let pair = 0; pair < count.length; pair++) {
    if (count[pair] === 0) continue
    const name = nameOf[pair]
    labelPairs++
    values[name]++
    bytes[name] += count[pair] * labelBytes(nameBytes[name], valueBytes[pair])
    if (name === metric) byMetric[pair] = count[pair]
  }
  return {
    labelPairs,
    seriesByMetric: topCounts(byMetric, limit, value),
    valuesByLabel: topCounts(values, limit, (name) => names[name]),
    bytesByLabel: topCounts(bytes, limit, (name) => names[name]),
    seriesByPair: topCounts(count, limit, (pair) => `${names[nameOf[pair]]}=${value(pair)}`),
  }
}
