/**
 * The one door to LevelDB: pages under byte keys, written in atomic batches.
 *
 * One write is in flight a store; later ones wait in line. After a failed one (a delete, too) it takes no further ones
 * until it was reopened: LevelDB would acknowledge synced writes that are lost at the next crash (measured).
 * `reopen` closes the database under live readers: it waits for the reads that run, those that come wait for it,
 * and a scan goes on behind the last key it gave.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { StorageError } from './errors.ts'
import { syncFiles } from './level/folder.ts'

export interface Page {
  key: Uint8Array
  value: Uint8Array
}

/** [gte, lt) in byte order. */
export interface KeyRange {
  gte: Uint8Array
  lt: Uint8Array
}

export interface StoreOptions {
  createIfMissing: boolean
  /** Whether other threads of this process have the same database open. Then the main thread opens first. */
  isShared: boolean
  /** Size of the buffer of writes and of tables; see `writeBufferBytes`. */
  bufferBytes?: number
}

/** In Node `level` is classic-level, whose own methods its types leave out. */
type Database = Level<Uint8Array, Uint8Array> & {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

const BUFFER_BYTES_MAX = 8 * 2 ** 20
const BUFFER_BYTES_MIN = 256 * 1024
const BUFFER_SHARE = 1 / 64

/**
 * The buffer that suits a disk: LevelDB writes it out as a table, before the log of it goes, and also when it opens; so
 * twice its size has to be free. On a small disk it is smaller.
 */
export function writeBufferBytes(diskBytes: number): number {
  return Math.floor(Math.max(BUFFER_BYTES_MIN, Math.min(BUFFER_BYTES_MAX, diskBytes * BUFFER_SHARE)))
}
const SCAN_PAGES = 64
/** A batch of a scan ends behind so many bytes. LevelDB's own 16 KiB would make each page of the log a batch. */
const SCAN_BYTES = 2 * 2 ** 20

export class Store {
  readonly path: string
  private readonly options: StoreOptions
  private db: Database
  /** Reads that run now. */
  private reading = 0
  private onIdle: (() => void) | undefined
  /** Settles when a reopening is over; reads wait for it. */
  private reopening: Promise<void> | undefined
  private lastWrite: Promise<void> = Promise.resolve()
  private failure: unknown
  /** Settles when no other thread has the database open any more. */
  private sharing: Promise<void> = Promise.resolve()
  private isClosed = false

  private constructor(path: string, options: StoreOptions, db: Database) {
    this.path = path
    this.options = options
    this.db = db
  }

  /** Throws LOCKED when another process has it open, CORRUPTION when LevelDB cannot read it, WRITE_FAILED for the disk. */
  static async open(path: string, options: StoreOptions): Promise<Store> {
    if (options.createIfMissing) await mkdir(path, { recursive: true })
    return new Store(path, options, await openDatabase(path, options))
  }

  get hasFailed(): boolean {
    return this.failure !== undefined
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.use((db) => db.get(key))
  }

  /**
   * Writes all pages or none. `isSynced`: resolves when they, and all written before, would survive a power cut;
   * otherwise they survive a kill of the process. Throws WRITE_FAILED; then the store wants `reopen`.
   */
  write(pages: readonly Page[], isSynced: boolean): Promise<void> {
    return this.inLine(async () => {
      if (this.failure !== undefined) throw writeFailed(this.path, this.failure)
      try {
        const operations = pages.map(({ key, value }) => ({ type: 'put' as const, key, value }))
        await this.db.batch(operations, { sync: isSynced })
      } catch (error) {
        this.failure = error
        throw writeFailed(this.path, error)
      }
    })
  }

  /** Pages of a range in key order, in batches. */
  async *scan(range: KeyRange): AsyncGenerator<Page[]> {
    let after: Uint8Array | undefined
    for (;;) {
      const from = after === undefined ? { gte: range.gte } : { gt: after }
      const pages = await this.use(async (db) => {
        const iterator = db.iterator({
          ...from,
          lt: range.lt,
          limit: SCAN_PAGES,
          highWaterMarkBytes: SCAN_BYTES,
        })
        try {
          return (await iterator.nextv(SCAN_PAGES)).map(([key, value]) => ({ key, value }))
        } finally {
          await iterator.close()
        }
      })
      if (pages.length === 0) return
      yield pages
      after = pages[pages.length - 1].key
    }
  }

  /** The first key at or after `key` and before `lt`. */
  async firstKey(range: KeyRange): Promise<Uint8Array | undefined> {
    const keys = await this.use((db) => db.keys({ ...range, limit: 1 }).all())
    return keys[0]
  }

  /** Deletes a range and gives its space back. Throws WRITE_FAILED, as `write` does. */
  clear(range: KeyRange): Promise<void> {
    return this.inLine(async () => {
      if (this.failure !== undefined) throw writeFailed(this.path, this.failure)
      try {
        await this.db.clear(range)
        await this.db.compactRange(range.gte, range.lt)
      } catch (error) {
        this.failure = error
        throw writeFailed(this.path, error)
      }
    })
  }

  /**
   * Another thread has the same database open until `gone` settles. Reopening waits for it: LevelDB's first opener
   * must close last, else the process dies of a segmentation fault (measured).
   */
  shareUntil(gone: Promise<unknown>): void {
    this.sharing = gone.then(
      () => {},
      // How the thread ended is its starter's affair.
      () => {},
    )
  }

  /** Closes the database and opens it again, in line with the writes. Throws as `open`; then try again later. */
  reopen(): Promise<void> {
    return this.inLine(async () => {
      await this.sharing
      let finish = (): void => {}
      this.reopening = new Promise((resolve) => {
        finish = resolve
      })
      try {
        await this.idle()
        await this.db.close()
        // Never a new, empty one in its place.
        this.db = await openDatabase(this.path, { ...this.options, createIfMissing: false })
        this.failure = undefined
      } finally {
        this.reopening = undefined
        finish()
      }
    })
  }

  /** Waits for the writes in line, then closes. */
  async close(): Promise<void> {
    if (this.isClosed) return
    await this.lastWrite
    this.isClosed = true
    await this.idle()
    await this.db.close()
  }

  private inLine<T>(operation: () => Promise<T>): Promise<T> {
    if (this.isClosed) return Promise.reject(closed(this.path))
    const result = this.lastWrite.then(operation)
    // The line goes on behind a failure; whoever asked for the operation hears of it.
    this.lastWrite = result.then(
      () => {},
      () => {},
    )
    return result
  }

  private async use<T>(operation: (db: Database) => Promise<T>): Promise<T> {
    while (this.reopening !== undefined) await this.reopening
    if (this.isClosed) throw closed(this.path)
    this.reading++
    try {
      return await operation(this.db)
    } finally {
      this.reading--
      if (this.reading === 0) this.onIdle?.()
    }
  }

  private async idle(): Promise<void> {
    if (this.reading === 0) return
    await new Promise<void>((resolve) => {
      this.onIdle = resolve
    })
    this.onIdle = undefined
  }
}

async function openDatabase(path: string, options: StoreOptions): Promise<Database> {
  const db = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: options.createIfMissing,
    multithreading: options.isShared,
    writeBufferSize: options.bufferBytes ?? BUFFER_BYTES_MAX,
    // LevelDB takes no smaller one.
    maxFileSize: Math.max(2 ** 20, options.bufferBytes ?? BUFFER_BYTES_MAX),
    cacheSize: 0,
    // Pages are packed already.
    compression: false,
    // Keys are small beside their pages; written whole, each entry of a damaged block can be made out by itself.
    blockRestartInterval: 1,
  }) as Database
  try {
    await db.open()
    return db
  } catch (error) {
    throw openFailed(path, error)
  }
}

function openFailed(path: string, error: unknown): StorageError {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') {
    return new StorageError('LOCKED', `${path} is in use by another process`, { cause: error })
  }
  // A full disk, or one that cannot be written to, says nothing of what is on it.
  const code = cause?.code === 'LEVEL_IO_ERROR' ? 'WRITE_FAILED' : 'CORRUPTION'
  return new StorageError(code, `cannot open ${path}: ${cause?.message ?? String(error)}`, { cause: error })
}

function writeFailed(path: string, error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error)
  return new StorageError('WRITE_FAILED', `write to ${path} failed: ${reason}`, { cause: error })
}

function closed(path: string): StorageError {
  return new StorageError('CLOSED', `${path} is closed`)
}

/** Of a folder that is filled once. Each memory table becomes a table file, so this is about the size of those. */
const FOLDER_BUFFER_BYTES = 16 * 2 ** 20

/** LevelDB's files that a sealed folder does not need: its texts, its lock, and the emptied log. */
const LEFT_OVER = /^(LOCK|LOG|LOG\.old|\d+\.log)$/

/** Fills a new LevelDB folder that is never written again once it is sealed. Pages come best in the order of keys. */
export class FolderBuilder {
  private readonly path: string
  private readonly db: Database

  private constructor(path: string, db: Database) {
    this.path = path
    this.db = db
  }

  /** Makes the folder, which must not be there yet. Throws WRITE_FAILED. */
  static async create(path: string): Promise<FolderBuilder> {
    try {
      await mkdir(path)
      return new FolderBuilder(path, await openNewFolder(path))
    } catch (error) {
      throw writeFailed(path, error)
    }
  }

  /** Throws WRITE_FAILED; then the folder is of no use any more. */
  async write(pages: readonly Page[]): Promise<void> {
    try {
      await this.db.batch(pages.map(({ key, value }) => ({ type: 'put' as const, key, value })))
    } catch (error) {
      throw writeFailed(this.path, error)
    }
  }

  /**
   * Moves everything into table files and closes; then all of it would survive a power cut under its present name.
   * Throws WRITE_FAILED.
   */
  async seal(): Promise<void> {
    try {
      await this.db.compactRange(new Uint8Array(0), new Uint8Array([0xff]))
      await this.db.close()
      for (const name of await readdir(this.path)) {
        if (!LEFT_OVER.test(name)) continue
        const path = join(this.path, name)
        if (name.endsWith('.log') && (await stat(path)).size > 0) throw new Error(`${name} is not empty`)
        await rm(path)
      }
      await syncFiles(this.path)
    } catch (error) {
      throw writeFailed(this.path, error)
    }
  }

  /** Closes, and removes the folder. */
  async abort(): Promise<void> {
    await this.db.close()
    await rm(this.path, { recursive: true, force: true })
  }
}

async function openNewFolder(path: string): Promise<Database> {
  const db = new Level<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: true,
    errorIfExists: true,
    writeBufferSize: FOLDER_BUFFER_BYTES,
    maxFileSize: FOLDER_BUFFER_BYTES,
    cacheSize: 0,
    // Pages are packed as it is, and are read from the tables as they were written.
    compression: false,
  }) as Database
  try {
    await db.open()
    return db
  } catch (error) {
    throw openFailed(path, error)
  }
}
