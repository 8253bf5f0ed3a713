/**
 * Opens the database `state/` so that nothing of it is lost in silence, nor brought to LevelDB damaged.
 *
 * Every byte of its files is checked first. Where one is wrong, the folder is kept in quarantine, and the tombstones that can
 * be made out, each of which proves itself by its checksum, are written into a fresh database, which takes its place. One
 * that was forgotten may be among them: it hides nothing any more.
 *
 * A folder that is not there although there are samples was lost with all its tombstones, which is told, too.
 *
 *   state-damaged/   the old one being replaced       state-new/   the fresh one being filled
 */
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DamageNote } from '../damage.ts'
import { StorageError } from '../errors.ts'
import {
  checkLevelFolder,
  cloneLevelFolder,
  droppedMessages,
  hasLevelFiles,
  levelEntries,
  syncFiles,
  syncPath,
} from '../level/folder.ts'
import { type Page, Store } from '../store.ts'
import { parseTombstones, writeTombstones } from './tombstone-log.ts'

const OPTIONS = { createIfMissing: false, isShared: false }
const LOST =
  'the tombstones are gone, since there are samples and no state/; what was deleted and not rewritten yet is shown again'

/**
 * Opens `state/` in `folder`, and makes it when there is none. `hasSamples`: there is a log or a block, so there has to be
 * one. `now`: Unix ms, for the name in quarantine. `onDamage` hears what was found. Throws LOCKED, NEWER_FORMAT;
 * WRITE_FAILED or an error of the file system when it is damaged and nothing can be written.
 */
export async function openState(
  folder: string,
  hasSamples: boolean,
  now: number,
  onDamage: (note: DamageNote) => void,
): Promise<Store> {
  const [path, old] = [join(folder, 'state'), join(folder, 'state-damaged')]
  // Killed between the two renames.
  if (!existsSync(path) && existsSync(old)) await rename(old, path)
  for (const name of ['state-damaged', 'state-new']) {
    await rm(join(folder, name), { recursive: true, force: true })
  }
  if (!(await hasLevelFiles(path))) {
    if (hasSamples) onDamage({ place: 'state', what: LOST })
    await create(folder)
    return Store.open(path, OPTIONS)
  }
  const problems = await checkLevelFolder(path)
  if (problems.length === 0) {
    const store = await openWhole(path, problems)
    if (store !== undefined) return store
  }
  const quarantine = await salvage(folder, now)
  onDamage({ place: 'state', what: `the tombstones were damaged: ${problems.join('; ')}`, quarantine })
  return Store.open(path, OPTIONS)
}

/** Undefined when LevelDB finds something wrong with it, which is added to `problems`. */
async function openWhole(path: string, problems: string[]): Promise<Store | undefined> {
  try {
    const store = await Store.open(path, OPTIONS)
    problems.push(...(await droppedMessages(path)))
    if (problems.length === 0) return store
    await store.close()
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    problems.push(error.message)
  }
  return undefined
}

/** Makes an empty database under another name first, and for good: a folder that is not there was lost, not never made. */
async function create(folder: string): Promise<void> {
  const [path, fresh] = [join(folder, 'state'), join(folder, 'state-new')]
  await writeTombstones(fresh, [])
  await syncFiles(fresh)
  await rm(path, { recursive: true, force: true })
  await rename(fresh, path)
  await syncPath(folder)
}

/** Makes the database anew of what can be read of it; returns where the old one is kept. */
async function salvage(folder: string, now: number): Promise<string> {
  const [path, fresh] = [join(folder, 'state'), join(folder, 'state-new')]
  const quarantine = quarantineName(folder, now)
  await mkdir(join(folder, 'quarantine'), { recursive: true })
  await cloneLevelFolder(path, join(folder, quarantine))
  await syncFiles(join(folder, quarantine))
  const pages: Page[] = []
  for await (const entry of levelEntries(path)) if (!entry.isDeleted) pages.push(entry)
  // What is damaged is told as a whole.
  await writeTombstones(
    fresh,
    parseTombstones(pages, path, () => {}),
  )
  await syncFiles(fresh)
  await rename(path, join(folder, 'state-damaged'))
  await rename(fresh, path)
  await syncPath(folder)
  await rm(join(folder, 'state-damaged'), { recursive: true })
  return quarantine
}

function quarantineName(folder: string, now: number): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  for (let n = 1; ; n++) {
    const name = join('quarantine', n === 1 ? `state-${time}` : `state-${time}-${n}`)
    if (!existsSync(join(folder, name))) return name
  }
}
