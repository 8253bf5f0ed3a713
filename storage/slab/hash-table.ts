/**
 * Hash table in shared memory: hash → ids, one writer, any readers.
 *
 * Open addressing with linear probing. A slot is one word: u32 hash, u32 id + 1 (0 = empty), the id stored last.
 * Nothing is ever removed. When the table is two thirds full, one of twice the size is built aside and its
 * address swapped into the cell by one atomic store; readers of the old one still find all that they may see.
 * The old one stays until its owner's memory goes: all old ones together are smaller than the present one.
 *
 * Header, one record of 2 words: u32 mask, u32 page table address, u32 spare, u32 spare.
 */
import { Rows } from './memory.ts'
import type { Slab } from './slab.ts'

const CAPACITY_MIN = 1024

export class HashTable {
  private readonly slab: Slab
  /** Index into u32 of the cell that holds the header's address. */
  private readonly cell: number
  private headerAt = 0
  private mask = 0
  private rows: Rows | undefined

  constructor(slab: Slab, cell: number) {
    this.slab = slab
    this.cell = cell
  }

  /** The first id with this hash that passes `isSame`, or −1. */
  find(hash: number, isSame: (id: number) => boolean): number {
    const rows = this.current()
    if (rows === undefined) return -1
    const { u32 } = this.slab
    for (let slot = hash & this.mask; ; slot = (slot + 1) & this.mask) {
      const index = rows.at(slot) * 2
      const id = Atomics.load(u32, index + 1)
      if (id === 0) return -1
      if (u32[index] === hash && isSame(id - 1)) return id - 1
    }
  }

  /** Writer. Requires: the id is not in the table; `count` ids are in it already. */
  insert(hash: number, id: number, count: number, owner: number): void {
    let rows = this.current()
    if (rows === undefined || (count + 1) * 3 > (this.mask + 1) * 2) rows = this.grow(rows, owner)
    this.put(rows, this.mask, hash, id)
  }

  /** Attaches anew when the cell shows another table. */
  private current(): Rows | undefined {
    const headerAt = Atomics.load(this.slab.u32, this.cell)
    if (headerAt === 0) return undefined
    if (headerAt !== this.headerAt) {
      this.headerAt = headerAt
      this.mask = this.slab.u32[headerAt * 2]
      this.rows = new Rows(this.slab, this.slab.u32[headerAt * 2 + 1], 0)
    }
    return this.rows
  }

  private put(rows: Rows, mask: number, hash: number, id: number): void {
    const { u32 } = this.slab
    let slot = hash & mask
    while (u32[rows.at(slot) * 2 + 1] !== 0) slot = (slot + 1) & mask
    const index = rows.at(slot) * 2
    u32[index] = hash
    Atomics.store(u32, index + 1, id + 1)
  }

  private grow(old: Rows | undefined, owner: number): Rows {
    const { slab } = this
    const capacity = old === undefined ? CAPACITY_MIN : (this.mask + 1) * 2
    // The header shares the extent of the page table's tail: a table never needs all of its pages.
    const tableAt = slab.allocate(owner)
    const headerAt = tableAt + PAGE_TABLE_WORDS
    const rows = new Rows(slab, tableAt, 0)
    rows.reserve(capacity - 1, owner)
    if (old !== undefined) {
      for (let slot = 0; slot <= this.mask; slot++) {
        const index = old.at(slot) * 2
        if (slab.u32[index + 1] !== 0) this.put(rows, capacity - 1, slab.u32[index], slab.u32[index + 1] - 1)
      }
    }
    slab.u32[headerAt * 2] = capacity - 1
    slab.u32[headerAt * 2 + 1] = tableAt
    Atomics.store(slab.u32, this.cell, headerAt)
    return this.current()!
  }
}

/** 8,192 words hold 16,384 page addresses; half of them already hold 2^26 slots. */
const PAGE_TABLE_WORDS = 4096
