/**
 * Checks what LevelDB believes of a table file without checking it.
 *
 * With a flipped bit in a table's footer or index LevelDB reads a length that was never written, asks for that much
 * memory, and the process is gone. So before a table is given to LevelDB, the footer, the index and the meta index are
 * read here, with the checksums that LevelDB wrote itself. A data block needs no check: at worst its page is not found
 * or its own checksum is wrong.
 *
 * Source: LevelDB's doc/table_format.md and table/format.cc. The last 48 bytes of a table are two block handles (offset
 * and size as varints) of meta index and index, zeros, and a magic number. A block is followed by u8 type (0 = not
 * compressed) and u32 CRC-32C of block and type, rotated right by 15 bits and with a constant added.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ByteReader } from './byte-reader.ts'

const FOOTER_BYTES = 48
const TRAILER_BYTES = 5
const MAGIC = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])
const MASK_DELTA = 0xa282ead8

/** What is wrong with the table; undefined when LevelDB can be trusted with it. Throws when it cannot be read. */
export function findTableFault(path: string): string | undefined {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    if (size < FOOTER_BYTES) return `only ${size} bytes`
    const footer = readAt(file, size - FOOTER_BYTES, FOOTER_BYTES)
    if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) return 'no end of a table'
    const handles = new ByteReader(footer, 0)
    for (const name of ['meta index', 'index']) {
      const offset = handles.varint()
      const length = handles.varint()
      if (offset + length + TRAILER_BYTES > size) return `damaged place of the ${name}`
      const block = readAt(file, offset, length + TRAILER_BYTES)
      if (block[length] !== 0 || block.readUInt32LE(length + 1) !== maskedCrc(block, length + 1)) {
        return `damaged ${name}`
      }
    }
    return undefined
  } finally {
    closeSync(file)
  }
}

function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, at)
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
