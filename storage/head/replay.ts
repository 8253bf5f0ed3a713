/**
 * Builds a generation again from its pages in the write-ahead log. Runs in the upkeep thread, or in the caller's.
 *
 * A page that is damaged or missing costs its own content: series are told by their index in the log, and samples
 * of a series that no page named are counted as lost. Everything else goes on.
 */
import { APPENDED, StorageError } from '../errors.ts'
import type { Kind } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { Store } from '../store.ts'
import { generationsRange, type PageVisitor, parsePageKey, readPage } from '../wal/record.ts'
import { GenerationWriter } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import { checkAppend, stage } from './series-row.ts'

/** Commit number of replayed samples: all views see them. */
const COMMIT_REPLAYED = 0

export interface ReplayResult {
  number: number
  rootAt: number
  series: number
  samples: number
  /** What could not be read, a sentence a page or gap. */
  damage: string[]
  samplesLost: number
}

/** Numbers of the generations in the log, ascending. */
export async function listGenerations(store: Store): Promise<number[]> {
  const numbers: number[] = []
  let from = 0
  for (;;) {
    const key = await store.firstKey(generationsRange(from, 0xffffffff))
    if (key === undefined) return numbers
    const { generation } = parsePageKey(key)
    numbers.push(generation)
    from = generation + 1
  }
}

/** Throws NEWER_FORMAT, NO_MEMORY. */
export async function replayGeneration(store: Store, slab: Slab, number: number): Promise<ReplayResult> {
  const builder = new GenerationBuilder(slab, number)
  const damage: string[] = []
  let expected = 0
  for await (const pages of store.scan(generationsRange(number, number + 1))) {
    for (const page of pages) {
      const found = parsePageKey(page.key).page
      if (found !== expected)
        damage.push(`generation ${number}: pages ${expected} to ${found - 1} are missing`)
      expected = found + 1
      try {
        readPage(page, builder)
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
        damage.push(error.message)
      }
    }
  }
  const { writer, samplesLost } = builder
  return {
    number,
    rootAt: writer.rootAt,
    series: writer.seriesCount,
    samples: writer.sampleCount,
    damage,
    samplesLost,
  }
}

class GenerationBuilder implements PageVisitor {
  readonly writer: GenerationWriter
  samplesLost = 0
  /** Index in the log → index here + 1; they differ only behind damage. */
  private readonly indexes: number[] = []
  private readonly labels = new LabelBytes()

  constructor(slab: Slab, number: number) {
    this.writer = GenerationWriter.create(slab, number)
  }

  series(index: number, bytes: Uint8Array, start: number, end: number): void {
    this.labels.setBytes(bytes, start, end)
    const found = this.writer.findSeries(this.labels)
    this.indexes[index] = (found >= 0 ? found : this.writer.addSeries(this.labels)) + 1
  }

  sample(index: number, t: number, v: number, kind: number): void {
    const target = this.indexes[index]
    if (target === undefined) {
      this.samplesLost++
      return
    }
    const { writer } = this
    const rowAt = writer.rowAt(target - 1)
    // Samples were checked before they were logged; a page that was written twice is told by this check.
    const outcome = checkAppend(writer.slab, rowAt, t, v, kind as Kind, Number.NEGATIVE_INFINITY)
    if (outcome !== APPENDED) return
    const isChunkMade = stage(writer.slab, rowAt, t, v, kind as Kind, COMMIT_REPLAYED, writer.arena)
    writer.noteSample(t, isChunkMade)
  }
}
