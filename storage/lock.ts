/**
 * The lock of the data folder: `narthex/lock` names the process that uses it, for people and for the message to a second
 * one. What really keeps two processes apart is the lock that LevelDB holds on the log, which ends with its process; so
 * this one never stands in the way of a start: a file whose process is gone is taken over.
 *
 *   text: pid, start of the process in ticks since the machine started, id of that start of the machine, host name
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StorageError } from './errors.ts'

export interface FolderLock {
  /** Requires: the databases in the folder are closed. */
  release(): void
}

/** Folders that this process has locked. */
const held = new Set<string>()

/** How often a file of a process that is gone is removed before it is given up: several may start at once. */
const TRIES = 10

/** Throws LOCKED when a process that lives has the folder. */
export function lockFolder(folder: string): FolderLock {
  const path = join(folder, 'lock')
  if (held.has(path)) throw inUse(folder, process.pid)
  const text = describe(process.pid)
  for (let tries = 0; !tryCreate(path, text); tries++) {
    const holder = livingHolder(path)
    if (holder !== undefined || tries === TRIES) throw inUse(folder, holder ?? 0)
    rmSync(path, { force: true })
  }
  held.add(path)
  return {
    release: () => {
      held.delete(path)
      if (readText(path) === text) rmSync(path, { force: true })
    },
  }
}

/** The process that has the folder locked, should it live. */
function livingHolder(path: string): number | undefined {
  const text = readText(path)
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

/** False when there is one. */
function tryCreate(path: string, text: string): boolean {
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

function inUse(folder: string, pid: number): StorageError {
  return new StorageError('LOCKED', `${folder} is in use by process ${pid}`)
}
