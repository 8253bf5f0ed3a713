/** Attaches a thread that answers queries to the memory of the storage: all that such a thread loads of it. */

import { BlockShelf } from './block/shelf.ts'
import { noteOfBlock, unreadableNote } from './block-notes.ts'
import type { DamageNote } from './damage.ts'
import { Slab } from './slab/slab.ts'
import { StorageQueryable } from './storage-querier.ts'

/** What a query thread needs to read the storage: can be cloned between threads. */
export interface StorageHandle {
  buffer: SharedArrayBuffer
  /** Folder of all that is ours. */
  path: string
}

/** Bytes of blocks' pages that one query thread keeps. */
const CACHE_BYTES = 32 * 2 ** 20

/**
 * Attaches a query thread. `reader`: its slot, 0 ≤ reader < MAIN_READER; no two threads share one. `onDamage` hears of
 * what the thread finds damaged.
 */
export function attachStorage(
  handle: StorageHandle,
  reader: number,
  onDamage: (note: DamageNote) => void = () => {},
): StorageQueryable {
  const shelf = new BlockShelf({
    path: handle.path,
    cacheBytesMax: CACHE_BYTES,
    onDamage: (damage) => onDamage(noteOfBlock(damage)),
    onUnreadable: (id, error) => onDamage(unreadableNote(id, error)),
  })
  return new StorageQueryable(new Slab(handle.buffer), reader, shelf)
}

/** Frees the slot of a thread that died. Requires: it is gone. */
export function releaseReader(handle: StorageHandle, reader: number): void {
  new Slab(handle.buffer).setPin(reader, 0)
}
