/**
 * One series of a generation in shared memory: its newest samples in a staging row, full rows as chunks in a
 * chain. One writer, any readers.
 *
 * A row is 32 words (256 bytes). Indexes of u32 from its start:
 *
 *    0  version: odd while the staging row is being emptied into a chunk
 *    1  number of staged samples, 0–8
 *    2  address of the first chunk   3  address of the last chunk   4  number of chunks
 *    5  address of the labels record: u32 count, then count pair ids in the order of their names
 *    6  generation that the series was taken over into, 0 = none     7  its index there + 1
 *    8–11  128-bit hash of the labels
 *   12  kind of the newest sample, 0xff = there is none
 *  and of f64:
 *    8  time of the newest sample   9  its value   10  time of the first sample of this generation
 *   11–18  staged times   19–26  staged values   27–30  u32 × 8: their commits   31  u8 × 8: their kinds
 *
 * Chunk record: u32 next, u32 number of samples n, u32 commit of its last sample, u32 spare, f64 first time,
 * f64 last time, u32 × n commits padded to a word, then the encoded chunk.
 *
 * How readers stay right. A staged sample is whole before the count that shows it is stored, so a reader that
 * loads the count first copies only whole samples. Emptying the row is the one change in place; it sits between
 * two steps of the version, and a reader that saw the version move copies again. A chunk is whole before the
 * chain shows it and never changes. What is newer than the reader's view is told by its commit number.
 */
import { decodeChunk, encodeRawChunk, rawChunkWords } from '../codec/raw-chunk.ts'
import {
  APPEND_DUPLICATE,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPENDED,
  type AppendOutcome,
} from '../errors.ts'
import { KIND_STALE, type Kind, type SampleColumns } from '../model/sample.ts'
import type { Arena } from '../slab/memory.ts'
import type { Slab } from '../slab/slab.ts'

/** Log2 of the words of a row. */
export const ROW_SHIFT = 5

export const STAGED_MAX = 8

export const VERSION = 0
export const STAGED = 1
export const FIRST_CHUNK = 2
export const LAST_CHUNK = 3
export const CHUNK_COUNT = 4
export const LABELS_AT = 5
export const MOVED_GENERATION = 6
export const MOVED_TO = 7
export const HASH = 8
export const LAST_KIND = 12

export const LAST_T = 8
export const LAST_V = 9
export const FIRST_T = 10
const STAGED_T = 11
const STAGED_V = 19
const STAGED_COMMIT = 27
const STAGED_KIND = 31

export const NO_KIND = 0xff

const CHUNK_HEADER_WORDS = 4

/** Words that `stage` may take at most. */
export const STAGE_WORDS_MAX = CHUNK_HEADER_WORDS + STAGED_MAX / 2 + rawChunkWords(STAGED_MAX)

/** Whether commit `a` is later than `b`. Numbers wrap at 2^32; two that are compared are never 2^31 apart. */
export function isLaterCommit(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}

/** Readies a new row. The other fields start at 0. */
export function initRow(slab: Slab, at: number): void {
  slab.u32[at * 2 + LAST_KIND] = NO_KIND
  slab.f64[at + LAST_T] = Number.NEGATIVE_INFINITY
  slab.f64[at + FIRST_T] = Number.POSITIVE_INFINITY
}

/** Whether there is a newest sample, of this generation or taken over. */
export function hasSample(slab: Slab, at: number): boolean {
  return slab.u32[at * 2 + LAST_KIND] !== NO_KIND
}

/** Takes over what the append rules look at from the same series in an older generation. */
export function carryNewest(slab: Slab, fromAt: number, toAt: number): void {
  slab.f64[toAt + LAST_T] = slab.f64[fromAt + LAST_T]
  slab.f64[toAt + LAST_V] = slab.f64[fromAt + LAST_V]
  slab.u32[toAt * 2 + LAST_KIND] = slab.u32[fromAt * 2 + LAST_KIND]
}

/** What appending would answer. `minValidT`: the head's bound; older samples are out of bounds. */
export function checkAppend(
  slab: Slab,
  at: number,
  t: number,
  v: number,
  kind: Kind,
  minValidT: number,
): AppendOutcome {
  if (t < minValidT) return APPEND_OUT_OF_BOUNDS
  const lastKind = slab.u32[at * 2 + LAST_KIND]
  const lastT = slab.f64[at + LAST_T]
  if (lastKind === NO_KIND || t > lastT) return APPENDED
  if (t < lastT) return APPEND_OUT_OF_ORDER
  const isSame = kind === lastKind && (kind === KIND_STALE || Object.is(v, slab.f64[at + LAST_V]))
  return isSame ? APPEND_SAME : APPEND_DUPLICATE
}

/**
 * Writer. Adds a sample that passed `checkAppend`; it is seen by views from `commit` on.
 * Returns whether a chunk was made. Throws NO_MEMORY before anything changed.
 */
export function stage(
  slab: Slab,
  at: number,
  t: number,
  v: number,
  kind: Kind,
  commit: number,
  arena: Arena,
): boolean {
  const { u32, f64, u8 } = slab
  const index = at * 2
  const isFull = u32[index + STAGED] === STAGED_MAX
  if (isFull) seal(slab, at, arena)
  const n = u32[index + STAGED]
  f64[at + STAGED_T + n] = t
  f64[at + STAGED_V + n] = v
  u32[(at + STAGED_COMMIT) * 2 + n] = commit
  u8[(at + STAGED_KIND) * 8 + n] = kind
  Atomics.store(u32, index + STAGED, n + 1)
  f64[at + LAST_T] = t
  f64[at + LAST_V] = v
  u32[index + LAST_KIND] = kind
  if (t < f64[at + FIRST_T]) f64[at + FIRST_T] = t
  return isFull
}

/** Makes a chunk of the staged samples and empties the row. */
function seal(slab: Slab, at: number, arena: Arena): void {
  const { u32, f64, u8 } = slab
  const index = at * 2
  const n = u32[index + STAGED]
  const commitWords = (n + 1) >>> 1
  const chunkAt = arena.allocate(CHUNK_HEADER_WORDS + commitWords + rawChunkWords(n))
  const chunk = chunkAt * 2
  u32[chunk + 1] = n
  const stagedCommits = (at + STAGED_COMMIT) * 2
  u32[chunk + 2] = u32[stagedCommits + n - 1]
  f64[chunkAt + 2] = f64[at + STAGED_T]
  f64[chunkAt + 3] = f64[at + STAGED_T + n - 1]
  for (let i = 0; i < n; i++) u32[(chunkAt + CHUNK_HEADER_WORDS) * 2 + i] = u32[stagedCommits + i]
  const payloadAt = chunkAt + CHUNK_HEADER_WORDS + commitWords
  encodeRawChunk(u8, f64, payloadAt, at + STAGED_T, at + STAGED_V, (at + STAGED_KIND) * 8, n)

  // A read-modify-write and not a store: nothing after it may be seen before it, on any processor.
  Atomics.add(u32, index + VERSION, 1)
  const lastAt = u32[index + LAST_CHUNK]
  if (lastAt === 0) u32[index + FIRST_CHUNK] = chunkAt
  else u32[lastAt * 2] = chunkAt
  u32[index + LAST_CHUNK] = chunkAt
  u32[index + CHUNK_COUNT]++
  u32[index + STAGED] = 0
  Atomics.add(u32, index + VERSION, 1)
}

/** Copies of one row's staged samples and chain ends, reused between reads of one thread. */
const copied = {
  count: 0,
  firstChunk: 0,
  chunkCount: 0,
  t: new Float64Array(STAGED_MAX),
  v: new Float64Array(STAGED_MAX),
  commit: new Uint32Array(STAGED_MAX),
  kind: new Uint8Array(STAGED_MAX),
}

/** Reads the row in one piece: if it was emptied meanwhile, again. */
function copyRow(slab: Slab, at: number): void {
  const { u32, f64, u8 } = slab
  const index = at * 2
  for (;;) {
    const version = Atomics.load(u32, index + VERSION)
    if ((version & 1) === 1) {
      Atomics.pause()
      continue
    }
    copied.count = Atomics.load(u32, index + STAGED)
    copied.firstChunk = u32[index + FIRST_CHUNK]
    copied.chunkCount = u32[index + CHUNK_COUNT]
    for (let i = 0; i < copied.count; i++) {
      copied.t[i] = f64[at + STAGED_T + i]
      copied.v[i] = f64[at + STAGED_V + i]
      copied.commit[i] = u32[(at + STAGED_COMMIT) * 2 + i]
      copied.kind[i] = u8[(at + STAGED_KIND) * 8 + i]
    }
    // A plain load could be moved before the copies on some processors; an exchange of equals cannot.
    if (Atomics.compareExchange(u32, index + VERSION, version, version) === version) return
  }
}

/** Adds the samples with times in [mint, maxt] that `commit` may see to the columns, ascending. */
export function readRow(
  slab: Slab,
  at: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const { u32, f64, u8 } = slab
  copyRow(slab, at)
  let chunkAt = copied.firstChunk
  for (let i = 0; i < copied.chunkCount; i++) {
    const chunk = chunkAt * 2
    if (f64[chunkAt + 2] > maxt) return
    if (f64[chunkAt + 3] >= mint) {
      const n = u32[chunk + 1]
      const visible = isLaterCommit(u32[chunk + 2], commit) ? visibleCount(u32, chunkAt, n, commit) : n
      const payloadAt = chunkAt + CHUNK_HEADER_WORDS + ((n + 1) >>> 1)
      decodeChunk(u8, f64, payloadAt, visible, mint, maxt, into)
      // Commits ascend along a series: nothing after an unseen sample is seen.
      if (visible < n) return
    }
    chunkAt = u32[chunk]
  }
  for (let i = 0; i < copied.count; i++) {
    if (isLaterCommit(copied.commit[i], commit) || copied.t[i] > maxt) return
    if (copied.t[i] >= mint) into.push(copied.t[i], copied.v[i], copied.kind[i] as Kind)
  }
}

function visibleCount(u32: Uint32Array, chunkAt: number, n: number, commit: number): number {
  const commits = (chunkAt + CHUNK_HEADER_WORDS) * 2
  let visible = 0
  while (visible < n && !isLaterCommit(u32[commits + visible], commit)) visible++
  return visible
}
