/**
 * One series in one generation: its newest samples in a staging row, older ones in chunks. One writer, any readers.
 *
 * A row is 16 words (128 bytes). Indexes of u32 from its start:
 *
 *    0  version: odd while chunks and staged samples change places
 *    1  state: bits 0–3 number of staged samples, 0–8; bits 4–6 kind of the newest sample + 1, 0 = there is none;
 *       bit 7 = the row is in use
 *    2  first closed chunk   3  last closed chunk   4  open chunk (addresses, 0 = none)   5  number of closed chunks
 *    6  newest late sample, 0 = none
 *    7  bits 0–7 samples since the last one that the log has by itself; bits 8–15 small closed chunks at the end,
 *       up to SMALL_MAX
 *   24–31  staged stamps: bits 0–29 stamp, bits 30–31 kind
 *  and of f64:  4–11  staged values; of a histogram the address of its record
 *
 * While there are 0 staged samples, the last slot still holds the newest sample, also one taken over from an
 * older generation: what the append rules look at is always in the row.
 *
 * Chunk record: u32 next, u16 number of samples n, u16 stamps m, u32 bytes of the payload, u32 words of the record,
 * f64 first time, f64 last time, u32 × m stamps of the last m samples (padded to a word), the encoded chunk.
 * Only samples that some view may not see have a stamp left. Histogram record: u32 bytes, u32 0, then a chunk of that
 * one sample at time 0. Late sample: u32 next (older arrival), u32 stamp and kind, f64 value.
 *
 * A full row goes into the open chunk, which is written anew with it; an open chunk of OPEN_SAMPLES_MAX is closed;
 * MERGED_CHUNKS closed ones become one. So each sample is encoded about four times, in runs. In bulk, at the replay,
 * there is no open chunk, but more small ones are merged: half the work for more memory meanwhile.
 *
 * How readers stay right. A staged sample is whole before the state that shows it is stored. All that moves sits
 * between two steps of the version, and a reader that saw the version move reads again; freed chunks are
 * overwritten, so it decodes what may be garbage, and finds out behind it. A late sample is whole before the
 * row shows it and never changes. What is newer than the reader's view is told by its stamp's commit.
 */
import { ByteWriter } from '../codec/byte-writer.ts'
import { decodeChunk, encodeChunk } from '../codec/chunk.ts'
import {
  APPEND_DUPLICATE,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPEND_TOO_OLD,
  APPENDED,
  type AppendOutcome,
  StorageError,
} from '../errors.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import { type HistogramKind, isHistogramKind, KIND_STALE, type Kind, SampleColumns } from '../model/sample.ts'
import { Heap } from '../slab/memory.ts'
import type { Slab } from '../slab/slab.ts'
import type { Newest } from './departed.ts'
import type { Generation, GenerationWriter } from './generation.ts'
import { mergeColumns } from './merge-columns.ts'

const STAGED_MAX = 8
const OPEN_SAMPLES_MAX = 32
const MERGED_CHUNKS = 4
const BULK_MERGED_CHUNKS = 16
/**
 * Small chunks that are counted. A large commit, or a view that is held, keeps them from being merged for a while: of
 * more than these the older ones stay small, or one day they would be too many for one chunk.
 */
const SMALL_MAX = 16
/** Between two samples of a series that the log has by themselves. */
const KEY_DISTANCE = 16

// Indexes of u32.
const VERSION = 0
const STATE = 1
const FIRST_CLOSED = 2
const LAST_CLOSED = 3
const OPEN = 4
const CLOSED_COUNT = 5
const LATE = 6
const COUNTS = 7
const STAGED_STAMPS = 24
/** Index of f64. */
const STAGED_V = 4

const STAGED_MASK = 0xf
const KIND_SHIFT = 4
const KIND_MASK = 7
const IN_USE = 0x80

const STAMP_MASK = 0x3fffffff
const STAMP_KIND_SHIFT = 30

const SMALL_SHIFT = 8
const SMALL_MASK = 0xff

const CHUNK_HEADER_WORDS = 4
const LATE_WORDS = 2

/** Words that a sample takes at most, spread over the run it is encoded with. */
export const SAMPLE_WORDS_MAX = 16

/** Whether commit `a` is later than `b`. Numbers wrap at 2^32; two that are compared are never 2^31 apart. */
export function isLaterCommit(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}

/** Bounds of what may be appended, for one batch. */
export interface AppendBounds {
  /** Samples in order are taken from this time on. */
  minValidT: number
  /** Late ones, too; +Infinity when none are taken. */
  minLateT: number
}

/** Whether the row was begun. */
export function isInUse(slab: Slab, at: number): boolean {
  return at !== 0 && (slab.u32[at * 2 + STATE] & IN_USE) !== 0
}

/** Whether there is a sample of this generation, and not only one taken over. For readers. */
export function hasOwnSamples(slab: Slab, at: number): boolean {
  const { u32 } = slab
  const row = at * 2
  // Read in this order: a row that is being emptied shows its chunk before its staged samples go.
  return (
    (Atomics.load(u32, row + STATE) & STAGED_MASK) > 0 ||
    u32[row + OPEN] !== 0 ||
    u32[row + FIRST_CLOSED] !== 0 ||
    u32[row + LATE] !== 0
  )
}

/** Kind of the newest sample, −1 when there is none. */
function newestKind(state: number): number {
  return ((state >>> KIND_SHIFT) & KIND_MASK) - 1
}

function newestSlot(state: number): number {
  return ((state & STAGED_MASK) + STAGED_MAX - 1) % STAGED_MAX
}

/** Time of the newest sample, of this generation or taken over; −Infinity when there is none. */
export function newestTime(generation: Generation, at: number): number {
  const { u32 } = generation.slab
  const state = u32[at * 2 + STATE]
  if (newestKind(state) < 0) return Number.NEGATIVE_INFINITY
  return generation.stampTime(u32[at * 2 + STAGED_STAMPS + newestSlot(state)] & STAMP_MASK)
}

/** Value of the newest sample, which is a float or nothing that counts. */
export function newestValue(slab: Slab, at: number): number {
  return slab.f64[at + STAGED_V + newestSlot(slab.u32[at * 2 + STATE])]
}

/** Time of the first sample of this generation; +Infinity when there is none. For readers, who may see a row move. */
export function firstTime(generation: Generation, at: number): number {
  const { u32, f64 } = generation.slab
  const row = at * 2
  for (;;) {
    const version = Atomics.load(u32, row + VERSION)
    let first = Number.POSITIVE_INFINITY
    const chunkAt = u32[row + FIRST_CLOSED] || u32[row + OPEN]
    if (chunkAt !== 0) first = f64[chunkAt + 2]
    else if ((Atomics.load(u32, row + STATE) & STAGED_MASK) > 0) {
      first = generation.stampTime(u32[row + STAGED_STAMPS] & STAMP_MASK)
    }
    for (let lateAt = Atomics.load(u32, row + LATE); lateAt !== 0; lateAt = u32[lateAt * 2]) {
      first = Math.min(first, generation.stampTime(u32[lateAt * 2 + 1] & STAMP_MASK))
    }
    if (isStill(u32, row, version)) return first
  }
}

/**
 * Writer. Begins a row: takes over what the append rules look at from the same series' row in an older generation,
 * where there is one. Throws NO_MEMORY before anything changed.
 */
export function beginRow(
  to: GenerationWriter,
  at: number,
  from: Generation | undefined,
  fromAt: number,
): void {
  const { u32, f64 } = to.slab
  const row = at * 2
  if (from === undefined) {
    u32[row + STATE] = IN_USE
    return
  }
  const state = u32[fromAt * 2 + STATE]
  const slot = newestSlot(state)
  const stamp = u32[fromAt * 2 + STAGED_STAMPS + slot]
  const kind = newestKind(state)
  let v = f64[fromAt + STAGED_V + slot]
  if (isHistogramKind(kind)) v = copyHistogram(to, v)
  const own = to.stampOf(from.stampTime(stamp & STAMP_MASK), 0)
  u32[row + STAGED_STAMPS + STAGED_MAX - 1] = ((kind << STAMP_KIND_SHIFT) | own) >>> 0
  f64[at + STAGED_V + STAGED_MAX - 1] = v
  u32[row + STATE] = IN_USE | ((kind + 1) << KIND_SHIFT)
}

/** Writer. Begins a row behind the newest sample of a series that left memory; of a histogram only its time counts. */
export function beginRowBehind(to: GenerationWriter, at: number, { t, v, kind }: Newest): void {
  const { u32, f64 } = to.slab
  const plain = isHistogramKind(kind) ? KIND_STALE : kind
  const stamp = to.stampOf(t, 0)
  u32[at * 2 + STAGED_STAMPS + STAGED_MAX - 1] = ((plain << STAMP_KIND_SHIFT) | stamp) >>> 0
  f64[at + STAGED_V + STAGED_MAX - 1] = v
  u32[at * 2 + STATE] = IN_USE | ((plain + 1) << KIND_SHIFT)
}

/** The newest sample, of this generation or taken over; undefined when there is none. */
export function newest(generation: Generation, at: number): Newest | undefined {
  const kind = newestKind(generation.slab.u32[at * 2 + STATE])
  if (kind < 0) return undefined
  return { t: newestTime(generation, at), v: newestValue(generation.slab, at), kind: kind as Kind }
}

function copyHistogram(to: GenerationWriter, fromAt: number): number {
  const { u32, u8 } = to.slab
  const length = u32[fromAt * 2]
  const at = to.heap.take(histogramWords(length))
  u32[at * 2] = length
  for (let i = 0; i < length; i++) u8[(at + 1) * 8 + i] = u8[(fromAt + 1) * 8 + i]
  return at
}

function histogramWords(bytes: number): number {
  return 1 + ((bytes + 7) >>> 3)
}

function releaseHistogram(generation: GenerationWriter, at: number): void {
  generation.heap.release(at, histogramWords(generation.slab.u32[at * 2]))
}

const histogramScratch = new SampleColumns(4)
const histogramBytes = new ByteWriter(1024)

/** Encodes a histogram as its record has it; the bytes are good until the next call. */
export function encodeHistogram(histogram: FloatHistogram, kind: HistogramKind): ByteWriter {
  histogramScratch.clear()
  histogramScratch.pushHistogram(0, histogram, kind)
  histogramBytes.clear()
  encodeChunk(histogramScratch, 0, 1, histogramBytes)
  return histogramBytes
}

/** Writer. Puts an encoded histogram into the generation; its address. Throws NO_MEMORY. */
export function storeHistogram(generation: GenerationWriter, encoded: ByteWriter): number {
  const { u8, u32 } = generation.slab
  const at = generation.heap.take(histogramWords(encoded.length))
  u32[at * 2] = encoded.length
  for (let i = 0; i < encoded.length; i++) u8[(at + 1) * 8 + i] = encoded.bytes[i]
  return at
}

function isSameHistogram(slab: Slab, at: number, encoded: ByteWriter): boolean {
  if (slab.u32[at * 2] !== encoded.length) return false
  for (let i = 0; i < encoded.length; i++) if (slab.u8[(at + 1) * 8 + i] !== encoded.bytes[i]) return false
  return true
}

/** What appending would answer; `encoded` for a histogram, for which `v` is not read. */
export function checkAppend(
  generation: Generation,
  at: number,
  t: number,
  v: number,
  kind: Kind,
  bounds: AppendBounds,
  encoded?: ByteWriter,
): AppendOutcome {
  const { slab } = generation
  const state = slab.u32[at * 2 + STATE]
  const lastKind = newestKind(state)
  const lastT = newestTime(generation, at)
  if (lastKind < 0 || t > lastT) {
    return t >= bounds.minValidT || t >= bounds.minLateT ? APPENDED : beyond(bounds)
  }
  if (t === lastT) {
    if (t < bounds.minValidT && t < bounds.minLateT) return beyond(bounds)
    if (kind !== lastKind) return APPEND_DUPLICATE
    if (kind === KIND_STALE) return APPEND_SAME
    const lastV = slab.f64[at + STAGED_V + newestSlot(state)]
    const isSame = encoded === undefined ? Object.is(v, lastV) : isSameHistogram(slab, lastV, encoded)
    return isSame ? APPEND_SAME : APPEND_DUPLICATE
  }
  if (bounds.minLateT === Number.POSITIVE_INFINITY) {
    return t < bounds.minValidT ? APPEND_OUT_OF_BOUNDS : APPEND_OUT_OF_ORDER
  }
  if (t < bounds.minLateT) return APPEND_TOO_OLD
  return kind === KIND_STALE ? APPEND_OUT_OF_ORDER : APPENDED
}

/** Whether the log is to have the next sample of the series by itself, not as a difference; counts it. */
export function isKeyDue(slab: Slab, at: number): boolean {
  const { u32 } = slab
  const counts = u32[at * 2 + COUNTS]
  const since = counts & 0xff
  u32[at * 2 + COUNTS] = (counts & ~0xff) | ((since + 1) % KEY_DISTANCE)
  return since === 0
}

function beyond(bounds: AppendBounds): AppendOutcome {
  return bounds.minLateT === Number.POSITIVE_INFINITY ? APPEND_OUT_OF_BOUNDS : APPEND_TOO_OLD
}

/** Makes the next sample of the series one that the log has by itself. */
export function forceKey(slab: Slab, at: number): void {
  slab.u32[at * 2 + COUNTS] &= ~0xff
}

/**
 * Writer. Adds a sample that passed `checkAppend` and is newer than the series' newest one; it is seen by views that
 * see the commit of `stamp`. `v` of a histogram is the address of its record. Throws NO_MEMORY before anything
 * changed.
 */
export function stage(generation: GenerationWriter, at: number, stamp: number, v: number, kind: Kind): void {
  const { u32, f64 } = generation.slab
  const row = at * 2
  if ((u32[row + STATE] & STAGED_MASK) === STAGED_MAX) seal(generation, at)
  const staged = u32[row + STATE] & STAGED_MASK
  if (staged === STAGED_MAX - 1) {
    // The slot had the newest sample of before the row was emptied.
    const stale = u32[row + STAGED_STAMPS + staged]
    if (isHistogramKind(stale >>> STAMP_KIND_SHIFT)) releaseHistogram(generation, f64[at + STAGED_V + staged])
  }
  f64[at + STAGED_V + staged] = v
  u32[row + STAGED_STAMPS + staged] = ((kind << STAMP_KIND_SHIFT) | stamp) >>> 0
  Atomics.store(u32, row + STATE, IN_USE | ((kind + 1) << KIND_SHIFT) | (staged + 1))
}

/** Writer. Adds a sample that is older than the series' newest one. Throws NO_MEMORY before anything changed. */
export function stageLate(
  generation: GenerationWriter,
  at: number,
  stamp: number,
  v: number,
  kind: Kind,
): void {
  const { u32, f64 } = generation.slab
  const lateAt = generation.arena.allocate(LATE_WORDS)
  u32[lateAt * 2] = u32[at * 2 + LATE]
  u32[lateAt * 2 + 1] = ((kind << STAMP_KIND_SHIFT) | stamp) >>> 0
  f64[lateAt + 1] = v
  Atomics.store(u32, at * 2 + LATE, lateAt)
}

/** The writer's scratch; readers have their own, since tests run both in one thread. */
const sealed = new SampleColumns(256)
const encoded = new ByteWriter(4096)
const kept = new Uint32Array(MERGED_CHUNKS * OPEN_SAMPLES_MAX)

/** Moves the staged samples into the open chunk; in bulk they are a closed one of their own. */
function seal(generation: GenerationWriter, at: number): void {
  const { slab, isBulk } = generation
  const { u32 } = slab
  const row = at * 2
  const openAt = u32[row + OPEN]
  sealed.clear()
  if (openAt !== 0) decodeRecord(slab, openAt, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, sealed)
  const before = sealed.length
  for (let i = 0; i < STAGED_MAX; i++) pushStaged(generation, at, i, sealed)
  const stamps = unsettledStamps(generation, openAt, before, row + STAGED_STAMPS)
  const recordAt = writeRecord(generation, stamps)
  const isClosed = isBulk || sealed.length >= OPEN_SAMPLES_MAX

  // A read-modify-write and not a store: nothing after it may be seen before it, on any processor.
  Atomics.add(u32, row + VERSION, 1)
  if (isClosed) {
    appendClosed(u32, row, recordAt)
    u32[row + OPEN] = 0
  } else u32[row + OPEN] = recordAt
  u32[row + STATE] &= ~STAGED_MASK
  Atomics.add(u32, row + VERSION, 1)

  // The last one stays: it is the newest sample still.
  for (let i = 0; i < STAGED_MAX - 1; i++) {
    if (!isHistogramKind(u32[row + STAGED_STAMPS + i] >>> STAMP_KIND_SHIFT)) continue
    releaseHistogram(generation, slab.f64[at + STAGED_V + i])
  }
  if (openAt === 0) generation.noteChunks(1)
  else generation.heap.release(openAt, u32[openAt * 2 + 3])
  if (isClosed) mergeSmall(generation, at)
}

function appendClosed(u32: Uint32Array, row: number, recordAt: number): void {
  const lastAt = u32[row + LAST_CLOSED]
  if (lastAt === 0) u32[row + FIRST_CLOSED] = recordAt
  else u32[lastAt * 2] = recordAt
  u32[row + LAST_CLOSED] = recordAt
  u32[row + CLOSED_COUNT]++
  const small = (u32[row + COUNTS] >>> SMALL_SHIFT) & SMALL_MASK
  if (small < SMALL_MAX) u32[row + COUNTS] += 1 << SMALL_SHIFT
}

/**
 * Gathers in `kept` the stamps of the last samples that some view may not see: of the staged ones at `stagedStamps`,
 * and of the open chunk before them. Returns how many.
 */
function unsettledStamps(
  generation: GenerationWriter,
  openAt: number,
  openCount: number,
  stagedStamps: number,
): number {
  const { u32 } = generation.slab
  const settled = generation.settledCommit
  let first = 0
  while (first < STAGED_MAX) {
    const stamp = u32[stagedStamps + first] & STAMP_MASK
    if (isLaterCommit(generation.stampCommit(stamp), settled)) break
    first++
  }
  let count = 0
  // Commits ascend along a series: an unsettled sample of the chunk means that all staged ones are.
  if (first === 0 && openAt !== 0) {
    const m = stampCount(u32, openAt)
    const stampsAt = (openAt + CHUNK_HEADER_WORDS) * 2
    for (let i = Math.max(0, m - openCount); i < m; i++) {
      if (count > 0 || isLaterCommit(generation.stampCommit(u32[stampsAt + i]), settled)) {
        kept[count++] = u32[stampsAt + i]
      }
    }
  }
  for (let i = first; i < STAGED_MAX; i++) kept[count++] = u32[stagedStamps + i] & STAMP_MASK
  return count
}

function stampCount(u32: Uint32Array, recordAt: number): number {
  return u32[recordAt * 2 + 1] >>> 16
}

/** Writes `sealed` as a chunk record with the first `stamps` of `kept`; its address. Throws NO_MEMORY. */
function writeRecord(generation: GenerationWriter, stamps: number): number {
  const { u32, f64, u8 } = generation.slab
  encoded.clear()
  encodeChunk(sealed, 0, sealed.length, encoded)
  const stampWords = (stamps + 1) >>> 1
  const words = Heap.sizeOf(CHUNK_HEADER_WORDS + stampWords + ((encoded.length + 7) >>> 3))
  const recordAt = generation.heap.take(words)
  const record = recordAt * 2
  u32[record] = 0
  u32[record + 1] = ((stamps << 16) | sealed.length) >>> 0
  u32[record + 2] = encoded.length
  u32[record + 3] = words
  f64[recordAt + 2] = sealed.t[0]
  f64[recordAt + 3] = sealed.t[sealed.length - 1]
  for (let i = 0; i < stamps; i++) u32[record + CHUNK_HEADER_WORDS * 2 + i] = kept[i]
  const payload = (recordAt + CHUNK_HEADER_WORDS + stampWords) * 8
  const { bytes, length } = encoded
  for (let i = 0; i < length; i++) u8[payload + i] = bytes[i]
  return recordAt
}

/** Makes one chunk of the small ones at the end of the chain, when there are enough and all views see them. */
function mergeSmall(generation: GenerationWriter, at: number): void {
  const { slab } = generation
  const { u32 } = slab
  const row = at * 2
  const small = (u32[row + COUNTS] >>> SMALL_SHIFT) & SMALL_MASK
  if (small < (generation.isBulk ? BULK_MERGED_CHUNKS : MERGED_CHUNKS)) return
  let beforeAt = 0
  let firstAt = u32[row + FIRST_CLOSED]
  for (let i = small; i < u32[row + CLOSED_COUNT]; i++) {
    beforeAt = firstAt
    firstAt = u32[firstAt * 2]
  }
  const lastAt = u32[row + LAST_CLOSED]
  const lastStamps = stampCount(u32, lastAt)
  if (lastStamps > 0) {
    const newest = u32[(lastAt + CHUNK_HEADER_WORDS) * 2 + lastStamps - 1]
    if (isLaterCommit(generation.stampCommit(newest), generation.settledCommit)) return
  }
  sealed.clear()
  for (let chunkAt = firstAt; chunkAt !== 0; chunkAt = u32[chunkAt * 2]) {
    decodeRecord(slab, chunkAt, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, sealed)
  }
  let recordAt: number
  try {
    recordAt = writeRecord(generation, 0)
  } catch (error) {
    // They stay as they are: merging saves memory and nothing else.
    if (error instanceof StorageError && error.code === 'NO_MEMORY') return
    throw error
  }
  Atomics.add(u32, row + VERSION, 1)
  if (beforeAt === 0) u32[row + FIRST_CLOSED] = recordAt
  else u32[beforeAt * 2] = recordAt
  u32[row + LAST_CLOSED] = recordAt
  u32[row + CLOSED_COUNT] -= small - 1
  u32[row + COUNTS] &= ~(SMALL_MASK << SMALL_SHIFT)
  Atomics.add(u32, row + VERSION, 1)
  for (let chunkAt = firstAt; chunkAt !== 0; ) {
    const next = u32[chunkAt * 2]
    generation.heap.release(chunkAt, u32[chunkAt * 2 + 3])
    chunkAt = next
  }
  generation.noteChunks(1 - small)
}

/** Adds samples of a chunk record with times in [mint, maxt]. */
function decodeRecord(slab: Slab, recordAt: number, mint: number, maxt: number, into: SampleColumns): void {
  const stampWords = (stampCount(slab.u32, recordAt) + 1) >>> 1
  decodeChunk(slab.u8, (recordAt + CHUNK_HEADER_WORDS + stampWords) * 8, mint, maxt, into)
}

function pushStaged(generation: Generation, at: number, slot: number, into: SampleColumns): void {
  const stamp = generation.slab.u32[at * 2 + STAGED_STAMPS + slot]
  pushPoint(generation, stamp, generation.slab.f64[at + STAGED_V + slot], into)
}

/** Adds one sample by its stamp and value as staged. */
function pushPoint(generation: Generation, stamp: number, v: number, into: SampleColumns): void {
  const { slab } = generation
  const t = generation.stampTime(stamp & STAMP_MASK)
  const kind = (stamp >>> STAMP_KIND_SHIFT) as Kind
  if (!isHistogramKind(kind)) {
    into.push(t, v, kind)
    return
  }
  histogramScratch.clear()
  decodeChunk(slab.u8, (v + 1) * 8, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, histogramScratch)
  into.pushHistogram(t, histogramScratch.histograms[0], kind)
}

function isStill(u32: Uint32Array, row: number, version: number): boolean {
  if ((version & 1) === 1) {
    Atomics.pause()
    return false
  }
  // A plain load could be moved before the reads on some processors; an exchange of equals cannot.
  return Atomics.compareExchange(u32, row + VERSION, version, version) === version
}

/** Longer chains than a generation can have mean that the row moved under the reader. */
const CHAIN_MAX = 1 << 20

/**
 * Adds the samples with times in [mint, maxt] that a view of `commit` sees to the columns, ascending. Requires:
 * `into` is empty.
 */
export function readRow(
  generation: Generation,
  at: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const { u32 } = generation.slab
  const row = at * 2
  for (;;) {
    const version = Atomics.load(u32, row + VERSION)
    let failure: unknown
    try {
      readOrdered(generation, at, commit, mint, maxt, into)
    } catch (error) {
      failure = error
    }
    if (isStill(u32, row, version)) {
      if (failure !== undefined) throw failure
      break
    }
    into.clear()
  }
  const lateAt = Atomics.load(u32, row + LATE)
  if (lateAt !== 0) readLate(generation, lateAt, commit, mint, maxt, into)
}

function readOrdered(
  generation: Generation,
  at: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const { u32 } = generation.slab
  const row = at * 2
  const closed = Math.min(u32[row + CLOSED_COUNT], CHAIN_MAX)
  let chunkAt = u32[row + FIRST_CLOSED]
  for (let i = 0; i < closed; i++) {
    if (!readRecord(generation, chunkAt, commit, mint, maxt, into)) return
    chunkAt = u32[chunkAt * 2]
  }
  const openAt = u32[row + OPEN]
  if (openAt !== 0 && !readRecord(generation, openAt, commit, mint, maxt, into)) return
  const staged = Atomics.load(u32, row + STATE) & STAGED_MASK
  for (let i = 0; i < staged; i++) {
    const stamp = u32[row + STAGED_STAMPS + i] & STAMP_MASK
    const t = generation.stampTime(stamp)
    if (t > maxt || isLaterCommit(generation.stampCommit(stamp), commit)) return
    if (t >= mint) pushStaged(generation, at, i, into)
  }
}

/** Whether samples behind this chunk may be seen. */
function readRecord(
  generation: Generation,
  recordAt: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): boolean {
  const { u32, f64 } = generation.slab
  if (f64[recordAt + 2] > maxt) return false
  const stamps = stampCount(u32, recordAt)
  const stampsAt = (recordAt + CHUNK_HEADER_WORDS) * 2
  let seenUntil = maxt
  let isAllSeen = true
  for (let i = 0; i < stamps; i++) {
    const stamp = u32[stampsAt + i]
    if (!isLaterCommit(generation.stampCommit(stamp), commit)) continue
    seenUntil = Math.min(maxt, generation.stampTime(stamp) - 1)
    isAllSeen = false
    break
  }
  if (f64[recordAt + 3] >= mint) decodeRecord(generation.slab, recordAt, mint, seenUntil, into)
  return isAllSeen
}

/** Adds late samples; at equal times the one that arrived first stays. */
function readLate(
  generation: Generation,
  newestAt: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const { u32, f64 } = generation.slab
  const found: { t: number; at: number }[] = []
  for (let lateAt = newestAt; lateAt !== 0; lateAt = u32[lateAt * 2]) {
    const stamp = u32[lateAt * 2 + 1] & STAMP_MASK
    const t = generation.stampTime(stamp)
    if (t < mint || t > maxt || isLaterCommit(generation.stampCommit(stamp), commit)) continue
    found.push({ t, at: lateAt })
  }
  // From the earliest arrival on; the sort is stable.
  found.reverse()
  found.sort((a, b) => a.t - b.t)
  const late = new SampleColumns(found.length)
  for (const { t, at } of found) {
    if (late.length > 0 && late.t[late.length - 1] === t) continue
    pushPoint(generation, u32[at * 2 + 1], f64[at + 1], late)
  }
  // What is in order was there when a late sample came.
  mergeColumns(into, late)
}
