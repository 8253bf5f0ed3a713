/**
 * The bytes of a layout's lines: pieces of text, each kept once.
 *
 *   piece   length (1 byte) · bytes                     of up to 254 bytes
 *           255 · length (4 bytes, little-endian) · bytes   of more
 *
 * Lines of a page differ from the line before in much the same way family after family (`0.5"}`, or a pod's name and all
 * that follows it), so the same piece serves many. To find it again takes a table, which is kept only while pieces
 * are added: to the end of a scrape.
 */
import { equalRuns, hashRun } from '../exposition/byte-run.ts'

const LONG = 255
const LONG_HEAD = 5

export class LinePool {
  used = 0
  bytes = new Uint8Array(0)
  view = new DataView(this.bytes.buffer)
  /** Open addressing, at most half full: place of the piece + 1. */
  private slots = new Uint32Array(0)
  private slotsUsed = 0

  /** Returns the place of the piece that is bytes [start, end) of `text`, which is added if it is not found. */
  add(text: Uint8Array, start: number, end: number): number {
    const length = end - start
    const head = length < LONG ? 1 : LONG_HEAD
    this.reserve(this.used + head + length)
    if (2 * (this.slotsUsed + 1) > this.slots.length) this.growTable()
    // Written where a new piece would stand; if there is one already, the next piece is written over it.
    const at = this.used + head
    for (let k = 0; k < length; k++) this.bytes[at + k] = text[start + k]
    const mask = this.slots.length - 1
    let slot = hashRun(this.view, at, length) & mask
    for (; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const place = this.slots[slot] - 1
      if (
        this.lengthAt(place) === length &&
        equalRuns(this.view, this.textAt(place), this.view, at, length)
      ) {
        return place
      }
    }
    const place = this.used
    this.slots[slot] = place + 1
    this.slotsUsed++
    this.bytes[place] = Math.min(length, LONG)
    if (head === LONG_HEAD) this.view.setUint32(place + 1, length, true)
    this.used = at + length
    return place
  }

  /** Bytes of the piece at this place. */
  lengthAt(place: number): number {
    return this.bytes[place] === LONG ? this.view.getUint32(place + 1, true) : this.bytes[place]
  }

  /** Where the bytes of the piece begin. */
  textAt(place: number): number {
    return place + (this.bytes[place] === LONG ? LONG_HEAD : 1)
  }

  /** Gives back room that is not used. */
  trim(): void {
    this.slots = new Uint32Array(0)
    this.slotsUsed = 0
    if (this.bytes.length > this.used) this.resize(this.used)
  }

  private growTable(): void {
    const before = this.slots
    this.slots = new Uint32Array(Math.max(64, 2 * before.length))
    const mask = this.slots.length - 1
    for (const found of before) {
      if (found === 0) continue
      let slot = hashRun(this.view, this.textAt(found - 1), this.lengthAt(found - 1)) & mask
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask
      this.slots[slot] = found
    }
  }

  private reserve(bytes: number): void {
    if (bytes > this.bytes.length) this.resize(Math.max(bytes, Math.ceil(this.bytes.length * 1.5)))
  }

  private resize(capacity: number): void {
    const bytes = new Uint8Array(capacity)
    bytes.set(this.bytes.subarray(0, this.used))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
