/**
 * Whole numbers of one width, packed without gaps: number i has bits [i × width, (i + 1) × width) of the bytes, where
 * bit b is bit b mod 8 of byte b div 8. The bits after the final number are 0.
 */

/** Widest numbers: what a double holds exactly. */
export const PACK_WIDTH_MAX = 53

const TWO_24 = 0x1000000
const TWO_32 = 0x100000000

/** Bits of an integer 0 ≤ value < 2^53; 0 has none. */
export function bitWidth(value: number): number {
  if (value < TWO_32) return 32 - Math.clz32(value)
  return 64 - Math.clz32(value / TWO_32)
}

export function packedBytes(count: number, width: number): number {
  return (count * width + 7) >>> 3
}

/**
 * Writes values[from + i] − base for i in [0, count). Requires: integers, each difference in [0, 2^width), room for
 * `packedBytes`. Returns the end of what was written.
 */
export function pack(
  values: Float64Array,
  from: number,
  count: number,
  base: number,
  width: number,
  bytes: Uint8Array,
  at: number,
): number {
  if (width === 0) return at
  if (width === 8) {
    for (let i = 0; i < count; i++) bytes[at + i] = values[from + i] - base
    return at + count
  }
  if (width > 24) return packWide(values, from, count, base, width, bytes, at)
  let bits = 0
  let filled = 0
  for (let i = from; i < from + count; i++) {
    bits |= (values[i] - base) << filled
    filled += width
    while (filled >= 8) {
      bytes[at++] = bits
      bits >>>= 8
      filled -= 8
    }
  }
  if (filled > 0) bytes[at++] = bits
  return at
}

/** The same in parts of at most 24 bits, the low ones first: with the 7 bits that may be left over they fit in 32. */
function packWide(
  values: Float64Array,
  from: number,
  count: number,
  base: number,
  width: number,
  bytes: Uint8Array,
  at: number,
): number {
  let bits = 0
  let filled = 0
  for (let i = from; i < from + count; i++) {
    let rest = values[i] - base
    for (let left = width; left > 0; left -= 24) {
      const high = Math.floor(rest / TWO_24)
      bits |= (rest - high * TWO_24) << filled
      filled += left < 24 ? left : 24
      rest = high
      while (filled >= 8) {
        bytes[at++] = bits
        bits >>>= 8
        filled -= 8
      }
    }
  }
  if (filled > 0) bytes[at++] = bits
  return at
}

/**
 * Reads numbers [0, count) into out[o + i], each plus `base`. Requires: width ≤ PACK_WIDTH_MAX, and that the packed
 * bytes lie within `bytes`.
 */
export function unpack(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  base: number,
  out: Float64Array,
  o: number,
): void {
  if (width === 0) {
    for (let i = 0; i < count; i++) out[o + i] = base
    return
  }
  if (width === 8) {
    for (let i = 0; i < count; i++) out[o + i] = base + bytes[at + i]
    return
  }
  if (width > 25) {
    unpackWide(bytes, at, count, width, base, out, o)
    return
  }
  // Four bytes are loaded for each number; the final ones must not read beyond the array.
  const loadable = Math.min(count, Math.max(0, Math.floor(((bytes.length - at - 4) * 8) / width)))
  const mask = (1 << width) - 1
  let bit = 0
  for (let i = 0; i < loadable; i++, bit += width) {
    const p = at + (bit >>> 3)
    const word = bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)
    out[o + i] = base + ((word >>> (bit & 7)) & mask)
  }
  for (let i = loadable; i < count; i++) out[o + i] = base + readBits(bytes, at, i * width, width)
}

function unpackWide(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  base: number,
  out: Float64Array,
  o: number,
): void {
  const loadable = Math.min(count, Math.max(0, Math.floor(((bytes.length - at - 8) * 8) / width)))
  const highMask = (1 << (width - 24)) - 1
  let bit = 0
  for (let i = 0; i < loadable; i++, bit += width) {
    const p = at + (bit >>> 3)
    const shift = bit & 7
    const low = (bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)) >>> shift
    // 29 bits at most, behind at most 7: five bytes. The double shift is for shift 0, where 32 would be none.
    const word = bytes[p + 3] | (bytes[p + 4] << 8) | (bytes[p + 5] << 16) | (bytes[p + 6] << 24)
    const high = ((word >>> shift) | ((bytes[p + 7] << 1) << (31 - shift))) & highMask
    out[o + i] = base + (low & 0xffffff) + high * TWO_24
  }
  for (let i = loadable; i < count; i++) out[o + i] = base + readBits(bytes, at, i * width, width)
}

/** One number, byte by byte: reads none beyond its own bits. */
function readBits(bytes: Uint8Array, at: number, bit: number, width: number): number {
  let value = 0
  let scale = 1
  let left = width
  let p = at + (bit >>> 3)
  let shift = bit & 7
  while (left > 0) {
    const size = Math.min(8 - shift, left)
    value += ((bytes[p++] >>> shift) & ((1 << size) - 1)) * scale
    scale *= 1 << size
    left -= size
    shift = 0
  }
  return value
}
