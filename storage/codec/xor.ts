/**
 * Floats as what changed in their bits against the value before, after Pelkonen et al., "Gorilla: A Fast, Scalable,
 * In-Memory Time Series Database" (VLDB 2015). For values that are no decimals and often repeat or nearly do.
 *
 *   varint  bytes of what follows
 *   8 bytes the first value
 *   bits, in the order of bit-pack.ts, for each further value; x = its bits XOR those of the value before
 *     0                         x is 0
 *     1 0, then x's window      x lies in the window of the last x that brought one
 *     1 1, 5 bits leading zeros, 6 bits size − 1, then x's window
 *   window: the `size` bits of x behind its leading zeros, the low ones first
 */
import { putHalves, readHalf } from './float-bits.ts'
import { type ByteCursor, putVarint, readVarint } from './varint.ts'

const LEADING_MAX = 31
/** Bits of a new window's head. */
const WINDOW_HEAD = 13

/** Trailing zeros of a 32-bit number; 32 for 0. */
export function trailingZeros(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word)
}

/** Leading and trailing zeros for the loops below: a new window where the old one does not fit or wastes bits. */
class Window {
  leading = 0
  size = 0

  /** Whether it had to move for this x. */
  fit(low: number, high: number): boolean {
    const leading = Math.min(LEADING_MAX, high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low))
    const trailing = low !== 0 ? trailingZeros(low) : 32 + trailingZeros(high)
    const size = 64 - leading - trailing
    const end = 64 - this.leading - this.size
    if (this.size > 0 && leading >= this.leading && trailing >= end && this.size < size + WINDOW_HEAD)
      return false
    this.leading = leading
    this.size = size
    return true
  }
}

/** Bits that the values after the first take. `halves` has two numbers a value, the lower first. */
export function xorBits(halves: Uint32Array, from: number, count: number): number {
  const window = new Window()
  let bits = count - 1
  for (let i = from + 1; i < from + count; i++) {
    const low = halves[2 * i] ^ halves[2 * i - 2]
    const high = halves[2 * i + 1] ^ halves[2 * i - 1]
    if ((low | high) === 0) continue
    bits += window.fit(low, high) ? 1 + (WINDOW_HEAD - 2) + window.size : 1 + window.size
  }
  return bits
}

class BitWriter {
  bits = 0
  filled = 0
  at = 0

  /** Requires: width ≤ 24. */
  put(bytes: Uint8Array, value: number, width: number): void {
    this.bits |= value << this.filled
    this.filled += width
    while (this.filled >= 8) {
      bytes[this.at++] = this.bits
      this.bits >>>= 8
      this.filled -= 8
    }
  }
}

/** Requires: `size` is what `xorBits` said, and room. Returns the end of what was written. */
export function putXor(
  halves: Uint32Array,
  from: number,
  count: number,
  size: number,
  bytes: Uint8Array,
  at: number,
): number {
  at = putVarint(bytes, at, 8 + ((size + 7) >>> 3))
  const writer = new BitWriter()
  writer.at = putHalves(bytes, at, halves[2 * from], halves[2 * from + 1])
  const window = new Window()
  for (let i = from + 1; i < from + count; i++) {
    const low = halves[2 * i] ^ halves[2 * i - 2]
    const high = halves[2 * i + 1] ^ halves[2 * i - 1]
    if ((low | high) === 0) {
      writer.put(bytes, 0, 1)
      continue
    }
    if (window.fit(low, high)) writer.put(bytes, 3 | (window.leading << 2) | ((window.size - 1) << 7), 13)
    else writer.put(bytes, 1, 2)
    putWindow(writer, bytes, low, high, window)
  }
  if (writer.filled > 0) bytes[writer.at++] = writer.bits
  return writer.at
}

function putWindow(writer: BitWriter, bytes: Uint8Array, low: number, high: number, window: Window): void {
  const shift = 64 - window.leading - window.size
  if (shift >= 32) {
    low = high >>> (shift - 32)
    high = 0
  } else if (shift > 0) {
    low = (low >>> shift) | (high << (32 - shift))
    high >>>= shift
  }
  let left = window.size
  for (let word = low, part = 0; part < 4 && left > 0; part++) {
    if (part === 2) word = high
    const width = left < 16 ? left : 16
    writer.put(bytes, (part % 2 === 0 ? word : word >>> 16) & ((1 << width) - 1), width)
    left -= width
  }
}

/** Bits [bit, bit + width) as a 32-bit number. Requires: 1 ≤ width ≤ 32. */
function bitsAt(bytes: Uint8Array, at: number, bit: number, width: number): number {
  const p = at + (bit >>> 3)
  const shift = bit & 7
  const mask = width === 32 ? -1 : (1 << width) - 1
  const end = bytes.length
  if (p + 4 < end) {
    const word = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)
    return ((word >>> shift) | ((bytes[p + 4] << 1) << (31 - shift))) & mask
  }
  let word = 0
  for (let i = 0; i < 4 && p + i < end; i++) word |= bytes[p + i] << (8 * i)
  return (word >>> shift) & mask
}

/** Writes the values' halves from `out[2 × o]`. Throws CORRUPTION. */
export function readXor(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  out: Uint32Array,
  o: number,
): void {
  const size = readVarint(bytes, cursor)
  cursor.need(size)
  if (size < 8) cursor.fail('it has no first value')
  let low = readHalf(bytes, cursor.at)
  let high = readHalf(bytes, cursor.at + 4)
  const at = cursor.at + 8
  const bitsEnd = (size - 8) * 8
  cursor.at += size
  out[2 * o] = low
  out[2 * o + 1] = high
  let bit = 0
  let width = 0
  let shift = 0
  for (let i = o + 1; i < o + count; i++) {
    const head = bit < bitsEnd ? bitsAt(bytes, at, bit, 13) : cursor.fail('it ends too early')
    if ((head & 1) === 0) {
      bit++
    } else {
      if ((head & 2) === 0) {
        bit += 2
      } else {
        bit += 13
        width = ((head >>> 7) & 63) + 1
        shift = 64 - ((head >>> 2) & 31) - width
      }
      if (width === 0 || shift < 0 || bit + width > bitsEnd) cursor.fail('an impossible window')
      let x = bitsAt(bytes, at, bit, width < 32 ? width : 32)
      let y = width > 32 ? bitsAt(bytes, at, bit + 32, width - 32) : 0
      bit += width
      if (shift >= 32) {
        y = x << (shift - 32)
        x = 0
      } else if (shift > 0) {
        y = (y << shift) | (x >>> (32 - shift))
        x <<= shift
      }
      low ^= x
      high ^= y
    }
    out[2 * i] = low
    out[2 * i + 1] = high
  }
}
