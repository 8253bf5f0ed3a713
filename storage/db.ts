/**
 * Opens, wires and closes the parts of the storage. The caller sees it as `Storage`; query threads attach to the
 * same memory by its handle.
 *
 *   <path>/narthex/wal/       LevelDB: the write-ahead log      <path>/narthex/state/   LevelDB: tombstones
 *   <path>/narthex/blocks/    a folder a block                  <path>/snapshots/       copies that were asked for
 *
 * Nothing else under <path> is touched: Prometheus' own blocks and log lie beside it.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { attachStorage, type StorageHandle } from './attach.ts'
import type { BlockCatalog, CatalogBlock } from './block/catalog.ts'
import type { Retention } from './block/retention.ts'
import type { TombstoneLog } from './block/tombstone-log.ts'
import type { DamageNote, DamageRegistry } from './damage.ts'
import type { DiskGuard, DiskState } from './disk-guard.ts'
import { StorageError } from './errors.ts'
import { HeadAppender } from './head/appender.ts'
import { MAIN_READER, STATE_CLOSED, STATE_READY } from './head/directory.ts'
import { Generation } from './head/generation.ts'
import {
  type Admission,
  Head,
  type HeadLimits,
  type HeadStats,
  SLACK_BYTES,
  WRITTEN_BYTES_MIN,
} from './head/head.ts'
import type { SeriesTable } from './head/series-table.ts'
import type { Appender, HeadStatistics, HeadStatus, Querier, Storage, StorageAdmin } from './interface.ts'
import { Keeper, type KeeperStats } from './keeper.ts'
import type { FolderLock } from './lock.ts'
import { MemoryGuard, type MemoryState } from './memory-guard.ts'
import type { Matcher } from './model/matcher.ts'
import { type OpenedParts, openParts } from './open-parts.ts'
import { SLAB_BYTES_MAX, Slab } from './slab/slab.ts'
import type { StorageQueryable } from './storage-querier.ts'
import type { Store } from './store.ts'
import { runInThread, runUpkeepTask, type StopWord, type UpkeepResults, type UpkeepTask } from './upkeep.ts'
import { CommitLog } from './wal/commit-log.ts'
import { clearGenerations } from './wal/oldest.ts'

export interface DatabaseOptions {
  /** Folder of the data; what is ours lies in its subfolder `narthex`. */
  path: string
  limits?: Partial<HeadLimits>
  retention?: Retention
  /** Whether replay and upkeep run in threads of their own. */
  isThreaded?: boolean
  turnMs?: number
  syncIntervalMs?: number
  retryMs?: number
  /** A write or a task of upkeep failed and is tried again. The storage goes on. */
  onTrouble?: (error: Error) => void
  /** The lock of LevelDB alone keeps a second process out. */
  hasNoLockFile?: boolean
  /** The disk is nearly full, or is so no more. */
  onDiskChange?: (state: DiskState) => void
  /** Of all memory of the process; over it no new series are taken. 0, and nothing said: no limit. */
  memoryLimitBytes?: number
  onMemoryChange?: (state: MemoryState) => void
  /** Something was found damaged; what can be read is served. */
  onDamage?: (note: DamageNote) => void
  onSynced?: (seconds: number) => void
}

export interface ReplayStatus {
  /** Generations to replay, and how many are done. */
  total: number
  done: number
}

const MAINTENANCE_MS = 1000
const LOG_BUFFER_BYTES = 64 * 2 ** 20
/** All is kept. */
const KEEP_ALL: Retention = { timeMs: 0, sizeBytes: 0, percentage: 0 }

export class Database implements Storage, StorageAdmin, HeadStatistics {
  readonly handle: StorageHandle
  readonly damage: DamageRegistry
  private readonly options: DatabaseOptions
  private readonly slab: Slab
  private readonly store: Store
  private readonly state: Store
  private readonly log: CommitLog
  private readonly head: Head
  private readonly keeper: Keeper
  private readonly guard: DiskGuard
  private readonly memory: MemoryGuard
  private readonly lock: FolderLock | undefined
  private readonly catalog: BlockCatalog
  private readonly tombstones: TombstoneLog
  private readonly local: StorageQueryable
  private readonly stop: StopWord = new Int32Array(new SharedArrayBuffer(4))
  private readonly maintenance: NodeJS.Timeout
  private readonly replaying: Promise<void>
  private readonly replay: ReplayStatus
  private isReady = false
  private clearing: Promise<void> = Promise.resolve()
  private closing: Promise<void> | undefined

  private constructor(options: DatabaseOptions, parts: OpenedParts) {
    const { log, state, catalog, tombstones, generations, firstGeneration, damage, guard } = parts
    const { store } = log
    const newest = log.generations.at(-1)
    this.options = options
    this.store = store
    this.state = state
    this.catalog = catalog
    this.tombstones = tombstones
    this.damage = damage
    this.guard = guard
    this.lock = parts.lock
    const limits = fullLimits(options.limits ?? {})
    // Twice the bound: a generation that was written out stays until the last query that reads it is done.
    const slab = Slab.reserve(limits.headBytesMax * 2 + 2 * SLACK_BYTES)
    this.slab = slab
    this.log = new CommitLog(store, firstGeneration, {
      turnMs: options.turnMs ?? 50,
      syncIntervalMs: options.syncIntervalMs ?? 1000,
      retryMs: options.retryMs ?? 1000,
      bufferBytesMax: LOG_BUFFER_BYTES,
      onDurable: (commit) => this.head.directory.publish(commit),
      onError: (error) => {
        this.trouble(error)
        void guard.makeRoom()
      },
      onSynced: options.onSynced,
      previous: newest && { generation: newest.number, pageCount: newest.pageCount },
    })
    this.memory = new MemoryGuard({
      limitBytes: options.memoryLimitBytes ?? 0,
      slab,
      onChange: options.onMemoryChange,
      onError: (error) => this.trouble(error),
    })
    this.head = new Head(slab, this.log, firstGeneration, limits, admissionOf(guard, this.memory))
    this.keeper = new Keeper({
      dataPath: options.path,
      head: this.head,
      catalog,
      tombstones,
      retention: options.retention ?? KEEP_ALL,
      stop: this.stop,
      run: (task) => this.run(task),
      clearLogBefore: (generation) => this.clearLogBefore(generation),
      onTrouble: (error) => this.trouble(error),
    })
    this.keeper.show()
    this.handle = { buffer: slab.buffer, path: join(options.path, 'narthex') }
    this.local = attachStorage(this.handle, MAIN_READER, (note) => damage.add(note))
    this.replay = { total: generations.length, done: 0 }
    this.maintenance = setInterval(() => this.maintain(), MAINTENANCE_MS)
    this.maintenance.unref()
    this.replaying = this.replayLog(generations, limits)
    if (options.isThreaded) store.shareUntil(this.replaying)
    // Whoever waits in `ready` gets the error; here it only must not count as unhandled.
    this.replaying.catch((error) => this.trouble(error))
  }

  /**
   * Opens the data and starts to replay it; appends are taken from now on, queries from `ready` on.
   * Throws LOCKED, CORRUPTION, NEWER_FORMAT.
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    const path = join(options.path, 'narthex')
    const { hasNoLockFile, onDiskChange, onTrouble, onDamage } = options
    return new Database(options, await openParts({ path, hasNoLockFile, onDiskChange, onTrouble, onDamage }))
  }

  /** Resolves when what was written before the start can be queried. */
  ready(): Promise<void> {
    return this.replaying
  }

  get replayStatus(): ReplayStatus {
    return { ...this.replay }
  }

  /** What is kept from now on. */
  setRetention(retention: Retention): void {
    this.keeper.retention = retention
  }

  get retention(): Retention {
    return this.keeper.retention
  }

  /** How late samples may be from now on; 0: none are taken behind the newest one of their series. */
  setOutOfOrderWindow(windowMs: number): void {
    this.head.limits.outOfOrderWindowMs = windowMs
  }

  appender(): Appender {
    if (this.closing !== undefined) throw new StorageError('CLOSED', 'the storage is closed')
    return new HeadAppender(this.head)
  }

  querier(mint: number, maxt: number): Querier {
    return this.local.querier(mint, maxt)
  }

  headStatus(limit: number): HeadStatus {
    return this.local.headStatus(limit)
  }

  /** In the order of arrival. */
  get blocks(): readonly CatalogBlock[] {
    return this.catalog.blocks
  }

  async deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void> {
    await this.replaying
    const texts = matchers.map(({ name, op, value }) => ({ name, op, value }))
    await this.guard.makeRoom()
    await this.keeper.delete(texts, mint, maxt)
  }

  async cleanTombstones(): Promise<void> {
    await this.replaying
    await this.keeper.cleanTombstones()
  }

  async snapshot(name: string, withHead: boolean): Promise<string> {
    await this.replaying
    return this.keeper.snapshot(name, withHead)
  }

  get memoryState(): Readonly<MemoryState> {
    return this.memory.state
  }

  get diskState(): Readonly<DiskState> {
    return this.guard.state
  }

  stats(): HeadStats & KeeperStats & { logBytesWritten: number } {
    return { ...this.keeper.stats(), ...this.head.stats(), logBytesWritten: this.log.writtenBytes }
  }

  /** Closes the present generation; it is written out as a block soon. Also for tests. */
  cut(): void {
    this.head.cut()
  }

  /** What the timer does once a second. */
  maintain(): void {
    this.head.maintain()
    if (this.isReady) this.keeper.tick()
  }

  /** Does all that is due now, and resolves when nothing is left; for tests and for tools that load data. */
  async settle(): Promise<void> {
    await this.replaying
    await this.head.durable()
    await this.keeper.settle()
    this.head.maintain()
    await this.clearing
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
    await this.keeper.stop()
    await this.log.close()
    this.head.directory.setState(STATE_CLOSED)
    await this.clearing
    await this.local.close()
    await this.state.close()
    await this.store.close()
    await this.guard.close()
    this.memory.close()
    this.lock?.release()
  }

  private run<T extends UpkeepTask>(task: T): Promise<UpkeepResults[T['kind']]> {
    const onReplayed = (done: number): void => {
      this.replay.done = done
    }
    return this.options.isThreaded
      ? runInThread(task, this.slab, this.stop, onReplayed)
      : runUpkeepTask(task, this.slab, this.store, this.stop, onReplayed)
  }

  private async replayLog(generations: readonly number[], { headBytesMax }: HeadLimits): Promise<void> {
    const { slab, catalog, tombstones, head } = this
    let replayed: Generation[] = []
    if (generations.length > 0) {
      const { roots, damage, written } = await this.run({
        kind: 'replay',
        walPath: this.store.path,
        generations,
        limits: {
          headBytesMax,
          joinBytesMin: WRITTEN_BYTES_MIN,
          joinBoundaries: tombstones.all.map(({ finalGeneration }) => finalGeneration),
        },
        order: {
          ids: catalog.ids.words,
          tombstones: tombstones.all,
          highestTombstone: tombstones.highest,
          retentionMs: this.keeper.retention.timeMs,
        },
        folders: generations.map(() => {
          const id = catalog.takeId()
          return { id, folder: catalog.temporaryFolder(id) }
        }),
      })
      for (const note of damage) this.damage.add(note)
      for (const { id, metas } of written) await catalog.commitGroup(id, metas)
      const tables = new Map<number, SeriesTable>()
      replayed = roots.map((rootAt) => new Generation(slab, rootAt, tables))
    }
    const newest = Math.max(...catalog.blocks.map(({ maxt }) => maxt))
    head.install(replayed, newest)
    this.keeper.show()
    this.clearLogBefore(head.oldestGeneration)
    head.directory.setState(STATE_READY)
    this.isReady = true
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

/** What disk and memory let in together. */
function admissionOf(disk: DiskGuard, memory: MemoryGuard): Admission {
  return {
    get allowsSeries() {
      return disk.allowsSeries && memory.allowsSeries
    },
    get allowsSamples() {
      return disk.allowsSamples
    },
  }
}

/** The most that the slab, which is twice as large, can hold. */
const HEAD_BYTES_MAX = SLAB_BYTES_MAX / 2 - SLACK_BYTES

function fullLimits(limits: Partial<HeadLimits>): HeadLimits {
  const headBytesMax = Math.min(limits.headBytesMax ?? 512 * 2 ** 20, HEAD_BYTES_MAX)
  return {
    headBytesMax,
    cutSpanMs: limits.cutSpanMs ?? 10 * 60_000,
    cutBytesMax: limits.cutBytesMax ?? headBytesMax / 4,
    outOfOrderWindowMs: limits.outOfOrderWindowMs ?? 0,
  }
}

/** Blocks of Prometheus in a data folder, which this version does not read: folders named by a ULID. */
export async function countForeignBlocks(path: string): Promise<number> {
  if (!existsSync(path)) return 0
  const entries = await readdir(path, { withFileTypes: true })
  const blocks = entries.filter((entry) => entry.isDirectory() && /^[0-9A-HJKMNP-TV-Z]{26}$/.test(entry.name))
  return blocks.filter((entry) => existsSync(join(path, entry.name, 'meta.json'))).length
}
