/**
 * The lock of the data folder: `narthex/lock` names the process that uses it, for people and for the message to a second
 * one. What really keeps two processes apart is the lock that LevelDB holds on the log, which ends with its process; so
 * this one never stands in the way of a start: a file whose process is gone is taken over.
 *
 *   lock                the text below
 *   lock.<pid>-<start>  while a start writes it or takes one away
 *
 *   text: pid, start of the process in ticks since the machine started, id of that start of the machine, host name
 */
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StorageError } from './errors.ts'

export interface FolderLock {
  /** Requires: the databases in the folder are closed. */
  release(): void
}

/** Codes of a file system that knows no links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'])

/** Folders that this process has locked. */
const held = new Set<string>()

/** How often a file of a process that is gone is removed before it is given up: several may start at once. */
const TRIES = 10

/** Throws LOCKED when a process that lives has the folder. */
export function lockFolder(folder: string): FolderLock {
  const path = join(folder, 'lock')
  if (held.has(path)) throw inUse(folder, `process ${process.pid}`)
  const text = describe(process.pid)
  // Nobody else's: two processes with one id, in two containers, did not start in the same tick of one machine.
  const own = `${path}.${text.split(' ').slice(0, 2).join('-')}`
  try {
    for (let tries = 0; !tryCreate(path, own, text); tries++) {
      const found = readText(path)
      const holder = livingHolder(found)
      if (holder !== undefined) throw inUse(folder, `process ${holder}`)
      if (tries === TRIES) throw inUse(folder, 'another process')
      takeAway(path, own, found)
    }
  } finally {
    rmSync(own, { force: true })
  }
  held.add(path)
  return {
    release: () => {
      held.delete(path)
      if (readText(path) === text) rmSync(path, { force: true })
    },
  }
}

/** The process that a lock file names, should it live. */
function livingHolder(text: string): number | undefined {
  const pid = Number(text.split(' ')[0])
  // Our own id is that of an earlier process: in a container it is always the same.
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid || !isAlive(pid)) return undefined
  // An id is given again; a process that started at another time is another one.
  return describe(pid) === text ? pid : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function describe(pid: number): string {
  // The name of the program, in parentheses, may hold spaces.
  const started = readText(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[19] ?? '0'
  const boot = readText('/proc/sys/kernel/random/boot_id').trim()
  return `${pid} ${started} ${boot} ${hostname()}\n`
}

/** Empty when there is no such file, as where there is no /proc. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** False when there is one. The file has its text from the first moment on: it is written under the name `own`. */
function tryCreate(path: string, own: string, text: string): boolean {
  try {
    writeFileSync(own, text)
    linkSync(own, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code === 'ENOSPC' || NO_LINKS.has(code ?? '')) return tryCreateAtPlace(path, text)
    throw error
  }
}

/** Where the file system knows no links, or is full. */
function tryCreateAtPlace(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // A full disk is no reason not to start: the file is there, if without a name in it.
    if (code === 'ENOSPC' && existsSync(path)) return true
    throw error
  }
}

/** Removes the file if it still has this text: another process may have put its own there. */
function takeAway(path: string, own: string, text: string): void {
  try {
    renameSync(path, own)
    if (readText(own) !== text) putBack(path, own)
  } catch (error) {
    // When it is gone already the next try tells who was faster.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  } finally {
    // Maybe a second name of a file that is another one's: never to be written to.
    rmSync(own, { force: true })
  }
}

function putBack(path: string, own: string): void {
  try {
    linkSync(own, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (NO_LINKS.has(code ?? '')) renameSync(own, path)
    else if (code !== 'EEXIST') throw error
  }
}

function inUse(folder: string, who: string): StorageError {
  return new StorageError('LOCKED', `${folder} is in use by ${who}`)
}
