/**
 * Reads a block. Opening is asynchronous, all else synchronous. One thread uses a reader, each thread has its own.
 *
 * A ref is the position of a series in the block, 0 to meta.series − 1; refs ascend in block order
 * (compareBlockOrder).
 */
import { decodeChunk } from '../codec/chunk.ts'
import type { Labels } from '../model/labels.ts'
import type { Matcher } from '../model/matcher.ts'
import type { SampleColumns } from '../model/sample.ts'
import { BlockPages, type DamageListener } from './block-pages.ts'
import { type BlockMeta, type DamageNote, PAGE_CHUNKS } from './format.ts'
import { PageCache } from './page-cache.ts'
import { PostingsIndex, PostingsLost } from './postings-index.ts'
import { RefBitmap } from './ref-bitmap.ts'
import { allRefs, selectRefs } from './select.ts'
import { SeriesIndex } from './series-index.ts'
import type { ChunkPlaces } from './series-page.ts'

/** Of a reader that is not given a cache. */
const CACHE_BYTES = 16 * 2 ** 20
/** So many series are asked for their values one by one; beyond, each value is asked for its series. */
const VALUES_BY_SERIES_MAX = 10_000

export class BlockReader {
  readonly meta: BlockMeta
  private readonly pages: BlockPages
  private readonly postings: PostingsIndex
  private readonly series: SeriesIndex

  private constructor(pages: BlockPages) {
    this.meta = pages.meta
    this.pages = pages
    this.postings = new PostingsIndex(pages)
    this.series = new SeriesIndex(pages)
  }

  /**
   * Opens the block in `folder`, which is only read, and from then on may even be removed: its files stay until
   * `close`. `onDamage` hears of each damaged page once, when it is first needed.
   * Throws CORRUPTION when the block cannot be read at all, NEWER_FORMAT when a later program wrote it.
   */
  static async open(
    folder: string,
    onDamage: DamageListener,
    cache: PageCache = new PageCache(CACHE_BYTES),
  ): Promise<BlockReader> {
    return new BlockReader(await BlockPages.open(folder, onDamage, cache))
  }

  /**
   * Refs of the series that pass all matchers and may have samples in [mint, maxt], ascending: the range may lie
   * between two samples. Notes of damage that series may be missing for are added to `suffered`.
   */
  select(matchers: readonly Matcher[], mint: number, maxt: number, suffered?: Set<DamageNote>): Uint32Array {
    if (mint > this.meta.maxt || maxt < this.meta.mint) return new Uint32Array(0)
    const refs = selectRefs(this.postings, this.series, this.meta.series, matchers, suffered)
    return this.series.keep(refs, mint, maxt, suffered)
  }

  /** Labels of a ref that `select` gave. Throws CORRUPTION when its page was damaged since. */
  labels(ref: number): Labels {
    return this.series.labels(ref)
  }

  /**
   * Adds the samples of a ref that `select` gave with times in [mint, maxt] to the columns. Notes of damage that
   * samples are missing for are added to `suffered`.
   */
  read(ref: number, mint: number, maxt: number, into: SampleColumns, suffered?: Set<DamageNote>): void {
    const page = this.series.page(ref)
    const places = page.chunks
    const i = ref - page.firstRef
    const end = places.from[i + 1]
    for (let chunk = firstChunk(places, i, mint); chunk < end && places.mint[chunk] <= maxt; chunk++) {
      const number = places.page[chunk]
      const bytes = this.pages.chunkPage(number)
      if (bytes === undefined) suffered?.add(this.pages.noteOf(PAGE_CHUNKS, number))
      else decodeChunk(bytes, places.offset[chunk], mint, maxt, into)
    }
  }

  /** Names of labels over the refs; undefined: over all series, whatever their times. */
  labelNames(refs: Uint32Array | undefined, suffered?: Set<DamageNote>): Set<string> {
    const names = new Set<string>()
    if (refs !== undefined) {
      this.series.addNames(refs, names, suffered)
      return names
    }
    try {
      for (const name of this.postings.names()) names.add(name)
    } catch (error) {
      if (!(error instanceof PostingsLost)) throw error
      this.series.addNames(allRefs(this.meta.series), names, suffered)
    }
    return names
  }

  /** Values of one label over the refs; undefined: over all series, whatever their times. */
  labelValues(name: string, refs: Uint32Array | undefined, suffered?: Set<DamageNote>): Set<string> {
    const values = new Set<string>()
    if (refs !== undefined && refs.length <= VALUES_BY_SERIES_MAX) {
      this.series.addValues(refs, name, values, suffered)
      return values
    }
    try {
      this.addValuesOfPostings(name, refs, values)
    } catch (error) {
      if (!(error instanceof PostingsLost)) throw error
      this.series.addValues(refs ?? allRefs(this.meta.series), name, values, suffered)
    }
    return values
  }

  /**
   * Reads and proves every page, so that all damage is reported; calls `pause` between them. Returns the number of
   * pages that are lost.
   */
  async verify(pause: () => Promise<void>): Promise<number> {
    const { chunks, series, postings } = this.pages.directory
    let lost = 0
    for (let i = 0; i < series.length; i++, await pause()) if (!this.pages.seriesPage(i)) lost++
    for (let i = 0; i < postings.length; i++, await pause()) if (!this.pages.postingsPage(i)) lost++
    for (let i = 0; i < chunks.length; i++, await pause()) if (!this.pages.chunkPage(i)) lost++
    return lost
  }

  close(): void {
    this.pages.close()
  }

  private addValuesOfPostings(name: string, refs: Uint32Array | undefined, into: Set<string>): void {
    if (refs === undefined) {
      this.postings.forEach(name, '', (value) => into.add(value))
      return
    }
    const bitmap = new RefBitmap(this.meta.series)
    bitmap.addRefs(refs)
    this.postings.forEach(name, '', (value, group, i) => {
      if (bitmap.meets(group, i)) into.add(value)
    })
  }
}

/** The first chunk of series i of a page that does not end before mint. */
function firstChunk(places: ChunkPlaces, i: number, mint: number): number {
  let low = places.from[i]
  let high = places.from[i + 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (places.maxt[middle] < mint) low = middle + 1
    else high = middle
  }
  return low
}
