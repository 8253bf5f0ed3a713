/**
 * LevelDB's tables, `*.ldb`: blocks, then a footer (leveldb/doc/table_format.md).
 *
 *   block    bytes, u8 type (0 plain, 1 snappy), u32 masked CRC-32C of the bytes and the type
 *   bytes    entries: varint shared, varint others, varint length of the value, other bytes of the key, value;
 *            then u32 × n restart points, u32 n
 *   index    a block: the value is varint offset, varint size of a data block; of the meta index, of a filter
 *   footer   48 bytes: offset and size of the meta index, offset and size of the index, zeros, magic
 *   key      the key as written, then u64: sequence × 256 + (1 = value, 0 = deleted)
 *
 * Read here because LevelDB itself checks little, and aborts the process over some damage, above all in `repair`.
 */
import { ByteReader } from '../codec/byte-reader.ts'
import { StorageError } from '../errors.ts'
import { findChecked, maskedCrc, u32At } from './crc32c.ts'
import { unsnappy } from './snappy.ts'

export const FOOTER = 48
/** Bytes behind a block: type and checksum. */
export const TRAILER = 5
const MAGIC = Uint8Array.of(0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb)
const SNAPPY = 1

export interface LevelEntry {
  key: Uint8Array
  value: Uint8Array
  /** A larger one is newer. */
  sequence: number
  isDeleted: boolean
}

export interface Handle {
  offset: number
  size: number
}

/** What is wrong with the table, else undefined. Every byte that LevelDB would look at is checked. */
export function findTableDamage(bytes: Uint8Array): string | undefined {
  try {
    const { metaIndex, index } = readFooter(bytes)
    checkBlock(bytes, metaIndex)
    checkBlock(bytes, index)
    // A filter that is damaged hides what is there.
    for (const handle of blocksOf(bytes, metaIndex)) checkBlock(bytes, handle)
    for (const handle of blocksOf(bytes, index)) checkBlock(bytes, handle)
    return undefined
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return error.message
  }
}

/**
 * All entries that can be made out, right or wrong ones: a block whose checksum does not fit is looked at too, since
 * only a part of it is damaged. The caller has to know a good value when it sees one.
 */
export function* tableEntries(bytes: Uint8Array): Generator<LevelEntry> {
  for (const handle of findBlocks(bytes)) {
    try {
      const isGood = isBlockGood(bytes, handle)
      const block = readBlock(bytes, handle)
      for (const { key, value } of isGood ? blockEntries(block) : likelyEntries(block)) {
        if (key.length < 8) continue
        const tail = key.length - 8
        const sequence = (u32At(key, tail + 4) * 2 ** 32 + u32At(key, tail)) / 256
        yield { key: key.slice(0, tail), value, sequence, isDeleted: key[tail] === 0 }
      }
    } catch (error) {
      // The rest of this block is not to be made out; the next one begins by itself.
      if (!(error instanceof StorageError)) throw error
    }
  }
}

function isBlockGood(bytes: Uint8Array, handle: Handle): boolean {
  try {
    checkBlock(bytes, handle)
    return true
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return false
  }
}

/** A key of ours with the 8 bytes that LevelDB adds. */
const LIKELY_KEY_BYTES_MAX = 40

/** What can be made out of a damaged block: entries with a whole key, as our stores write them all, wherever one may begin. */
function* likelyEntries(block: Uint8Array): Generator<{ key: Uint8Array; value: Uint8Array }> {
  for (let at = 0; at + 3 < block.length; at++) {
    const keyBytes = block[at + 1]
    if (block[at] !== 0 || keyBytes <= 8 || keyBytes > LIKELY_KEY_BYTES_MAX) continue
    try {
      const reader = new ByteReader(block.subarray(at + 2))
      const valueBytes = reader.varint()
      const keyAt = at + 2 + reader.skip(keyBytes)
      const valueAt = at + 2 + reader.skip(valueBytes)
      yield {
        key: block.subarray(keyAt, keyAt + keyBytes),
        value: block.subarray(valueAt, valueAt + valueBytes),
      }
    } catch (error) {
      // No entry begins here, or one that is cut short.
      if (!(error instanceof StorageError)) throw error
    }
  }
}

/** The data blocks by the index; or, should that be damaged, by going from one checksum that fits to the next. */
function findBlocks(bytes: Uint8Array): Handle[] {
  try {
    const { index } = readFooter(bytes)
    checkBlock(bytes, index)
    return [...blocksOf(bytes, index)]
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
  }
  const found: Handle[] = []
  for (let offset = 0; ; ) {
    const end = findChecked(bytes, offset, bytes.length - 4, (at) => u32At(bytes, at))
    if (end < 0) return found
    found.push({ offset, size: end - 1 - offset })
    offset = end + 4
  }
}

/** Needs the end of the table only. Throws CORRUPTION. */
export function readFooter(bytes: Uint8Array): { metaIndex: Handle; index: Handle } {
  const start = bytes.length - FOOTER
  if (start < 0) throw damaged('it is cut short')
  for (let i = 0; i < 8; i++)
    if (bytes[start + 40 + i] !== MAGIC[i]) throw damaged('it does not end as a table')
  const reader = new ByteReader(bytes.subarray(start, start + 40))
  return { metaIndex: readHandle(reader), index: readHandle(reader) }
}

export function readHandle(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() }
}

function* blocksOf(bytes: Uint8Array, index: Handle): Generator<Handle> {
  for (const { value } of blockEntries(readBlock(bytes, index))) yield readHandle(new ByteReader(value))
}

/** Throws CORRUPTION when the checksum of a block does not fit. */
export function checkBlock(bytes: Uint8Array, { offset, size }: Handle): void {
  const end = offset + size + 1
  if (end + 4 > bytes.length) throw damaged('a block lies beyond its end')
  if (maskedCrc(bytes, offset, end) !== u32At(bytes, end))
    throw damaged(`the checksum of the block at byte ${offset} does not fit`)
}

function readBlock(bytes: Uint8Array, { offset, size }: Handle): Uint8Array {
  if (offset + size + TRAILER > bytes.length) throw damaged('a block lies beyond its end')
  const block = bytes.subarray(offset, offset + size)
  return bytes[offset + size] === SNAPPY ? unsnappy(block) : block
}

/** Entries of a plain block in the order of keys. Throws CORRUPTION where it makes no sense. */
export function* blockEntries(block: Uint8Array): Generator<{ key: Uint8Array; value: Uint8Array }> {
  if (block.length < 4) throw damaged('a block is cut short')
  const end = block.length - 4 - 4 * u32At(block, block.length - 4)
  if (end < 0) throw damaged('a block has more restart points than bytes')
  const reader = new ByteReader(block.subarray(0, end))
  let key = new Uint8Array(0)
  while (!reader.isAtEnd) {
    const shared = reader.varint()
    const others = reader.varint()
    const valueSize = reader.varint()
    if (shared > key.length) throw damaged('a key shares more bytes than there are')
    const keyAt = reader.skip(others)
    const valueAt = reader.skip(valueSize)
    const next = new Uint8Array(shared + others)
    next.set(key.subarray(0, shared))
    next.set(block.subarray(keyAt, keyAt + others), shared)
    key = next
    yield { key, value: block.subarray(valueAt, valueAt + valueSize) }
  }
}

function damaged(what: string): StorageError {
  return new StorageError('CORRUPTION', what)
}
