/**
 * The codec to compare with: Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database" (VLDB 2015),
 * times as differences of differences and values as XOR, bit by bit in one stream, as Prometheus has it. Well written for
 * JavaScript: 32-bit halves, one buffered word, no BigInt, no object a sample.
 *
 *   times   first 64 bits, then a difference of 64 bits, then d = difference of differences:
 *           0 | 10 and 14 bits | 110 and 17 bits | 1110 and 20 bits | 1111 and 64 bits
 *   values  first 64 bits, then x = XOR with the value before: 0 | 10 and the old window | 11, 5 bits leading zeros,
 *           6 bits size (0 = 64), the window
 */
import type { ByteWriter } from '../storage/codec/byte-writer.ts'

const halvesScratch = new Float64Array(1)
const words = new Uint32Array(halvesScratch.buffer)

/** Bits go out high first. */
class BitSink {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  private word = 0
  private free = 32

  start(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
    this.word = 0
    this.free = 32
  }

  /** Requires: 1 ≤ width ≤ 32, value < 2^width. */
  put(value: number, width: number): void {
    if (width < this.free) {
      this.free -= width
      this.word |= value << this.free
      return
    }
    const rest = width - this.free
    this.flush(this.word | (value >>> rest))
    this.free = 32 - rest
    this.word = rest === 0 ? 0 : value << this.free
  }

  private flush(word: number): void {
    const { bytes, at } = this
    bytes[at] = word >>> 24
    bytes[at + 1] = word >>> 16
    bytes[at + 2] = word >>> 8
    bytes[at + 3] = word
    this.at += 4
  }

  end(): number {
    const used = (32 - this.free + 7) >>> 3
    for (let i = 0; i < used; i++) this.bytes[this.at++] = this.word >>> (24 - 8 * i)
    return this.at
  }
}

const sink = new BitSink()

/** Writes samples [0, count): times whole, values floats. */
export function encodeGorilla(t: Float64Array, v: Float64Array, count: number, out: ByteWriter): void {
  out.reserve(32 + 20 * count)
  sink.start(out.bytes, out.length)
  let leading = -1
  let trailing = 0
  let before = 0
  let difference = 0
  let low = 0
  let high = 0
  for (let i = 0; i < count; i++) {
    halvesScratch[0] = v[i]
    if (i === 0) {
      putWhole(t[0])
      sink.put(words[1], 32)
      sink.put(words[0], 32)
    } else {
      const now = t[i] - before
      if (i === 1) putWhole(now)
      else putTime(now - difference)
      difference = now
      const x = words[0] ^ low
      const y = words[1] ^ high
      if ((x | y) === 0) sink.put(0, 1)
      else {
        const lead = Math.min(31, y !== 0 ? Math.clz32(y) : 32 + Math.clz32(x))
        const trail = x !== 0 ? 31 - Math.clz32(x & -x) : 63 - Math.clz32(y & -y)
        if (leading >= 0 && lead >= leading && trail >= trailing) sink.put(2, 2)
        else {
          leading = lead
          trailing = trail
          sink.put((3 << 11) | (lead << 6) | ((64 - lead - trail) & 63), 13)
        }
        putWindow(x, y, 64 - leading - trailing, trailing)
      }
    }
    before = t[i]
    low = words[0]
    high = words[1]
  }
  out.length = sink.end()
}

function putWhole(value: number): void {
  const high = Math.floor(value / 0x100000000)
  sink.put(high >>> 0, 32)
  sink.put((value - high * 0x100000000) >>> 0, 32)
}

function putTime(d: number): void {
  if (d === 0) sink.put(0, 1)
  else if (d >= -8191 && d <= 8192) sink.put((2 << 14) | (d & 0x3fff), 16)
  else if (d >= -65535 && d <= 65536) sink.put((6 << 17) | (d & 0x1ffff), 20)
  else if (d >= -524287 && d <= 524288) sink.put((14 << 20) | (d & 0xfffff), 24)
  else {
    sink.put(15, 4)
    putWhole(d)
  }
}

function putWindow(low: number, high: number, size: number, trailing: number): void {
  if (trailing >= 32) {
    low = high >>> (trailing - 32)
    high = 0
  } else if (trailing > 0) {
    low = (low >>> trailing) | (high << (32 - trailing))
    high >>>= trailing
  }
  if (size > 32) {
    sink.put(high, size - 32)
    sink.put(low >>> 0, 32)
  } else sink.put(low >>> 0, size)
}

class BitSource {
  private bytes: Uint8Array = new Uint8Array(0)
  private at = 0
  private word = 0
  private left = 0

  start(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
    this.left = 0
  }

  /** Requires: 1 ≤ width ≤ 32. */
  get(width: number): number {
    if (width <= this.left) {
      this.left -= width
      return (this.word >>> this.left) & (width === 32 ? -1 : (1 << width) - 1)
    }
    const rest = width - this.left
    const upper = this.left === 0 ? 0 : this.word & ((1 << this.left) - 1)
    const { bytes, at } = this
    this.word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
    this.at = at + 4
    this.left = 32 - rest
    if (rest === 32) return this.word
    return (upper << rest) | (this.word >>> this.left)
  }

  bit(): number {
    if (this.left === 0) {
      const { bytes, at } = this
      this.word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
      this.at = at + 4
      this.left = 32
    }
    return (this.word >>> --this.left) & 1
  }
}

const source = new BitSource()

/** Reads them back to [0, count). Requires: 4 bytes behind the chunk. */
export function decodeGorilla(
  bytes: Uint8Array,
  at: number,
  count: number,
  t: Float64Array,
  v: Float64Array,
): void {
  source.start(bytes, at)
  let time = getWhole()
  let difference = 0
  let high = source.get(32)
  let low = source.get(32)
  let size = 0
  let trailing = 0
  for (let i = 0; i < count; i++) {
    if (i > 0) {
      difference = i === 1 ? getWhole() : difference + getTime()
      time += difference
      if (source.bit() === 1) {
        if (source.bit() === 1) {
          const window = source.get(11)
          size = window & 63 || 64
          trailing = 64 - (window >>> 6) - size
        }
        let y = size > 32 ? source.get(size - 32) : 0
        let x = source.get(size > 32 ? 32 : size)
        if (trailing >= 32) {
          y = x << (trailing - 32)
          x = 0
        } else if (trailing > 0) {
          y = (y << trailing) | (x >>> (32 - trailing))
          x <<= trailing
        }
        low ^= x
        high ^= y
      }
    }
    words[0] = low
    words[1] = high
    t[i] = time
    v[i] = halvesScratch[0]
  }
}

function getWhole(): number {
  const high = source.get(32) | 0
  return high * 0x100000000 + (source.get(32) >>> 0)
}

function getTime(): number {
  if (source.bit() === 0) return 0
  if (source.bit() === 0) return signed(source.get(14), 14)
  if (source.bit() === 0) return signed(source.get(17), 17)
  if (source.bit() === 0) return signed(source.get(20), 20)
  return getWhole()
}

/** The range is (−2^(width−1), 2^(width−1)]. */
function signed(value: number, width: number): number {
  return value > 1 << (width - 1) ? value - (1 << width) : value
}
