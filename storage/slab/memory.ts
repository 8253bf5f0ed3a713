/**
 * Ways to lay data into a slab: rows found by index, and records put one after the other.
 * Each has one writer; readers attach to the same addresses.
 */
import { StorageError } from '../errors.ts'
import { EXTENT_BYTES, EXTENT_WORDS, type Slab } from './slab.ts'

/** Entries of a page table: one extent of u32. */
const PAGES_MAX = EXTENT_BYTES / 4

/** Log2 of the words of an extent. */
const EXTENT_SHIFT = 13

/** Rows of 2^rowShift words, found by index through a page table of extents. */
export class Rows {
  readonly tableAt: number
  private readonly slab: Slab
  private readonly rowShift: number
  private readonly pageShift: number
  private readonly rowMask: number
  private pageCount = 0

  constructor(slab: Slab, tableAt: number, rowShift: number) {
    this.slab = slab
    this.tableAt = tableAt
    this.rowShift = rowShift
    this.pageShift = EXTENT_SHIFT - rowShift
    this.rowMask = (1 << this.pageShift) - 1
  }

  /** Address of row `index`. Requires: the writer has made room for it. */
  at(index: number): number {
    return (
      this.slab.u32[this.tableAt * 2 + (index >>> this.pageShift)] + ((index & this.rowMask) << this.rowShift)
    )
  }

  /** Writer: makes room for rows 0..index. Throws NO_MEMORY. */
  reserve(index: number, owner: number): void {
    const page = index >>> this.pageShift
    while (this.pageCount <= page) {
      if (this.pageCount === PAGES_MAX) {
        throw new StorageError('NO_MEMORY', `a generation has at most ${PAGES_MAX} pages of rows`)
      }
      const at = this.slab.allocate(owner)
      Atomics.store(this.slab.u32, this.tableAt * 2 + this.pageCount, at)
      this.pageCount++
    }
  }
}

/** Records put one after the other; a record never moves and never crosses into an extent that is not its own. */
export class Arena {
  private readonly slab: Slab
  private readonly owner: number
  private at = 0
  private endAt = 0

  constructor(slab: Slab, owner: number) {
    this.slab = slab
    this.owner = owner
  }

  /** Address of `words` zeroed words. Throws NO_MEMORY. */
  allocate(words: number): number {
    if (this.at + words > this.endAt) {
      if (words > EXTENT_WORDS) return this.slab.allocateRun(Math.ceil(words / EXTENT_WORDS), this.owner)
      this.at = this.slab.allocate(this.owner)
      this.endAt = this.at + EXTENT_WORDS
    }
    const at = this.at
    this.at += words
    return at
  }
}
