/** A set of refs [0, size) as one bit each: half a million series take 64 KiB. */
import type { PostingsGroup } from './postings-page.ts'

export class RefBitmap {
  private readonly words: Uint32Array
  private scratch = new Uint32Array(1024)

  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5)
  }

  has(ref: number): boolean {
    return ((this.words[ref >>> 5] >>> (ref & 31)) & 1) === 1
  }

  /** Adds the refs of value i of a group. */
  addList(group: PostingsGroup, i: number): void {
    const count = this.read(group, i)
    for (let j = 0; j < count; j++) this.words[this.scratch[j] >>> 5] |= 1 << (this.scratch[j] & 31)
  }

  addRefs(refs: Uint32Array): void {
    for (let i = 0; i < refs.length; i++) this.words[refs[i] >>> 5] |= 1 << (refs[i] & 31)
  }

  /** Whether one of the refs of value i of a group is in the set. */
  meets(group: PostingsGroup, i: number): boolean {
    const count = this.read(group, i)
    for (let j = 0; j < count; j++) if (this.has(this.scratch[j])) return true
    return false
  }

  /** Keeps those of the refs that are in the set, or those that are not. In place. */
  filter(refs: Uint32Array, isIn: boolean): Uint32Array {
    let end = 0
    for (let i = 0; i < refs.length; i++) if (this.has(refs[i]) === isIn) refs[end++] = refs[i]
    return refs.subarray(0, end)
  }

  /** All refs of the set, ascending. */
  toRefs(): Uint32Array {
    const { words } = this
    let count = 0
    for (let w = 0; w < words.length; w++) {
      for (let word = words[w]; word !== 0; word &= word - 1) count++
    }
    const refs = new Uint32Array(count)
    let end = 0
    for (let w = 0; w < words.length; w++) {
      for (let word = words[w]; word !== 0; word &= word - 1)
        refs[end++] = 32 * w + 31 - Math.clz32(word & -word)
    }
    return refs
  }

  private read(group: PostingsGroup, i: number): number {
    const count = group.counts[i]
    if (count > this.scratch.length) this.scratch = new Uint32Array(2 * count)
    return group.read(i, this.scratch, 0)
  }
}
