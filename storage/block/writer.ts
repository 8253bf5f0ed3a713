/** Writes a block: one sealed LevelDB folder, see format.ts and the files of its pages. */
import { ByteWriter } from '../codec/byte-writer.ts'
import { chunkEnd, encodeChunk } from '../codec/chunk.ts'
import type { Labels } from '../model/labels.ts'
import { METRIC_NAME } from '../model/labels.ts'
import { isHistogramKind, type SampleColumns } from '../model/sample.ts'
import { FolderBuilder, type Page } from '../store.ts'
import {
  type BlockMeta,
  compareBlockOrder,
  PAGE_CHUNKS,
  PAGE_HEADER,
  PAGE_META,
  PAGE_META_COPY,
  PAGE_POSTINGS,
  PAGE_SERIES,
  PAGE_VERSION,
  type PageKind,
  pageKey,
  sealPage,
} from './format.ts'
import { type PageDirectory, writeMeta } from './meta-page.ts'
import { mergePostings } from './postings-merge.ts'
import { PostingsPageBuilder } from './postings-page.ts'
import { SeriesPage } from './series-page.ts'
import { SeriesPageBuilder } from './series-page-builder.ts'

export interface BlockWriterOptions {
  /** Samples of one chunk at most, up to 4,096. */
  chunkSamplesMax?: number
}

/** What the caller of `finish` says of the block; the writer counts the rest. */
export type BlockOrigin = Omit<BlockMeta, 'version' | 'mint' | 'maxt' | 'series' | 'samples' | 'chunks'>

const CHUNK_SAMPLES_MAX = 480
/** Of a chunk with histograms, which may have hundreds of buckets each. */
const HISTOGRAM_CHUNK_SAMPLES_MAX = 120
/** A chunk page is closed when it has so many bytes. */
const CHUNK_PAGE_BYTES = 64 * 1024
/** Pages given to LevelDB at a time. */
const BATCH_BYTES = 2 ** 20

export class BlockWriter {
  private readonly folder: FolderBuilder
  private readonly chunkSamplesMax: number
  private readonly pages: PageDirectory = { chunks: [], series: [], postings: [] }
  /** Finished chunk pages that LevelDB does not have yet. */
  private readonly pending: Page[] = []
  private pendingSize = 0
  /** Finished series pages: the postings are made of them at the end. */
  private readonly seriesPages: Buffer[] = []
  private readonly chunkPage = new ByteWriter(2 * CHUNK_PAGE_BYTES)
  private readonly seriesPage = new SeriesPageBuilder()
  private lastLabels: Labels | undefined
  private series = 0
  private samples = 0
  private chunks = 0
  private mint = Number.POSITIVE_INFINITY
  private maxt = Number.NEGATIVE_INFINITY

  private constructor(folder: FolderBuilder, chunkSamplesMax: number) {
    this.folder = folder
    this.chunkSamplesMax = chunkSamplesMax
  }

  /** Makes the folder, under a name that the caller changes once the block is finished. Throws WRITE_FAILED. */
  static async create(folder: string, options: BlockWriterOptions = {}): Promise<BlockWriter> {
    const builder = await FolderBuilder.create(folder)
    return new BlockWriter(builder, options.chunkSamplesMax ?? CHUNK_SAMPLES_MAX)
  }

  /** Bytes of pages that wait to be written. `drain` is to be awaited when they are more than about 1 MiB. */
  get pendingBytes(): number {
    return this.pendingSize
  }

  /**
   * Adds a series with all its samples. A series without samples is left out.
   * Requires: series come in the order of compareBlockOrder, each once. Throws RangeError when they do not.
   */
  add(labels: Labels, columns: SampleColumns): void {
    if (columns.length === 0) return
    if (this.lastLabels !== undefined && compareBlockOrder(this.lastLabels, labels) >= 0) {
      throw new RangeError(`series out of order: ${this.lastLabels.pairs} before ${labels.pairs}`)
    }
    this.lastLabels = labels
    const ref = this.series++
    this.seriesPage.addSeries(ref, labels)
    const { length } = columns
    const size = this.chunkSize(columns)
    for (let from = 0; from < length; ) {
      const to = chunkEnd(columns, from, Math.min(from + size, length))
      this.addChunk(ref, columns, from, to)
      from = to
    }
    this.samples += length
    this.mint = Math.min(this.mint, columns.t[0])
    this.maxt = Math.max(this.maxt, columns.t[length - 1])
    if (this.seriesPage.isFull) this.closeSeriesPage()
  }

  /** Gives the pending pages to LevelDB. Throws WRITE_FAILED. */
  async drain(): Promise<void> {
    const pages = this.pending.splice(0)
    this.pendingSize = 0
    await this.write(pages)
  }

  /**
   * Writes what is left and the meta page, compacts once, syncs and closes. Throws WRITE_FAILED.
   * Nothing but `abort` may be called after a failure.
   */
  async finish(about: BlockOrigin): Promise<BlockMeta> {
    if (this.chunkPage.length > PAGE_HEADER) this.closeChunkPage()
    if (!this.seriesPage.isEmpty) this.closeSeriesPage()
    await this.drain()
    const postings = this.buildPostings()
    const meta: BlockMeta = {
      version: PAGE_VERSION,
      id: about.id,
      firstGeneration: about.firstGeneration,
      finalGeneration: about.finalGeneration,
      sources: [...about.sources],
      level: about.level,
      mint: this.mint,
      maxt: this.maxt,
      series: this.series,
      samples: this.samples,
      chunks: this.chunks,
      tombstone: about.tombstone,
    }
    // In the order of keys, so that LevelDB has nothing to merge.
    await this.write([
      this.metaPage(PAGE_META, meta),
      ...postings.map((value, number) => ({ key: pageKey(PAGE_POSTINGS, number), value })),
      ...this.seriesPages.map((value, number) => ({ key: pageKey(PAGE_SERIES, number), value })),
      this.metaPage(PAGE_META_COPY, meta),
    ])
    await this.folder.seal()
    return meta
  }

  /** Gives up: closes, and removes the folder. */
  abort(): Promise<void> {
    return this.folder.abort()
  }

  /** Samples a chunk, so that all chunks of the series are about equally long. */
  private chunkSize(columns: SampleColumns): number {
    let max = this.chunkSamplesMax
    if (!columns.allFloat && max > HISTOGRAM_CHUNK_SAMPLES_MAX) {
      const { kind, length } = columns
      for (let i = 0; i < length; i++) {
        if (!isHistogramKind(kind[i])) continue
        max = HISTOGRAM_CHUNK_SAMPLES_MAX
        break
      }
    }
    return Math.ceil(columns.length / Math.ceil(columns.length / max))
  }

  private addChunk(ref: number, columns: SampleColumns, from: number, to: number): void {
    const page = this.chunkPage
    if (page.length === 0) {
      openPage(page)
      this.pages.chunks.push({
        checksum: 0,
        bytes: 0,
        firstRef: ref,
        finalRef: ref,
        mint: Number.POSITIVE_INFINITY,
        maxt: Number.NEGATIVE_INFINITY,
      })
    }
    const number = this.pages.chunks.length - 1
    const entry = this.pages.chunks[number]
    const offset = page.length
    encodeChunk(columns, from, to, page)
    const mint = columns.t[from]
    const maxt = columns.t[to - 1]
    this.seriesPage.addChunk(number, offset, page.length - offset, mint, maxt)
    this.chunks++
    entry.finalRef = ref
    entry.mint = Math.min(entry.mint, mint)
    entry.maxt = Math.max(entry.maxt, maxt)
    if (page.length >= CHUNK_PAGE_BYTES) this.closeChunkPage()
  }

  private closeChunkPage(): void {
    const number = this.pages.chunks.length - 1
    const value = takePage(this.chunkPage)
    this.pages.chunks[number].bytes = value.length
    this.pages.chunks[number].checksum = sealPage(value, PAGE_CHUNKS, number)
    this.pending.push({ key: pageKey(PAGE_CHUNKS, number), value })
    this.pendingSize += value.length
  }

  private closeSeriesPage(): void {
    const { firstRef, count, firstLabels } = this.seriesPage
    const out = new ByteWriter()
    openPage(out)
    this.seriesPage.write(out)
    const value = takePage(out)
    const checksum = sealPage(value, PAGE_SERIES, this.seriesPages.length)
    const metric = firstLabels.get(METRIC_NAME)
    this.pages.series.push({ checksum, bytes: value.length, firstRef, series: count, metric })
    this.seriesPages.push(value)
  }

  private buildPostings(): Buffer[] {
    const values: Buffer[] = []
    const builder = new PostingsPageBuilder()
    const out = new ByteWriter()
    const close = (): void => {
      const { entries, firstName, firstValue } = builder
      openPage(out)
      builder.write(out)
      const value = takePage(out)
      const checksum = sealPage(value, PAGE_POSTINGS, values.length)
      this.pages.postings.push({ checksum, bytes: value.length, entries, firstName, firstValue })
      values.push(value)
    }
    mergePostings(
      this.seriesPages.map((page) => new SeriesPage(page)),
      (name, value, refs, count) => {
        for (let from = 0; from < count; ) {
          from = builder.add(name, value, refs, from, count)
          if (builder.isFull) close()
        }
      },
    )
    if (!builder.isEmpty) close()
    return values
  }

  private metaPage(kind: PageKind, meta: BlockMeta): Page {
    const out = new ByteWriter()
    openPage(out)
    writeMeta(out, meta, this.pages)
    const value = takePage(out)
    sealPage(value, kind, 0)
    return { key: pageKey(kind, 0), value }
  }

  private async write(pages: readonly Page[]): Promise<void> {
    for (let from = 0; from < pages.length; ) {
      let to = from
      let bytes = 0
      for (; to < pages.length && (to === from || bytes < BATCH_BYTES); to++) bytes += pages[to].value.length
      await this.folder.write(pages.slice(from, to))
      from = to
    }
  }
}

/** Leaves room for the header. */
function openPage(out: ByteWriter): void {
  out.clear()
  out.reserve(PAGE_HEADER)
  out.bytes.fill(0, 0, PAGE_HEADER)
  out.length = PAGE_HEADER
}

/** A copy of the page's bytes; the writer is empty then. */
function takePage(out: ByteWriter): Buffer {
  const page = Buffer.from(out.bytes.subarray(0, out.length))
  out.clear()
  return page
}
