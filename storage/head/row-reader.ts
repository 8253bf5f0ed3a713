/** Reads rows, in any thread, while their writer goes on: see row-layout.ts for how that stays right. */
import { decodeChunk } from '../codec/chunk.ts'
import { isHistogramKind, type Kind, SampleColumns } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { Generation } from './generation.ts'
import { mergeColumns } from './merge-columns.ts'
import {
  CHUNK_HEADER_WORDS,
  CLOSED_COUNT,
  FIRST_CLOSED,
  isLaterCommit,
  LATE_STARTED,
  LIST,
  listedNext,
  listedType,
  OPEN,
  STAGED_MASK,
  STAGED_STAMPS,
  STAGED_V,
  STAMP_KIND_SHIFT,
  STAMP_MASK,
  START_NOTE,
  STATE,
  stampCount,
  VERSION,
} from './row-layout.ts'
import { readHistogram } from './staged-histogram.ts'

/** Whether there is a sample of this generation, and not only one taken over. For readers. */
export function hasOwnSamples(slab: Slab, at: number): boolean {
  const { u32 } = slab
  const row = at * 2
  // Read in this order: a row that is being emptied shows its chunk before its staged samples go.
  return (
    (Atomics.load(u32, row + STATE) & STAGED_MASK) > 0 ||
    u32[row + OPEN] !== 0 ||
    u32[row + FIRST_CLOSED] !== 0 ||
    u32[row + LIST] !== 0
  )
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
    // A start note has the time of a sample, too.
    for (let at = Atomics.load(u32, row + LIST); at !== 0; at = listedNext(u32, at)) {
      first = Math.min(first, generation.stampTime(u32[at * 2 + 1] & STAMP_MASK))
    }
    if (isStill(u32, row, version)) return first
  }
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
  const listAt = Atomics.load(u32, row + LIST)
  if (listAt === 0) return
  // Notes that came since are of samples that the view does not see.
  setStarts(generation, listAt, into)
  readLate(generation, listAt, commit, mint, maxt, into)
}

/** Gives samples that came in order their start timestamps. */
function setStarts(generation: Generation, listAt: number, into: SampleColumns): void {
  const { u32, f64 } = generation.slab
  let end = into.length
  for (let at = listAt; at !== 0 && end > 0; at = listedNext(u32, at)) {
    if (listedType(u32, at) !== START_NOTE) continue
    const from = generation.stampTime(u32[at * 2 + 1] & STAMP_MASK)
    while (end > 0 && into.t[end - 1] >= from) into.setStart(--end, f64[at + 1])
  }
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
  listAt: number,
  commit: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const { u32, f64 } = generation.slab
  const found: { t: number; at: number }[] = []
  for (let at = listAt; at !== 0; at = listedNext(u32, at)) {
    if (listedType(u32, at) === START_NOTE) continue
    const stamp = u32[at * 2 + 1] & STAMP_MASK
    const t = generation.stampTime(stamp)
    if (t < mint || t > maxt || isLaterCommit(generation.stampCommit(stamp), commit)) continue
    found.push({ t, at })
  }
  if (found.length === 0) return
  // From the earliest arrival on; the sort is stable.
  found.reverse()
  found.sort((a, b) => a.t - b.t)
  const late = new SampleColumns(found.length)
  for (const { t, at } of found) {
    if (late.length > 0 && late.t[late.length - 1] === t) continue
    pushPoint(generation, u32[at * 2 + 1], f64[at + 1], late)
    if (listedType(u32, at) === LATE_STARTED) late.setStart(late.length - 1, f64[at + 2])
  }
  // What is in order was there when a late sample came.
  mergeColumns(into, late)
}

/** Adds samples of a chunk record with times in [mint, maxt]. */
export function decodeRecord(
  slab: Slab,
  recordAt: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const stampWords = (stampCount(slab.u32, recordAt) + 1) >>> 1
  decodeChunk(slab.u8, (recordAt + CHUNK_HEADER_WORDS + stampWords) * 8, mint, maxt, into)
}

/** Adds the sample in a slot of the row. */
export function pushStaged(generation: Generation, at: number, slot: number, into: SampleColumns): void {
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
  into.pushHistogram(t, readHistogram(slab, v), kind)
}

function isStill(u32: Uint32Array, row: number, version: number): boolean {
  if ((version & 1) === 1) {
    Atomics.pause()
    return false
  }
  // A plain load could be moved before the reads on some processors; an exchange of equals cannot.
  return Atomics.compareExchange(u32, row + VERSION, version, version) === version
}
