/** The pages of one block's folder, by whatever way they can be had. The folder is only read. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import { TableReader } from '../level/table-reader.ts'
import { findPageFault, type PageKind, pageKey } from './format.ts'
import { PageFinder } from './page-finder.ts'

export interface PageReading {
  page: Buffer | undefined
  /** Why there is no page, or why it had to be looked for. */
  fault: string | undefined
}

export class PageSource {
  /** What is wrong with a table; undefined when pages can be looked up in all of them. */
  readonly fault: string | undefined
  private readonly tables: readonly TableReader[]
  private finder: PageFinder | undefined

  private constructor(tables: readonly TableReader[]) {
    this.tables = tables
    const damaged = tables.find((table) => table.fault !== undefined)
    if (damaged !== undefined) this.fault = `table ${damaged.path}: ${damaged.fault}`
  }

  /** Opens all tables: from then on the folder may be removed. Throws CORRUPTION when there is no folder. */
  static async open(folder: string): Promise<PageSource> {
    const tables: TableReader[] = []
    try {
      for (const name of (await readdir(folder)).sort()) {
        if (name.endsWith('.ldb')) tables.push(new TableReader(join(folder, name)))
      }
      return new PageSource(tables)
    } catch (error) {
      for (const table of tables) table.close()
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EMFILE' || code === 'ENFILE') throw error
      throw new StorageError('CORRUPTION', `cannot read block ${folder}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /**
   * Throws NEWER_FORMAT when the page is of a later version.
   *
   * @param checksum what the meta page says; undefined for the meta page itself
   */
  read(kind: PageKind, number: number, checksum: number | undefined): PageReading {
    try {
      const reading = this.lookUp(kind, number, checksum)
      if (reading.page !== undefined) return reading
      this.finder ??= new PageFinder(this.tables)
      const page = this.finder.read(kind, number)
      if (page === undefined) return reading
      const fault = findPageFault(page, kind, number, checksum)
      return fault === undefined ? { page, fault: reading.fault } : { page: undefined, fault }
    } catch (error) {
      // The disk does not give what is there; the rest of the block may still be read.
      if (error instanceof StorageError && error.code === 'NEWER_FORMAT') throw error
      return { page: undefined, fault: (error as Error).message }
    }
  }

  close(): void {
    for (const table of this.tables) table.close()
  }

  /** Looks in each table that may have the key; when all is well, it is in the first of them. */
  private lookUp(kind: PageKind, number: number, checksum: number | undefined): PageReading {
    const key = pageKey(kind, number)
    let fault = this.fault ?? 'missing'
    for (const table of this.tables) {
      try {
        const page = table.find(key)
        if (page === undefined) continue
        const pageFault = findPageFault(page, kind, number, checksum)
        if (pageFault === undefined) return { page, fault: undefined }
        fault = pageFault
      } catch (error) {
        if (!(error instanceof StorageError) || error.code === 'NEWER_FORMAT') throw error
        fault = error.message
      }
    }
    return { page: undefined, fault }
  }
}
