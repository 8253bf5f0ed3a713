/**
 * The pages of one block's folder, by whatever way they can be had.
 *
 * LevelDB reads from a clone: a folder with hard links of the tables and copies of the small files, since it writes at
 * opening, and with a damaged MANIFEST deletes tables that it does not know. What LevelDB does not give as it was
 * written is looked for in the tables themselves (PageFinder). The block's own folder is only read.
 */
import { copyFile, link, mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StorageError } from '../errors.ts'
import { SealedFolder } from '../store.ts'
import { findPageFault, type PageKind, pageKey } from './format.ts'
import { PageFinder } from './page-finder.ts'
import { findTableFault } from './table-check.ts'

export interface PageReading {
  page: Buffer | undefined
  /** Why there is no page, or why it had to be looked for. */
  fault: string | undefined
}

export class PageSource {
  /** Why LevelDB does not take part; undefined when it does. */
  readonly fault: string | undefined
  private readonly folder: string
  private readonly clone: string
  private readonly db: SealedFolder | undefined
  private finder: PageFinder | undefined

  private constructor(
    folder: string,
    clone: string,
    db: SealedFolder | undefined,
    fault: string | undefined,
  ) {
    this.folder = folder
    this.clone = clone
    this.db = db
    this.fault = fault
  }

  /** Makes the clone; what is left of an earlier one goes. Throws CORRUPTION when there is no folder. */
  static async open(folder: string, clone: string): Promise<PageSource> {
    await rm(clone, { recursive: true, force: true })
    await mkdir(clone, { recursive: true })
    try {
      const fault = await cloneFolder(folder, clone)
      if (fault !== undefined) return new PageSource(folder, clone, undefined, fault)
      return new PageSource(folder, clone, await SealedFolder.open(clone), undefined)
    } catch (error) {
      if (error instanceof StorageError && error.code === 'CORRUPTION') {
        return new PageSource(folder, clone, undefined, error.message)
      }
      await rm(clone, { recursive: true, force: true })
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      throw new StorageError('CORRUPTION', `cannot read block ${folder}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /**
   * @param checksum what the meta page says; undefined for the meta page itself
   */
  read(kind: PageKind, number: number, checksum: number | undefined): PageReading {
    const reading = this.readFromLevel(kind, number, checksum)
    if (reading.page !== undefined) return reading
    this.finder ??= new PageFinder([this.clone, this.folder])
    const page = this.finder.read(kind, number)
    if (page === undefined) return reading
    const fault = findPageFault(page, kind, number, checksum)
    return fault === undefined ? { page, fault: reading.fault } : { page: undefined, fault }
  }

  /** Closes, and removes the clone. */
  async close(): Promise<void> {
    await this.db?.close()
    await rm(this.clone, { recursive: true, force: true })
  }

  private readFromLevel(kind: PageKind, number: number, checksum: number | undefined): PageReading {
    if (this.db === undefined) return { page: undefined, fault: this.fault }
    let value: Uint8Array | undefined
    try {
      value = this.db.get(pageKey(kind, number))
    } catch (error) {
      return { page: undefined, fault: (error as Error).message }
    }
    if (value === undefined) return { page: undefined, fault: 'missing' }
    const page = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    const fault = findPageFault(page, kind, number, checksum)
    return { page: fault === undefined ? page : undefined, fault }
  }
}

/** Returns why LevelDB should not be given the clone; undefined when it may. */
async function cloneFolder(folder: string, clone: string): Promise<string | undefined> {
  let fault: string | undefined
  for (const name of await readdir(folder)) {
    const from = join(folder, name)
    const to = join(clone, name)
    if (name.endsWith('.ldb')) {
      const tableFault = findTableFault(from)
      if (tableFault !== undefined) fault = `table ${name}: ${tableFault}`
      await linkFile(from, to)
    } else if (name === 'CURRENT' || name.startsWith('MANIFEST-')) {
      await copyFile(from, to)
    }
  }
  return fault
}

/** Not every file system knows hard links; LevelDB removes a symbolic one as well without touching its target. */
async function linkFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error
    await symlink(resolve(from), to)
  }
}
