/**
 * Which generations there are, in shared memory: how a reader finds the head, and its view of it.
 *
 * Control words (u32), from the slab's first user word:
 *    0  commit number that queries see   1  state   2  version, odd while the list changes   3  count
 *    4…  root addresses, oldest generation first
 *
 * A reader pins an epoch first and reads the list then, so that what the list showed stays until it lets go.
 */
import { StorageError } from '../errors.ts'
import { READERS_MAX, type Slab, USER_WORDS } from '../slab/slab.ts'

const COMMIT = USER_WORDS
const STATE = USER_WORDS + 1
const VERSION = USER_WORDS + 2
const COUNT = USER_WORDS + 3
const ROOTS = USER_WORDS + 4

/** More generations than the head ever keeps. */
export const GENERATIONS_MAX = 256

export const STATE_REPLAYING = 0
export const STATE_READY = 1
export const STATE_CLOSED = 2

/** The main thread reads with the last slot; query threads take the first ones. */
export const MAIN_READER = READERS_MAX - 1

/** What a query sees: generations, oldest first, and the newest commit. */
export interface HeadView {
  roots: readonly number[]
  commit: number
}

export class Directory {
  private readonly slab: Slab

  constructor(slab: Slab) {
    this.slab = slab
  }

  get state(): number {
    return Atomics.load(this.slab.u32, STATE)
  }

  /** Writer. */
  setState(state: number): void {
    Atomics.store(this.slab.u32, STATE, state)
  }

  /** Writer: from now on new views see this commit and all before it. */
  publish(commit: number): void {
    Atomics.store(this.slab.u32, COMMIT, commit)
  }

  /** Writer: replaces the list. */
  setRoots(roots: readonly number[]): void {
    if (roots.length > GENERATIONS_MAX) throw new RangeError(`more than ${GENERATIONS_MAX} generations`)
    const { u32 } = this.slab
    Atomics.add(u32, VERSION, 1)
    u32[COUNT] = roots.length
    for (let i = 0; i < roots.length; i++) u32[ROOTS + i] = roots[i]
    Atomics.add(u32, VERSION, 1)
  }

  /** Requires: the caller has an epoch pinned. Throws NOT_READY while old data is replayed, CLOSED after. */
  view(): HeadView {
    const { state } = this
    if (state === STATE_REPLAYING)
      throw new StorageError('NOT_READY', 'the write-ahead log is being replayed')
    if (state === STATE_CLOSED) throw new StorageError('CLOSED', 'the storage is closed')
    const { u32 } = this.slab
    for (;;) {
      const version = Atomics.load(u32, VERSION)
      if ((version & 1) === 1) {
        Atomics.pause()
        continue
      }
      // The commit before the list: a sample of this commit is in a generation that the list shows.
      const commit = Atomics.load(u32, COMMIT)
      const roots: number[] = []
      for (let i = 0; i < u32[COUNT]; i++) roots.push(u32[ROOTS + i])
      if (Atomics.compareExchange(u32, VERSION, version, version) === version) return { roots, commit }
    }
  }
}
