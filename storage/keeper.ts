/**
 * Main's side of upkeep: what has to be done next with generations and blocks.
 *
 * Closed generations are written out as blocks, and leave memory and the log; blocks beyond the retention go; blocks are
 * merged. The three do not wait for each other: a merge takes minutes, and neither memory nor the disk may fill up
 * behind it. What fails is told and tried again later; ingestion goes on meanwhile.
 */
import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlockCatalog, CatalogBlock } from './block/catalog.ts'
import { diskBytes } from './block/disk-size.ts'
import type { BlockMeta } from './block/format.ts'
import { BlockMaintenance, type DiskRoom } from './block/maintenance.ts'
import type { Retention } from './block/retention.ts'
import { takeSnapshot } from './block/snapshot.ts'
import type { TombstoneLog } from './block/tombstone-log.ts'
import type { MatcherText } from './block/tombstones.ts'
import { Chore } from './chore.ts'
import { GENERATIONS_MAX } from './head/directory.ts'
import type { Head } from './head/head.ts'
import type { StopWord, UpkeepResults, UpkeepTask } from './upkeep.ts'

export interface KeeperOptions {
  /** Folder of the data; ours is `narthex` in it. */
  dataPath: string
  head: Head
  catalog: BlockCatalog
  tombstones: TombstoneLog
  retention: Retention
  stop: StopWord
  run<T extends UpkeepTask>(task: T): Promise<UpkeepResults[T['kind']]>
  /** Deletes the log of generations below this one. */
  clearLogBefore(generation: number): void
  /** Something failed, and is tried again. */
  onTrouble(error: Error): void
}

export interface KeeperStats {
  blocks: number
  blockBytes: number
  blockSeries: number
  blockSamples: number
  /** Since the start. */
  written: number
  merged: number
  failed: number
  droppedByTime: number
  droppedBySize: number
  tombstones: number
}

/** How often the disk is looked at, and what is beyond the retention. */
const DISK_MS = 60_000
/** Deletes wait for generations to be written out when so many are in memory. */
const GENERATIONS_BUSY = GENERATIONS_MAX / 4
/** Owners of memory that no generation and no table has. */
const TOMBSTONE_OWNERS = 0xf0000000
/** JSON knows no infinite numbers. */
const TIME_MAX = Number.MAX_SAFE_INTEGER

export class Keeper {
  retention: Retention
  private readonly options: KeeperOptions
  private readonly maintenance: BlockMaintenance
  private readonly writing = new Chore((error) => this.fail(error))
  private readonly retaining = new Chore((error) => this.fail(error))
  private readonly merging = new Chore((error) => this.fail(error))
  private isStopping = false
  private diskAtMs = 0
  private disk: DiskRoom = { otherBytes: 0, fileSystemBytes: Number.NaN, freeBytes: Number.NaN }
  private tombstoneOwner = TOMBSTONE_OWNERS
  private readonly counts = { written: 0, merged: 0, failed: 0, droppedByTime: 0, droppedBySize: 0 }

  constructor(options: KeeperOptions) {
    const { catalog, tombstones, head, run, onTrouble } = options
    this.options = options
    this.retention = options.retention
    this.maintenance = new BlockMaintenance({
      catalog,
      tombstones,
      merge: (task) => run({ kind: 'merge', task }),
      holdsHidden: (input, concerned) => run({ kind: 'check', input, tombstones: concerned }),
      publish: () => this.publish(),
      liveGeneration: () => head.oldestGeneration,
      onTrouble,
    })
  }

  stats(): KeeperStats {
    const { blocks } = this.options.catalog
    const sum = (value: (block: CatalogBlock) => number) =>
      blocks.reduce((total, block) => total + value(block), 0)
    return {
      ...this.counts,
      blocks: blocks.length,
      blockBytes: sum(({ bytes }) => bytes),
      blockSeries: sum(({ series }) => series),
      blockSamples: sum(({ samples }) => samples),
      tombstones: this.options.tombstones.all.length,
    }
  }

  /** Starts what is due. To be called once a second. */
  tick(): void {
    if (this.isStopping) return
    this.writing.start(() => this.writeNext())
    this.retaining.start(() => this.retain())
    this.merging.start(() => this.mergeNext())
  }

  /** Does all that is to be done now; for tests and for tools that load data. Throws what fails of it. */
  async settle(): Promise<void> {
    await this.writeAll()
    this.diskAtMs = 0
    await this.retaining.inLine(() => this.retain())
    await this.merging.inLine(async () => {
      while (!this.isStopping && (await this.mergeNext()));
    })
  }

  /** Ends a merge that runs, and waits for what else does. */
  async stop(): Promise<void> {
    this.isStopping = true
    Atomics.store(this.options.stop, 0, 1)
    await Promise.all([this.writing.idle(), this.retaining.idle(), this.merging.idle()])
    // Blocks that a reader still holds are removed at the next start.
    const { head } = this.options
    if (head.hasReaders) return
    // The timer that did it has ended: the last reader may have gone after it.
    head.sweep()
    await this.maintenance.settle()
  }

  /** Puts blocks and tombstones into the directory. */
  show(): void {
    const { head, catalog, tombstones } = this.options
    const { all } = tombstones
    head.blocks = listed(catalog)
    head.setTombstones(all.length === 0 ? '' : JSON.stringify(all), this.tombstoneOwner++)
  }

  async delete(matchers: readonly MatcherText[], mint: number, maxt: number): Promise<void> {
    const { head, tombstones } = this.options
    if (head.generations >= GENERATIONS_BUSY) await this.writeAll()
    // What arrives from now on belongs to another generation, and is not hidden.
    if (!head.isEmpty) head.cut()
    const bounds = { mint: Math.max(mint, -TIME_MAX), maxt: Math.min(maxt, TIME_MAX) }
    await tombstones.add(matchers, { ...bounds, finalGeneration: head.generation - 1 })
    this.show()
  }

  cleanTombstones(): Promise<void> {
    return this.merging.inLine(async () => {
      await this.writeAll()
      await this.maintenance.cleanTombstones(() => this.isStopping)
      this.show()
    })
  }

  snapshot(name: string, withHead: boolean): Promise<string> {
    const { head, catalog, tombstones, dataPath } = this.options
    // Also behind small generations of before the start, which otherwise wait for more.
    if (withHead && (!head.isEmpty || head.generations > 1)) head.cut()
    return this.merging.inLine(async () => {
      if (withHead) await this.writeAll()
      return takeSnapshot(dataPath, name, { catalog, tombstones })
    })
  }

  private fail(error: Error): void {
    this.counts.failed++
    this.options.onTrouble(error)
  }

  /** Writes out all that is closed, as soon as it is in the log. */
  private writeAll(): Promise<void> {
    const { head } = this.options
    return this.writing.inLine(async () => {
      while (head.waiting !== undefined && !this.isStopping) {
        await head.durable()
        await this.writeNext()
      }
    })
  }

  /** Whether there was a generation to write out, and it is done. */
  private async writeNext(): Promise<boolean> {
    const { head, catalog, tombstones, run } = this.options
    const { waiting } = head
    if (waiting === undefined || !waiting.isDurable) return false
    const { generation, finalGeneration } = waiting
    const id = catalog.takeId()
    const folder = catalog.temporaryFolder(id)
    try {
      const metas = await run({
        kind: 'write',
        rootAt: generation.rootAt,
        commit: head.directory.commit,
        order: {
          folder,
          id,
          ids: catalog.ids.words,
          firstGeneration: generation.number,
          finalGeneration,
          tombstones: tombstones.all,
          highestTombstone: tombstones.highest,
          retentionMs: this.retention.timeMs,
        },
      })
      if (metas.length > 0) await catalog.commitGroup(id, metas)
    } catch (error) {
      // Also should the thread have died: the next try is another folder.
      await rm(folder, { recursive: true, force: true })
      throw error
    }
    head.release(generation.number, listed(catalog))
    this.options.clearLogBefore(head.oldestGeneration)
    this.counts.written++
    return true
  }

  private async retain(): Promise<void> {
    if (performance.now() < this.diskAtMs) return
    await this.measureDisk()
    const { byTime, bySize } = this.maintenance.retain(this.retention, this.disk)
    this.counts.droppedByTime += byTime
    this.counts.droppedBySize += bySize
  }

  private async measureDisk(): Promise<void> {
    const { dataPath } = this.options
    const { blocks, bavail, bsize } = await statfs(dataPath)
    const path = join(dataPath, 'narthex')
    const sizes = await Promise.all(['wal', 'state'].map((name) => diskBytes(join(path, name))))
    this.disk = {
      otherBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
      fileSystemBytes: blocks * bsize,
      freeBytes: bavail * bsize,
    }
    this.diskAtMs = performance.now() + DISK_MS
  }

  /** Whether there was a merge to do, and it is done. */
  private async mergeNext(): Promise<boolean> {
    if (!(await this.maintenance.mergeNext(this.retention, this.disk))) return false
    this.counts.merged++
    await this.maintenance.forgetSpent()
    this.show()
    return true
  }

  /** Shows the catalog as it is now. Resolves when no query holds what was shown before. */
  private publish(): Promise<void> {
    const { head, catalog } = this.options
    head.blocks = listed(catalog)
    head.show()
    return new Promise<void>((resolve) => head.afterReaders(resolve))
  }
}

function listed(catalog: BlockCatalog): Pick<BlockMeta, 'id' | 'mint' | 'maxt'>[] {
  return catalog.blocks.map(({ id, mint, maxt }) => ({ id, mint, maxt }))
}
