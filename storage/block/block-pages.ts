/** The pages of one open block: read once, proved, kept in the cache; what is damaged is noted once and left out. */
import { StorageError } from '../errors.ts'
import { labelsText } from '../model/labels-text.ts'
import {
  type BlockMeta,
  type DamageNote,
  PAGE_CHUNKS,
  PAGE_META,
  PAGE_META_COPY,
  PAGE_POSTINGS,
  PAGE_SERIES,
  type PageKind,
  pageName,
} from './format.ts'
import { type PageDirectory, readMeta } from './meta-page.ts'
import type { CacheSlots, PageCache } from './page-cache.ts'
import { PageSource } from './page-source.ts'
import { PostingsPage } from './postings-page.ts'
import { SeriesPage } from './series-page.ts'

export type DamageListener = (what: DamageNote) => void

export class BlockPages {
  readonly meta: BlockMeta
  readonly directory: PageDirectory
  private readonly folder: string
  private readonly source: PageSource
  private readonly cache: PageCache
  private readonly onDamage: DamageListener
  private readonly chunkSlots: CacheSlots<Buffer> = []
  private readonly seriesSlots: CacheSlots<SeriesPage> = []
  private readonly postingsSlots: CacheSlots<PostingsPage> = []
  /** Notes of pages that are lost, by kind and number. */
  private readonly lost = new Map<number, DamageNote>()
  /** Whether it was said that pages have to be looked for. */
  private isDetourNoted = false

  private constructor(
    folder: string,
    source: PageSource,
    cache: PageCache,
    onDamage: DamageListener,
    meta: BlockMeta,
    directory: PageDirectory,
  ) {
    this.folder = folder
    this.source = source
    this.cache = cache
    this.onDamage = onDamage
    this.meta = meta
    this.directory = directory
    for (const _ of directory.chunks) this.chunkSlots.push(undefined)
    for (const _ of directory.series) this.seriesSlots.push(undefined)
    for (const _ of directory.postings) this.postingsSlots.push(undefined)
  }

  /** Throws CORRUPTION when there is no meta page, NEWER_FORMAT when it is of a later version. */
  static async open(folder: string, onDamage: DamageListener, cache: PageCache): Promise<BlockPages> {
    const source = await PageSource.open(folder)
    try {
      const first = source.read(PAGE_META, 0, undefined)
      const reading = first.page === undefined ? source.read(PAGE_META_COPY, 0, undefined) : first
      if (reading.page === undefined) {
        throw new StorageError('CORRUPTION', `block ${folder} has no meta page: ${first.fault}`)
      }
      const { meta, pages } = readMeta(reading.page)
      const block = new BlockPages(folder, source, cache, onDamage, meta, pages)
      if (source.fault !== undefined) block.noteDetour(source.fault)
      else if (first.fault !== undefined) block.noteDetour(`${pageName(PAGE_META, 0)}: ${first.fault}`)
      return block
    } catch (error) {
      source.close()
      throw error
    }
  }

  /** Undefined when the page is lost; then `noteOf` says why. */
  chunkPage(number: number): Buffer | undefined {
    const known = this.cache.get(this.chunkSlots, number)
    if (known !== undefined) return known
    const page = this.load(PAGE_CHUNKS, number, this.directory.chunks[number].checksum)
    if (page !== undefined) this.cache.put(this.chunkSlots, number, page, page.length)
    return page
  }

  seriesPage(number: number): SeriesPage | undefined {
    const known = this.cache.get(this.seriesSlots, number)
    if (known !== undefined) return known
    const bytes = this.load(PAGE_SERIES, number, this.directory.series[number].checksum)
    if (bytes === undefined) return undefined
    const page = new SeriesPage(bytes)
    this.cache.put(this.seriesSlots, number, page, page.memoryBytes)
    return page
  }

  postingsPage(number: number): PostingsPage | undefined {
    const known = this.cache.get(this.postingsSlots, number)
    if (known !== undefined) return known
    const bytes = this.load(PAGE_POSTINGS, number, this.directory.postings[number].checksum)
    if (bytes === undefined) return undefined
    const page = new PostingsPage(bytes)
    this.cache.put(this.postingsSlots, number, page, page.memoryBytes)
    return page
  }

  /** The note of a page that is lost. */
  noteOf(kind: PageKind, number: number): DamageNote {
    return this.lost.get(pageId(kind, number))!
  }

  /** Position of the series page with this ref. */
  seriesPageOf(ref: number): number {
    const pages = this.directory.series
    let low = 0
    let high = pages.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (pages[middle].firstRef <= ref) low = middle
      else high = middle
    }
    return low
  }

  close(): void {
    this.cache.clear(this.chunkSlots)
    this.cache.clear(this.seriesSlots)
    this.cache.clear(this.postingsSlots)
    this.source.close()
  }

  private load(kind: PageKind, number: number, checksum: number): Buffer | undefined {
    if (this.lost.has(pageId(kind, number))) return undefined
    const { page, fault } = this.source.read(kind, number, checksum)
    if (page === undefined) this.noteLoss(kind, number, fault!)
    else if (fault !== undefined) this.noteDetour(`${pageName(kind, number)}: ${fault}`)
    return page
  }

  private noteLoss(kind: PageKind, number: number, what: string): void {
    const { mint, maxt } = this.meta
    const note: DamageNote = {
      block: this.folder,
      page: pageName(kind, number),
      what,
      // Postings can be had from the series pages.
      isLost: kind !== PAGE_POSTINGS,
      series: '',
      mint,
      maxt,
    }
    this.lost.set(pageId(kind, number), note)
    if (kind === PAGE_SERIES) {
      const { series, metric } = this.directory.series[number]
      note.series = `${series} series, the first one of ${metric === '' ? 'no metric' : metric}`
    } else if (kind === PAGE_CHUNKS) {
      const { firstRef, finalRef, mint, maxt } = this.directory.chunks[number]
      note.series = `${finalRef - firstRef + 1} series from ${this.describe(firstRef)} to ${this.describe(finalRef)}`
      note.mint = mint
      note.maxt = maxt
    }
    this.onDamage(note)
  }

  /** Something is damaged, and all pages could be read nevertheless. Said once. */
  private noteDetour(what: string): void {
    if (this.isDetourNoted) return
    this.isDetourNoted = true
    const { mint, maxt } = this.meta
    this.onDamage({ block: this.folder, page: '', what, isLost: false, series: '', mint, maxt })
  }

  private describe(ref: number): string {
    const page = this.seriesPage(this.seriesPageOf(ref))
    return page === undefined ? `series ${ref}` : labelsText(page.labels.labelsOf(ref - page.firstRef))
  }
}

function pageId(kind: PageKind, number: number): number {
  return kind * 2 ** 32 + number
}
