/** A closed generation as a block wants it: its series in block order, each with all its samples. */
import { compareUtf8, Labels, METRIC_NAME } from '../model/labels.ts'
import type { SampleColumns } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import { Generation } from './generation.ts'
import { isInUse } from './row-layout.ts'
import { readRow } from './row-reader.ts'
import type { SeriesTable } from './series-table.ts'

export class BlockSource {
  private readonly generation: Generation
  private readonly commit: number
  private readonly texts: string[]
  /** Indexes of the series in block order. */
  private readonly order: Uint32Array

  /** Requires: the generation is closed, and `commit` is the newest of all. */
  constructor(slab: Slab, rootAt: number, commit: number) {
    this.generation = new Generation(slab, rootAt)
    this.commit = commit
    const { table, indexEnd } = this.generation
    this.texts = Array.from({ length: table.symbols.count }, (_, id) => table.symbols.text(id))
    const indexes = new Uint32Array(this.generation.seriesCount)
    let count = 0
    for (let index = 0; index < indexEnd; index++) {
      if (isInUse(slab, this.generation.rowAt(index))) indexes[count++] = index
    }
    this.order = inBlockOrder(table, this.texts, indexes.subarray(0, count))
  }

  get span(): { mint: number; maxt: number } {
    return { mint: this.generation.mint, maxt: this.generation.maxt }
  }

  get count(): number {
    return this.order.length
  }

  labels(position: number): Labels {
    const { table, slab } = this.generation
    const record = table.labelsIndex(this.order[position])
    const pairs: string[] = []
    for (let i = 1; i <= slab.u32[record]; i++) {
      const pair = slab.u32[record + i]
      pairs.push(this.texts[table.pairName(pair)], this.texts[table.pairValue(pair)])
    }
    return new Labels(pairs)
  }

  /**
   * Puts the samples of a series with times in [mint, maxt], left out all, into `into`, which is cleared first; there may
   * be none.
   */
  read(
    position: number,
    into: SampleColumns,
    mint = Number.NEGATIVE_INFINITY,
    maxt = Number.POSITIVE_INFINITY,
  ): void {
    into.clear()
    const { generation, commit } = this
    readRow(generation, generation.rowAt(this.order[position]), commit, mint, maxt, into)
  }
}

/**
 * Sorts series by metric name, then label by label: pairs of labels are numbered in their order first, so that the
 * sort compares integers.
 */
function inBlockOrder(table: SeriesTable, texts: readonly string[], indexes: Uint32Array): Uint32Array {
  const { u32 } = table.slab
  const rankOfText = ranks(texts.length, (a, b) => compareUtf8(texts[a], texts[b]))
  const rankOfPair = ranks(
    table.pairCount,
    (a, b) =>
      rankOfText[table.pairName(a)] - rankOfText[table.pairName(b)] ||
      rankOfText[table.pairValue(a)] - rankOfText[table.pairValue(b)],
  )
  const nameSymbol = table.symbols.findText(METRIC_NAME)
  const metric = new Int32Array(indexes.length).fill(-1)
  const record = new Uint32Array(indexes.length)
  for (let i = 0; i < indexes.length; i++) {
    record[i] = table.labelsIndex(indexes[i])
    for (let p = 1; p <= u32[record[i]]; p++) {
      const pair = u32[record[i] + p]
      if (table.pairName(pair) === nameSymbol) metric[i] = rankOfPair[pair]
    }
  }
  const compare = (a: number, b: number): number => {
    if (metric[a] !== metric[b]) return metric[a] - metric[b]
    const endA = record[a] + u32[record[a]]
    const endB = record[b] + u32[record[b]]
    // The metric, which is the same, need not stand at the same place.
    for (let i = record[a] + 1, j = record[b] + 1; ; i++, j++) {
      if (i <= endA && table.pairName(u32[i]) === nameSymbol) i++
      if (j <= endB && table.pairName(u32[j]) === nameSymbol) j++
      if (i > endA || j > endB) return Number(i <= endA) - Number(j <= endB)
      if (u32[i] !== u32[j]) return rankOfPair[u32[i]] - rankOfPair[u32[j]]
    }
  }
  const order = new Uint32Array(indexes.length).map((_, i) => i).sort(compare)
  return order.map((i) => indexes[i])
}

/** The rank of each of 0 … count − 1. */
function ranks(count: number, compare: (a: number, b: number) => number): Uint32Array {
  const order = new Uint32Array(count).map((_, i) => i).sort(compare)
  const rank = new Uint32Array(count)
  for (let i = 0; i < count; i++) rank[order[i]] = i
  return rank
}
