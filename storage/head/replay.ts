/**
 * Makes generations anew from their pages in the log: at the start, for what was not written out as a block.
 *
 * Damage costs what it must and no more: a damaged page is left out, a missing one is told by the numbering, and samples
 * of a series that no page named are counted as lost. Everything else goes on.
 */
import type { DamageNote } from '../damage.ts'
import { isHistogramKind } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { Store } from '../store.ts'
import {
  GenerationReader,
  type LogDamage,
  type PageVisitor,
  readPageCount,
} from '../wal/generation-reader.ts'
import { generationsRange } from '../wal/record.ts'
import type { LoggedSamples } from '../wal/samples-reader.ts'
import { BulkRows } from './bulk-rows.ts'
import { GenerationWriter, generationOwner, tableOwner } from './generation.ts'
import { LabelBytes } from './label-bytes.ts'
import { type LoggedSeries, LogLoss } from './log-loss.ts'
import { isInUse } from './row-layout.ts'
import { beginRow, newest } from './series-row.ts'
import { type SeriesTable, SeriesTableWriter } from './series-table.ts'

export interface ReplayLimits {
  /** Bytes of what is kept in memory; beyond it the oldest generation is written out. */
  headBytesMax: number
  /** A generation with fewer bytes takes in the next one of the log. */
  joinBytesMin: number
  /** A generation takes in none whose number is above one of these while its own is not. */
  joinBoundaries: readonly number[]
}

export interface ReplayResult {
  /**
   * Addresses of the roots, oldest first. A generation has the number of the first one of the log that went into
   * it; none is lost between them, those before the first one were written out.
   */
  roots: number[]
  /** What could not be read, a note a page or gap. */
  damage: DamageNote[]
}

/**
 * `onDone` is called after each generation of the log; `writeOut` for one that does not fit into memory with the rest,
 * oldest first: when it resolves, the generation's memory goes. Throws NEWER_FORMAT, NO_MEMORY.
 */
export async function replayGenerations(
  store: Store,
  slab: Slab,
  numbers: readonly number[],
  limits: ReplayLimits,
  onDone: (done: number) => void,
  writeOut: (generation: GenerationWriter, finalNumber: number) => Promise<void>,
): Promise<ReplayResult> {
  const kept: GenerationBuilder[] = []
  const damage: DamageNote[] = []
  for (const [i, number] of numbers.entries()) {
    let builder = kept.at(-1)
    if (builder === undefined || !builder.takesIn(number, limits)) {
      builder = new GenerationBuilder(slab, number, builder)
      kept.push(builder)
    }
    builder.begin(number)
    const lost = await readGeneration(store, number, builder)
    builder.end()
    if (lost.length > 0) {
      const loss = new LogLoss(builder)
      damage.push(...lost.map((one) => loss.noteOf(one)))
    }
    if (builder.unnamed.samples > 0) damage.push(unnamedNote(number, builder.unnamed))
    while (kept.length > 1 && bytesOf(slab, kept) > limits.headBytesMax) {
      const { writer, finalNumber } = kept[0]
      await writeOut(writer, finalNumber)
      // No query knows of it yet, so its memory can go at once.
      kept.shift()
      slab.free(writer.owner)
      if (kept[0].writer.table.number !== writer.table.number) slab.free(tableOwner(writer.table.number))
    }
    onDone(i + 1)
  }
  return { roots: kept.map(({ writer }) => writer.rootAt), damage }
}

function bytesOf(slab: Slab, kept: readonly GenerationBuilder[]): number {
  const owners = kept.flatMap(({ writer }) => [
    generationOwner(writer.number),
    tableOwner(writer.table.number),
  ])
  return slab.ownedBytes(...owners)
}

/** Shows all pages of a generation of the log to the visitor. Returns what was missing or damaged. */
async function readGeneration(store: Store, number: number, visitor: PageVisitor): Promise<LogDamage[]> {
  const reader = new GenerationReader(number, visitor)
  for await (const pages of store.scan(generationsRange(number, number + 1))) {
    for (const page of pages) reader.read(page)
  }
  reader.end(await readPageCount(store, number))
  return reader.damage
}

function unnamedNote(generation: number, { samples, series, mint, maxt }: UnnamedSamples): DamageNote {
  const what = `generation ${generation}: ${samples} samples of ${series.size} series whose labels were lost are lost with them`
  return { place: 'wal', what, mint, maxt }
}

/** Samples that no page names a series of. */
class UnnamedSamples {
  samples = 0
  mint = Number.POSITIVE_INFINITY
  maxt = Number.NEGATIVE_INFINITY
  /** Indexes in the log. */
  readonly series = new Set<number>()

  add(index: number, t: number): void {
    this.samples++
    this.series.add(index)
    this.mint = Math.min(this.mint, t)
    this.maxt = Math.max(this.maxt, t)
  }
}

const INDEXES_MIN = 1024

class GenerationBuilder implements PageVisitor, LoggedSeries {
  readonly writer: GenerationWriter
  /** Number of the last generation of the log that went into it. */
  finalNumber: number
  /** Of the generation of the log that is read now. */
  unnamed = new UnnamedSamples()
  named: number[] = []
  private readonly slab: Slab
  private readonly before: GenerationWriter | undefined
  /** Index in the log → index here + 1, 0 = the log does not name it. */
  private indexes = new Uint32Array(INDEXES_MIN)
  private readonly rows: BulkRows
  private readonly labels = new LabelBytes()

  /** `before`: the generation before it, with which it shares its table. */
  constructor(slab: Slab, number: number, before: GenerationBuilder | undefined) {
    this.slab = slab
    this.before = before?.writer
    const table = before?.writer.table ?? SeriesTableWriter.create(slab, number, tableOwner(number))
    this.writer = GenerationWriter.create(slab, number, table)
    this.writer.isBulk = true
    this.rows = before?.rows ?? new BulkRows(this.writer)
    this.finalNumber = number
  }

  /** Whether the next generation of the log goes into this one. */
  takesIn(number: number, { joinBytesMin, joinBoundaries }: ReplayLimits): boolean {
    if (joinBoundaries.some((boundary) => this.finalNumber <= boundary && number > boundary)) return false
    return this.slab.ownedBytes(this.writer.owner) < joinBytesMin
  }

  /** What comes is of this generation of the log. */
  begin(number: number): void {
    this.finalNumber = number
    this.unnamed = new UnnamedSamples()
    this.named = []
    this.indexes.fill(0)
    this.rows.turnTo(this.writer)
  }

  /** All of it was shown. */
  end(): void {
    this.rows.settleAll()
  }

  get table(): SeriesTable {
    return this.writer.table
  }

  ownIndex(index: number): number | undefined {
    const own = this.indexes[index]
    return own === undefined || own === 0 ? undefined : own - 1
  }

  series(index: number, bytes: Uint8Array, start: number, end: number): void {
    const { writer } = this
    const { table } = writer
    this.labels.setBytes(bytes, start, end)
    const found = table.findSeries(this.labels)
    const own = found >= 0 ? found : table.addSeries(this.labels)
    this.noteIndex(index, own)
    if (!isInUse(this.slab, writer.rowAt(own))) this.beginRow(own)
    this.rows.begin(own)
  }

  private noteIndex(index: number, own: number): void {
    if (index >= this.indexes.length) {
      const grown = new Uint32Array(Math.max(index + 1, 2 * this.indexes.length))
      grown.set(this.indexes)
      this.indexes = grown
    }
    this.indexes[index] = own + 1
    this.named.push(own)
  }

  private beginRow(own: number): void {
    const { writer, before } = this
    const at = writer.reserveRow(own)
    const beforeAt = before?.rowAt(own) ?? 0
    const hasBefore = isInUse(this.slab, beforeAt) && newest(before!, beforeAt) !== undefined
    beginRow(writer, at, hasBefore ? before : undefined, beforeAt)
    writer.noteSeries(own)
  }

  samples({ length, index, t, v, kind, st, histograms }: LoggedSamples): void {
    const { indexes, rows, writer } = this
    let added = 0
    let mint = Number.POSITIVE_INFINITY
    let maxt = Number.NEGATIVE_INFINITY
    for (let i = 0; i < length; i++) {
      const own = index[i] < indexes.length ? indexes[index[i]] - 1 : -1
      if (own < 0) {
        this.unnamed.add(index[i], t[i])
        continue
      }
      const ofKind = kind[i]
      const isAdded = isHistogramKind(ofKind)
        ? rows.addHistogram(own, t[i], histograms[v[i]], ofKind, st.length > 0 ? st[i] : 0)
        : rows.add(own, t, v, st, i, ofKind)
      if (!isAdded) continue
      added++
      if (t[i] < mint) mint = t[i]
      if (t[i] > maxt) maxt = t[i]
    }
    if (added === 0) return
    writer.noteTime(mint)
    writer.noteTime(maxt)
    writer.countSamples(added)
  }
}
