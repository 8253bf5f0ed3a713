/**
 * Strings in shared memory, each once: symbol id ↔ UTF-8 bytes.
 *
 * A symbol row is one word: u32 address of its bytes, u32 byte length. A symbol is published by the table that
 * refers to it; its bytes are whole before that and never change.
 */
import { hash32 } from './hash.ts'
import { HashTable } from './hash-table.ts'
import { type Arena, Rows } from './memory.ts'
import type { Slab } from './slab.ts'

export class Symbols {
  private readonly slab: Slab
  private readonly rows: Rows
  private readonly table: HashTable
  private readonly countIndex: number

  /** `countIndex` and `tableCell` are indexes into u32. */
  constructor(slab: Slab, rowsTableAt: number, tableCell: number, countIndex: number) {
    this.slab = slab
    this.rows = new Rows(slab, rowsTableAt, 0)
    this.table = new HashTable(slab, tableCell)
    this.countIndex = countIndex
  }

  get count(): number {
    return Atomics.load(this.slab.u32, this.countIndex)
  }

  /** The id of the string in bytes [start, end), or −1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.table.find(hash32(bytes, start, end), (id) => this.equals(id, bytes, start, end))
  }

  findText(text: string): number {
    const bytes = Buffer.from(text)
    return this.find(bytes, 0, bytes.length)
  }

  /** Writer: the id of the string, made if it is new. */
  intern(bytes: Uint8Array, start: number, end: number, arena: Arena, owner: number): number {
    const hash = hash32(bytes, start, end)
    const found = this.table.find(hash, (id) => this.equals(id, bytes, start, end))
    if (found >= 0) return found
    const id = this.count
    const length = end - start
    const at = length === 0 ? 0 : arena.allocate((length + 7) >>> 3)
    this.rows.reserve(id, owner)
    const target = at * 8
    for (let i = 0; i < length; i++) this.slab.u8[target + i] = bytes[start + i]
    const row = this.rows.at(id) * 2
    this.slab.u32[row] = at
    this.slab.u32[row + 1] = length
    this.table.insert(hash, id, id, owner)
    Atomics.store(this.slab.u32, this.countIndex, id + 1)
    return id
  }

  text(id: number): string {
    const row = this.rows.at(id) * 2
    const start = this.slab.u32[row] * 8
    return this.slab.text.toString('utf8', start, start + this.slab.u32[row + 1])
  }

  /** Index into u8 of the first byte. */
  startOf(id: number): number {
    return this.slab.u32[this.rows.at(id) * 2] * 8
  }

  /** Index into u8 behind the last byte. */
  endOf(id: number): number {
    const row = this.rows.at(id) * 2
    return this.slab.u32[row] * 8 + this.slab.u32[row + 1]
  }

  equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { u32, u8 } = this.slab
    const row = this.rows.at(id) * 2
    const length = u32[row + 1]
    if (length !== end - start) return false
    const at = u32[row] * 8
    for (let i = 0; i < length; i++) if (u8[at + i] !== bytes[start + i]) return false
    return true
  }
}
