/**
 * One label set as bytes, for hashing and for comparing without strings. Reused: `clear`, `add` … `finish`.
 *
 * Form: name 0xFF value 0xFF name 0xFF value 0xFF …, in the order of the names. 0xFF is in no UTF-8 text, so equal
 * sets have equal bytes and no others do.
 */
import type { Labels } from '../model/labels.ts'
import { hash128 } from '../slab/hash.ts'

const SEPARATOR = 0xff

export class LabelBytes {
  bytes: Buffer = Buffer.allocUnsafe(4096)
  /** End offset of each name and value, two a label. The separator is at the end offset. */
  ends = new Uint32Array(64)
  /** Number of labels. */
  count = 0
  /** 128-bit hash, set by `finish`. It identifies a series across generations. */
  readonly hash = new Uint32Array(4)
  private length = 0
  private parts = 0

  clear(): void {
    this.length = 0
    this.parts = 0
    this.count = 0
  }

  add(name: string, value: string): void {
    this.addPart(name)
    this.addPart(value)
    this.count++
  }

  /** Adds a name or a value: names and values in turn. */
  addBytes(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start + 1)
    for (let i = start; i < end; i++) this.bytes[this.length++] = from[i]
    this.addEnd(this.length)
    this.bytes[this.length++] = SEPARATOR
    this.count = this.parts >>> 1
  }

  /** `finish` where the hash is known: four words from `index` on. */
  finishWith(words: Uint32Array, index: number): void {
    for (let i = 0; i < 4; i++) this.hash[i] = words[index + i]
  }

  finish(): void {
    hash128(this.bytes, 0, this.length, this.hash)
  }

  set(labels: Labels): void {
    this.clear()
    const { pairs } = labels
    for (let i = 0; i < pairs.length; i += 2) this.add(pairs[i], pairs[i + 1])
    this.finish()
  }

  /** Takes labels that are in this form already. */
  setBytes(bytes: Uint8Array, start: number, end: number): void {
    this.clear()
    this.reserve(end - start)
    this.bytes.set(bytes.subarray(start, end), 0)
    this.length = end - start
    for (let i = 0; i < this.length; i++) if (this.bytes[i] === SEPARATOR) this.addEnd(i)
    this.count = this.parts / 2
    this.finish()
  }

  private addPart(text: string): void {
    // A UTF-16 unit takes at most 3 bytes.
    this.reserve(text.length * 3 + 1)
    const { bytes } = this
    let end = this.length
    let i = 0
    // Label text is nearly always ASCII and short; a call into C++ costs more than this loop.
    for (; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) break
      bytes[end++] = unit
    }
    if (i < text.length) end += bytes.write(i === 0 ? text : text.slice(i), end, 'utf8')
    this.addEnd(end)
    bytes[end] = SEPARATOR
    this.length = end + 1
  }

  private addEnd(end: number): void {
    if (this.parts === this.ends.length) {
      const grown = new Uint32Array(this.ends.length * 2)
      grown.set(this.ends)
      this.ends = grown
    }
    this.ends[this.parts++] = end
  }

  private reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const grown = Buffer.allocUnsafe((this.length + size) * 2)
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }
}
