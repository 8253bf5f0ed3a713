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

  /** Address of row `index`, 0 where there is no memory for it; for rows made by `reserveOne`. */
  find(index: number): number {
    const page = index >>> this.pageShift
    if (page >= PAGES_MAX) return 0
    const pageAt = this.slab.u32[this.tableAt * 2 + page]
    return pageAt === 0 ? 0 : pageAt + ((index & this.rowMask) << this.rowShift)
  }

  /** Writer: makes room for row `index`, where rows come in no order. Throws NO_MEMORY. */
  reserveOne(index: number, owner: number): void {
    const page = index >>> this.pageShift
    if (page >= PAGES_MAX) throw tooManyPages()
    const entry = this.tableAt * 2 + page
    if (this.slab.u32[entry] === 0) Atomics.store(this.slab.u32, entry, this.slab.allocate(owner))
  }

  /** Writer: makes room for rows 0..index. Throws NO_MEMORY. */
  reserve(index: number, owner: number): void {
    const page = index >>> this.pageShift
    while (this.pageCount <= page) {
      if (this.pageCount === PAGES_MAX) throw tooManyPages()
      const at = this.slab.allocate(owner)
      Atomics.store(this.slab.u32, this.tableAt * 2 + this.pageCount, at)
      this.pageCount++
    }
  }
}

function tooManyPages(): StorageError {
  return new StorageError('NO_MEMORY', `rows take at most ${PAGES_MAX} pages`)
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

/** Sizes of records are rounded up to this, so that a freed one fits the next more often. */
const SIZE_STEP_WORDS = 2
/** Freed records that are larger stay unused until their owner's memory goes. */
const FREED_WORDS_MAX = 1024

/**
 * Records that come and go. A freed one is used again for one of its size: what a reader may still be looking at
 * changes under it, so readers check a version behind their reading.
 */
export class Heap {
  private readonly arena: Arena
  /** Addresses of freed records by their size in steps. */
  private readonly freed: number[][] = []

  constructor(arena: Arena) {
    this.arena = arena
  }

  /** Words that a record of `words` takes. */
  static sizeOf(words: number): number {
    return Math.ceil(words / SIZE_STEP_WORDS) * SIZE_STEP_WORDS
  }

  /** Address of `words` words with any content. Throws NO_MEMORY. */
  take(words: number): number {
    const size = Heap.sizeOf(words)
    return this.freed[size / SIZE_STEP_WORDS]?.pop() ?? this.arena.allocate(size)
  }

  /** `words` as it was taken. */
  release(at: number, words: number): void {
    const size = Heap.sizeOf(words)
    if (size > FREED_WORDS_MAX) return
    const step = size / SIZE_STEP_WORDS
    this.freed[step] ??= []
    this.freed[step].push(at)
  }
}
