/**
 * A column of integers as bits from a frame of reference. The count is known from elsewhere.
 *
 *   f64 the smallest value    u8 width    count × width bits (bit-pack.ts): the values less the smallest
 *
 * Width 0: all values are the same. Width 64: the values lie too far apart, and stand as they are, as f64.
 */
import { bitWidth, pack, packedBytes, unpack } from '../codec/bit-pack.ts'
import type { ByteReader } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'

const WIDTH_PLAIN = 64

/** Writes values [from, to). Requires: integers. */
export function writeColumn(out: ByteWriter, values: Float64Array, from: number, to: number): void {
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
  writeBits(out, values, from, to - from, min, width)
}

/** Writes `count` values from `from` on, less `min`, with `width` bits each. */
export function writeBits(
  out: ByteWriter,
  values: Float64Array,
  from: number,
  count: number,
  min: number,
  width: number,
): void {
  out.reserve(packedBytes(count, width))
  out.length = pack(values, from, count, min, width, out.bytes, out.length)
}

let scratch = new Float64Array(1024)

/** Reads `count` values into [0, count) of `into`, with `add` added to each. */
export function readColumn(
  from: ByteReader,
  count: number,
  into: Float64Array | Uint32Array | Uint16Array,
  add = 0,
): void {
  if (!(into instanceof Float64Array)) {
    if (scratch.length < count) scratch = new Float64Array(2 * count)
    readColumn(from, count, scratch, add)
    for (let i = 0; i < count; i++) into[i] = scratch[i]
    return
  }
  const min = from.f64()
  const width = from.u8()
  if (width === WIDTH_PLAIN) for (let i = 0; i < count; i++) into[i] = from.f64() + add
  else readBits(from, count, into, min + add, width)
}

/** Reads `count` values of `width` bits, with `min` added to each. */
export function readBits(
  from: ByteReader,
  count: number,
  into: Float64Array,
  min: number,
  width: number,
): void {
  const at = from.skip(packedBytes(count, width))
  unpack(from.bytes, at, count, width, min, 1, 1, into, 0)
}
