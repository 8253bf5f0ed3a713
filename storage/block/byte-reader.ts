/** Walks over the bytes of a page whose checksum was right: nothing is checked here. */
export class ByteReader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  u8(): number {
    return this.bytes[this.at++]
  }

  /** Little-endian. */
  u32(): number {
    this.at += 4
    return this.bytes.readUInt32LE(this.at - 4)
  }

  /** Little-endian. */
  f64(): number {
    this.at += 8
    return this.bytes.readDoubleLE(this.at - 8)
  }

  /** LEB128, up to 2^53. */
  varint(): number {
    let byte = this.bytes[this.at++]
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 0x80
    do {
      byte = this.bytes[this.at++]
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }

  /** UTF-8 text behind its length in bytes. */
  text(): string {
    const length = this.varint()
    this.at += length
    return this.bytes.toString('utf8', this.at - length, this.at)
  }
}
