/**
 * The newest samples of series whose generation left memory while they were not continued: a series that comes back
 * within the hour must go on behind them. Kept by the hash of the labels, 33 bytes a series; those that are older
 * than what may be appended are forgotten when the table grows.
 *
 * Open addressing with linear probing on typed arrays; kind 0xff marks a free slot.
 */
import type { Kind } from '../model/sample.ts'

export interface Newest {
  t: number
  v: number
  kind: Kind
}

const FREE = 0xff
const CAPACITY_MIN = 1024

export class Departed {
  private count = 0
  private capacity = 0
  private hash = new Uint32Array(0)
  private t = new Float64Array(0)
  private v = new Float64Array(0)
  private kind = new Uint8Array(0)

  /** Notes a series by the four words of its hash at `words[index]`. Those older than `minT` may be forgotten. */
  add(words: Uint32Array, index: number, newest: Newest, minT: number): void {
    if (newest.t < minT) return
    if ((this.count + 1) * 3 > this.capacity * 2) this.rebuild(minT)
    const slot = this.slotOf(words, index)
    if (this.kind[slot] === FREE) this.count++
    else if (this.t[slot] > newest.t) return
    for (let i = 0; i < 4; i++) this.hash[slot * 4 + i] = words[index + i]
    this.t[slot] = newest.t
    this.v[slot] = newest.v
    this.kind[slot] = newest.kind
  }

  find(words: Uint32Array, index: number): Newest | undefined {
    if (this.count === 0) return undefined
    const slot = this.slotOf(words, index)
    if (this.kind[slot] === FREE) return undefined
    return { t: this.t[slot], v: this.v[slot], kind: this.kind[slot] as Kind }
  }

  /** The slot of the series, or the free one where it would be. */
  private slotOf(words: Uint32Array, index: number): number {
    const mask = this.capacity - 1
    for (let slot = words[index] & mask; ; slot = (slot + 1) & mask) {
      if (this.kind[slot] === FREE) return slot
      const at = slot * 4
      let i = 0
      while (i < 4 && this.hash[at + i] === words[index + i]) i++
      if (i === 4) return slot
    }
  }

  /** Leaves out what is older than `minT`, and makes room for as many again. */
  private rebuild(minT: number): void {
    const { hash, t, v, kind, capacity } = this
    let kept = 0
    for (let slot = 0; slot < capacity; slot++) if (kind[slot] !== FREE && t[slot] >= minT) kept++
    this.capacity = CAPACITY_MIN
    while (this.capacity < (kept + 1) * 3) this.capacity *= 2
    this.hash = new Uint32Array(this.capacity * 4)
    this.t = new Float64Array(this.capacity)
    this.v = new Float64Array(this.capacity)
    this.kind = new Uint8Array(this.capacity).fill(FREE)
    this.count = 0
    for (let slot = 0; slot < capacity; slot++) {
      if (kind[slot] === FREE || t[slot] < minT) continue
      this.add(hash, slot * 4, { t: t[slot], v: v[slot], kind: kind[slot] as Kind }, minT)
    }
  }
}
