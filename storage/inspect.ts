/**
 * Looks into a data folder from outside, without LevelDB on any of its files and without changing one: also while a server
 * runs on it. What changes under the reading is read once more.
 */
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BlockPages } from './block/block-pages.ts'
import { diskBytes } from './block/disk-size.ts'
import type { BlockMeta, DamageNote } from './block/format.ts'
import type { PageDirectory } from './block/meta-page.ts'
import { PageCache } from './block/page-cache.ts'
import { parseTombstones } from './block/tombstone-log.ts'
import type { Tombstone } from './block/tombstones.ts'
import { StorageError } from './errors.ts'
import { checkLevelFolder, hasLevelFiles, liveEntries } from './level/folder.ts'
import { Labels } from './model/labels.ts'
import { GenerationReader, type LogDamage } from './wal/generation-reader.ts'
import { isOldestKey, readOldest } from './wal/oldest.ts'
import { parsePageKey } from './wal/record.ts'
import type { LoggedSamples } from './wal/samples-reader.ts'
import { type Gap, Survey } from './wal/survey.ts'

/** How often a reading is tried again that files were removed under. */
const TRIES = 5
const CACHE_BYTES = 32 * 2 ** 20
/** First bytes of keys. */
const LOG_PAGE_TAG = 0x72 // 'r'

export interface FoundBlock {
  id: number
  folder: string
  /** What `du` shows. */
  bytes: number
  /** Undefined when the block cannot be opened. */
  pages: BlockPages | undefined
  fault: string | undefined
}

/** Blocks whose folders are there, by their ids; all are open, and are to be closed. `onDamage` hears of damaged pages. */
export async function openBlocks(path: string, onDamage: (note: DamageNote) => void): Promise<FoundBlock[]> {
  const cache = new PageCache(CACHE_BYTES)
  const blocks: FoundBlock[] = []
  for (const { id, folder } of await blockFolders(path)) {
    const found = { id, folder, bytes: await diskBytes(folder) }
    try {
      const pages = await BlockPages.open(folder, onDamage, cache)
      blocks.push({ ...found, pages, fault: undefined })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // One that a running server removed meanwhile is none.
      if (existsSync(folder)) blocks.push({ ...found, pages: undefined, fault: error.message })
    }
  }
  return blocks
}

/** Also those of a group that a crash left on its way. */
async function blockFolders(path: string): Promise<{ id: number; folder: string }[]> {
  const parent = join(path, 'blocks')
  const folders: { id: number; folder: string }[] = []
  for (const name of await namesIn(parent)) {
    const places = name.endsWith('.group')
      ? (await namesIn(join(parent, name))).map((inner) => join(name, inner))
      : [name]
    for (const place of places) {
      const id = /^(?:[0-9a-f]{8}\.group\/)?([0-9a-f]{8})$/.exec(place)?.[1]
      if (id !== undefined) folders.push({ id: Number.parseInt(id, 16), folder: join(parent, place) })
    }
  }
  return folders.sort((a, b) => a.id - b.id)
}

/** Which of the blocks are replaced by another one, and only wait to be removed. */
export function replacedIds(metas: readonly BlockMeta[]): Set<number> {
  return new Set(metas.flatMap(({ sources }) => sources))
}

/** Calls `visit` for each series of a block, with its ref; those of damaged pages are left out. */
export function forEachSeries(pages: BlockPages, visit: (labels: Labels, ref: number) => void): void {
  const directory: PageDirectory = pages.directory
  for (let number = 0; number < directory.series.length; number++) {
    const page = pages.seriesPage(number)
    if (page === undefined) continue
    for (let i = 0; i < page.count; i++) visit(page.labels.labelsOf(i), page.firstRef + i)
  }
}

export interface LogGeneration {
  number: number
  pages: number
  bytes: number
  series: number
  samples: number
  /** Of all kinds; NaN when there is none. */
  mint: number
  maxt: number
  damage: readonly LogDamage[]
}

export interface LogContents {
  generations: LogGeneration[]
  /** The oldest generation that has pages; 0 when none was deleted so far, undefined when it is not recorded. */
  oldest: number | undefined
  gaps: readonly Gap[]
  /** Sentences: of pages, and of LevelDB's files. */
  damage: readonly string[]
}

export interface LogVisitor {
  series(generation: number, index: number, labels: Labels): void
  samples(generation: number, samples: LoggedSamples): void
}

interface LogPage {
  key: Uint8Array
  value: Uint8Array
}

/** Reads the whole log into memory, and shows what is in it. Undefined when there is none. Throws NEWER_FORMAT. */
export async function readLog(path: string, visitor?: LogVisitor): Promise<LogContents | undefined> {
  const folder = join(path, 'wal')
  if (!(await hasLevelFiles(folder))) return undefined
  const all = await stable(() => livePages(folder))
  const pages = all.filter(({ key }) => isOldestKey(key) || isPageKey(key))
  const problems = await stable(() => checkLevelFolder(folder))
  const survey = new Survey()
  let oldest: number | undefined
  for (const page of pages) {
    survey.add(page)
    if (isOldestKey(page.key)) oldest = oldestOf(page)
  }
  survey.end()
  const counts = new Map(survey.generations.map(({ number, pageCount }) => [number, pageCount]))
  const generations: LogGeneration[] = []
  let reading: GenerationReading | undefined
  for (const page of pages.filter(({ key }) => isPageKey(key))) {
    const { generation } = parsePageKey(page.key)
    if (reading === undefined || reading.number !== generation) {
      if (reading !== undefined) generations.push(reading.result(counts.get(reading.number) ?? 0))
      reading = new GenerationReading(generation, visitor)
    }
    reading.read(page)
  }
  if (reading !== undefined) generations.push(reading.result(counts.get(reading.number) ?? 0))
  return { generations, oldest, gaps: survey.gaps, damage: [...problems, ...survey.damage] }
}

function isPageKey(key: Uint8Array): boolean {
  return key.length === 9 && key[0] === LOG_PAGE_TAG
}

function oldestOf(page: LogPage): number | undefined {
  try {
    return readOldest(page)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'CORRUPTION') return undefined
    throw error
  }
}

/** What a database has under each key now, in the order of keys. */
async function livePages(folder: string): Promise<LogPage[]> {
  const newest = new Map<string, LogPage & { sequence: number; isDeleted: boolean }>()
  for await (const entry of liveEntries(folder)) {
    const name = Buffer.from(entry.key).toString('latin1')
    const known = newest.get(name)
    if (known === undefined || known.sequence < entry.sequence) newest.set(name, entry)
  }
  return [...newest.values()]
    .filter(({ isDeleted }) => !isDeleted)
    .sort((a, b) => Buffer.compare(a.key, b.key))
}

class GenerationReading {
  readonly number: number
  private readonly reader: GenerationReader
  private pages = 0
  private bytes = 0
  private series = 0
  private samples = 0
  private mint = Number.POSITIVE_INFINITY
  private maxt = Number.NEGATIVE_INFINITY

  constructor(number: number, visitor: LogVisitor | undefined) {
    this.number = number
    this.reader = new GenerationReader(number, {
      series: (index, bytes, start, end) => {
        this.series++
        visitor?.series(number, index, labelsOf(bytes, start, end))
      },
      samples: (samples) => {
        this.samples += samples.length
        for (let i = 0; i < samples.length; i++) {
          this.mint = Math.min(this.mint, samples.t[i])
          this.maxt = Math.max(this.maxt, samples.t[i])
        }
        visitor?.samples(number, samples)
      },
    })
  }

  read(page: LogPage): void {
    this.pages++
    this.bytes += page.value.length
    this.reader.read(page)
  }

  result(pageCount: number): LogGeneration {
    const { number, pages, bytes, series, samples, mint, maxt, reader } = this
    reader.end(pageCount)
    const hasNone = samples === 0
    return {
      number,
      pages,
      bytes,
      series,
      samples,
      mint: hasNone ? Number.NaN : mint,
      maxt: hasNone ? Number.NaN : maxt,
      damage: reader.damage,
    }
  }
}

/** From `name 0xFF value 0xFF …`. */
function labelsOf(bytes: Uint8Array, start: number, end: number): Labels {
  const pairs: string[] = []
  for (let from = start; from < end; ) {
    const to = bytes.indexOf(0xff, from)
    pairs.push(Buffer.from(bytes.subarray(from, to)).toString('utf8'))
    from = to + 1
  }
  return new Labels(pairs)
}

/** What was deleted and is not forgotten yet; what is damaged is told. Throws NEWER_FORMAT. */
export async function readTombstones(path: string, onDamage: (what: string) => void): Promise<Tombstone[]> {
  const folder = join(path, 'state')
  if (!(await hasLevelFiles(folder))) return []
  const pages = await stable(() => livePages(folder))
  return parseTombstones(pages, folder, ({ message }) => onDamage(message))
}

export interface QuarantinedThing {
  name: string
  bytes: number
  /** When it was put there, Unix ms. */
  sinceMs: number
}

export async function readQuarantine(path: string): Promise<QuarantinedThing[]> {
  const folder = join(path, 'quarantine')
  const names = await namesIn(folder)
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      bytes: await diskBytes(join(folder, name)),
      sinceMs: (await stat(join(folder, name))).ctimeMs,
    })),
  )
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Reads again when a file went meanwhile. */
async function stable<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await read()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === TRIES) throw error
    }
  }
}
