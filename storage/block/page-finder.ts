/**
 * Finds pages in table files without LevelDB, where its own files are damaged.
 *
 * The values of a sealed folder are not compressed, so that each page lies in a table as it was written. Its header
 * is looked for, and its checksum proves it.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { findPageFault, isPageKind, PAGE_HEADER, type PageKind } from './format.ts'

const MAGIC = Buffer.from('Nx')
const MAGIC_AT = 2

interface PagePlace {
  path: string
  at: number
  bytes: number
}

export class PageFinder {
  private readonly places = new Map<number, PagePlace>()

  /** Looks through all tables of the folders; reads each whole, one at a time. Folders that are gone count as empty. */
  constructor(folders: readonly string[]) {
    for (const folder of folders) for (const path of tablePaths(folder)) this.search(path)
  }

  /** The page, whole and proved; undefined when there is none. */
  read(kind: PageKind, number: number): Buffer | undefined {
    const place = this.places.get(pageId(kind, number))
    if (place === undefined) return undefined
    const page = Buffer.alloc(place.bytes)
    const file = openSync(place.path, 'r')
    try {
      readSync(file, page, 0, place.bytes, place.at)
    } finally {
      closeSync(file)
    }
    return findPageFault(page, kind, number, undefined) === undefined ? page : undefined
  }

  private search(path: string): void {
    const table = readFileSync(path)
    let at = table.indexOf(MAGIC)
    while (at >= 0) {
      const found = this.look(path, table, at - MAGIC_AT)
      at = table.indexOf(MAGIC, found > 0 ? found : at + 1)
    }
  }

  /** Notes the page at this byte. Returns its end, 0 when there is none. */
  private look(path: string, table: Buffer, at: number): number {
    if (at < 0 || at + PAGE_HEADER > table.length) return 0
    const kind = table[at + 1]
    const number = table.readUInt32LE(at + 8)
    const bytes = table.readUInt32LE(at + 12)
    if (!isPageKind(kind) || bytes < PAGE_HEADER || at + bytes > table.length) return 0
    if (findPageFault(table.subarray(at, at + bytes), kind, number, undefined) !== undefined) return 0
    const id = pageId(kind, number)
    if (!this.places.has(id)) this.places.set(id, { path, at, bytes })
    return at + bytes
  }
}

function pageId(kind: PageKind, number: number): number {
  return kind * 2 ** 32 + number
}

/** Paths of a folder's tables; none when it is not there. */
export function tablePaths(folder: string): string[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names.filter((name) => name.endsWith('.ldb')).map((name) => join(folder, name))
}
