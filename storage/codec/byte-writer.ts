/** Bytes that grow: what encoders write to. */
export class ByteWriter {
  /** [0, length) is what was written. */
  bytes: Buffer
  length = 0

  constructor(capacity = 4096) {
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  /** Forgets what was written; the memory stays. */
  clear(): void {
    this.length = 0
  }

  /** Makes room for `size` more bytes; `bytes` may be another object after it. */
  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.length + size, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  u8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** Little-endian. */
  u32(value: number): void {
    this.reserve(4)
    this.length = this.bytes.writeUInt32LE(value >>> 0, this.length)
  }

  /** Little-endian. */
  f64(value: number): void {
    this.reserve(8)
    this.length = this.bytes.writeDoubleLE(value, this.length)
  }

  /** LEB128, seven bits a byte, the low ones first. Requires: an integer, 0 ≤ value ≤ 2^53. */
  varint(value: number): void {
    this.reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  /** Copies bytes [start, end). */
  copy(from: Uint8Array, start = 0, end = from.length): void {
    this.reserve(end - start)
    for (let i = start; i < end; i++) this.bytes[this.length++] = from[i]
  }
}
