/**
 * A column of integers as bits from a frame of reference. The count is known from elsewhere.
 *
 *   f64 the smallest value    u8 width    count × width bits: the values less the smallest
 *
 * Bits fill bytes from the low end; the last byte is padded with 0. Width 0: all values are the same. Width 64: the
 * values lie too far apart, and stand as they are, as f64.
 */

import type { ByteReader } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'

const WIDTH_PLAIN = 64
/** Values are moved in parts of so many bits, since JavaScript's bit operations have 32. */
const PART_BITS = 24
const PART = 2 ** PART_BITS

/** Bits that integers in [0, max] need. Requires: max ≤ 2^53. */
export function bitWidth(max: number): number {
  return max < 2 ** 32 ? 32 - Math.clz32(max) : 64 - Math.clz32(Math.floor(max / 2 ** 32))
}

/** Writes values [from, to). Requires: integers. */
export function writeColumn(out: ByteWriter, values: ArrayLike<number>, from: number, to: number): void {
  let min = from < to ? values[from] : 0
  let max = min
  for (let i = from + 1; i < to; i++) {
    if (values[i] < min) min = values[i]
    else if (values[i] > max) max = values[i]
  }
  out.f64(min)
  if (max - min > Number.MAX_SAFE_INTEGER) {
    out.u8(WIDTH_PLAIN)
    for (let i = from; i < to; i++) out.f64(values[i])
    return
  }
  const width = bitWidth(max - min)
  out.u8(width)
  writeBits(out, values, from, to, min, width)
}

/** Writes values [from, to), less `min`, with `width` bits each, 0 ≤ width ≤ 53. */
export function writeBits(
  out: ByteWriter,
  values: ArrayLike<number>,
  from: number,
  to: number,
  min: number,
  width: number,
): void {
  let pending = 0
  let pendingBits = 0
  for (let i = from; i < to && width > 0; i++) {
    let rest = values[i] - min
    for (let left = width; left > 0; left -= PART_BITS) {
      pending |= (rest % PART) << pendingBits
      pendingBits += Math.min(left, PART_BITS)
      rest = Math.floor(rest / PART)
      for (; pendingBits >= 8; pendingBits -= 8, pending >>>= 8) out.u8(pending & 0xff)
    }
  }
  if (pendingBits > 0) out.u8(pending)
}

export type Column = Float64Array | Uint32Array | Uint16Array

/** Reads `count` values into [0, count) of `into`, with `add` added to each. */
export function readColumn(from: ByteReader, count: number, into: Column, add = 0): void {
  const min = from.f64()
  const width = from.u8()
  if (width === WIDTH_PLAIN) {
    for (let i = 0; i < count; i++) into[i] = from.f64() + add
    return
  }
  readBits(from, count, into, min + add, width)
}

/** Reads `count` values of `width` bits, 0 ≤ width ≤ 53, with `min` added to each. */
export function readBits(from: ByteReader, count: number, into: Column, min: number, width: number): void {
  const { bytes } = from
  let { at } = from
  let pending = 0
  let pendingBits = 0
  for (let i = 0; i < count; i++) {
    let value = min
    let scale = 1
    for (let left = width; left > 0; left -= PART_BITS) {
      const take = left < PART_BITS ? left : PART_BITS
      for (; pendingBits < take; pendingBits += 8) pending |= bytes[at++] << pendingBits
      value += (pending & (2 ** take - 1)) * scale
      pending >>>= take
      pendingBits -= take
      scale *= PART
    }
    into[i] = value
  }
  from.at = at
}
