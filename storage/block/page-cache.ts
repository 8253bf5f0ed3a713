/**
 * Read pages, kept while there is room: the ones used least recently go first. One cache serves all blocks of a
 * thread. An owner has a list of slots, one a page, so that finding a page is one look into an array.
 */
export type CacheSlots<T> = (CacheEntry<T> | undefined)[]

interface CacheEntry<T> {
  readonly value: T
  readonly bytes: number
  readonly slots: CacheSlots<T>
  readonly position: number
  /** Neighbours in the order of use. */
  newer: AnyEntry | undefined
  older: AnyEntry | undefined
}

type AnyEntry = CacheEntry<unknown>

export class PageCache {
  readonly bytesMax: number
  /** Bytes of what is kept, as said by those who put it in. */
  bytes = 0
  private newest: AnyEntry | undefined
  private oldest: AnyEntry | undefined

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get<T>(slots: CacheSlots<T>, position: number): T | undefined {
    const entry = slots[position]
    if (entry === undefined) return undefined
    if (entry !== this.newest) {
      this.unlink(entry)
      this.link(entry)
    }
    return entry.value
  }

  /** Requires: the slot is empty. What does not fit at all is kept until the next one comes. */
  put<T>(slots: CacheSlots<T>, position: number, value: T, bytes: number): void {
    const entry: CacheEntry<T> = { value, bytes, slots, position, newer: undefined, older: undefined }
    slots[position] = entry
    this.link(entry)
    this.bytes += bytes
    while (this.bytes > this.bytesMax && this.oldest !== entry) this.drop(this.oldest!)
  }

  /** Forgets all that is in the slots. */
  clear<T>(slots: CacheSlots<T>): void {
    for (const entry of slots) if (entry !== undefined) this.drop(entry)
  }

  private drop(entry: AnyEntry): void {
    this.unlink(entry)
    this.bytes -= entry.bytes
    entry.slots[entry.position] = undefined
  }

  private link(entry: AnyEntry): void {
    entry.older = this.newest
    if (this.newest === undefined) this.oldest = entry
    else this.newest.newer = entry
    this.newest = entry
  }

  private unlink(entry: AnyEntry): void {
    if (entry.newer === undefined) this.newest = entry.older
    else entry.newer.older = entry.older
    if (entry.older === undefined) this.oldest = entry.newer
    else entry.older.newer = entry.newer
    entry.newer = undefined
    entry.older = undefined
  }
}
