/**
 * Merges blocks into one, or rewrites one: series by series in block order, the samples of a series by time; at equal
 * times the earliest arrival stays. What tombstones hide is left out, and so are series that nothing is left of.
 *
 * Nothing of it counts before the finished block is committed (catalog.ts): a merge may be stopped, or the process killed, at
 * any instruction, and is done again from the beginning.
 */
import { StorageError } from '../errors.ts'
import { mergeColumns } from '../head/merge-columns.ts'
import type { Labels } from '../model/labels.ts'
import { SampleColumns } from '../model/sample.ts'
import { type BlockMeta, compareBlockOrder, type DamageNote } from './format.ts'
import { hide } from './intervals.ts'
import { PageCache } from './page-cache.ts'
import { BlockReader } from './reader.ts'
import { compileMatchers, mayHide, type Tombstone, TombstoneFilter } from './tombstones.ts'
import { BlockWriter } from './writer.ts'

export interface MergeInput {
  id: number
  folder: string
}

/** Plain data, so that a thread can be given it. */
export interface MergeTask {
  /** In the order of arrival (compareArrival). */
  inputs: readonly MergeInput[]
  /** Where the new block is written: its temporary folder. */
  target: string
  id: number
  level: number
  /** All that there are. */
  tombstones: readonly Tombstone[]
  /** The highest number given so far; it may be forgotten already. */
  highestTombstone: number
}

export interface MergeControl {
  /** Whether to give up. */
  shouldStop(): boolean
  /** Awaited after each piece of work, some milliseconds long; only the index at the end is made in one piece. */
  pause(): Promise<void>
}

export type MergeOutcome =
  | { kind: 'block'; meta: BlockMeta }
  /** All is hidden: no block was made, and the inputs can go. */
  | { kind: 'empty' }
  | { kind: 'stopped' }
  /** An input could not be read whole. It must stay as it is: nobody may lose more than the damage did. */
  | { kind: 'damaged'; id: number; what: string }

const PIECE_SAMPLES = 65_536
const PIECE_SERIES = 512
const DRAIN_BYTES = 2 ** 20
/** Of all inputs together. */
const CACHE_BYTES = 32 * 2 ** 20

/**
 * Samples of one chunk at most: of 2 h at 15 s, then of 8 h. Still longer ones save less than 1 % (measured), and a query
 * decodes a chunk whole.
 */
const CHUNK_SAMPLES = 480
const CHUNK_SAMPLES_LATER = 1920

/** Throws WRITE_FAILED, NEWER_FORMAT. Unless it answers with a block, nothing is left in the target. */
export async function mergeBlocks(task: MergeTask, control: MergeControl): Promise<MergeOutcome> {
  const cursors: SeriesCursor[] = []
  const cache = new PageCache(CACHE_BYTES)
  try {
    for (const [i, input] of task.inputs.entries()) {
      cursors.push(await SeriesCursor.open(input, i, task.tombstones, cache))
      await control.pause()
      if (control.shouldStop()) return { kind: 'stopped' }
    }
    return await writeMerged(task, cursors, control)
  } catch (error) {
    if (error instanceof InputDamaged) return { kind: 'damaged', id: error.id, what: error.message }
    throw error
  } finally {
    for (const cursor of cursors) cursor.close()
  }
}

async function writeMerged(
  task: MergeTask,
  cursors: SeriesCursor[],
  control: MergeControl,
): Promise<MergeOutcome> {
  const chunkSamplesMax = task.level > 1 ? CHUNK_SAMPLES_LATER : CHUNK_SAMPLES
  const writer = await BlockWriter.create(task.target, { chunkSamplesMax })
  try {
    const hasSamples = await copySeries(cursors, writer, control)
    if (hasSamples) return { kind: 'block', meta: await writer.finish(originOf(task, cursors)) }
    await writer.abort()
    return hasSamples === undefined ? { kind: 'stopped' } : { kind: 'empty' }
  } catch (error) {
    await writer.abort()
    throw error
  }
}

/** Returns whether any sample is left; undefined when it was stopped. */
async function copySeries(
  cursors: readonly SeriesCursor[],
  writer: BlockWriter,
  control: MergeControl,
): Promise<boolean | undefined> {
  const queue = new CursorQueue(cursors)
  const columns = new SampleColumns()
  const later = new SampleColumns()
  let hasSamples = false
  let samples = 0
  let series = 0
  while (!queue.isEmpty) {
    const labels = queue.labels
    columns.clear()
    for (const cursor of queue.takeEqual()) {
      if (columns.length === 0) cursor.read(columns)
      else {
        later.clear()
        cursor.read(later)
        samples += later.length
        mergeColumns(columns, later)
      }
      cursor.advance()
      queue.add(cursor)
    }
    writer.add(labels, columns)
    hasSamples ||= columns.length > 0
    samples += columns.length
    if (++series < PIECE_SERIES && samples < PIECE_SAMPLES) continue
    series = 0
    samples = 0
    if (writer.pendingBytes > DRAIN_BYTES) await writer.drain()
    await control.pause()
    if (control.shouldStop()) return undefined
  }
  return hasSamples
}

function originOf({ id, level, highestTombstone }: MergeTask, cursors: readonly SeriesCursor[]) {
  const metas = cursors.map(({ meta }) => meta)
  return {
    id,
    level,
    firstGeneration: Math.min(...metas.map(({ firstGeneration }) => firstGeneration)),
    finalGeneration: Math.max(...metas.map(({ finalGeneration }) => finalGeneration)),
    sources: metas.map((meta) => meta.id),
    tombstone: Math.max(highestTombstone, ...metas.map(({ tombstone }) => tombstone)),
  }
}

/**
 * Whether the block holds a sample that a tombstone hides, so that it is worth rewriting. Throws CORRUPTION when it cannot
 * be told, NEWER_FORMAT.
 */
export async function holdsHidden(
  { folder }: MergeInput,
  tombstones: readonly Tombstone[],
  control: Pick<MergeControl, 'pause'>,
): Promise<boolean> {
  const columns = new SampleColumns()
  const suffered = new Set<DamageNote>()
  const reader = await BlockReader.open(folder, () => {})
  try {
    for (const tombstone of tombstones) {
      if (!mayHide(tombstone, reader.meta)) continue
      const { mint, maxt } = tombstone
      for (const ref of reader.select(compileMatchers(tombstone.matchers), mint, maxt, suffered)) {
        columns.clear()
        reader.read(ref, mint, maxt, columns, suffered)
        if (columns.length > 0) return true
      }
      await control.pause()
    }
  } finally {
    reader.close()
  }
  for (const { block, page, what } of suffered)
    throw new StorageError('CORRUPTION', `${block}: ${page}: ${what}`)
  return false
}

export function isDamage(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === 'CORRUPTION'
}

class InputDamaged extends Error {
  readonly id: number

  constructor(id: number, what: string) {
    super(what)
    this.id = id
  }
}

/** Goes through the series of one input. */
class SeriesCursor {
  /** Position among the inputs: the lower, the earlier its samples arrived. */
  readonly position: number
  private readonly reader: BlockReader
  private readonly refs: Uint32Array
  private readonly filter: TombstoneFilter
  private readonly suffered = new Set<DamageNote>()
  private next = 0
  /** Of the present series; undefined behind the last one. */
  labels: Labels | undefined

  private constructor(reader: BlockReader, position: number, tombstones: readonly Tombstone[]) {
    this.reader = reader
    this.position = position
    this.filter = TombstoneFilter.for(tombstones, reader.meta)
    this.refs = reader.select([], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, this.suffered)
    this.checkDamage()
    this.moveTo(0)
  }

  /** Throws InputDamaged. */
  static async open(
    { id, folder }: MergeInput,
    position: number,
    tombstones: readonly Tombstone[],
    cache: PageCache,
  ): Promise<SeriesCursor> {
    let reader: BlockReader | undefined
    try {
      // Damage that something is lost by is met again, as `suffered`; the other kind is no matter here.
      reader = await BlockReader.open(folder, () => {}, cache)
      return new SeriesCursor(reader, position, tombstones)
    } catch (error) {
      reader?.close()
      throw isDamage(error) ? new InputDamaged(id, error.message) : error
    }
  }

  get meta(): BlockMeta {
    return this.reader.meta
  }

  /** Adds the samples of the present series that are not hidden. Requires: `into` is empty. */
  read(into: SampleColumns): void {
    this.reader.read(
      this.refs[this.next],
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      into,
      this.suffered,
    )
    this.checkDamage()
    if (!this.filter.isEmpty) hide(into, this.filter.intervals(this.labels!))
  }

  advance(): void {
    this.moveTo(this.next + 1)
  }

  close(): void {
    this.reader.close()
  }

  private moveTo(next: number): void {
    this.next = next
    try {
      this.labels = next < this.refs.length ? this.reader.labels(this.refs[next]) : undefined
    } catch (error) {
      throw isDamage(error) ? new InputDamaged(this.meta.id, error.message) : error
    }
  }

  private checkDamage(): void {
    for (const { page, what } of this.suffered) throw new InputDamaged(this.meta.id, `${page}: ${what}`)
  }
}

/** Cursors by their present series; those at the same one in the order of arrival. */
class CursorQueue {
  /** Sorted, the next one last. */
  private readonly cursors: SeriesCursor[] = []

  constructor(cursors: readonly SeriesCursor[]) {
    for (const cursor of cursors) this.add(cursor)
  }

  get isEmpty(): boolean {
    return this.cursors.length === 0
  }

  /** Of the next series. Requires: not empty. */
  get labels(): Labels {
    return this.cursors[this.cursors.length - 1].labels!
  }

  /** Takes out all that are at the next series. Requires: not empty. */
  takeEqual(): SeriesCursor[] {
    const { labels, cursors } = this
    const taken: SeriesCursor[] = []
    while (cursors.length > 0 && compareBlockOrder(labels, cursors[cursors.length - 1].labels!) === 0) {
      taken.push(cursors.pop()!)
    }
    return taken
  }

  /** One behind its last series is left out. */
  add(cursor: SeriesCursor): void {
    if (cursor.labels === undefined) return
    let low = 0
    let high = this.cursors.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.cursors[middle]
      const order = compareBlockOrder(other.labels!, cursor.labels) || other.position - cursor.position
      if (order > 0) low = middle + 1
      else high = middle
    }
    this.cursors.splice(low, 0, cursor)
  }
}
