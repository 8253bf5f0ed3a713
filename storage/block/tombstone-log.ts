/**
 * Tombstones on disk, in the LevelDB database `state/`.
 *
 * Key, 5 bytes:  't', u32 number (big-endian, so that keys sort by it); and the same page once more under 'u', u32 number:
 * what was deleted must not come back for a flipped bit.
 *
 * Page, numbers little-endian:
 *
 *   byte 0       version of the format: 1
 *   bytes 1–3    0
 *   bytes 4–7    u32 CRC-32 of the key, bytes 0–3, and bytes 8 to the end
 *   bytes 8–15   f64 mint      bytes 16–23  f64 maxt: Unix ms, both inclusive
 *   bytes 24–27  u32 newest generation that it hides samples of
 *   bytes 28–31  u32 number of matchers; a matcher:
 *                  u8 0 '=', 1 '!=', 2 '=~', 3 '!~'; u32 bytes of the name, u32 bytes of the value, name, value (UTF-8)
 */
import { crc32 } from 'node:zlib'
import { StorageError } from '../errors.ts'
import type { MatchOp } from '../model/matcher.ts'
import { type Page, Store } from '../store.ts'
import type { MatcherText, Tombstone } from './tombstones.ts'

const KEY_TAG = 0x74 // 't'
const COPY_TAG = 0x75 // 'u'
const KEY_BYTES = 5
const PAGE_VERSION = 1
const PAGE_HEADER = 8
const MATCHERS_AT = 32
const MATCHER_HEADER = 9
const OPERATORS: readonly MatchOp[] = ['=', '!=', '=~', '!~']
const NUMBER_MAX = 2 ** 32 - 2

export class TombstoneLog {
  private readonly store: Store
  /** Ascending by number. */
  private tombstones: Tombstone[]
  private lastNumber: number
  /** Newest generation of those that are being written, by number. */
  private readonly pending = new Map<number, number>()

  private constructor(store: Store, tombstones: Tombstone[], lastNumber: number) {
    this.store = store
    this.tombstones = tombstones
    this.lastNumber = lastNumber
  }

  /**
   * Reads what is there. `highestApplied`: the highest number that a block names, for numbers are not given twice.
   * A damaged page stays where it is, and is told; when its copy is damaged, too, it hides nothing. Throws NEWER_FORMAT.
   */
  static async open(
    store: Store,
    highestApplied: number,
    onDamage: (error: StorageError) => void,
  ): Promise<TombstoneLog> {
    const pages: Page[] = []
    for (const tag of [KEY_TAG, COPY_TAG]) {
      for await (const some of store.scan({ gte: keyOf(tag, 0), lt: keyOf(tag, 2 ** 32 - 1) }))
        pages.push(...some)
    }
    const lastNumber = pages.reduce((last, { key }) => Math.max(last, numberOf(key)), highestApplied)
    const tombstones = parseTombstones(pages, store.path, onDamage)
    return new TombstoneLog(store, tombstones, lastNumber)
  }

  /** Ascending by number. Another list after each change. */
  get all(): readonly Tombstone[] {
    return this.tombstones
  }

  /**
   * Of a block that all of `all` are applied to: the highest number that is in there, or was and is forgotten. 0 when there
   * was none. One that is still being written is above it.
   */
  get highest(): number {
    return this.pending.size === 0 ? this.lastNumber : Math.min(...this.pending.keys()) - 1
  }

  /**
   * Infinity, or while a tombstone is being written the generation that it ends before: a merge must not join what lies
   * before it with what does not, since the tombstone could be applied to neither any more.
   */
  get boundary(): number {
    return Math.min(...this.pending.values()) + 1
  }

  /** Resolves when it would survive a power cut; only then it is in `all`. Requires: mint ≤ maxt. Throws WRITE_FAILED. */
  async add(
    matchers: readonly MatcherText[],
    { mint, maxt, finalGeneration }: Pick<Tombstone, 'mint' | 'maxt' | 'finalGeneration'>,
  ): Promise<Tombstone> {
    if (!(mint <= maxt)) throw new RangeError(`a tombstone from ${mint} to ${maxt}`)
    if (this.lastNumber >= NUMBER_MAX) throw new RangeError('no more numbers for tombstones')
    // Given away even if the write fails: its page might be there all the same.
    const number = ++this.lastNumber
    const tombstone = {
      number,
      matchers: matchers.map(({ name, op, value }) => ({ name, op, value })),
      mint,
      maxt,
      finalGeneration,
    }
    this.pending.set(number, finalGeneration)
    try {
      await this.recover()
      // One after the other: in LevelDB's log a flipped bit costs all that was written together.
      const [page, copy] = pagesOf(tombstone)
      await this.store.write([page], false)
      await this.store.write([copy], true)
    } finally {
      this.pending.delete(number)
    }
    this.tombstones = [...this.tombstones, tombstone].sort((a, b) => a.number - b.number)
    return tombstone
  }

  /** Throws WRITE_FAILED. */
  async forget(numbers: readonly number[]): Promise<void> {
    if (numbers.length > 0) await this.recover()
    for (const number of numbers) {
      for (const tag of [KEY_TAG, COPY_TAG]) {
        await this.store.clear({ gte: keyOf(tag, number), lt: keyOf(tag, number + 1) })
      }
      this.tombstones = this.tombstones.filter((tombstone) => tombstone.number !== number)
    }
  }

  /** After a failed write the store takes no other one until it was reopened. */
  private async recover(): Promise<void> {
    if (this.store.hasFailed) await this.store.reopen()
  }

  /** Writes all of them into a new database in this folder. Throws WRITE_FAILED. */
  copyTo(folder: string): Promise<void> {
    return writeTombstones(folder, this.tombstones)
  }
}

/** Makes a database in this folder, which is not there yet. Throws WRITE_FAILED. */
export async function writeTombstones(folder: string, tombstones: readonly Tombstone[]): Promise<void> {
  const store = await Store.open(folder, { createIfMissing: true, isShared: false })
  try {
    const pages = tombstones.map(pagesOf)
    await store.write(
      pages.map(([page]) => page),
      false,
    )
    await store.write(
      pages.map(([, copy]) => copy),
      true,
    )
  } finally {
    await store.close()
  }
}

/**
 * The tombstones of these pages, ascending by number; other pages are passed over. Of one that is damaged, page and copy, it
 * is told. `path` is for the message. Throws NEWER_FORMAT.
 */
export function parseTombstones(
  pages: Iterable<Page>,
  path: string,
  onDamage: (error: StorageError) => void,
): Tombstone[] {
  const found = new Map<number, Tombstone>()
  for (const page of pages) {
    if (page.key.length !== KEY_BYTES || (page.key[0] !== KEY_TAG && page.key[0] !== COPY_TAG)) continue
    const tombstone = parse(page)
    if (tombstone === undefined) onDamage(damaged(path, numberOf(page.key)))
    else found.set(tombstone.number, tombstone)
  }
  return [...found.values()].sort((a, b) => a.number - b.number)
}

function keyOf(tag: number, number: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  key[0] = tag
  new DataView(key.buffer).setUint32(1, number)
  return key
}

function numberOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(1)
}

/** The page and its copy. */
function pagesOf(tombstone: Tombstone): [page: Page, copy: Page] {
  const matchers = tombstone.matchers.map(({ name, op, value }) => ({
    op: OPERATORS.indexOf(op),
    name: Buffer.from(name),
    value: Buffer.from(value),
  }))
  const size = matchers.reduce((sum, { name, value }) => sum + MATCHER_HEADER + name.length + value.length, 0)
  const page = Buffer.alloc(MATCHERS_AT + size)
  page[0] = PAGE_VERSION
  page.writeDoubleLE(tombstone.mint, 8)
  page.writeDoubleLE(tombstone.maxt, 16)
  page.writeUInt32LE(tombstone.finalGeneration, 24)
  page.writeUInt32LE(matchers.length, 28)
  let at = MATCHERS_AT
  for (const { op, name, value } of matchers) {
    at = page.writeUInt8(op, at)
    at = page.writeUInt32LE(name.length, at)
    at = page.writeUInt32LE(value.length, at)
    at += name.copy(page, at)
    at += value.copy(page, at)
  }
  const underTag = (tag: number): Page => {
    const key = keyOf(tag, tombstone.number)
    const value = Buffer.from(page)
    value.writeUInt32LE(checksum(key, value), 4)
    return { key, value }
  }
  return [underTag(KEY_TAG), underTag(COPY_TAG)]
}

function checksum(key: Uint8Array, page: Uint8Array): number {
  return crc32(page.subarray(PAGE_HEADER), crc32(page.subarray(0, 4), crc32(key)))
}

function damaged(path: string, number: number): StorageError {
  const what = 'is damaged; if its copy is so, too, what it deleted is shown again'
  return new StorageError('CORRUPTION', `${path}: tombstone ${number} ${what}`)
}

/** Undefined when it is damaged. */
function parse({ key, value }: Page): Tombstone | undefined {
  const page = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (page.length < MATCHERS_AT || page.readUInt32LE(4) !== checksum(key, page)) return undefined
  if (page[0] > PAGE_VERSION) {
    const versions = `has version ${page[0]} of the format, this program reads up to ${PAGE_VERSION}`
    throw new StorageError('NEWER_FORMAT', `tombstone ${numberOf(key)} ${versions}`)
  }
  const matchers: MatcherText[] = []
  let at = MATCHERS_AT
  for (let left = page.readUInt32LE(28); left > 0; left--) {
    const op = OPERATORS[page[at]]
    const nameEnd = at + MATCHER_HEADER + page.readUInt32LE(at + 1)
    const valueEnd = nameEnd + page.readUInt32LE(at + 5)
    const name = page.toString('utf8', at + MATCHER_HEADER, nameEnd)
    matchers.push({ name, op, value: page.toString('utf8', nameEnd, valueEnd) })
    at = valueEnd
  }
  return {
    number: numberOf(key),
    matchers,
    mint: page.readDoubleLE(8),
    maxt: page.readDoubleLE(16),
    finalGeneration: page.readUInt32LE(24),
  }
}
