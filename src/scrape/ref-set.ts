/** A set of series refs in one typed array: what is asked of it is asked once a series. */
import type { SeriesRef } from '../../storage/interface.ts'

export class RefSet {
  /** Open addressing, at most half full; 0 is no ref. */
  private readonly slots: Float64Array
  private readonly mask: number

  /** Has room for `capacity` refs. */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(2 * capacity + 2))
    this.slots = new Float64Array(size)
    this.mask = size - 1
  }

  has(ref: SeriesRef): boolean {
    return this.slots[this.slotOf(ref)] === ref
  }

  /** Whether it was not there before. */
  add(ref: SeriesRef): boolean {
    const slot = this.slotOf(ref)
    if (this.slots[slot] === ref) return false
    this.slots[slot] = ref
    return true
  }

  private slotOf(ref: SeriesRef): number {
    const high = Math.floor(ref / 2 ** 32)
    let slot = Math.imul((ref >>> 0) ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
    slot = (slot ^ (slot >>> 15)) & this.mask
    while (this.slots[slot] !== 0 && this.slots[slot] !== ref) slot = (slot + 1) & this.mask
    return slot
  }
}
