/**
 * Finds pages in table files whose structure is damaged.
 *
 * The values of a sealed folder are not compressed, so that each page lies in a table as it was written. Its header
 * is looked for, and its checksum proves it.
 */

import type { TableReader } from '../level/table-reader.ts'
import { findPageFault, isPageKind, PAGE_HEADER, type PageKind } from './format.ts'

const MAGIC = Buffer.from('Nx')
const MAGIC_AT = 2

interface PagePlace {
  table: TableReader
  at: number
  bytes: number
}

export class PageFinder {
  private readonly places = new Map<number, PagePlace>()

  /** Looks through the tables; reads each whole, one at a time. They stay the caller's, and open. */
  constructor(tables: readonly TableReader[]) {
    for (const table of tables) this.search(table)
  }

  /** The page; undefined when there is none. Its checksum was right when it was found. */
  read(kind: PageKind, number: number): Buffer | undefined {
    const place = this.places.get(pageId(kind, number))
    return place?.table.read(place.at, place.bytes)
  }

  private search(table: TableReader): void {
    const bytes = table.readWhole()
    let at = bytes.indexOf(MAGIC)
    while (at >= 0) {
      const end = this.look(table, bytes, at - MAGIC_AT)
      at = bytes.indexOf(MAGIC, end > 0 ? end : at + 1)
    }
  }

  /** Notes the page at this byte. Returns its end, 0 when there is none. */
  private look(table: TableReader, bytes: Buffer, at: number): number {
    if (at < 0 || at + PAGE_HEADER > bytes.length) return 0
    const kind = bytes[at + 1]
    const number = bytes.readUInt32LE(at + 8)
    const size = bytes.readUInt32LE(at + 12)
    if (!isPageKind(kind) || size < PAGE_HEADER || at + size > bytes.length) return 0
    if (findPageFault(bytes.subarray(at, at + size), kind, number, undefined) !== undefined) return 0
    const id = pageId(kind, number)
    if (!this.places.has(id)) this.places.set(id, { table, at, bytes: size })
    return at + size
  }
}

function pageId(kind: PageKind, number: number): number {
  return kind * 2 ** 32 + number
}
