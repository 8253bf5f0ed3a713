/**
 * The write-ahead log's pages and keys.
 *
 * Key, 9 bytes:  'r', u32 generation, u32 number of the page (both big-endian, so that keys sort by them).
 * Pages of one generation are numbered from 0 without gaps.
 *
 * Page:
 *
 *   byte 0      version of the format: 3 where a record of type 6 is in it, else 2
 *   bytes 1–3   0
 *   bytes 4–7   u32, little-endian: CRC-32 of the key, bytes 0–3, and bytes 8 to the end
 *   bytes 8–    records, one after the other: u8 type, then what is below
 *
 *   type 1  the series with the next index: labels
 *   type 2  a series: varint index, labels
 *   type 3  the samples of a commit, or of a part of it (samples.ts)
 *   type 4  the generation before: varint its number, varint how many pages it has. It opens a generation.
 *   type 5  alone in its page: from this page to page (varint) all were lost; varint length and UTF-8 text of where the
 *           damaged original is kept
 *   type 6  as type 3, with start timestamps
 *
 * Labels: name 0xFF value 0xFF … in the order of the names, front-coded against the series before in this page: varint
 * number of bytes in common, varint number of others, the others. At a page's start the next index is 0.
 *
 * A varint is LEB128: seven bits a byte, the low ones first. The first eight bytes are the same in all versions, so
 * that a page of another version is told from a damaged one.
 */
import { crc32 } from 'node:zlib'
import { ByteWriter } from '../codec/byte-writer.ts'
import { StorageError } from '../errors.ts'
import type { LabelBytes } from '../head/label-bytes.ts'
import type { KeyRange, Page } from '../store.ts'
import { COMMIT_SAMPLES_MAX, type SampleBatch } from './samples.ts'
import { hasStarts, writeSamples } from './samples-writer.ts'

export const PAGE_VERSION = 2
/** Of a page with start timestamps: a program that does not know them refuses it. */
export const PAGE_VERSION_STARTS = 3
export const PAGE_HEADER = 8
export const RECORD_NEXT_SERIES = 1
export const RECORD_SERIES = 2
export const RECORD_SAMPLES = 3
export const RECORD_OPENING = 4
export const RECORD_FILL_IN = 5
export const RECORD_STARTED_SAMPLES = 6

/** A page is closed when it is larger than this. */
export const PAGE_BYTES = 192 * 1024

const KEY_TAG = 0x72 // 'r'
const KEY_BYTES = 9

export function pageKey(generation: number, page: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  const view = new DataView(key.buffer)
  key[0] = KEY_TAG
  view.setUint32(1, generation)
  view.setUint32(5, page)
  return key
}

/** Throws CORRUPTION. */
export function parsePageKey(key: Uint8Array): { generation: number; page: number } {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  if (key.length !== KEY_BYTES || key[0] !== KEY_TAG) {
    throw new StorageError(
      'CORRUPTION',
      `unknown key ${Buffer.from(key).toString('hex')} in the write-ahead log`,
    )
  }
  return { generation: view.getUint32(1), page: view.getUint32(5) }
}

/** All pages of generations [from, to). */
export function generationsRange(from: number, to: number): KeyRange {
  return { gte: pageKey(from, 0), lt: pageKey(to, 0) }
}

/** Builds pages of one generation, record by record. */
export class PageBuilder {
  private readonly out = new ByteWriter(2 * PAGE_BYTES)
  /** Labels of the newest series of this page. */
  private readonly labels = new ByteWriter(1024)
  private nextSeries = 0
  private version = PAGE_VERSION

  constructor() {
    this.clear()
  }

  get isEmpty(): boolean {
    return this.out.length === PAGE_HEADER
  }

  get isFull(): boolean {
    return this.out.length >= PAGE_BYTES
  }

  get byteLength(): number {
    return this.out.length
  }

  /** Requires: the page is empty. */
  addOpening(generation: number, pageCount: number): void {
    this.out.u8(RECORD_OPENING)
    this.out.varint(generation)
    this.out.varint(pageCount)
  }

  addSeries(index: number, labels: LabelBytes): void {
    const { out } = this
    const before = this.labels
    const size = labels.ends[2 * labels.count - 1] + 1
    const sharedMax = Math.min(size, before.length)
    let shared = 0
    while (shared < sharedMax && labels.bytes[shared] === before.bytes[shared]) shared++
    if (index === this.nextSeries) {
      out.u8(RECORD_NEXT_SERIES)
    } else {
      out.u8(RECORD_SERIES)
      out.varint(index)
    }
    out.varint(shared)
    out.varint(size - shared)
    out.copy(labels.bytes, shared, size)
    before.length = shared
    before.copy(labels.bytes, shared, size)
    this.nextSeries = index + 1
  }

  /** Adds samples of the batch from `from` on as one record. Returns the end of what was added, at most `to`. */
  addSamples(batch: SampleBatch, from: number, to: number): number {
    const end = Math.min(to, from + COMMIT_SAMPLES_MAX)
    const isStarted = hasStarts(batch, from, end)
    if (isStarted) this.version = PAGE_VERSION_STARTS
    this.out.u8(isStarted ? RECORD_STARTED_SAMPLES : RECORD_SAMPLES)
    writeSamples(batch, from, end, isStarted, this.out)
    return end
  }

  /** The finished page; the builder is empty after it. */
  finish(key: Uint8Array): Page {
    const value = new Uint8Array(this.out.bytes.subarray(0, this.out.length))
    sealPage(key, value, this.version)
    this.clear()
    return { key, value }
  }

  private clear(): void {
    this.out.clear()
    this.out.f64(0)
    this.labels.clear()
    this.nextSeries = 0
    this.version = PAGE_VERSION
  }
}

/** Fills in the first eight bytes of a page. */
export function sealPage(key: Uint8Array, value: Uint8Array, version = PAGE_VERSION): void {
  value.fill(0, 0, PAGE_HEADER)
  value[0] = version
  new DataView(value.buffer, value.byteOffset).setUint32(4, checksum(key, value), true)
}

/** Throws CORRUPTION for a page that is not as it was written, NEWER_FORMAT for one of another version. */
export function checkPage({ key, value }: Page): void {
  if (value.length < PAGE_HEADER) throw damaged(key, 'it is cut short')
  const stored = new DataView(value.buffer, value.byteOffset).getUint32(4, true)
  const [version] = value
  // Version 1 left the first bytes out of its checksum.
  const expected = version === 1 ? crc32(value.subarray(PAGE_HEADER), crc32(key)) : checksum(key, value)
  if (stored !== expected) throw damaged(key, 'its checksum does not fit')
  if (version !== PAGE_VERSION && version !== PAGE_VERSION_STARTS) {
    throw new StorageError(
      'NEWER_FORMAT',
      `the write-ahead log has format ${version}, this version reads ${PAGE_VERSION} and ${PAGE_VERSION_STARTS}`,
    )
  }
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(PAGE_HEADER), crc32(value.subarray(0, 4), crc32(key)))
}

export function damaged(key: Uint8Array, what: string): StorageError {
  if (key[0] !== KEY_TAG) return new StorageError('CORRUPTION', `a record is damaged: ${what}`)
  const { generation, page } = parsePageKey(key)
  return new StorageError('CORRUPTION', `page ${page} of generation ${generation} is damaged: ${what}`)
}
