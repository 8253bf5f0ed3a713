/**
 * What there is to read, in shared memory: how a reader finds generations, blocks and tombstones, all of one moment.
 *
 * Control words (u32), from the slab's first user word:
 *    0  commit number that queries see   1  state   2  version, odd while the list changes
 *    3  number of generations   4  number of blocks   5  record of the tombstones, 0 = none
 *    8…  addresses of the generations' roots, oldest first (GENERATIONS_MAX)
 *    then the blocks, oldest arrival first, 6 words each: u32 id, u32 0, f64 first time, f64 last time
 *
 * Record of the tombstones: u32 bytes, u32 0, then text (JSON).
 *
 * A reader pins an epoch first and reads the list then, so that what the list showed stays until it lets go.
 */
import { StorageError } from '../errors.ts'
import { Arena } from '../slab/memory.ts'
import { READERS_MAX, type Slab, USER_WORDS, USER_WORDS_COUNT } from '../slab/slab.ts'

const COMMIT = USER_WORDS
const STATE = USER_WORDS + 1
const VERSION = USER_WORDS + 2
const GENERATIONS = USER_WORDS + 3
const BLOCKS = USER_WORDS + 4
const TOMBSTONES = USER_WORDS + 5
const ROOTS = USER_WORDS + 8

/** More generations than the head ever keeps. */
export const GENERATIONS_MAX = 64

const BLOCK_WORDS = 6
const BLOCK_LIST = ROOTS + GENERATIONS_MAX
export const BLOCKS_MAX = Math.floor((USER_WORDS_COUNT - 8 - GENERATIONS_MAX) / BLOCK_WORDS)

export const STATE_REPLAYING = 0
export const STATE_READY = 1
export const STATE_CLOSED = 2

/** The main thread reads with the last slot; query threads take the first ones. */
export const MAIN_READER = READERS_MAX - 1

/** A block as the directory has it; times both inclusive. */
export interface ListedBlock {
  id: number
  mint: number
  maxt: number
}

/** What a query sees: generations, oldest first, blocks, oldest arrival first, and the newest commit. */
export interface View {
  roots: readonly number[]
  blocks: readonly ListedBlock[]
  /** JSON, '' when there are none. */
  tombstones: string
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

  /** The newest commit that may be seen. */
  get commit(): number {
    return Atomics.load(this.slab.u32, COMMIT)
  }

  /** Writer. */
  setState(state: number): void {
    Atomics.store(this.slab.u32, STATE, state)
  }

  /** Writer: from now on new views see this commit and all before it. */
  publish(commit: number): void {
    Atomics.store(this.slab.u32, COMMIT, commit)
  }

  /** Writer: replaces what is listed, all at once. */
  set(roots: readonly number[], blocks: readonly ListedBlock[], tombstonesAt: number): void {
    if (roots.length > GENERATIONS_MAX) throw new RangeError(`more than ${GENERATIONS_MAX} generations`)
    if (blocks.length > BLOCKS_MAX) throw new RangeError(`more than ${BLOCKS_MAX} blocks`)
    const { u32, f64 } = this.slab
    Atomics.add(u32, VERSION, 1)
    u32[GENERATIONS] = roots.length
    for (let i = 0; i < roots.length; i++) u32[ROOTS + i] = roots[i]
    u32[BLOCKS] = blocks.length
    for (const [i, { id, mint, maxt }] of blocks.entries()) {
      const word = BLOCK_LIST + i * BLOCK_WORDS
      u32[word] = id
      f64[word / 2 + 1] = mint
      f64[word / 2 + 2] = maxt
    }
    u32[TOMBSTONES] = tombstonesAt
    Atomics.add(u32, VERSION, 1)
  }

  /** Writer: puts the text of the tombstones into memory of `owner`; its address for `set`. Throws NO_MEMORY. */
  storeTombstones(text: string, owner: number): number {
    const bytes = Buffer.from(text)
    const at = new Arena(this.slab, owner).allocate(1 + Math.ceil(bytes.length / 8))
    this.slab.u32[at * 2] = bytes.length
    this.slab.u8.set(bytes, (at + 1) * 8)
    return at
  }

  /** Requires: the caller has an epoch pinned. Throws NOT_READY while old data is replayed, CLOSED after. */
  view(): View {
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
      // The commit before the list: a sample of this commit is in what the list shows.
      const { commit } = this
      const view = { ...this.list(), commit }
      if (Atomics.compareExchange(u32, VERSION, version, version) === version) return view
    }
  }

  private list(): Omit<View, 'commit'> {
    const { u32, f64, text } = this.slab
    const roots: number[] = []
    const generations = Math.min(u32[GENERATIONS], GENERATIONS_MAX)
    for (let i = 0; i < generations; i++) roots.push(u32[ROOTS + i])
    const blocks: ListedBlock[] = []
    const count = Math.min(u32[BLOCKS], BLOCKS_MAX)
    for (let i = 0; i < count; i++) {
      const word = BLOCK_LIST + i * BLOCK_WORDS
      blocks.push({ id: u32[word], mint: f64[word / 2 + 1], maxt: f64[word / 2 + 2] })
    }
    const at = u32[TOMBSTONES]
    const start = (at + 1) * 8
    return { roots, blocks, tombstones: at === 0 ? '' : text.toString('utf8', start, start + u32[at * 2]) }
  }
}
