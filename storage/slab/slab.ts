/**
 * One reservation of shared memory, cut into extents of one size.
 *
 * All hot state lies in here, so that query threads read it without copies and the garbage collector never sees
 * it. The reservation is address space; memory is used when an extent is first touched. Freed extents go to a
 * free list and are used again.
 *
 * Addresses ("at") count words of 8 bytes from the start of the reservation: `f64[at]`, `u32[at * 2]`,
 * `u8[at * 8]`. Address 0 stands for "none". The reservation is at most 8 GiB: beyond 2^31 elements an index is
 * no small integer for V8 and every access five times slower (measured).
 *
 * Layout   extent 0      control words, see below
 *          extents 1..n  owner table: a u32 an extent, 0 = free
 *          the rest      data
 *
 * Who frees what: every extent has an owner number ≥ 1, given at allocation. `retire(owner)` frees all of an owner's
 * extents once no reader holds an epoch from before. Each reader thread has a slot with the epoch it pinned
 * (0 = none); the epoch moves on with each retirement.
 */
import { StorageError } from '../errors.ts'

export const EXTENT_BYTES = 65_536
export const EXTENT_WORDS = EXTENT_BYTES / 8
export const SLAB_BYTES_MAX = 8 * 2 ** 30

/** Reader slots: query threads, and the main thread when it reads itself. A slot beyond them is another word. */
export const READERS_MAX = 1024

// Control words, as indexes into u32.
const LOCK = 0
const NEXT_FRESH = 1
const FREE_HEAD = 2
const USED_COUNT = 3
const EPOCH = 4
const READER_SLOTS = 16
/** Commit that a reader's oldest view sees at least; counts while the reader has an epoch pinned. */
const READER_COMMITS = READER_SLOTS + READERS_MAX
/** First control word that the slab itself leaves to its user (the head keeps its directory there). */
export const USER_WORDS = READER_COMMITS + READERS_MAX
export const USER_WORDS_COUNT = EXTENT_BYTES / 4 - USER_WORDS

export class Slab {
  readonly buffer: SharedArrayBuffer
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly f64: Float64Array
  /** The same bytes, for reading and writing text. */
  readonly text: Buffer
  private readonly extentCount: number
  private readonly firstData: number

  /** Attaches to a reservation made by `reserve`, in any thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.u8 = new Uint8Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.f64 = new Float64Array(buffer)
    this.text = Buffer.from(buffer)
    this.extentCount = buffer.byteLength / EXTENT_BYTES
    this.firstData = 1 + Math.ceil((this.extentCount * 4) / EXTENT_BYTES)
  }

  /** Rounds `bytes` up to whole extents, at most SLAB_BYTES_MAX. */
  static reserve(bytes: number): Slab {
    const extents = Math.max(64, Math.ceil(Math.min(bytes, SLAB_BYTES_MAX) / EXTENT_BYTES))
    const slab = new Slab(new SharedArrayBuffer(extents * EXTENT_BYTES))
    slab.u32[NEXT_FRESH] = slab.firstData
    slab.u32[EPOCH] = 1
    return slab
  }

  /** Bytes in extents that have an owner. */
  get usedBytes(): number {
    return Atomics.load(this.u32, USED_COUNT) * EXTENT_BYTES
  }

  /** Bytes in extents that had an owner and have none: they are real memory still, and are used again first. */
  get freedBytes(): number {
    const touched = Atomics.load(this.u32, NEXT_FRESH) - this.firstData
    return (touched - Atomics.load(this.u32, USED_COUNT)) * EXTENT_BYTES
  }

  get capacityBytes(): number {
    return (this.extentCount - this.firstData) * EXTENT_BYTES
  }

  /** A zeroed extent; its address. Any thread. Throws NO_MEMORY when the reservation is used up. */
  allocate(owner: number): number {
    return this.allocateRun(1, owner)
  }

  /** `count` zeroed extents that lie side by side: for the rare record larger than one. Throws NO_MEMORY. */
  allocateRun(count: number, owner: number): number {
    this.lock()
    let extent = count === 1 ? this.u32[FREE_HEAD] : this.findFreeRun(count)
    const isFresh = extent === 0
    if (isFresh) {
      extent = this.u32[NEXT_FRESH]
      if (extent + count > this.extentCount) {
        this.unlock()
        throw new StorageError('NO_MEMORY', `head memory is used up (${this.capacityBytes} bytes)`)
      }
      this.u32[NEXT_FRESH] = extent + count
    } else if (count === 1) {
      this.u32[FREE_HEAD] = this.u32[extent * EXTENT_WORDS * 2]
    }
    for (let i = 0; i < count; i++) this.u32[this.ownerIndex(extent + i)] = owner
    if (!isFresh && count > 1) this.linkFree()
    this.u32[USED_COUNT] += count
    this.unlock()
    const at = extent * EXTENT_WORDS
    if (!isFresh) this.f64.fill(0, at, at + count * EXTENT_WORDS)
    return at
  }

  /** Puts an owner's extents on the free list. Requires: no reader can still reach them (see `Retirements`). */
  free(owner: number): void {
    this.lock()
    for (let extent = this.firstData; extent < this.u32[NEXT_FRESH]; extent++) {
      const index = this.ownerIndex(extent)
      if (this.u32[index] !== owner) continue
      this.u32[index] = 0
      this.u32[extent * EXTENT_WORDS * 2] = this.u32[FREE_HEAD]
      this.u32[FREE_HEAD] = extent
      this.u32[USED_COUNT]--
    }
    this.unlock()
  }

  /** Bytes in extents of the owners. Walks the owner table. */
  ownedBytes(...owners: readonly number[]): number {
    let count = 0
    const end = this.u32[NEXT_FRESH]
    for (let extent = this.firstData; extent < end; extent++) {
      if (owners.includes(this.u32[this.ownerIndex(extent)])) count++
    }
    return count * EXTENT_BYTES
  }

  // Epochs.

  get epoch(): number {
    return Atomics.load(this.u32, EPOCH)
  }

  /** Moves the epoch on; what was unlinked before is reachable only from pins at or below the answer. */
  advanceEpoch(): number {
    return Atomics.add(this.u32, EPOCH, 1)
  }

  /**
   * Pins the present epoch in a reader's slot: what is reachable now stays until the slot moves. The reader's view
   * sees `commit` or a later one.
   */
  pin(reader: number, commit: number): number {
    Atomics.store(this.u32, READER_COMMITS + reader, commit)
    for (;;) {
      const epoch = this.epoch
      Atomics.store(this.u32, READER_SLOTS + reader, epoch)
      // If the epoch moved between the two, the writer may have missed the slot: again.
      if (this.epoch === epoch) return epoch
    }
  }

  setPin(reader: number, epoch: number, commit = 0): void {
    if (epoch !== 0) Atomics.store(this.u32, READER_COMMITS + reader, commit)
    Atomics.store(this.u32, READER_SLOTS + reader, epoch)
  }

  /** Calls `visit` with the commit that each reader sees at least, of those that have an epoch pinned. */
  visitCommits(visit: (commit: number) => void): void {
    for (let reader = 0; reader < READERS_MAX; reader++) {
      if (Atomics.load(this.u32, READER_SLOTS + reader) === 0) continue
      visit(Atomics.load(this.u32, READER_COMMITS + reader))
    }
  }

  /** The oldest pinned epoch, Infinity when nobody reads. */
  oldestPin(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (let reader = 0; reader < READERS_MAX; reader++) {
      const epoch = Atomics.load(this.u32, READER_SLOTS + reader)
      if (epoch !== 0 && epoch < oldest) oldest = epoch
    }
    return oldest
  }

  private ownerIndex(extent: number): number {
    return EXTENT_BYTES / 4 + extent
  }

  /** The first of `count` free extents side by side that were used before, or 0. Requires: the lock. */
  private findFreeRun(count: number): number {
    if (this.u32[FREE_HEAD] === 0) return 0
    let free = 0
    for (let extent = this.firstData; extent < this.u32[NEXT_FRESH]; extent++) {
      free = this.u32[this.ownerIndex(extent)] === 0 ? free + 1 : 0
      if (free === count) return extent - count + 1
    }
    return 0
  }

  /** Makes the free list anew, of all extents without an owner. Requires: the lock. */
  private linkFree(): void {
    this.u32[FREE_HEAD] = 0
    for (let extent = this.u32[NEXT_FRESH] - 1; extent >= this.firstData; extent--) {
      if (this.u32[this.ownerIndex(extent)] !== 0) continue
      this.u32[extent * EXTENT_WORDS * 2] = this.u32[FREE_HEAD]
      this.u32[FREE_HEAD] = extent
    }
  }

  /** Held for a few instructions, at most a walk over the owner table, by main or upkeep: spinning is right. */
  private lock(): void {
    while (Atomics.compareExchange(this.u32, LOCK, 0, 1) !== 0) Atomics.pause()
  }

  private unlock(): void {
    Atomics.store(this.u32, LOCK, 0)
  }
}

/** What a querier holds while it is open. */
export interface Pin {
  readonly epoch: number
  readonly commit: number
}

/** The pins of one thread: several queriers may be open at once, the slot shows the oldest of them. */
export class ReaderPins {
  private readonly slab: Slab
  private readonly reader: number
  /** Oldest first. */
  private readonly open: { epoch: number; commit: number }[] = []

  /** `reader`: the thread's slot, 0 ≤ reader < READERS_MAX. */
  constructor(slab: Slab, reader: number) {
    if (!(reader >= 0 && reader < READERS_MAX)) {
      throw new RangeError(`reader ${reader} is not below ${READERS_MAX}`)
    }
    this.slab = slab
    this.reader = reader
  }

  /** `commit`: one that is published now. Returns a token for `release`. */
  acquire(commit: number): Pin {
    const epoch = this.open.length === 0 ? this.slab.pin(this.reader, commit) : this.slab.epoch
    const pin = { epoch, commit }
    this.open.push(pin)
    return pin
  }

  release(pin: Pin): void {
    const i = this.open.indexOf(pin)
    if (i < 0) throw new Error('a pin is released once')
    this.open.splice(i, 1)
    const oldest = this.open[0]
    if (oldest === undefined) this.slab.setPin(this.reader, 0)
    else this.slab.setPin(this.reader, oldest.epoch, oldest.commit)
  }
}

const NO_OWNER = 0

/** What waits to be freed, on the writer's side. */
export class Retirements {
  private readonly slab: Slab
  private readonly waiting: { owner: number; epoch: number; done: () => void }[] = []

  constructor(slab: Slab) {
    this.slab = slab
  }

  /** Frees the owner's extents as soon as no reader is older. Requires: unlinked from all that is reachable. */
  retire(owner: number, done: () => void = () => {}): void {
    this.waiting.push({ owner, epoch: this.slab.advanceEpoch(), done })
    this.sweep()
  }

  /** Calls `done` as soon as no reader is older than now. */
  wait(done: () => void): void {
    this.retire(NO_OWNER, done)
  }

  sweep(): void {
    const oldest = this.slab.oldestPin()
    while (this.waiting.length > 0 && this.waiting[0].epoch < oldest) {
      const { owner, done } = this.waiting.shift()!
      if (owner !== NO_OWNER) this.slab.free(owner)
      done()
    }
  }

  get pending(): number {
    return this.waiting.length
  }
}
