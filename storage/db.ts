/**
 * Opens, wires and closes the parts of the storage. The caller sees it as `Storage`; query threads attach to the
 * same memory by its handle.
 *
 *   <path>/narthex/wal/     LevelDB: the write-ahead log
 *
 * Nothing else under <path> is touched: Prometheus' own blocks and log lie beside it.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DamageRegistry } from './damage.ts'
import { StorageError } from './errors.ts'
import { HeadAppender } from './head/appender.ts'
import { MAIN_READER, STATE_CLOSED, STATE_READY } from './head/directory.ts'
import { Generation } from './head/generation.ts'
import { type DroppedGeneration, Head, type HeadLimits, type HeadStats, SLACK_BYTES } from './head/head.ts'
import { HeadQueryable } from './head/querier.ts'
import { replayGenerations } from './head/replay.ts'
import type { Appender, Querier, Queryable, Storage } from './interface.ts'
import { SLAB_BYTES_MAX, Slab } from './slab/slab.ts'
import type { Store } from './store.ts'
import { replayInThread } from './upkeep.ts'
import { CommitLog } from './wal/commit-log.ts'
import { clearGenerations } from './wal/oldest.ts'
import { type OpenedLog, openLog } from './wal/open-log.ts'

/** What a query thread needs to read the storage: can be cloned between threads. */
export interface StorageHandle {
  buffer: SharedArrayBuffer
}

/** Attaches a query thread. `reader`: its slot, 0 ≤ reader < MAIN_READER; no two threads share one. */
export function attachStorage(handle: StorageHandle, reader: number): Queryable {
  return new HeadQueryable(new Slab(handle.buffer), reader)
}

/** Frees the slot of a thread that died. Requires: it is gone. */
export function releaseReader(handle: StorageHandle, reader: number): void {
  new Slab(handle.buffer).setPin(reader, 0)
}

export interface DatabaseOptions {
  /** Folder of the data; what is ours lies in its subfolder `narthex`. */
  path: string
  limits?: Partial<HeadLimits>
  /** Whether replay runs in a thread of its own. */
  isThreaded?: boolean
  turnMs?: number
  syncIntervalMs?: number
  retryMs?: number
  /** A write failed and is tried again; or pages were found damaged. The storage goes on. */
  onTrouble?: (error: Error) => void
  onSynced?: (seconds: number) => void
  /** The head was at its bound, and its oldest generation went, from memory and from the log. */
  onDropped?: (dropped: DroppedGeneration) => void
}

export interface ReplayStatus {
  /** Generations to replay, and how many are done. */
  total: number
  done: number
}

/** Bytes of the head when nothing is said: a quarter of the memory in whole MiB, at most 2 GiB. */
export function defaultHeadBytes(memoryBytes: number): number {
  const mib = 2 ** 20
  return Math.min(2048 * mib, Math.floor(memoryBytes / 4 / mib) * mib)
}

const MAINTENANCE_MS = 1000
const LOG_BUFFER_BYTES = 64 * 2 ** 20
/** Twice what the tables of a generation take that has hardly a sample. */
const JOIN_BYTES_MIN = 2 * 2 ** 20

export class Database implements Storage {
  readonly handle: StorageHandle
  /** What was found damaged since the start. */
  readonly damage: DamageRegistry
  private readonly options: DatabaseOptions
  private readonly store: Store
  private readonly log: CommitLog
  private readonly head: Head
  private readonly local: HeadQueryable
  private readonly maintenance: NodeJS.Timeout
  private readonly replaying: Promise<void>
  private readonly replay: ReplayStatus
  private clearing: Promise<void> = Promise.resolve()
  private closing: Promise<void> | undefined

  private constructor(
    options: DatabaseOptions,
    { store, generations: logged }: OpenedLog,
    damage: DamageRegistry,
  ) {
    this.options = options
    this.store = store
    this.damage = damage
    const generations = logged.map(({ number }) => number)
    const newest = logged.at(-1)
    const limits = fullLimits(options.limits ?? {})
    // Twice the bound: a dropped generation stays until the last query that reads it is done.
    const slab = Slab.reserve(limits.headBytesMax * 2 + 2 * SLACK_BYTES)
    const first = (generations[generations.length - 1] ?? 0) + 1
    this.log = new CommitLog(store, first, {
      turnMs: options.turnMs ?? 20,
      syncIntervalMs: options.syncIntervalMs ?? 1000,
      retryMs: options.retryMs ?? 1000,
      bufferBytesMax: LOG_BUFFER_BYTES,
      onDurable: (commit) => this.head.directory.publish(commit),
      onError: (error) => this.trouble(error),
      onSynced: options.onSynced,
      previous: newest && { generation: newest.number, pageCount: newest.pageCount },
    })
    this.head = new Head(slab, this.log, first, limits, (dropped, oldest) => {
      options.onDropped?.(dropped)
      this.clearLogBefore(oldest)
    })
    this.handle = { buffer: slab.buffer }
    this.local = new HeadQueryable(slab, MAIN_READER)
    this.replay = { total: generations.length, done: 0 }
    this.maintenance = setInterval(() => this.head.maintain(), MAINTENANCE_MS)
    this.maintenance.unref()
    this.replaying = this.replayLog(slab, generations, limits)
    if (options.isThreaded) store.shareUntil(this.replaying)
    // Whoever waits in `ready` gets the error; here it only must not count as unhandled.
    this.replaying.catch((error) => this.trouble(error))
  }

  /**
   * Opens the data and starts to replay it; appends are taken from now on, queries from `ready` on.
   * Throws LOCKED, NEWER_FORMAT.
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    const folder = join(options.path, 'narthex')
    await mkdir(folder, { recursive: true })
    const damage = new DamageRegistry(({ what }) => options.onTrouble?.(new StorageError('CORRUPTION', what)))
    const opened = await openLog(folder, Date.now(), (note) => damage.add(note))
    try {
      return new Database(options, opened, damage)
    } catch (error) {
      await opened.store.close()
      throw error
    }
  }

  /** Resolves when what was written before the start can be queried. */
  ready(): Promise<void> {
    return this.replaying
  }

  /** Bytes that the head keeps; beyond them the oldest samples go. */
  get headBytesMax(): number {
    return this.head.limits.headBytesMax
  }

  get replayStatus(): ReplayStatus {
    return { ...this.replay }
  }

  appender(): Appender {
    if (this.closing !== undefined) throw new StorageError('CLOSED', 'the storage is closed')
    return new HeadAppender(this.head)
  }

  querier(mint: number, maxt: number): Querier {
    return this.local.querier(mint, maxt)
  }

  stats(): HeadStats & { logBytesWritten: number } {
    return { ...this.head.stats(), logBytesWritten: this.log.writtenBytes }
  }

  /** For tests: closes the present generation. */
  cut(): void {
    this.head.cut()
  }

  /** For tests: what the timer does once a second. */
  maintain(): void {
    this.head.maintain()
  }

  /**
   * Writes and syncs all that was committed, then closes. Requires: query threads are gone, since the first
   * opener of a LevelDB database closes last.
   */
  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    clearInterval(this.maintenance)
    // A replay that failed was told when it did; closing goes on all the same.
    await Promise.allSettled([this.replaying])
    await this.log.close()
    this.head.directory.setState(STATE_CLOSED)
    await this.clearing
    await this.store.close()
  }

  private async replayLog(
    slab: Slab,
    generations: readonly number[],
    { headBytesMax, cutBytesMin }: HeadLimits,
  ): Promise<void> {
    const limits = { headBytesMax, joinBytesMin: Math.max(cutBytesMin, JOIN_BYTES_MIN) }
    const onDone = (done: number) => {
      this.replay.done = done
    }
    const { roots, damage } =
      this.options.isThreaded && generations.length > 0
        ? await replayInThread(slab, this.store.path, generations, limits, onDone)
        : await replayGenerations(this.store, slab, generations, limits, onDone)
    for (const note of damage) this.damage.add(note)
    const replayed = roots.map((rootAt) => new Generation(slab, rootAt))
    if (replayed.length > 0 && replayed[0].number > generations[0]) this.clearLogBefore(replayed[0].number)
    this.head.install(replayed)
    this.head.directory.setState(STATE_READY)
  }

  /** Deletes the pages of generations below `oldest`; also those that an earlier deletion failed of. */
  private clearLogBefore(oldest: number): void {
    this.clearing = this.clearing
      .then(() => clearGenerations(this.store, oldest))
      .catch((error) => this.trouble(error))
  }

  private trouble(error: unknown): void {
    this.options.onTrouble?.(error instanceof Error ? error : new Error(String(error)))
  }
}

/** The most that the slab, which is twice as large, can hold. */
const HEAD_BYTES_MAX = SLAB_BYTES_MAX / 2 - SLACK_BYTES

function fullLimits(limits: Partial<HeadLimits>): HeadLimits {
  const headBytesMax = Math.min(limits.headBytesMax ?? 512 * 2 ** 20, HEAD_BYTES_MAX)
  return {
    headBytesMax,
    cutSpanMs: limits.cutSpanMs ?? 30 * 60_000,
    cutBytesMin: limits.cutBytesMin ?? headBytesMax / 64,
    cutBytesMax: limits.cutBytesMax ?? headBytesMax / 8,
  }
}

/** Blocks of Prometheus in a data folder, which this version does not read: folders named by a ULID. */
export async function countForeignBlocks(path: string): Promise<number> {
  if (!existsSync(path)) return 0
  const entries = await readdir(path, { withFileTypes: true })
  const blocks = entries.filter((entry) => entry.isDirectory() && /^[0-9A-HJKMNP-TV-Z]{26}$/.test(entry.name))
  return blocks.filter((entry) => existsSync(join(path, entry.name, 'meta.json'))).length
}
