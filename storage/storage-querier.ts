/**
 * Reads one view of all there is: blocks and the head, one moment of both. Sources stand in the order of arrival, so
 * that at equal times the earlier arrival wins.
 */
import type { DamageNote as BlockDamage } from './block/format.ts'
import { hide } from './block/intervals.ts'
import type { BlockReader } from './block/reader.ts'
import type { BlockShelf } from './block/shelf.ts'
import { type Tombstone, TombstoneFilter } from './block/tombstones.ts'
import { Directory, type ListedBlock, type View } from './head/directory.ts'
import { estimateSamples } from './head/estimate-samples.ts'
import { readHeadStatus } from './head/head-status.ts'
import { mergeColumns, moveTail } from './head/merge-columns.ts'
import { HeadReader } from './head/querier.ts'
import type { HeadStatistics, HeadStatus, Querier, Queryable, SelectHints, SeriesSet } from './interface.ts'
import { LabelsCache } from './labels-cache.ts'
import { compareUtf8, type Labels } from './model/labels.ts'
import type { Matcher } from './model/matcher.ts'
import { setResetHints } from './model/reset-hints.ts'
import { SampleColumns } from './model/sample.ts'
import { type PlaceSeries, uniteSeries } from './series-union.ts'
import { ReaderPins, type Slab } from './slab/slab.ts'

export class StorageQueryable implements Queryable, HeadStatistics {
  private readonly slab: Slab
  private readonly directory: Directory
  private readonly pins: ReaderPins
  private readonly shelf: BlockShelf
  private readonly labels = new LabelsCache()

  /** `reader` is this thread's slot, 0 ≤ reader < READERS_MAX; no two threads share one. */
  constructor(slab: Slab, reader: number, shelf: BlockShelf) {
    this.slab = slab
    this.directory = new Directory(slab)
    this.pins = new ReaderPins(slab, reader)
    this.shelf = shelf
  }

  querier(mint: number, maxt: number): Querier {
    const pin = this.pins.acquire(this.directory.commit)
    try {
      const view = this.directory.view()
      const release = this.shelf.hold(view.blocks.map(({ id }) => id))
      return new StorageQuerier(this.slab, this.shelf, this.labels, view, mint, maxt, () => {
        release()
        this.pins.release(pin)
      })
    } catch (error) {
      this.pins.release(pin)
      throw error
    }
  }

  headStatus(limit: number): HeadStatus {
    const pin = this.pins.acquire(this.directory.commit)
    try {
      return readHeadStatus(this.slab, this.directory.view().roots, limit)
    } finally {
      this.pins.release(pin)
    }
  }

  /** Closes what this thread has open. Requires: no querier is open. */
  close(): Promise<void> {
    return this.shelf.close()
  }
}

/** Series of one block or of the head, sorted by labels. */
interface Source {
  /** Adds the samples of a series to `into`, which may have those of earlier arrivals. */
  read(position: number, into: SampleColumns): void
}

class StorageQuerier implements Querier {
  private readonly slab: Slab
  private readonly view: View
  /** Of the whole range. */
  private readonly head: HeadReader
  private readonly shelf: BlockShelf
  private readonly labels: LabelsCache
  private readonly blocks: readonly ListedBlock[]
  private readonly tombstones: readonly Tombstone[]
  private readonly mint: number
  private readonly maxt: number
  private readonly release: () => void
  private readonly suffered = new Set<BlockDamage>()
  /** Blocks of the range that cannot be opened. */
  private readonly unreadable = new Set<number>()
  private isOpen = true

  constructor(
    slab: Slab,
    shelf: BlockShelf,
    labels: LabelsCache,
    view: View,
    mint: number,
    maxt: number,
    release: () => void,
  ) {
    this.labels = labels
    this.tombstones = view.tombstones === '' ? [] : (JSON.parse(view.tombstones) as Tombstone[])
    this.slab = slab
    this.view = view
    this.head = this.readHead(mint, maxt)
    this.shelf = shelf
    this.blocks = view.blocks.filter((block) => block.mint <= maxt && block.maxt >= mint)
    this.mint = mint
    this.maxt = maxt
    this.release = release
  }

  private readHead(mint: number, maxt: number): HeadReader {
    const { roots, commit } = this.view
    return new HeadReader(this.slab, roots, this.tombstones, this.labels, commit, mint, maxt)
  }

  async select(matchers: readonly Matcher[], { range }: SelectHints): Promise<SeriesSet> {
    const mint = Math.max(this.mint, range?.mint ?? this.mint)
    const maxt = Math.min(this.maxt, range?.maxt ?? this.maxt)
    const head = mint === this.mint && maxt === this.maxt ? this.head : this.readHead(mint, maxt)
    const sources: Source[] = []
    const places: PlaceSeries[] = []
    let samplesEstimate = 0
    for (const part of await this.openBlocks(mint, maxt)) {
      const positions = part.select(matchers)
      if (positions.length === 0) continue
      samplesEstimate += part.estimateSamples(positions.length)
      const known = this.labels.place(`block ${part.id}`)
      sources.push(part)
      places.push({
        positions,
        labels: known.all(positions, (ref) => part.labels(ref)),
        replace: (i, labels) => known.replace(positions[i], labels),
      })
    }
    const found = head.select(matchers)
    if (found.length > 0) {
      samplesEstimate += head.estimateSamples(found)
      sources.push({ read: (position, into) => head.read(found[position], into) })
      places.push({
        positions: Uint32Array.from(found.keys()),
        labels: found.map((series) => series.labels),
        replace: (i, labels) => head.replaceLabels(found[i], labels),
      })
    }
    const { labels, positions } = uniteSeries(places)
    return {
      count: labels.length,
      samplesEstimate,
      labels: (i) => labels[i],
      read: (i, into) => {
        into.clear()
        for (let s = 0; s < sources.length; s++) {
          const position = positions[i * sources.length + s]
          if (position >= 0) sources[s].read(position, into)
        }
        setResetHints(into)
      },
    }
  }

  async labelNames(matchers: readonly Matcher[]): Promise<string[]> {
    const names = new Set<string>()
    for (const part of await this.openBlocks()) part.addNames(matchers, names)
    this.head.addNames(matchers, names)
    return [...names].sort(compareUtf8)
  }

  async labelValues(name: string, matchers: readonly Matcher[]): Promise<string[]> {
    const values = new Set<string>()
    for (const part of await this.openBlocks()) part.addValues(name, matchers, values)
    this.head.addValues(name, matchers, values)
    return [...values].sort(compareUtf8)
  }

  warnings(): string[] {
    const notes = [...this.suffered].map((note) => damageText(note))
    const whole = this.blocks
      .filter(({ id }) => this.unreadable.has(id))
      .map(({ id, mint, maxt }) => `block ${id} cannot be read: ${lossText(mint, maxt)}`)
    return [...notes, ...whole]
  }

  /** The blocks of [mint, maxt], oldest arrival first, without those that cannot be read. */
  private async openBlocks(mint = this.mint, maxt = this.maxt): Promise<BlockPart[]> {
    const parts: BlockPart[] = []
    const { suffered, tombstones } = this
    for (const { id, mint: first, maxt: last } of this.blocks) {
      if (first > maxt || last < mint) continue
      const block = await this.shelf.block(id)
      if (block === undefined) this.unreadable.add(id)
      else parts.push(new BlockPart(block, TombstoneFilter.for(tombstones, block.meta), mint, maxt, suffered))
    }
    return parts
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.release()
  }
}

/** One block of a view, without what tombstones hide of it. Positions are refs. */
class BlockPart implements Source {
  private readonly block: BlockReader
  private readonly filter: TombstoneFilter
  private readonly mint: number
  private readonly maxt: number
  private readonly suffered: Set<BlockDamage>
  private readonly own = new SampleColumns()

  constructor(
    block: BlockReader,
    filter: TombstoneFilter,
    mint: number,
    maxt: number,
    suffered: Set<BlockDamage>,
  ) {
    this.block = block
    this.filter = filter
    this.mint = mint
    this.maxt = maxt
    this.suffered = suffered
  }

  get id(): number {
    return this.block.meta.id
  }

  select(matchers: readonly Matcher[]): Uint32Array {
    const refs = this.block.select(matchers, this.mint, this.maxt, this.suffered)
    return this.filter.isEmpty ? refs : refs.filter((ref) => this.hasSamples(ref))
  }

  estimateSamples(series: number): number {
    return estimateSamples(this.block.meta, series, this.mint, this.maxt)
  }

  labels(ref: number): Labels {
    return this.block.labels(ref)
  }

  read(ref: number, into: SampleColumns): void {
    const { own, block, filter, mint, maxt, suffered } = this
    if (filter.isEmpty) {
      const before = into.length
      block.read(ref, mint, maxt, into, suffered)
      // Nearly always all of it is newer, and stays where it was decoded.
      if (before === 0 || into.length === before || into.t[before] > into.t[before - 1]) return
      own.clear()
      moveTail(into, before, own)
    } else {
      own.clear()
      block.read(ref, mint, maxt, own, suffered)
      hide(own, filter.intervals(this.labels(ref)))
    }
    mergeColumns(into, own)
  }

  addNames(matchers: readonly Matcher[], into: Set<string>): void {
    for (const name of this.block.labelNames(this.counted(matchers), this.suffered)) into.add(name)
  }

  addValues(name: string, matchers: readonly Matcher[], into: Set<string>): void {
    for (const value of this.block.labelValues(name, this.counted(matchers), this.suffered)) into.add(value)
  }

  /** Undefined where all series of the block count: no matchers, nothing hidden, and the whole block in the range. */
  private counted(matchers: readonly Matcher[]): Uint32Array | undefined {
    const { meta } = this.block
    const isWhole = this.filter.isEmpty && this.mint <= meta.mint && this.maxt >= meta.maxt
    return matchers.length === 0 && isWhole ? undefined : this.select(matchers)
  }

  /** Whether something is left of a series. */
  private hasSamples(ref: number): boolean {
    if (this.filter.intervals(this.labels(ref)).length === 0) return true
    const columns = new SampleColumns(16)
    this.read(ref, columns)
    return columns.length > 0
  }
}

function damageText({ block, page, what, series, mint, maxt }: BlockDamage): string {
  const about = series === '' ? '' : ` of ${series}`
  const name = block.slice(block.lastIndexOf('/') + 1)
  return `block ${name}: ${page}: ${what}: ${lossText(mint, maxt)}${about}`
}

function lossText(mint: number, maxt: number): string {
  return `samples from ${new Date(mint).toISOString()} to ${new Date(maxt).toISOString()} are missing`
}
