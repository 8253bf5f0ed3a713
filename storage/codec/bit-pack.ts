/**
 * Whole numbers of one width, packed without gaps: number i has bits [i × width, (i + 1) × width) of the bytes, where
 * bit b is bit b mod 8 of byte b div 8. The bits after the final number are 0.
 */

/** Widest numbers: what a double holds exactly. */
export const PACK_WIDTH_MAX = 53
/** Widest ones that `unpackSums` takes: what is left of one word behind 7 other bits. */
export const SUMS_WIDTH_MAX = 25

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
 * Views of the bytes that were unpacked last: making one costs more than unpacking a short chunk. As many as a series has
 * pages at a time, one in each of its blocks.
 */
const VIEWS = 8
const NO_BYTES: Uint8Array = new Uint8Array(0)
const viewedBytes: Uint8Array[] = new Array(VIEWS).fill(NO_BYTES)
const views: DataView[] = new Array(VIEWS).fill(new DataView(NO_BYTES.buffer))
let viewAt = 0

/** Loading 32 bits from any byte is one instruction through a DataView, and ten through a Uint8Array. */
function viewOf(bytes: Uint8Array): DataView {
  if (viewedBytes[viewAt] === bytes) return views[viewAt]
  for (let i = 1; i < VIEWS; i++) {
    const at = (viewAt + i) % VIEWS
    if (viewedBytes[at] !== bytes) continue
    viewAt = at
    return views[at]
  }
  // The next place is that of the oldest.
  viewAt = (viewAt + 1) % VIEWS
  viewedBytes[viewAt] = bytes
  views[viewAt] = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return views[viewAt]
}

/** Numbers of which all of the `size` bytes from their first one on lie within the array. */
function loadable(bytes: Uint8Array, at: number, count: number, width: number, size: number): number {
  const byBytes = Math.floor(((bytes.length - at - size) * 8) / width)
  return byBytes < count ? Math.max(0, byBytes) : count
}

/**
 * Reads numbers [0, count) and writes (base + number × factor) / divisor to out[o + i]. Requires: width ≤ PACK_WIDTH_MAX, and that
 * the packed bytes lie within `bytes`.
 */
export function unpack(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  base: number,
  factor: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  if (width === 0) {
    const value = base / divisor
    for (let i = o; i < o + count; i++) out[i] = value
    return
  }
  const words = viewOf(bytes)
  let done = 0
  if (width <= SUMS_WIDTH_MAX) {
    const end = loadable(bytes, at, count, width, 4)
    const mask = (1 << width) - 1
    const isWhole = divisor === 1
    let bit = 0
    if (width <= 7) {
      // One word has four numbers. Dividing is what takes longest here, and nearly always not needed.
      for (; done + 4 <= end; done += 4, bit += 4 * width) {
        const word = words.getInt32(at + (bit >>> 3), true) >>> (bit & 7)
        const i = o + done
        const a = base + (word & mask) * factor
        const b = base + ((word >>> width) & mask) * factor
        const c = base + ((word >>> (2 * width)) & mask) * factor
        const d = base + ((word >>> (3 * width)) & mask) * factor
        out[i] = isWhole ? a : a / divisor
        out[i + 1] = isWhole ? b : b / divisor
        out[i + 2] = isWhole ? c : c / divisor
        out[i + 3] = isWhole ? d : d / divisor
      }
    }
    for (; done < end; done++, bit += width) {
      const word = words.getInt32(at + (bit >>> 3), true) >>> (bit & 7)
      out[o + done] = (base + (word & mask) * factor) / divisor
    }
  } else {
    const end = loadable(bytes, at, count, width, 8)
    const highMask = (1 << (width - 24)) - 1
    for (let bit = 0; done < end; done++, bit += width) {
      out[o + done] = (base + wideAt(words, at + (bit >>> 3), bit & 7, highMask) * factor) / divisor
    }
  }
  for (; done < count; done++) {
    out[o + done] = (base + readBits(bytes, at, done * width, width) * factor) / divisor
  }
}

/** A number of 26 to 53 bits: 24 bits, and the rest, at most 29 bits behind at most 7 others. */
function wideAt(words: DataView, p: number, shift: number, highMask: number): number {
  const low = words.getInt32(p, true) >>> shift
  // Shifted twice, since by 32 would be by none.
  const high = (words.getInt32(p + 3, true) >>> shift) | ((words.getUint8(p + 7) << 1) << (31 - shift))
  return (low & 0xffffff) + (high & highMask) * TWO_24
}

/**
 * The same for differences: number i of the result is first + the sum of (base + number × factor) up to it, over the divisor.
 * Requires: as `unpack`, and width ≤ SUMS_WIDTH_MAX.
 */
export function unpackSums(
  bytes: Uint8Array,
  at: number,
  count: number,
  width: number,
  base: number,
  factor: number,
  first: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  const words = viewOf(bytes)
  const end = width === 0 ? 0 : loadable(bytes, at, count, width, 4)
  const mask = (1 << width) - 1
  let sum = first
  let done = 0
  let bit = 0
  if (width <= 7 && divisor === 1) {
    for (; done + 4 <= end; done += 4, bit += 4 * width) {
      let word = words.getInt32(at + (bit >>> 3), true) >>> (bit & 7)
      const i = o + done
      sum += base + (word & mask) * factor
      out[i] = sum
      word >>>= width
      sum += base + (word & mask) * factor
      out[i + 1] = sum
      word >>>= width
      sum += base + (word & mask) * factor
      out[i + 2] = sum
      sum += base + ((word >>> width) & mask) * factor
      out[i + 3] = sum
    }
  } else if (width <= 7) {
    for (; done + 4 <= end; done += 4, bit += 4 * width) {
      let word = words.getInt32(at + (bit >>> 3), true) >>> (bit & 7)
      const i = o + done
      sum += base + (word & mask) * factor
      out[i] = sum / divisor
      word >>>= width
      sum += base + (word & mask) * factor
      out[i + 1] = sum / divisor
      word >>>= width
      sum += base + (word & mask) * factor
      out[i + 2] = sum / divisor
      sum += base + ((word >>> width) & mask) * factor
      out[i + 3] = sum / divisor
    }
  }
  for (; done < end; done++, bit += width) {
    sum += base + ((words.getInt32(at + (bit >>> 3), true) >>> (bit & 7)) & mask) * factor
    out[o + done] = sum / divisor
  }
  if (done < count) unpackFinalSums(bytes, at, done, count, width, base, factor, sum, divisor, out, o)
}

/** Sums [from, count), where no whole word can be loaded. */
function unpackFinalSums(
  bytes: Uint8Array,
  at: number,
  from: number,
  count: number,
  width: number,
  base: number,
  factor: number,
  sum: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  for (let i = from; i < count; i++) {
    sum += base + (width === 0 ? 0 : readBits(bytes, at, i * width, width) * factor)
    out[o + i] = sum / divisor
  }
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
