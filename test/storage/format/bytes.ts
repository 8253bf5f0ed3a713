/** Bytes as docs/FORMAT.md has them: slowly, bit by bit, with nothing from storage/. */

export class Bytes {
  readonly bytes: Uint8Array
  private readonly view: DataView
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
  }

  u8(): number {
    return this.view.getUint8(this.at++)
  }

  u32(): number {
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  f64(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  /** Eight bytes of a float as they are. */
  bits64(): bigint {
    this.at += 8
    return this.view.getBigUint64(this.at - 8, true)
  }

  /** Seven bits a byte, the low ones first. */
  varint(): number {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(value)
    }
  }

  /** 0, −1, 1, −2 … as 0, 1, 2, 3 …: in the write-ahead log. */
  zigzag(): number {
    const z = this.varint()
    return z % 2 === 0 ? z / 2 : -(z + 1) / 2
  }

  /** With the sign in bit 6 of the first byte: in chunks. */
  signed(): number {
    const first = this.u8()
    const rest = first >= 0x80 ? this.varint() : 0
    const size = (first & 0x3f) + rest * 64
    return (first & 0x40) === 0 ? size : -size
  }

  text(): string {
    return this.slice(this.varint()).toString('utf8')
  }

  slice(size: number): Buffer {
    this.at += size
    return Buffer.from(this.bytes.slice(this.at - size, this.at))
  }

  /** Packed numbers: number i has bits [i × width, (i + 1) × width). */
  packed(count: number, width: number): bigint[] {
    const start = this.at
    this.at += Math.ceil((count * width) / 8)
    return Array.from({ length: count }, (_, i) => this.bitsFrom(start, i * width, width))
  }

  /** `width` bits from bit `from` behind byte `start`; the first one is the lowest. */
  bitsFrom(start: number, from: number, width: number): bigint {
    let value = 0n
    for (let b = 0; b < width; b++) {
      const bit = from + b
      value |= BigInt((this.view.getUint8(start + (bit >>> 3)) >>> (bit & 7)) & 1) << BigInt(b)
    }
    return value
  }
}

const float = new DataView(new ArrayBuffer(8))

export function bitsOf(value: number): bigint {
  float.setFloat64(0, value)
  return float.getBigUint64(0)
}

export function floatOf(bits: bigint): number {
  float.setBigUint64(0, bits)
  return float.getFloat64(0)
}
