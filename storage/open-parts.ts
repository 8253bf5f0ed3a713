/** Opens what the storage is made of, in the order in which one needs the other. */
import { mkdir } from 'node:fs/promises'
import { BlockCatalog, hasBlocks } from './block/catalog.ts'
import { openState } from './block/open-state.ts'
import { BlockReader } from './block/reader.ts'
import { TombstoneLog } from './block/tombstone-log.ts'
import { noteOfBlock, unreadableNote } from './block-notes.ts'
import { type DamageNote, DamageRegistry } from './damage.ts'
import { DiskGuard, type DiskState } from './disk-guard.ts'
import { type FolderLock, lockFolder } from './lock.ts'
import type { Store } from './store.ts'
import { type OpenedLog, openLog } from './wal/open-log.ts'

/** What is opened before the storage is made. */
export interface OpenedParts {
  log: OpenedLog
  state: Store
  catalog: BlockCatalog
  tombstones: TombstoneLog
  /** Numbers of the generations in the log that are in no block. */
  generations: readonly number[]
  /** Number of the generation that is opened now. */
  firstGeneration: number
  damage: DamageRegistry
  guard: DiskGuard
  lock: FolderLock | undefined
}

export interface OpenOptions {
  /** The folder `narthex/` of the data; made when it is not there. */
  path: string
  /** See DatabaseOptions. */
  hasNoLockFile?: boolean
  onDiskChange?: (state: DiskState) => void
  onTrouble?: (error: Error) => void
  onDamage?: (note: DamageNote) => void
}

/** Opens all, or nothing stays open. Throws LOCKED, CORRUPTION, NEWER_FORMAT. */
export async function openParts(options: OpenOptions): Promise<OpenedParts> {
  const { path } = options
  await mkdir(path, { recursive: true })
  const lock = options.hasNoLockFile ? undefined : lockFolder(path)
  const closers: (() => void | Promise<void>)[] = [() => lock?.release()]
  try {
    const guard = await DiskGuard.open({
      folder: path,
      onChange: options.onDiskChange,
      onError: (error) => options.onTrouble?.(error as Error),
    })
    closers.push(() => guard.close())
    const damage = new DamageRegistry((note) => options.onDamage?.(note))
    const log = await openLog(path, Date.now(), (note) => damage.add(note))
    closers.push(() => log.store.close())
    const hasSamples = log.generations.length > 0 || hasBlocks(path)
    const state = await openState(path, hasSamples, Date.now(), (note) => damage.add(note))
    closers.push(() => state.close())
    const logged = log.generations.map(({ number }) => number)
    return { log, state, damage, guard, lock, ...(await openBlocks(path, logged, state, damage)) }
  } catch (error) {
    for (const close of closers.reverse()) await close()
    throw error
  }
}

/** Opens blocks and tombstones, and tells what of the log is in no block. */
async function openBlocks(
  path: string,
  logged: readonly number[],
  state: Store,
  damage: DamageRegistry,
): Promise<Pick<OpenedParts, 'catalog' | 'tombstones' | 'generations' | 'firstGeneration'>> {
  const catalog = await BlockCatalog.open({
    path,
    readMeta: async (folder) => {
      const block = await BlockReader.open(folder, (note) => damage.add(noteOfBlock(note)))
      await block.close()
      return block.meta
    },
    onQuarantine: (id, folder, cause) =>
      damage.add({ ...unreadableNote(id, cause), quarantine: folder.slice(path.length + 1) }),
  })
  const highestApplied = Math.max(0, ...catalog.blocks.map(({ tombstone }) => tombstone))
  const tombstones = await TombstoneLog.open(state, highestApplied, (error) =>
    damage.add({ place: 'state', what: error.message }),
  )
  const inBlocks = Math.max(0, ...catalog.blocks.map(({ finalGeneration }) => finalGeneration))
  const hidden = Math.max(0, ...tombstones.all.map(({ finalGeneration }) => finalGeneration))
  return {
    catalog,
    tombstones,
    generations: logged.filter((number) => number > inBlocks),
    firstGeneration: Math.max(inBlocks, hidden, ...logged) + 1,
  }
}
