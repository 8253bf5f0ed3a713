/** The writer's way from staged samples to chunks: see row-layout.ts for what becomes of them. */
import { ByteWriter } from '../codec/byte-writer.ts'
import { encodeChunk } from '../codec/chunk.ts'
import { StorageError } from '../errors.ts'
import { isHistogramKind, SampleColumns } from '../model/sample.ts'
import { Heap } from '../slab/memory.ts'
import type { GenerationWriter } from './generation.ts'
import {
  CHUNK_HEADER_WORDS,
  CLOSED_COUNT,
  COUNTS,
  FIRST_CLOSED,
  isLaterCommit,
  LAST_CLOSED,
  OPEN,
  STAGED_MASK,
  STAGED_MAX,
  STAGED_STAMPS,
  STAGED_V,
  STAMP_KIND_SHIFT,
  STAMP_MASK,
  STATE,
  stampCount,
  VERSION,
} from './row-layout.ts'
import { decodeRecord, pushStaged } from './row-reader.ts'
import { releaseHistogram } from './staged-histogram.ts'

const OPEN_SAMPLES_MAX = 32
const MERGED_CHUNKS = 4
const BULK_MERGED_CHUNKS = 16
/**
 * Small chunks that are counted. A large commit, or a view that is held, keeps them from being merged for a while: of
 * more than these the older ones stay small, or one day they would be too many for one chunk.
 */
const SMALL_MAX = 16

const SMALL_SHIFT = 8
const SMALL_MASK = 0xff

/** The writer's scratch; readers have their own, since tests run both in one thread. */
const sealed = new SampleColumns(256)
const encoded = new ByteWriter(4096)
const kept = new Uint32Array(MERGED_CHUNKS * OPEN_SAMPLES_MAX)

/** Moves the staged samples into the open chunk; in bulk they are a closed one of their own. Throws NO_MEMORY. */
export function seal(generation: GenerationWriter, at: number): void {
  const { slab, isBulk } = generation
  const { u32 } = slab
  const row = at * 2
  const openAt = u32[row + OPEN]
  sealed.clear()
  if (openAt !== 0) decodeRecord(slab, openAt, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, sealed)
  const before = sealed.length
  for (let i = 0; i < STAGED_MAX; i++) pushStaged(generation, at, i, sealed)
  const stamps = unsettledStamps(generation, openAt, before, row + STAGED_STAMPS)
  const recordAt = writeRecord(generation, sealed, stamps)
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

/** Writes samples behind the last chunk of a row that nobody reads, as a closed chunk of their own. Throws NO_MEMORY. */
export function appendChunk(generation: GenerationWriter, at: number, samples: SampleColumns): void {
  const recordAt = writeRecord(generation, samples, 0)
  appendClosed(generation.slab.u32, at * 2, recordAt)
  generation.noteChunks(1)
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

/** Writes samples as a chunk record with the first `stamps` of `kept`; its address. Throws NO_MEMORY. */
function writeRecord(generation: GenerationWriter, samples: SampleColumns, stamps: number): number {
  const { u32, f64, u8 } = generation.slab
  encoded.clear()
  encodeChunk(samples, 0, samples.length, encoded)
  const stampWords = (stamps + 1) >>> 1
  const words = Heap.sizeOf(CHUNK_HEADER_WORDS + stampWords + ((encoded.length + 7) >>> 3))
  const recordAt = generation.heap.take(words)
  const record = recordAt * 2
  u32[record] = 0
  u32[record + 1] = ((stamps << 16) | samples.length) >>> 0
  u32[record + 2] = encoded.length
  u32[record + 3] = words
  f64[recordAt + 2] = samples.t[0]
  f64[recordAt + 3] = samples.t[samples.length - 1]
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
    recordAt = writeRecord(generation, sealed, 0)
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
