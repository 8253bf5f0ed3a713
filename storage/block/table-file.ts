/**
 * Reads a table file of LevelDB, without LevelDB.
 *
 * LevelDB trusts its tables: a flipped bit in an index gives a length that was never written, and one in the head of an
 * entry ends the whole process by an assertion (both measured, with classic-level 3). It also writes into a folder that
 * it opens, and takes milliseconds for it. A sealed folder is never written again, so that its tables are all there
 * is to read; here everything is checked before it is believed.
 *
 * Source: LevelDB's doc/table_format.md and table/format.cc. The last 48 bytes of a table are two block handles (offset
 * and size as varints) of meta index and index, zeros, and a magic number. A block is followed by u8 type (0 = not
 * compressed) and u32 CRC-32C of block and type, rotated right by 15 bits and with a constant added. A block:
 *
 *   entries    varint bytes shared with the key before, varint further bytes, varint bytes of value, both
 *   u32 × n    restarts: places of entries that share nothing    u32 n
 *
 * A key is the user's key and 8 bytes of LevelDB's own. In the index an entry is a data block: a key at or behind its
 * last one, and its handle.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ByteReader } from './byte-reader.ts'

const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const MAGIC = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])
const MASK_DELTA = 0xa282ead8
const OWN_KEY_BYTES = 8

/** A data block: no key in it is behind `finalKey`. */
interface BlockPlace {
  finalKey: Buffer
  offset: number
  bytes: number
}

export class TableFile {
  readonly path: string
  /** Why pages cannot be looked up in this table; undefined when they can. */
  readonly fault: string | undefined
  private readonly file: number
  private readonly blocks: readonly BlockPlace[]

  /** Opens the file, which stays readable when it is removed. Throws what `openSync` throws. */
  constructor(path: string) {
    this.path = path
    this.file = openSync(path, 'r')
    const { blocks, fault } = readIndex(this.file)
    this.blocks = blocks
    this.fault = fault
  }

  /** The value of a key; undefined when it is not there, or the block that should have it makes no sense. */
  find(key: Uint8Array): Buffer | undefined {
    const { blocks } = this
    let low = 0
    let high = blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (Buffer.compare(blocks[middle].finalKey, key) < 0) low = middle + 1
      else high = middle
    }
    if (low === blocks.length) return undefined
    const { offset, bytes } = blocks[low]
    let found: Buffer | undefined
    forEachEntry(readAt(this.file, offset, bytes), (entryKey, value) => {
      if (entryKey.equals(key)) found = value
    })
    return found
  }

  /** All of the file. */
  readWhole(): Buffer {
    return readAt(this.file, 0, fstatSync(this.file).size)
  }

  /** Bytes at a place of the file; fewer when it ends before. */
  read(at: number, bytes: number): Buffer {
    return readAt(this.file, at, bytes)
  }

  close(): void {
    closeSync(this.file)
  }
}

function readIndex(file: number): { blocks: BlockPlace[]; fault: string | undefined } {
  const blocks: BlockPlace[] = []
  const { size } = fstatSync(file)
  const footer = readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES)
  if (footer.length < FOOTER_BYTES || !footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) {
    return { blocks, fault: 'no end of a table' }
  }
  const handles = new ByteReader(footer, 0)
  handles.varint()
  handles.varint()
  const offset = handles.varint()
  const length = handles.varint()
  if (offset + length + TRAILER_BYTES > size) return { blocks, fault: 'damaged place of the index' }
  const index = readAt(file, offset, length + TRAILER_BYTES)
  if (index[length] !== 0 || index.readUInt32LE(length + 1) !== maskedCrc(index, length + 1)) {
    return { blocks, fault: 'damaged index' }
  }
  forEachEntry(index.subarray(0, length), (key, value) => {
    const handle = new ByteReader(value, 0)
    blocks.push({ finalKey: Buffer.from(key), offset: handle.varint(), bytes: handle.varint() })
  })
  return { blocks, fault: undefined }
}

/** Visits the entries of a block up to the first one that makes no sense. The key is valid during the visit. */
function forEachEntry(block: Buffer, visit: (key: Buffer, value: Buffer) => void): void {
  if (block.length < 4) return
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4)
  const reader = new ByteReader(block, 0)
  let key = Buffer.alloc(0)
  while (reader.at < end) {
    const shared = reader.varint()
    const further = reader.varint()
    const length = reader.varint()
    const valueAt = reader.at + further
    if (shared > key.length || shared + further < OWN_KEY_BYTES || valueAt + length > end) return
    key = Buffer.concat([key.subarray(0, shared), block.subarray(reader.at, valueAt)])
    reader.at = valueAt + length
    visit(key.subarray(0, key.length - OWN_KEY_BYTES), block.subarray(valueAt, reader.at))
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let end = 0
  while (end < length) {
    const count = readSync(file, bytes, end, length - end, at + end)
    if (count === 0) return bytes.subarray(0, end)
    end += count
  }
  return bytes
}

/** CRC-32C (Castagnoli), reflected, a byte at a time. */
const TABLE = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  TABLE[i] = crc
}

function maskedCrc(bytes: Buffer, length: number): number {
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
  crc = ~crc
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}
