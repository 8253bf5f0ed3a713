/**
 * Process of flip.test.ts: flips the bytes that it is told, one after the other, each in a fresh copy of a small store,
 * and puts the store through its days with it. A process of its own, since LevelDB aborts over some damage.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DamageNote } from '../../storage/damage.ts'
import { Database } from '../../storage/db.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { labelsOf } from '../conformance/storage.suite.ts'
import { type Contents, contentsOf } from '../harness/arrivals.ts'

export interface Flip {
  /** Relative to the folder of the data. */
  file: string
  /** The byte, and what it is xored with. */
  at: number
  mask: number
}

export interface FlipResult {
  flip: Flip
  /** What it answered at the start, after upkeep, and after another start; as entries, for the way between processes. */
  readings: [series: string, samples: [t: number, text: string][]][][]
  notes: DamageNote[]
  /** Of a query for all, after the start. */
  warnings: string[]
  /** Upkeep and writes that failed. */
  troubles: string[]
  /** What went wrong altogether. */
  error: string | undefined
}

/** What is appended in the course, at the next times behind all that is there. */
export const APPENDED_SERIES = 'fresh a=1'

export async function openStore(
  path: string,
  onDamage: (note: DamageNote) => void,
  onTrouble: (error: Error) => void,
): Promise<Database> {
  const limits = { headBytesMax: 16 * 2 ** 20 }
  const db = await Database.open({ path, turnMs: 0, hasNoLockFile: true, limits, onDamage, onTrouble })
  try {
    await db.ready()
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

/** All files of a folder by their relative names. */
export async function readFiles(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length + 1), await readFile(path))
  }
  return files
}

async function append(db: Database, t: number): Promise<void> {
  const appender = db.appender()
  const outcome = appender.append(appender.register(labelsOf(APPENDED_SERIES)), t, t, KIND_FLOAT)
  const { appended } = await appender.commit()
  if (outcome !== 0 || appended !== 1) throw new Error(`an append was answered with ${outcome}`)
}

function entriesOf(contents: Contents): FlipResult['readings'][number] {
  return [...contents].map(([series, samples]) => [series, [...samples]])
}

async function tryFlip(
  files: Map<string, Buffer>,
  folder: string,
  newestT: number,
  flip: Flip,
): Promise<FlipResult> {
  const result: FlipResult = { flip, readings: [], notes: [], warnings: [], troubles: [], error: undefined }
  const read = async (db: Database): Promise<void> => {
    result.readings.push(entriesOf(await contentsOf(db, [])))
    const querier = db.querier(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    await querier.select([], { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false })
    await querier.labelNames([])
    await querier.labelValues('a', [])
    result.warnings.push(...querier.warnings())
    querier.close()
  }
  const open = (): Promise<Database> =>
    openStore(
      folder,
      (note) => result.notes.push(note),
      (error) => result.troubles.push(String(error)),
    )
  await rm(folder, { recursive: true, force: true })
  for (const [name, bytes] of files) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    const spoilt = Buffer.from(bytes)
    if (name === flip.file) spoilt[flip.at] ^= flip.mask
    await writeFile(path, spoilt)
  }
  let db: Database | undefined
  try {
    db = await open()
    await read(db)
    await append(db, newestT + 1)
    db.cut()
    await db.settle()
    await append(db, newestT + 2)
    await db.cleanTombstones()
    await read(db)
    await db.close()
    db = await open()
    await append(db, newestT + 3)
    await read(db)
  } catch (error) {
    result.error = (error as Error).stack ?? String(error)
  }
  await db?.close()
  return result
}

if (import.meta.main) {
  process.on('message', async (task: { base: string; folder: string; newestT: number; flips: Flip[] }) => {
    const files = await readFiles(task.base)
    for (const flip of task.flips) {
      process.send!({ begun: flip })
      process.send!(await tryFlip(files, task.folder, task.newestT, flip))
    }
    process.exit(0)
  })
}
