/**
 * The folder of blocks: which there are, how one takes its place, and how one goes.
 *
 *   <path>/blocks/<id>       a block; its id in 8 hexadecimal digits
 *   <path>/blocks/<id>.tmp   being written, or being removed: counts for nothing, and is removed at the next start
 *   <path>/blocks/<id>.group/<id>   blocks that were committed together, on their way to their places
 *   <path>/quarantine/<id>   blocks that could not be opened; nobody removes them
 *
 * The rename from `<id>.tmp` is the commit of a block. Several blocks of one generation are written into one `<id>.tmp`, and
 * its rename to `<id>.group` is the commit of them all: the next start moves out what is still in there. At a start a block
 * that another one names as its source is replaced by that one, and removed. Ids ascend. An id is above all that are there
 * in whatever state, and above all that are named as sources: or a new block would be taken for one that is replaced.
 *
 * One object a data folder, in one thread.
 */
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import { compareArrival } from './arrival.ts'
import { BlockIds } from './block-ids.ts'
import { diskBytes } from './disk-size.ts'
import type { BlockMeta } from './format.ts'

/** What the block says of itself, and its size. */
export interface CatalogBlock extends Readonly<BlockMeta> {
  /** What `du` shows of its folder. */
  readonly bytes: number
}

export interface CatalogOptions {
  /** The folder `narthex/` of the data. */
  path: string
  /** Reads a block's meta page. Throws CORRUPTION, NEWER_FORMAT. */
  readMeta(folder: string): Promise<BlockMeta>
  /** A block that cannot be opened was set aside. */
  onQuarantine(id: number, folder: string, cause: Error): void
}

/** Blocks that are not removed before it is released, even when they are replaced meanwhile. */
export interface CatalogHold {
  readonly blocks: readonly CatalogBlock[]
  release(): void
}

const BLOCK_NAME = /^[0-9a-f]{8}$/
const TEMPORARY_NAME = /^[0-9a-f]{8}\.tmp$/
const GROUP_NAME = /^[0-9a-f]{8}\.group$/
/** Others set their own things aside there. */
const QUARANTINE_NAME = /^[0-9a-f]{8}(-\d+)?$/

/** The name of a block's folder. */
export function blockName(id: number): string {
  return id.toString(16).padStart(8, '0')
}

/** Whether there are blocks in the folder `narthex/` of the data. */
export function hasBlocks(path: string): boolean {
  const blocksPath = join(path, 'blocks')
  return (
    existsSync(blocksPath) &&
    readdirSync(blocksPath).some((name) => BLOCK_NAME.test(name) || GROUP_NAME.test(name))
  )
}

export class BlockCatalog {
  readonly ids = new BlockIds()
  private readonly options: CatalogOptions
  private readonly blocksPath: string
  private readonly quarantinePath: string
  /** In the order of arrival; another list after each change. */
  private listed: readonly CatalogBlock[] = []
  /** Replaced or dropped, but their folders are there still. */
  private readonly leaving = new Map<number, CatalogBlock>()
  private holds = 0
  private readonly waiting: (() => void)[] = []

  private constructor(options: CatalogOptions) {
    this.options = options
    this.blocksPath = join(options.path, 'blocks')
    this.quarantinePath = join(options.path, 'quarantine')
  }

  /** Clears up what the last run left, and reads all blocks. Throws NEWER_FORMAT, and what the file system throws. */
  static async open(options: CatalogOptions): Promise<BlockCatalog> {
    const catalog = new BlockCatalog(options)
    await mkdir(catalog.blocksPath, { recursive: true })
    await catalog.read()
    return catalog
  }

  /** In the order of arrival (compareArrival). The list itself does not change. */
  get blocks(): readonly CatalogBlock[] {
    return this.listed
  }

  /**
   * All whose folders are there: also those that are replaced or dropped, and would be back after a crash. Tombstones are
   * forgotten by this list.
   */
  get stored(): readonly CatalogBlock[] {
    return [...this.listed, ...this.leaving.values()]
  }

  /** For a new block. Not given again, whatever becomes of it. */
  takeId(): number {
    return this.ids.take()
  }

  folderOf(id: number): string {
    return join(this.blocksPath, blockName(id))
  }

  /** Where a block is written, or the blocks of a generation. */
  temporaryFolder(id: number): string {
    return `${this.folderOf(id)}.tmp`
  }

  /**
   * Gives a block that lies finished and synced in its temporary folder its place, and takes its sources out of the list.
   * Returns those; they are to be given to `remove`. When it rejects, nothing has changed. Throws WRITE_FAILED.
   */
  async commit(meta: BlockMeta): Promise<CatalogBlock[]> {
    const temporary = this.temporaryFolder(meta.id)
    const block = { ...meta, bytes: await diskBytes(temporary) }
    try {
      await rename(temporary, this.folderOf(meta.id))
      await this.syncOrTakeBack(meta.id)
    } catch (error) {
      throw writeFailed(`cannot commit block ${blockName(meta.id)}`, error)
    }
    const replaced = this.drop(meta.sources)
    this.listed = [...this.listed, block].sort(compareArrival)
    return replaced
  }

  /**
   * Gives blocks of one generation their places, which lie finished and synced in the temporary folder of this id, each in a
   * folder by its name, and are all that is in there. After a crash all of them count or none. When it rejects, nothing has
   * changed. Requires: at least one. Throws WRITE_FAILED.
   */
  async commitGroup(id: number, metas: readonly BlockMeta[]): Promise<void> {
    const temporary = this.temporaryFolder(id)
    const blocks: CatalogBlock[] = []
    for (const meta of metas)
      blocks.push({ ...meta, bytes: await diskBytes(join(temporary, blockName(meta.id))) })
    const names = metas.map((meta) => blockName(meta.id))
    // One alone is committed by its own rename.
    const group = metas.length === 1 ? temporary : `${this.folderOf(id)}.group`
    const moved: string[] = []
    try {
      if (group !== temporary) {
        await rename(temporary, group)
        await syncFolder(this.blocksPath)
      }
      for (const name of names) {
        await rename(join(group, name), join(this.blocksPath, name))
        moved.push(name)
      }
      await syncFolder(this.blocksPath)
      await rmdir(group)
    } catch (error) {
      await this.moveBack(group, moved, temporary)
      throw writeFailed(`cannot commit blocks ${names.join(', ')}`, error)
    }
    this.listed = [...this.listed, ...blocks].sort(compareArrival)
  }

  /** Takes blocks out of the list; returns those that were in it, which are to be given to `remove`. */
  drop(ids: readonly number[]): CatalogBlock[] {
    const dropped = this.listed.filter(({ id }) => ids.includes(id))
    for (const block of dropped) this.leaving.set(block.id, block)
    this.listed = this.listed.filter((block) => !dropped.includes(block))
    return dropped
  }

  /**
   * Removes the folders of blocks that are out of the list, after `released`, which settles when no query can open them any
   * more, and when nobody holds them. What fails of it is left for the next start. Throws WRITE_FAILED.
   */
  async remove(ids: readonly number[], released: Promise<unknown>): Promise<void> {
    await released
    while (this.holds > 0) await new Promise<void>((resolve) => this.waiting.push(resolve))
    for (const id of ids) {
      if (!this.leaving.has(id)) continue
      await this.removeFolder(id)
      this.leaving.delete(id)
    }
  }

  /** As they are now: for whoever reads their files, such as a snapshot. */
  hold(): CatalogHold {
    this.holds++
    let isHeld = true
    return {
      blocks: this.listed,
      release: () => {
        if (!isHeld) return
        isHeld = false
        if (--this.holds === 0) for (const resolve of this.waiting.splice(0)) resolve()
      },
    }
  }

  /** Notes that tombstones up to this number hide nothing in the block, so that they need not be applied to it. */
  markClean(id: number, tombstone: number): void {
    this.listed = this.listed.map((block) =>
      block.id === id && block.tombstone < tombstone ? { ...block, tombstone } : block,
    )
  }

  /** Sets a block aside that cannot be read. Throws WRITE_FAILED. */
  async quarantine(id: number, cause: Error): Promise<void> {
    let target: string
    try {
      await mkdir(this.quarantinePath, { recursive: true })
      const names = await readdir(this.quarantinePath)
      let name = blockName(id)
      for (let n = 2; names.includes(name); n++) name = `${blockName(id)}-${n}`
      target = join(this.quarantinePath, name)
      await rename(this.folderOf(id), target)
      await syncFolder(this.quarantinePath)
      await syncFolder(this.blocksPath)
    } catch (error) {
      throw writeFailed(`cannot set block ${blockName(id)} aside`, error)
    }
    this.listed = this.listed.filter((block) => block.id !== id)
    this.options.onQuarantine(id, target, cause)
  }

  private async read(): Promise<void> {
    for (const name of await readdir(this.blocksPath)) {
      if (GROUP_NAME.test(name)) await this.finishGroup(join(this.blocksPath, name))
    }
    const ids: number[] = []
    for (const name of await readdir(this.blocksPath)) {
      if (BLOCK_NAME.test(name)) ids.push(Number.parseInt(name, 16))
      else if (TEMPORARY_NAME.test(name))
        await rm(join(this.blocksPath, name), { recursive: true, force: true })
    }
    this.note(ids)
    this.note(await this.quarantinedIds())
    const metas: BlockMeta[] = []
    for (const id of ids) {
      const meta = await this.readBlock(id)
      if (meta !== undefined) metas.push(meta)
    }
    const replaced = new Set(metas.flatMap(({ sources }) => sources))
    this.note(replaced)
    const blocks: CatalogBlock[] = []
    for (const meta of metas) {
      if (replaced.has(meta.id)) await this.removeFolder(meta.id)
      else blocks.push({ ...meta, bytes: await diskBytes(this.folderOf(meta.id)) })
    }
    this.listed = blocks.sort(compareArrival)
  }

  /** Undefined when it was set aside. */
  private async readBlock(id: number): Promise<BlockMeta | undefined> {
    try {
      const meta = await this.options.readMeta(this.folderOf(id))
      if (meta.id === id) return meta
      throw new StorageError('CORRUPTION', `${this.folderOf(id)} says that it is block ${blockName(meta.id)}`)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
      await this.quarantine(id, error)
      return undefined
    }
  }

  private async quarantinedIds(): Promise<number[]> {
    try {
      const names = await readdir(this.quarantinePath)
      return names
        .filter((name) => QUARANTINE_NAME.test(name))
        .map((name) => Number.parseInt(name.slice(0, 8), 16))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  private note(ids: Iterable<number>): void {
    for (const id of ids) this.ids.note(id)
  }

  /** A group that was committed, and then came a crash. */
  private async finishGroup(group: string): Promise<void> {
    for (const name of await readdir(group)) await rename(join(group, name), join(this.blocksPath, name))
    await syncFolder(this.blocksPath)
    await rmdir(group)
  }

  /** Undoes what was done of a commit. The group counts as long as it has its name, so that goes last. */
  private async moveBack(group: string, moved: readonly string[], temporary: string): Promise<void> {
    if (!existsSync(group)) return
    for (const name of moved) await rename(join(this.blocksPath, name), join(group, name))
    if (group !== temporary) await rename(group, temporary)
  }

  private async syncOrTakeBack(id: number): Promise<void> {
    try {
      await syncFolder(this.blocksPath)
    } catch (error) {
      await rename(this.folderOf(id), this.temporaryFolder(id))
      throw error
    }
  }

  /** By way of a name that counts for nothing, or a crash would leave half a block. */
  private async removeFolder(id: number): Promise<void> {
    try {
      await rename(this.folderOf(id), this.temporaryFolder(id))
      await syncFolder(this.blocksPath)
      await rm(this.temporaryFolder(id), { recursive: true })
    } catch (error) {
      throw writeFailed(`cannot remove block ${blockName(id)}`, error)
    }
  }
}

/** So that what was renamed in it stays so after a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function writeFailed(what: string, error: unknown): StorageError {
  return new StorageError('WRITE_FAILED', `${what}: ${(error as Error).message}`, { cause: error })
}
