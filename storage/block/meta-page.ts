/**
 * The meta page: what the block says of itself, and the list of all other pages. Written twice, under two keys.
 *
 * Content, behind the header:
 *
 *   f64 × 10   id, first generation, final generation, level, mint, maxt, series, samples, chunks, tombstone
 *   varint     number of sources; varint × that: their ids
 *   varint     number of chunk pages; each: u32 checksum, varint bytes, varint first ref less that of the page before,
 *              varint last ref less first ref, f64 first time, f64 last time
 *   varint     number of series pages; each: u32 checksum, varint bytes, varint series, text metric name of the first
 *   varint     number of postings pages; each: u32 checksum, varint bytes, varint entries, text name and text value of
 *              the first pair
 *
 * A text is a varint length and UTF-8 bytes. First and last ref of a chunk page: the series of its first and last
 * chunk. Pages of a kind are numbered from 0; refs are numbered through all series pages.
 */

import { ByteReader } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'
import { type BlockMeta, PAGE_HEADER, PAGE_VERSION } from './format.ts'

/** What the meta page says of every page. */
export interface PageEntry {
  checksum: number
  bytes: number
}

export interface ChunkPageEntry extends PageEntry {
  firstRef: number
  finalRef: number
  mint: number
  maxt: number
}

export interface SeriesPageEntry extends PageEntry {
  firstRef: number
  series: number
  /** Metric name of the first series. */
  metric: string
}

export interface PostingsPageEntry extends PageEntry {
  entries: number
  firstName: string
  firstValue: string
}

/** All pages of a block but the meta page, each kind by number. */
export interface PageDirectory {
  chunks: ChunkPageEntry[]
  series: SeriesPageEntry[]
  postings: PostingsPageEntry[]
}

/** Writes the content of the page. */
export function writeMeta(out: ByteWriter, meta: BlockMeta, pages: PageDirectory): void {
  for (const value of [meta.id, meta.firstGeneration, meta.finalGeneration, meta.level]) out.f64(value)
  for (const value of [meta.mint, meta.maxt, meta.series, meta.samples, meta.chunks]) out.f64(value)
  out.f64(meta.tombstone)
  out.varint(meta.sources.length)
  for (const id of meta.sources) out.varint(id)
  out.varint(pages.chunks.length)
  let before = 0
  for (const page of pages.chunks) {
    writeEntry(out, page)
    out.varint(page.firstRef - before)
    out.varint(page.finalRef - page.firstRef)
    before = page.firstRef
    out.f64(page.mint)
    out.f64(page.maxt)
  }
  out.varint(pages.series.length)
  for (const page of pages.series) {
    writeEntry(out, page)
    out.varint(page.series)
    writeText(out, page.metric)
  }
  out.varint(pages.postings.length)
  for (const page of pages.postings) {
    writeEntry(out, page)
    out.varint(page.entries)
    writeText(out, page.firstName)
    writeText(out, page.firstValue)
  }
}

function writeEntry(out: ByteWriter, page: PageEntry): void {
  out.u32(page.checksum)
  out.varint(page.bytes)
}

function writeText(out: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, 'utf8')
  out.varint(bytes.length)
  out.copy(bytes)
}

/** Requires: a whole page whose checksum was right. */
export function readMeta(page: Buffer): { meta: BlockMeta; pages: PageDirectory } {
  const reader = new ByteReader(page, PAGE_HEADER)
  const meta: BlockMeta = {
    version: PAGE_VERSION,
    id: reader.f64(),
    firstGeneration: reader.f64(),
    finalGeneration: reader.f64(),
    level: reader.f64(),
    mint: reader.f64(),
    maxt: reader.f64(),
    series: reader.f64(),
    samples: reader.f64(),
    chunks: reader.f64(),
    tombstone: reader.f64(),
    sources: [],
  }
  for (let left = reader.varint(); left > 0; left--) meta.sources.push(reader.varint())
  const pages: PageDirectory = { chunks: [], series: [], postings: [] }
  let firstRef = 0
  for (let left = reader.varint(); left > 0; left--) {
    const entry = readEntry(reader)
    firstRef += reader.varint()
    const finalRef = firstRef + reader.varint()
    pages.chunks.push({ ...entry, firstRef, finalRef, mint: reader.f64(), maxt: reader.f64() })
  }
  firstRef = 0
  for (let left = reader.varint(); left > 0; left--) {
    const entry = readEntry(reader)
    const series = reader.varint()
    pages.series.push({ ...entry, firstRef, series, metric: reader.text() })
    firstRef += series
  }
  for (let left = reader.varint(); left > 0; left--) {
    const entry = readEntry(reader)
    const entries = reader.varint()
    pages.postings.push({ ...entry, entries, firstName: reader.text(), firstValue: reader.text() })
  }
  return { meta, pages }
}

function readEntry(reader: ByteReader): PageEntry {
  const checksum = reader.u32()
  return { checksum, bytes: reader.varint() }
}
