/** Reads bytes in order and never beyond their end: what would is CORRUPTION. The counterpart of `ByteWriter`. */
import { StorageError } from '../errors.ts'

export class ByteReader {
  readonly bytes: Uint8Array
  private readonly view: DataView
  /** Offset of the next byte. */
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length
  }

  u8(): number {
    this.require(1)
    return this.bytes[this.at++]
  }

  /** Little-endian. */
  u32(): number {
    this.require(4)
    const value = this.view.getUint32(this.at, true)
    this.at += 4
    return value
  }

  /** Little-endian. */
  f64(): number {
    this.require(8)
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  /** LEB128 of an integer below 2^53; a longer one is CORRUPTION. */
  varint(): number {
    const { bytes } = this
    let value = 0
    let scale = 1
    for (let at = this.at; at < bytes.length; at++) {
      const byte = bytes[at]
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        this.at = at + 1
        return value
      }
      scale *= 0x80
      if (scale > 2 ** 49) break
    }
    throw new StorageError('CORRUPTION', `no number at byte ${this.at}`)
  }

  /** A signed integer, see `zigzag`. */
  signed(): number {
    return unzigzag(this.varint())
  }

  /** UTF-8 text behind its length in bytes. */
  text(): string {
    const start = this.skip(this.varint())
    return Buffer.from(this.view.buffer, this.view.byteOffset + start, this.at - start).toString('utf8')
  }

  /** Passes over `size` bytes and gives the offset of the first one. */
  skip(size: number): number {
    this.require(size)
    const start = this.at
    this.at += size
    return start
  }

  /** Passes over all that is left. */
  skipAll(): void {
    this.at = this.bytes.length
  }

  private require(size: number): void {
    if (this.at + size > this.bytes.length) {
      throw new StorageError(
        'CORRUPTION',
        `it ends at byte ${this.bytes.length}, within what begins at ${this.at}`,
      )
    }
  }
}

/** 0, −1, 1, −2, 2 … as 0, 1, 2, 3, 4 … Requires: an integer, |value| < 2^52. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
