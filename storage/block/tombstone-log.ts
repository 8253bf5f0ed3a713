/**
 * Tombstones on disk, in the LevelDB database `state/`.
 *
 * Key, 5 bytes:  't', u32 number (big-endian, so that keys sort by it).
 *
 * Page, numbers little-endian:
 *
 *   byte 0       version of the format: 1
 *   bytes 1–3    0
 *   bytes 4–7    u32 CRC-32 of the key and of bytes 8 to the end
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
   * A damaged page stays where it is, is told, and hides nothing. Throws NEWER_FORMAT.
   */
  static async open(
    store: Store,
    highestApplied: number,
    onDamage: (error: StorageError) => void,
  ): Promise<TombstoneLog> {
    const tombstones: Tombstone[] = []
    let lastNumber = highestApplied
    for await (const pages of store.scan({ gte: keyOf(0), lt: keyOf(2 ** 32 - 1) })) {
      for (const page of pages) {
        lastNumber = Math.max(lastNumber, numberOf(page.key))
        const tombstone = parseTombstone(page, store.path, onDamage)
        if (tombstone !== undefined) tombstones.push(tombstone)
      }
    }
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
      await this.store.write([pageOf(tombstone)], true)
    } finally {
      this.pending.delete(number)
    }
    this.tombstones = [...this.tombstones, tombstone].sort((a, b) => a.number - b.number)
    return tombstone
  }

  /** Throws WRITE_FAILED. */
  async forget(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await this.store.clear({ gte: keyOf(number), lt: keyOf(number + 1) })
      this.tombstones = this.tombstones.filter((tombstone) => tombstone.number !== number)
    }
  }

  /** Writes all of them into a new database in this folder. Throws WRITE_FAILED. */
  async copyTo(folder: string): Promise<void> {
    const store = await Store.open(folder, { createIfMissing: true, isShared: false })
    try {
      await store.write(this.tombstones.map(pageOf), true)
    } finally {
      await store.close()
    }
  }
}

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  key[0] = KEY_TAG
  new DataView(key.buffer).setUint32(1, number)
  return key
}

function numberOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(1)
}

function pageOf(tombstone: Tombstone): Page {
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
  const key = keyOf(tombstone.number)
  page.writeUInt32LE(checksum(key, page), 4)
  return { key, value: page }
}

function checksum(key: Uint8Array, page: Uint8Array): number {
  return crc32(page.subarray(PAGE_HEADER), crc32(key))
}

/** Undefined when the page is damaged, which is told; `path` is for the message. Throws NEWER_FORMAT. */
export function parseTombstone(
  { key, value }: Page,
  path: string,
  onDamage: (error: StorageError) => void,
): Tombstone | undefined {
  const page = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const place = `${path}: tombstone ${numberOf(key)}`
  if (page.length < MATCHERS_AT || page.readUInt32LE(4) !== checksum(key, page)) {
    onDamage(new StorageError('CORRUPTION', `${place} is damaged; what it deleted is shown again`))
    return undefined
  }
  if (page[0] > PAGE_VERSION) {
    const versions = `has version ${page[0]} of the format, this program reads up to ${PAGE_VERSION}`
    throw new StorageError('NEWER_FORMAT', `${place} ${versions}`)
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
