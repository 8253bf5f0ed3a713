/**
 * The files of a LevelDB folder, looked at from outside: LevelDB passes over damage in silence, opens with less than
 * there was, or dies of it (measured). A folder that passes `checkLevelFolder` is opened by it as it was written.
 */
import { constants, existsSync } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ByteReader } from '../codec/byte-reader.ts'
import { StorageError } from '../errors.ts'
import { findLogDamage, logRecords } from './log-file.ts'
import { type LiveFiles, readManifest } from './manifest.ts'
import { findTableDamage, type LevelEntry, tableEntries } from './table-file.ts'

const TABLE = /^\d+\.(ldb|sst)$/
const LOG = /^\d+\.log$/
const MANIFEST = /^MANIFEST-\d+$/
/** Not part of the data: the lock, and LevelDB's messages. */
const NO_DATA = /^(LOCK|LOG|LOG\.old)$/

/** Whether there is a database, be it a damaged one. */
export async function hasLevelFiles(path: string): Promise<boolean> {
  if (!existsSync(path)) return false
  return (await readdir(path)).some((name) => !NO_DATA.test(name))
}

/**
 * What is wrong with the files of a folder that is not open: sentences. Every byte of what is in use is read; files that
 * a killed process left unfinished are not in use.
 */
export async function checkLevelFolder(path: string): Promise<string[]> {
  const names = await readdir(path)
  if (!names.includes('CURRENT')) return ['CURRENT is missing']
  const current = await readFile(join(path, 'CURRENT'), 'latin1')
  const manifest = current.slice(0, -1)
  if (!current.endsWith('\n') || !MANIFEST.test(manifest) || !names.includes(manifest)) {
    return ['CURRENT names no list of tables']
  }
  const bytes = await readFile(join(path, manifest))
  const damagedAt = findLogDamage(bytes)
  if (damagedAt >= 0) return [`${manifest} is damaged at byte ${damagedAt}`]
  try {
    return await checkLiveFiles(path, names, readManifest(bytes))
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return [`${manifest} is damaged: ${error.message}`]
  }
}

async function checkLiveFiles(path: string, names: readonly string[], live: LiveFiles): Promise<string[]> {
  const problems: string[] = []
  const unseen = new Map(live.tables)
  for (const name of names) {
    const number = Number.parseInt(name, 10)
    if (LOG.test(name) && number >= live.logNumber) {
      const damagedAt = findLogDamage(await readFile(join(path, name)))
      if (damagedAt >= 0) problems.push(`${name} is damaged at byte ${damagedAt}`)
    } else if (TABLE.test(name) && unseen.delete(number)) {
      const bytes = await readFile(join(path, name))
      const size = live.tables.get(number)
      const damage =
        bytes.length === size ? findTableDamage(bytes) : `it has ${bytes.length} bytes and not ${size}`
      if (damage !== undefined) problems.push(`${name} is damaged: ${damage}`)
    }
  }
  for (const number of unseen.keys()) problems.push(`table ${number} is missing`)
  return problems
}

/** All entries of tables and logs that can be made out, see `tableEntries`; in no order, old ones and deleted ones too. */
export async function* levelEntries(path: string): AsyncGenerator<LevelEntry> {
  for (const name of await readdir(path)) {
    if (TABLE.test(name)) yield* tableEntries(await readFile(join(path, name)))
    else if (LOG.test(name)) yield* logEntries(await readFile(join(path, name)))
  }
}

/**
 * The same, but only of files that are in use: of others, which LevelDB is about to remove, what was deleted may be back.
 * Where the list of them is damaged, of all.
 */
export async function* liveEntries(path: string): AsyncGenerator<LevelEntry> {
  const live = await readLiveFiles(path)
  for (const name of await readdir(path)) {
    const number = Number.parseInt(name, 10)
    if (TABLE.test(name) && live?.tables.has(number) !== false) {
      yield* tableEntries(await readFile(join(path, name)))
    } else if (LOG.test(name) && !(live !== undefined && number < live.logNumber)) {
      yield* logEntries(await readFile(join(path, name)))
    }
  }
}

/** Undefined when it cannot be read. */
async function readLiveFiles(path: string): Promise<LiveFiles | undefined> {
  try {
    const manifest = (await readFile(join(path, 'CURRENT'), 'latin1')).trimEnd()
    if (!MANIFEST.test(manifest)) return undefined
    return readManifest(await readFile(join(path, manifest)))
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (!isMissing && !(error instanceof StorageError)) throw error
    return undefined
  }
}

/** A record of a log is a batch: u64 sequence, u32 count, then u8 type, varint length, key and for a value the same. */
function* logEntries(bytes: Uint8Array): Generator<LevelEntry> {
  for (const record of logRecords(bytes)) {
    try {
      const reader = new ByteReader(record)
      const header = new DataView(record.buffer, record.byteOffset + reader.skip(12), 12)
      let sequence = header.getUint32(4, true) * 2 ** 32 + header.getUint32(0, true)
      for (; !reader.isAtEnd; sequence++) {
        const isDeleted = reader.u8() === 0
        const key = readSlice(reader)
        const value = isDeleted ? new Uint8Array(0) : readSlice(reader)
        yield { key, value, sequence, isDeleted }
      }
    } catch (error) {
      // A record that is as it was written and yet none of ours; the next one begins by itself.
      if (!(error instanceof StorageError)) throw error
    }
  }
}

function readSlice(reader: ByteReader): Uint8Array {
  const size = reader.varint()
  const start = reader.skip(size)
  return reader.bytes.subarray(start, start + size)
}

/**
 * Makes `to` a copy of the closed database in `from`, whole or not at all. Tables and logs, which LevelDB never
 * changes once they are closed, are hard links; where links cannot be made they are copied, too.
 */
export async function cloneLevelFolder(from: string, to: string): Promise<void> {
  const temporary = `${to}.tmp`
  await rm(temporary, { recursive: true, force: true })
  await rm(to, { recursive: true, force: true })
  await mkdir(temporary)
  for (const name of await readdir(from)) {
    if (NO_DATA.test(name)) continue
    const [source, target] = [join(from, name), join(temporary, name)]
    if (TABLE.test(name) || LOG.test(name)) {
      // Not every file system has links.
      const isLinked = await link(source, target).then(
        () => true,
        () => false,
      )
      if (isLinked) continue
    }
    await copyFile(source, target, constants.COPYFILE_FICLONE)
  }
  await rename(temporary, to)
}

/** Makes the files of a folder, and their names, survive a power cut. */
export async function syncFiles(path: string): Promise<void> {
  for (const name of await readdir(path)) await syncPath(join(path, name))
  await syncPath(path)
}

/** Syncs a file; or of a folder the names in it. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What LevelDB wrote into its messages of damage it passed over since it was opened last. */
export async function droppedMessages(path: string): Promise<string[]> {
  const messages = await readFile(join(path, 'LOG'), 'latin1').catch(() => '')
  return messages
    .split('\n')
    .filter((line) => /dropping|corrupt/i.test(line))
    .map((line) => `LevelDB says: ${line.replace(/^\S+ \S+ /, '')}`)
}
