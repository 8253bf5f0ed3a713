/**
 * Opens the write-ahead log so that nothing of it is lost in silence.
 *
 * Before LevelDB opens the folder, every byte of its files is checked and the files are linked aside. After it, every page
 * is read: checksums fit, numbers have no gaps. When all is well the copy goes. Else LevelDB does not get to see the
 * damage: the copy is kept in quarantine, and what can be read of it is written into a fresh database, which takes the
 * place of the old one.
 *
 *   wal/           the log                           wal-aside/   as it was found, until it is proved
 *   wal-damaged/   the old one being replaced        wal-new/     the fresh one being filled
 *   quarantine/wal-<time>/   what was found damaged
 */
import { existsSync } from 'node:fs'
import { link, mkdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { DamageNote } from '../damage.ts'
import { StorageError } from '../errors.ts'
import {
  checkLevelFolder,
  cloneLevelFolder,
  droppedMessages,
  hasLevelFiles,
  syncFiles,
  syncPath,
} from '../level/folder.ts'
import { Store, writeBufferBytes } from '../store.ts'
import { oldestPage } from './oldest.ts'
import { salvageLog } from './salvage.ts'
import { type LoggedGeneration, surveyLog } from './survey.ts'

export interface OpenedLog {
  store: Store
  /** What is in it, ascending. */
  generations: readonly LoggedGeneration[]
}

const OWN = { createIfMissing: false, isShared: false }

/**
 * Opens `wal/` in `folder`, and makes it when there is none. `now`: Unix ms, for the name in quarantine.
 * `onDamage` hears what was found. Throws LOCKED, NEWER_FORMAT; WRITE_FAILED or an error of the file system when the log
 * is damaged or not there and nothing can be written.
 */
export async function openLog(
  folder: string,
  now: number,
  onDamage: (note: DamageNote) => void,
): Promise<OpenedLog> {
  const path = join(folder, 'wal')
  await failIfInUse(folder)
  await clearLeftovers(folder)
  if (!(await hasLevelFiles(path))) {
    await create(folder, 'wal')
    return { store: await openShared(path), generations: [] }
  }
  const problems = await checkLevelFolder(path)
  await cloneLevelFolder(path, join(folder, 'wal-aside'))
  if (problems.length === 0) {
    const opened = await openProved(path, problems)
    if (opened !== undefined) {
      await discardAside(folder)
      return opened
    }
  }
  return salvage(folder, now, problems, onDamage)
}

/** Opens it to stay open. */
async function openShared(path: string): Promise<Store> {
  const { bsize, blocks } = await statfs(path)
  return Store.open(path, {
    createIfMissing: false,
    isShared: true,
    bufferBytes: writeBufferBytes(bsize * blocks),
  })
}

/** Undefined when something is wrong with it, which is added to `problems`. Throws LOCKED, NEWER_FORMAT. */
async function openProved(path: string, problems: string[]): Promise<OpenedLog | undefined> {
  let store: Store | undefined
  try {
    store = await openShared(path)
    const { generations, gaps, damage } = await surveyLog(store)
    const missing = gaps.map(
      ({ generation, firstPage, finalPage }) =>
        `generation ${generation}: pages ${firstPage} to ${finalPage} are missing`,
    )
    problems.push(...damage, ...missing, ...(await droppedMessages(path)))
    if (problems.length === 0) return { store, generations }
    await store.close()
  } catch (error) {
    await store?.close()
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    problems.push(error.message)
  }
  return undefined
}

/** Makes the log anew of what can be read of the copy aside, which goes to quarantine. */
async function salvage(
  folder: string,
  now: number,
  problems: readonly string[],
  onDamage: (note: DamageNote) => void,
): Promise<OpenedLog> {
  const [path, aside, fresh] = [join(folder, 'wal'), join(folder, 'wal-aside'), join(folder, 'wal-new')]
  const quarantine = quarantineName(folder, now)
  await create(folder, 'wal-new')
  const target = await Store.open(fresh, OWN)
  let missing = 0
  try {
    missing = (await salvageLog(aside, target, quarantine)).length
  } finally {
    await target.close()
  }
  await mkdir(join(folder, 'quarantine'), { recursive: true })
  await syncFiles(aside)
  await syncFiles(fresh)
  // Killed in between, the next start finds the copy aside and begins once more.
  await rename(path, join(folder, 'wal-damaged'))
  await rename(fresh, path)
  await rename(aside, join(folder, quarantine))
  await syncPath(join(folder, 'quarantine'))
  await syncPath(folder)
  await removeFolder(join(folder, 'wal-damaged'))
  const store = await openShared(path)
  const { generations } = await surveyLog(store)
  const left =
    generations.length === 0
      ? 'no page is left of it'
      : missing === 0
        ? 'no gap is left in it'
        : `${missing} gaps are left in it`
  onDamage({
    place: 'wal',
    what: `the write-ahead log was damaged: ${sentence(problems)}; ${left}`,
    quarantine,
  })
  return { store, generations }
}

/** Undoes what a start that was killed had begun. */
async function clearLeftovers(folder: string): Promise<void> {
  const [path, aside, damaged] = [join(folder, 'wal'), join(folder, 'wal-aside'), join(folder, 'wal-damaged')]
  if (existsSync(aside)) {
    // Nothing was written since it was made, and LevelDB may have taken something away.
    await removeFolder(damaged)
    if (existsSync(path)) await rename(path, damaged)
    await rename(aside, path)
  } else if (!existsSync(path) && existsSync(damaged)) {
    await rename(damaged, path)
  }
  for (const name of ['wal-damaged', 'wal-new', 'wal-new.tmp', 'wal.tmp', 'wal-lock', ASIDE_LEAVING]) {
    await removeFolder(join(folder, name))
  }
}

/** What is being made or removed. */
const ASIDE_LEAVING = 'wal-aside.tmp'

/**
 * Removes the copy aside, for good before anything is written: a start that found it would go back to it. A part of it
 * must never look like the whole.
 */
async function discardAside(folder: string): Promise<void> {
  await rename(join(folder, 'wal-aside'), join(folder, ASIDE_LEAVING))
  await syncPath(folder)
  await removeFolder(join(folder, ASIDE_LEAVING))
}

/**
 * Throws LOCKED when another process has the log open. LevelDB says it at opening, but before that the files are
 * looked at: so another, empty database is opened that shares the lock.
 */
async function failIfInUse(folder: string): Promise<void> {
  const [lock, probe] = [join(folder, 'wal', 'LOCK'), join(folder, 'wal-lock')]
  if (!existsSync(lock)) return
  await removeFolder(probe)
  await mkdir(probe)
  try {
    const isLinked = await link(lock, join(probe, 'LOCK')).then(
      () => true,
      () => false,
    )
    // Without links LevelDB tells it when it opens the log.
    if (!isLinked) return
    const store = await Store.open(probe, { createIfMissing: true, isShared: false })
    await store.close()
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    // What else keeps it from being opened is no answer; LevelDB tells it when it opens the log.
    if (error.code === 'LOCKED') {
      throw new StorageError('LOCKED', `${join(folder, 'wal')} is in use by another process`, {
        cause: error,
      })
    }
  } finally {
    await removeFolder(probe)
  }
}

/** Makes an empty database under another name first, so that a folder without its files is damage and not a beginning. */
async function create(folder: string, name: string): Promise<void> {
  const temporary = join(folder, `${name}.tmp`)
  await removeFolder(temporary)
  const store = await Store.open(temporary, { createIfMissing: true, isShared: false })
  try {
    await store.write([oldestPage(0)], true)
  } finally {
    await store.close()
  }
  await removeFolder(join(folder, name))
  await rename(temporary, join(folder, name))
  await syncPath(folder)
}

function quarantineName(folder: string, now: number): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')
  for (let n = 1; ; n++) {
    const name = join('quarantine', n === 1 ? `wal-${time}` : `wal-${time}-${n}`)
    if (!existsSync(join(folder, name))) return name
  }
}

const PROBLEMS_SHOWN = 5

function sentence(problems: readonly string[]): string {
  const rest = problems.length - PROBLEMS_SHOWN
  return problems.slice(0, PROBLEMS_SHOWN).join('; ') + (rest > 0 ? `; and ${rest} more` : '')
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true })
}
