/**
 * The blocks that one thread has open. A block is opened at its first use, and closed when it is listed no more and no
 * querier holds it.
 */
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import { blockName } from './catalog.ts'
import type { DamageNote } from './format.ts'
import { PageCache } from './page-cache.ts'
import { BlockReader } from './reader.ts'

export interface ShelfOptions {
  /** Folder of all that is ours. */
  path: string
  cacheBytesMax: number
  /** A part of a block cannot be read; it is told once. */
  onDamage: (note: DamageNote) => void
  /** A block cannot be opened at all. */
  onUnreadable: (id: number, error: unknown) => void
}

interface Shelved {
  holds: number
  opening: Promise<BlockReader | undefined> | undefined
}

export class BlockShelf {
  private readonly options: ShelfOptions
  private readonly cache: PageCache
  private readonly shelved = new Map<number, Shelved>()
  private listed: ReadonlySet<number> = new Set()
  private closing: Promise<unknown> = Promise.resolve()

  constructor(options: ShelfOptions) {
    this.options = options
    this.cache = new PageCache(options.cacheBytesMax)
  }

  /** Keeps these blocks, which are all that are listed now, from being closed until the answer is called. */
  hold(ids: readonly number[]): () => void {
    this.listed = new Set(ids)
    for (const id of ids) {
      const shelved = this.shelved.get(id)
      if (shelved === undefined) this.shelved.set(id, { holds: 1, opening: undefined })
      else shelved.holds++
    }
    this.closeUnlisted()
    return () => {
      for (const id of ids) this.shelved.get(id)!.holds--
      this.closeUnlisted()
    }
  }

  /** An open block, undefined when it cannot be read. Requires: a hold on it. */
  block(id: number): Promise<BlockReader | undefined> {
    const shelved = this.shelved.get(id)!
    shelved.opening ??= this.open(id)
    return shelved.opening
  }

  /** Closes all. Requires: nothing is held. */
  async close(): Promise<void> {
    this.listed = new Set()
    this.closeUnlisted()
    await this.closing
  }

  private async open(id: number): Promise<BlockReader | undefined> {
    const { path, onDamage, onUnreadable } = this.options
    try {
      return await BlockReader.open(join(path, 'blocks', blockName(id)), onDamage, this.cache)
    } catch (error) {
      onUnreadable(id, error)
      // Too many open files, say: the next query tries again. A damaged block stays damaged.
      const shelved = this.shelved.get(id)
      if (shelved !== undefined && !(error instanceof StorageError)) shelved.opening = undefined
      return undefined
    }
  }

  private closeUnlisted(): void {
    for (const [id, { holds, opening }] of this.shelved) {
      if (holds > 0 || this.listed.has(id)) continue
      this.shelved.delete(id)
      if (opening === undefined) continue
      this.closing = Promise.all([this.closing, opening.then((block) => block?.close())])
    }
  }
}
