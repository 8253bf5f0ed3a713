/**
 * Sorted lists of texts, each without the beginning that it shares with the one before.
 *
 *   varint count, then a text:  varint shared bytes, varint further bytes, the further bytes (UTF-8)
 */

import type { ByteReader } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'

/** Requires: sorted by UTF-8 bytes; the same text may come again. */
export function writeTexts(out: ByteWriter, texts: readonly string[]): void {
  out.varint(texts.length)
  let before = Buffer.alloc(0)
  for (const text of texts) {
    const bytes = Buffer.from(text, 'utf8')
    const most = Math.min(before.length, bytes.length)
    let shared = 0
    while (shared < most && before[shared] === bytes[shared]) shared++
    out.varint(shared)
    out.varint(bytes.length - shared)
    out.copy(bytes, shared)
    before = bytes
  }
}

/** Goes from text to text of a list. */
export class TextCursor {
  /** The present text; valid after `next` gave true. */
  text = ''
  /** Its position in the list. */
  position = -1
  readonly count: number
  private readonly reader: ByteReader
  private bytes = Buffer.allocUnsafe(64)

  constructor(reader: ByteReader) {
    this.reader = reader
    this.count = reader.varint()
  }

  next(): boolean {
    if (this.position + 1 >= this.count) return false
    this.position++
    const { reader } = this
    const shared = reader.varint()
    const end = shared + reader.varint()
    if (end > this.bytes.length) {
      const grown = Buffer.allocUnsafe(2 * end)
      this.bytes.copy(grown, 0, 0, shared)
      this.bytes = grown
    }
    const { bytes } = this
    const from = reader.bytes
    let { at } = reader
    for (let i = shared; i < end; i++) bytes[i] = from[at++]
    reader.at = at
    let high = 0
    for (let i = 0; i < end; i++) high |= bytes[i]
    this.text = high < 0x80 ? bytes.toString('latin1', 0, end) : bytes.toString('utf8', 0, end)
    return true
  }
}

export function readTexts(reader: ByteReader): string[] {
  const cursor = new TextCursor(reader)
  const texts: string[] = new Array(cursor.count)
  while (cursor.next()) texts[cursor.position] = cursor.text
  return texts
}
