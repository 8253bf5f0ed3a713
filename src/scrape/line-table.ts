/** From the hash of a series line to its place in a layout. Made when a page is in another order than the one before. */
import { LINE_COMMENT, LINE_REPEATED, type LineLayout } from './line-layout.ts'

export class LineTable {
  private readonly layout: LineLayout
  /** Open addressing, at most half full: place of the line + 1. */
  private slots = new Uint32Array(0)
  /** Lines [0, added) of the layout are in it. */
  private added = 0

  constructor(layout: LineLayout) {
    this.layout = layout
  }

  /** The first line of the layout that is bytes [start, start + length) of `page` with this hash; −1 for none. */
  find(page: DataView, start: number, length: number, hash: number): number {
    this.catchUp()
    const { layout, slots } = this
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const line = slots[slot] - 1
      if (layout.hashes[line] === hash && layout.isLine(line, page, start, length)) return line
    }
    return -1
  }

  private catchUp(): void {
    const { layout } = this
    if (2 * (layout.count + 1) > this.slots.length) {
      this.slots = new Uint32Array(2 ** Math.ceil(Math.log2(3 * layout.count + 16)))
      this.added = 0
    }
    const mask = this.slots.length - 1
    for (; this.added < layout.count; this.added++) {
      if (layout.flags[this.added] & (LINE_COMMENT | LINE_REPEATED)) continue
      let slot = layout.hashes[this.added] & mask
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask
      this.slots[slot] = this.added + 1
    }
  }
}
