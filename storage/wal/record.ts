/**
 * The write-ahead log's pages and keys.
 *
 * Key, 9 bytes:  'r', u32 generation, u32 number of the page (both big-endian, so that keys sort by them).
 * Pages of one generation are numbered from 0 without gaps.
 *
 * Page, numbers little-endian:
 *
 *   byte 0      version of the format: 1
 *   bytes 1–3   0
 *   bytes 4–7   u32 CRC-32 of the key and of bytes 8 to the end
 *   bytes 8–    sections, each on an 8-byte boundary
 *
 * Section: u32 type, u32 count n, u32 bytes of payload (a multiple of 8), u32 argument, payload.
 *
 *   type 1  series: argument = index of the first one, the others follow it. Payload, a series: u32 length, then
 *           name 0xFF value 0xFF … in the order of the names. Padded with 0 at the end.
 *   type 2  samples: argument bit 0 = kinds are there (else all floats), bit 1 = one time for all.
 *           Payload: f64 times (1 or n), f64 values × n, u32 series indexes × n, u8 kinds × n; padded with 0.
 *           Kinds: 0 float, 1 stale marker, 2 histogram (the value is an index into a pool; no pool exists yet).
 */
import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.ts'
import type { LabelBytes } from '../head/label-bytes.ts'
import type { KeyRange, Page } from '../store.ts'

export const PAGE_VERSION = 1
export const SECTION_SERIES = 1
export const SECTION_SAMPLES = 2
const FLAG_KINDS = 1
const FLAG_ONE_TIME = 2

const PAGE_HEADER = 8
const SECTION_HEADER = 16
/** A page is closed when it is larger than this. */
export const PAGE_BYTES = 192 * 1024
/** Samples of one section at most. */
const SECTION_SAMPLES_MAX = 4096

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

/** Samples of one commit as columns; [0, length) counts. */
export interface SampleBatch {
  length: number
  index: Uint32Array
  t: Float64Array
  v: Float64Array
  kind: Uint8Array
}

/** Builds pages of one generation, section by section. */
export class PageBuilder {
  private bytes: Buffer = Buffer.alloc(2 * PAGE_BYTES)
  private view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  private length = PAGE_HEADER
  /** Start of a series section that is still growing; −1 when there is none. */
  private seriesSection = -1
  private nextSeries = 0

  get isEmpty(): boolean {
    return this.length === PAGE_HEADER
  }

  get isFull(): boolean {
    return this.length >= PAGE_BYTES
  }

  get byteLength(): number {
    return this.length
  }

  /** Requires: indexes come in order. */
  addSeries(index: number, labels: LabelBytes): void {
    const size = labels.ends[2 * labels.count - 1] + 1
    if (this.seriesSection < 0 || index !== this.nextSeries) {
      this.endSeriesSection()
      this.reserve(SECTION_HEADER)
      this.seriesSection = this.length
      this.view.setUint32(this.length, SECTION_SERIES, true)
      this.view.setUint32(this.length + 4, 0, true)
      this.view.setUint32(this.length + 12, index, true)
      this.length += SECTION_HEADER
    }
    this.reserve(size + 12)
    this.view.setUint32(this.length, size, true)
    labels.bytes.copy(this.bytes, this.length + 4, 0, size)
    this.length += 4 + size
    const counter = this.seriesSection + 4
    this.view.setUint32(counter, this.view.getUint32(counter, true) + 1, true)
    this.nextSeries = index + 1
  }

  /** Adds samples [from, to) of the batch as one section. Returns the end of what was added. */
  addSamples(batch: SampleBatch, from: number, to: number): number {
    this.endSeriesSection()
    const end = Math.min(to, from + SECTION_SAMPLES_MAX)
    const count = end - from
    let kinds = 0
    let isOneTime = true
    for (let i = from; i < end; i++) {
      kinds |= batch.kind[i]
      if (batch.t[i] !== batch.t[from]) isOneTime = false
    }
    const payload = pad8((isOneTime ? 8 : 8 * count) + 12 * count + (kinds === 0 ? 0 : count))
    this.reserve(SECTION_HEADER + payload)
    const { view } = this
    let at = this.length
    view.setUint32(at, SECTION_SAMPLES, true)
    view.setUint32(at + 4, count, true)
    view.setUint32(at + 8, payload, true)
    view.setUint32(at + 12, (kinds === 0 ? 0 : FLAG_KINDS) | (isOneTime ? FLAG_ONE_TIME : 0), true)
    this.bytes.fill(0, at + SECTION_HEADER, at + SECTION_HEADER + payload)
    at += SECTION_HEADER
    this.length = at + payload
    for (let i = from; i < (isOneTime ? from + 1 : end); i++, at += 8) view.setFloat64(at, batch.t[i], true)
    for (let i = from; i < end; i++, at += 8) view.setFloat64(at, batch.v[i], true)
    for (let i = from; i < end; i++, at += 4) view.setUint32(at, batch.index[i], true)
    if (kinds !== 0) this.bytes.set(batch.kind.subarray(from, end), at)
    return end
  }

  /** The finished page; the builder is empty after it. */
  finish(key: Uint8Array): Page {
    this.endSeriesSection()
    const value = new Uint8Array(this.bytes.subarray(0, this.length))
    value.fill(0, 0, PAGE_HEADER)
    value[0] = PAGE_VERSION
    new DataView(value.buffer).setUint32(4, checksum(key, value), true)
    this.length = PAGE_HEADER
    return { key, value }
  }

  private endSeriesSection(): void {
    if (this.seriesSection < 0) return
    const end = pad8(this.length)
    this.reserve(8)
    this.bytes.fill(0, this.length, end)
    this.length = end
    this.view.setUint32(this.seriesSection + 8, end - this.seriesSection - SECTION_HEADER, true)
    this.seriesSection = -1
  }

  private reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const grown = Buffer.alloc((this.length + size) * 2)
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
    this.view = new DataView(grown.buffer, grown.byteOffset)
  }
}

/** What a reader of pages gets, section by section. */
export interface PageVisitor {
  /** `bytes` [start, end) in the form of `LabelBytes`. */
  series(index: number, bytes: Uint8Array, start: number, end: number): void
  sample(index: number, t: number, v: number, kind: number): void
}

/** Reads one page. Throws CORRUPTION, or NEWER_FORMAT, before the visitor saw anything of a damaged page. */
export function readPage({ key, value }: Page, visitor: PageVisitor): void {
  if (value.length < PAGE_HEADER) throw damaged(key, 'it is cut short')
  if (value[0] > PAGE_VERSION) {
    throw new StorageError(
      'NEWER_FORMAT',
      `the write-ahead log has format ${value[0]}, this version reads ${PAGE_VERSION}`,
    )
  }
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (value[0] !== PAGE_VERSION) throw damaged(key, `it has format ${value[0]}`)
  if (view.getUint32(4, true) !== checksum(key, value)) throw damaged(key, 'its checksum does not fit')
  let at = PAGE_HEADER
  while (at < value.length) {
    const type = view.getUint32(at, true)
    const count = view.getUint32(at + 4, true)
    const size = view.getUint32(at + 8, true)
    const argument = view.getUint32(at + 12, true)
    const start = at + SECTION_HEADER
    if (type === SECTION_SERIES) readSeries(value, view, start, count, argument, visitor)
    else if (type === SECTION_SAMPLES) readSamples(value, view, start, count, argument, visitor)
    else throw damaged(key, `it has a section of unknown type ${type}`)
    at = start + size
  }
}

function readSeries(
  value: Uint8Array,
  view: DataView,
  start: number,
  count: number,
  first: number,
  visitor: PageVisitor,
): void {
  let at = start
  for (let i = 0; i < count; i++) {
    const size = view.getUint32(at, true)
    visitor.series(first + i, value, at + 4, at + 4 + size)
    at += 4 + size
  }
}

function readSamples(
  value: Uint8Array,
  view: DataView,
  start: number,
  count: number,
  flags: number,
  visitor: PageVisitor,
): void {
  const isOneTime = (flags & FLAG_ONE_TIME) !== 0
  const valuesAt = start + (isOneTime ? 8 : 8 * count)
  const indexesAt = valuesAt + 8 * count
  const kindsAt = indexesAt + 4 * count
  for (let i = 0; i < count; i++) {
    visitor.sample(
      view.getUint32(indexesAt + 4 * i, true),
      view.getFloat64(isOneTime ? start : start + 8 * i, true),
      view.getFloat64(valuesAt + 8 * i, true),
      (flags & FLAG_KINDS) === 0 ? 0 : value[kindsAt + i],
    )
  }
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(PAGE_HEADER), crc32(key))
}

function damaged(key: Uint8Array, what: string): StorageError {
  const { generation, page } = parsePageKey(key)
  return new StorageError('CORRUPTION', `page ${page} of generation ${generation} is damaged: ${what}`)
}

function pad8(size: number): number {
  return (size + 7) & ~7
}
