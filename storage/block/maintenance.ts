/**
 * What happens to blocks after they are written: merges, retention, and the end of what was deleted. Ties the catalog, the
 * tombstones, the plan and the merge together; who runs a merge in what thread, and what queries still see, is the
 * caller's business.
 *
 * One piece of work that reads blocks runs at a time. Retention does not wait for it, since the disk may be filling up:
 * a merge whose inputs went meanwhile is thrown away.
 */
import { rm } from 'node:fs/promises'
import type { BlockCatalog, CatalogBlock } from './catalog.ts'
import { isDamage, type MergeInput, type MergeOutcome, type MergeTask } from './merge.ts'
import { type MergeLimits, planMerge } from './plan.ts'
import { expiredBlocks, type Retention, retentionBytesMax } from './retention.ts'
import type { TombstoneLog } from './tombstone-log.ts'
import { mayHide, spentTombstones, type Tombstone } from './tombstones.ts'

export interface MaintenanceOptions {
  catalog: BlockCatalog
  tombstones: TombstoneLog
  /** Does a merge, here or in another thread: see mergeBlocks. */
  merge(task: MergeTask): Promise<MergeOutcome>
  /** See `holdsHidden` of merge.ts. */
  holdsHidden(input: MergeInput, tombstones: readonly Tombstone[]): Promise<boolean>
  /**
   * The catalog's list is another one: shows it to new queries. Resolves when no query is left that saw an older list, nor one
   * can open a block that is only in that.
   */
  publish(): Promise<void>
  /** The oldest generation that is in memory, or in the log and in no block. */
  liveGeneration(): number
  /** Something went wrong that the next try may get over, or that is damage; the maintenance goes on. */
  onTrouble(error: Error): void
}

/** As it is now. */
export interface DiskRoom {
  /** What lies in the data folder beside the blocks and stays: the log, the state. See expiredBlocks. */
  otherBytes: number
  /** Size of the file system, NaN if not known. */
  fileSystemBytes: number
  /** Free on it, NaN if not known. */
  freeBytes: number
}

/** Unless the retention by size asks for less. */
const MERGE_BYTES_MAX = 16 * 2 ** 30
/** Of the bound by size, a block has no more than this share: or so much would go at once. */
const MERGE_SHARE = 1 / 10
/** A merge needs as much room again as its inputs take, until these are gone; so much of the free room may be used. */
const FREE_SHARE = 1 / 2

export class BlockMaintenance {
  private readonly options: MaintenanceOptions
  private line: Promise<unknown> = Promise.resolve()
  /** Blocks that could not be read whole: not tried again before the next start. */
  private readonly damaged = new Set<number>()
  private readonly removals = new Set<Promise<void>>()

  constructor(options: MaintenanceOptions) {
    this.options = options
  }

  /** Does the next merge. Returns whether there was one to do, and it is done. Throws WRITE_FAILED. */
  mergeNext(retention: Retention, disk: DiskRoom): Promise<boolean> {
    return this.inLine(async () => {
      const { catalog, tombstones, liveGeneration } = this.options
      const plan = planMerge(catalog.blocks, {
        retentionMs: retention.timeMs,
        inputBytesMax: mergeBytesMax(retention, disk),
        liveGeneration: Math.min(liveGeneration(), tombstones.boundary),
        excluded: this.damaged,
      } satisfies MergeLimits)
      return plan !== undefined && this.replace(plan.inputs, plan.level)
    })
  }

  /** Drops what is beyond the retention; returns how many blocks by which bound. */
  retain(retention: Retention, disk: DiskRoom): { byTime: number; bySize: number } {
    const bytesMax = retentionBytesMax(retention, disk.fileSystemBytes)
    const { byTime, bySize } = expiredBlocks(
      this.options.catalog.blocks,
      retention.timeMs,
      bytesMax,
      disk.otherBytes,
    )
    this.dropAll([...byTime, ...bySize])
    return { byTime: byTime.length, bySize: bySize.length }
  }

  /**
   * Rewrites all blocks that hold hidden samples, and forgets the tombstones that are spent then. `shouldStop` is asked
   * between blocks. Throws WRITE_FAILED.
   */
  async cleanTombstones(shouldStop: () => boolean = () => false): Promise<void> {
    const ids = this.options.catalog.blocks.map(({ id }) => id)
    for (const id of ids) {
      if (shouldStop()) return
      // Looked up in its turn: a merge may have been faster.
      await this.inLine(async () => {
        const block = this.options.catalog.blocks.find((candidate) => candidate.id === id)
        if (block !== undefined) await this.clean(block)
      })
    }
    await this.forgetSpent()
  }

  /** Forgets tombstones that hide nothing any more. Throws WRITE_FAILED. */
  forgetSpent(): Promise<void> {
    return this.inLine(async () => {
      const { catalog, tombstones, liveGeneration } = this.options
      await tombstones.forget(spentTombstones(tombstones.all, catalog.stored, liveGeneration()))
    })
  }

  /**
   * Resolves when the work that was asked for is done, and the folders that it made superfluous are gone. Requires: no query
   * runs that would keep those for long.
   */
  async settle(): Promise<void> {
    await this.line
    while (this.removals.size > 0) await Promise.all(this.removals)
    await this.line
  }

  private async clean(block: CatalogBlock): Promise<void> {
    const { catalog, tombstones, holdsHidden, liveGeneration } = this.options
    const { highest } = tombstones
    const concerned = tombstones.all.filter((tombstone) => mayHide(tombstone, block))
    if (concerned.length === 0 || this.damaged.has(block.id) || block.finalGeneration >= liveGeneration())
      return
    try {
      if (await holdsHidden(this.inputOf(block), concerned)) await this.replace([block], block.level)
      else catalog.markClean(block.id, highest)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.noteDamage(block.id, error)
    }
  }

  /** Puts one block in the place of these; false when that did not come about. */
  private async replace(blocks: readonly CatalogBlock[], level: number): Promise<boolean> {
    const { catalog } = this.options
    const id = catalog.takeId()
    const target = catalog.temporaryFolder(id)
    try {
      const outcome = await this.merge(blocks, id, target, level)
      if (outcome.kind === 'damaged') this.noteDamage(outcome.id, new Error(outcome.what))
      if (outcome.kind === 'damaged' || outcome.kind === 'stopped') return false
      const listed = new Set(catalog.blocks.map((block) => block.id))
      if (!blocks.every((block) => listed.has(block.id))) {
        await rm(target, { recursive: true, force: true })
        return false
      }
      if (outcome.kind === 'empty') this.dropAll(blocks.map((block) => block.id))
      else this.removeLater(await catalog.commit(outcome.meta))
      return true
    } catch (error) {
      // Whatever became of it, also should its thread have died: it must not take room until the next start.
      await rm(target, { recursive: true, force: true })
      throw error
    }
  }

  private merge(
    blocks: readonly CatalogBlock[],
    id: number,
    target: string,
    level: number,
  ): Promise<MergeOutcome> {
    const { tombstones, merge } = this.options
    return merge({
      inputs: blocks.map((block) => this.inputOf(block)),
      target,
      id,
      level,
      tombstones: tombstones.all,
      highestTombstone: tombstones.highest,
    })
  }

  private inputOf({ id }: CatalogBlock): MergeInput {
    return { id, folder: this.options.catalog.folderOf(id) }
  }

  private dropAll(ids: readonly number[]): void {
    if (ids.length > 0) this.removeLater(this.options.catalog.drop(ids))
  }

  /** A long query may keep blocks for minutes: nobody waits for it. What was deleted in them is forgotten when they are gone. */
  private removeLater(blocks: readonly CatalogBlock[]): void {
    const { catalog, publish, onTrouble } = this.options
    const ids = blocks.map(({ id }) => id)
    const removal = catalog
      .remove(ids, publish())
      .then(() => this.forgetSpent())
      .catch(onTrouble)
      .finally(() => this.removals.delete(removal))
    this.removals.add(removal)
  }

  private noteDamage(id: number, error: Error): void {
    this.damaged.add(id)
    this.options.onTrouble(error)
  }

  private inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.line.then(work)
    // Whoever asked hears of a failure from `done`; the next in line does not care.
    this.line = done.catch(() => undefined)
    return done
  }
}

function mergeBytesMax(retention: Retention, { fileSystemBytes, freeBytes }: DiskRoom): number {
  const bytesMax = retentionBytesMax(retention, fileSystemBytes)
  const share = bytesMax > 0 ? Math.floor(bytesMax * MERGE_SHARE) : MERGE_BYTES_MAX
  const room = Number.isNaN(freeBytes) ? MERGE_BYTES_MAX : freeBytes * FREE_SHARE
  return Math.min(MERGE_BYTES_MAX, share, room)
}
