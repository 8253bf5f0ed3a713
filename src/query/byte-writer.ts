/**
 * Bytes that grow: where an answer is put together without a string of it ever being made.
 *
 * Callers in a hot loop `reserve` once, then write to `bytes` at `length` themselves; `bytes` is another array
 * after each `reserve`.
 */
const encoder = new TextEncoder()

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>
  length = 0

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Makes room for `count` more bytes. Throws RangeError when there is no memory for them. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  /** Requires: every character is ASCII. */
  ascii(text: string): void {
    this.reserve(text.length)
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.length = at
  }

  /** A lone surrogate becomes U+FFFD. */
  utf8(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.reserve(text.length * 3)
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  /** What was written, as a view that owns its buffer (which may be longer). The writer is spent. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length)
  }
}
