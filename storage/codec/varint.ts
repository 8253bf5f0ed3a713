/**
 * Whole numbers in few bytes, and the place where a chunk is being read.
 *
 *   unsigned   LEB128: seven bits a byte, the low ones first; bit 7 = another byte follows. At most 8 bytes
 *   signed     first byte: bits 0–5 the low bits of the absolute value, bit 6 = negative, bit 7 = another byte
 *              follows; then the rest of the absolute value as an unsigned number
 *
 * Signed numbers are not zigzag, because 2 × n is beyond what a double holds exactly where n is near 2^53.
 */
import { StorageError } from '../errors.ts'

const TWO_28 = 0x10000000

/** Most bytes that one number takes. */
export const VARINT_BYTES_MAX = 9

/**
 * Where reading is. Readers move `at` and never go to `limit` or beyond: what lies there is not of the chunk.
 * `start` is the chunk's first byte, for messages.
 */
export class ByteCursor {
  at = 0
  limit = 0
  start = 0

  /** Throws CORRUPTION when fewer bytes are left. */
  need(size: number): void {
    if (this.limit - this.at < size) this.fail('it ends too early')
  }

  fail(why: string): never {
    throw new StorageError('CORRUPTION', `chunk at byte ${this.start}: ${why}`)
  }
}

/** Requires: an integer, 0 ≤ value < 2^54, and room. Returns the end of what was written. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let low: number
  if (value < TWO_28) {
    low = value
  } else {
    const high = Math.floor(value / TWO_28)
    low = value - high * TWO_28
    bytes[at] = low | 0x80
    bytes[at + 1] = (low >>> 7) | 0x80
    bytes[at + 2] = (low >>> 14) | 0x80
    bytes[at + 3] = (low >>> 21) | 0x80
    at += 4
    low = high
  }
  while (low >= 0x80) {
    bytes[at++] = low | 0x80
    low >>>= 7
  }
  bytes[at++] = low
  return at
}

/** Requires: an integer, |value| ≤ 2^53, and room. Returns the end of what was written. */
export function putSigned(bytes: Uint8Array, at: number, value: number): number {
  const sign = value < 0 ? 0x40 : 0
  const size = value < 0 ? -value : value
  if (size < 0x40) {
    bytes[at] = sign | size
    return at + 1
  }
  const high = size < TWO_28 ? size >>> 6 : Math.floor(size / 0x40)
  bytes[at] = 0x80 | sign | (size - high * 0x40)
  return putVarint(bytes, at + 1, high)
}

/** Bytes that `putSigned` writes. */
export function signedSize(value: number): number {
  let rest = Math.abs(value)
  if (rest < 0x40) return 1
  let size = 2
  for (rest /= 0x40; rest >= 0x80; rest /= 0x80) size++
  return size
}

/** Throws CORRUPTION when the number goes on beyond the limit or 8 bytes. */
export function readVarint(bytes: Uint8Array, cursor: ByteCursor): number {
  const at = cursor.at
  if (at < cursor.limit) {
    const byte = bytes[at]
    if (byte < 0x80) {
      cursor.at = at + 1
      return byte
    }
  }
  return readLongVarint(bytes, cursor)
}

function readLongVarint(bytes: Uint8Array, cursor: ByteCursor): number {
  const end = Math.min(cursor.limit, cursor.at + 8)
  let low = 0
  let at = cursor.at
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = bytes[at++]
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return low
    }
  }
  let high = 0
  for (let shift = 0; shift < 28 && at < end; shift += 7) {
    const byte = bytes[at++]
    high |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      cursor.at = at
      return low + high * TWO_28
    }
  }
  return cursor.fail('a number in it does not end')
}

/** Throws CORRUPTION as `readVarint`. */
export function readSigned(bytes: Uint8Array, cursor: ByteCursor): number {
  if (cursor.at >= cursor.limit) cursor.fail('it ends too early')
  const byte = bytes[cursor.at++]
  let size = byte & 0x3f
  if (byte >= 0x80) size += readVarint(bytes, cursor) * 0x40
  return (byte & 0x40) === 0 ? size : -size
}
