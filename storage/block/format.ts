/**
 * Blocks on disk: keys, the header that all pages share, and what the meta page says of the block.
 *
 * Key, 5 bytes:  u8 kind, u32 number (big-endian, so that keys sort by it).
 *
 *   'c' n  chunk page     'p' n  postings page     's' n  series page     'm' 0  meta page     'z' 0  its copy
 *
 * Page, numbers little-endian:
 *
 *   byte  0      version of the format: 1
 *   byte  1      kind, as in the key
 *   bytes 2–3    "Nx"
 *   bytes 4–7    u32 CRC-32 of the key, of bytes 0–3 and of bytes 8 to the end
 *   bytes 8–11   u32 number, as in the key
 *   bytes 12–15  u32 bytes of the page, header included
 *   bytes 16–    content
 *
 * A page names itself, so that it can be told apart from any other bytes: where the structure of LevelDB's
 * tables is damaged, pages are found by looking for them.
 */
import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.ts'
import { compareUtf8, type Labels, METRIC_NAME } from '../model/labels.ts'

export const PAGE_VERSION = 1
export const PAGE_HEADER = 16

export const PAGE_CHUNKS = 0x63 // 'c'
export const PAGE_META = 0x6d // 'm'
export const PAGE_POSTINGS = 0x70 // 'p'
export const PAGE_SERIES = 0x73 // 's'
export const PAGE_META_COPY = 0x7a // 'z'

export type PageKind =
  | typeof PAGE_CHUNKS
  | typeof PAGE_META
  | typeof PAGE_POSTINGS
  | typeof PAGE_SERIES
  | typeof PAGE_META_COPY

const PAGE_NAMES: Readonly<Record<PageKind, string>> = {
  [PAGE_CHUNKS]: 'chunk page',
  [PAGE_META]: 'meta page',
  [PAGE_POSTINGS]: 'postings page',
  [PAGE_SERIES]: 'series page',
  [PAGE_META_COPY]: 'copy of the meta page',
}

/** What a block says of itself. */
export interface BlockMeta {
  version: 1
  /** Name of the folder: 8 hex digits. */
  id: number
  /** Generations of the head whose samples are inside, both inclusive. */
  firstGeneration: number
  finalGeneration: number
  /** Ids of the blocks that this one replaces. */
  sources: number[]
  /** 0: written from the head. */
  level: number
  /** Real first and last time, both inclusive. Infinity and −Infinity in a block without samples. */
  mint: number
  maxt: number
  series: number
  samples: number
  chunks: number
  /** Highest number of a tombstone that was applied. */
  tombstone: number
}

/** Something of a block that is not as it was written. */
export interface DamageNote {
  /** Path of the block's folder. */
  block: string
  /** Which page is lost, such as `chunk page 12`; '' when all could be found. */
  page: string
  what: string
  /** Whether samples or series are missing in answers. Otherwise all could be read by a longer way. */
  isLost: boolean
  /** Series concerned, in words. */
  series: string
  /** Times concerned, both inclusive. */
  mint: number
  maxt: number
}

export function pageName(kind: PageKind, number: number): string {
  return kind === PAGE_META || kind === PAGE_META_COPY ? PAGE_NAMES[kind] : `${PAGE_NAMES[kind]} ${number}`
}

export function isPageKind(kind: number): kind is PageKind {
  return kind in PAGE_NAMES
}

export function pageKey(kind: PageKind, number: number): Uint8Array {
  const key = new Uint8Array(5)
  key[0] = kind
  new DataView(key.buffer).setUint32(1, number)
  return key
}

/** Fills the header of a page whose content begins at byte PAGE_HEADER. Returns the checksum. */
export function sealPage(page: Buffer, kind: PageKind, number: number): number {
  page[0] = PAGE_VERSION
  page[1] = kind
  page[2] = 0x4e
  page[3] = 0x78
  page.writeUInt32LE(number, 8)
  page.writeUInt32LE(page.length, 12)
  const checksum = pageChecksum(page, kind, number)
  page.writeUInt32LE(checksum, 4)
  return checksum
}

function pageChecksum(page: Buffer, kind: PageKind, number: number): number {
  const sum = crc32(page.subarray(0, 4), crc32(pageKey(kind, number)))
  return crc32(page.subarray(8), sum)
}

/**
 * Says what is wrong with a page; undefined when it is as it was written.
 * Throws NEWER_FORMAT when it is whole, but of a later version.
 *
 * @param checksum what the meta page says of the page; undefined for the meta page itself
 */
export function findPageFault(
  page: Buffer,
  kind: PageKind,
  number: number,
  checksum: number | undefined,
): string | undefined {
  if (page.length < PAGE_HEADER) return `only ${page.length} bytes`
  if (page.readUInt32LE(12) !== page.length) return `${page.length} bytes instead of ${page.readUInt32LE(12)}`
  const stored = page.readUInt32LE(4)
  if (stored !== pageChecksum(page, kind, number)) return 'wrong checksum'
  if (checksum !== undefined && stored !== checksum) return 'not the page that the meta page lists'
  if (page[0] > PAGE_VERSION) {
    throw new StorageError(
      'NEWER_FORMAT',
      `${pageName(kind, number)} has version ${page[0]} of the format, this program reads up to ${PAGE_VERSION}`,
    )
  }
  return undefined
}

/**
 * Order of series in a block: by metric name, then label by label (name, then value), by UTF-8 bytes; a prefix is
 * smaller. So the series of one metric are neighbours.
 */
export function compareBlockOrder(a: Labels, b: Labels): number {
  const x = a.pairs
  const y = b.pairs
  const byMetric = compareUtf8(a.get(METRIC_NAME), b.get(METRIC_NAME))
  if (byMetric !== 0) return byMetric
  let i = 0
  let j = 0
  for (;;) {
    if (x[i] === METRIC_NAME) i += 2
    if (y[j] === METRIC_NAME) j += 2
    if (i >= x.length || j >= y.length) return x.length - i - (y.length - j)
    if (x[i] !== y[j]) return compareUtf8(x[i], y[j])
    if (x[i + 1] !== y[j + 1]) return compareUtf8(x[i + 1], y[j + 1])
    i += 2
    j += 2
  }
}
