/** The writer's side of a row: the append rules, and staging. The layout is drawn in row-layout.ts. */
import type { ByteWriter } from '../codec/byte-writer.ts'
import {
  APPEND_DUPLICATE,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPEND_TOO_OLD,
  APPENDED,
  type AppendOutcome,
} from '../errors.ts'
import { isHistogramKind, KIND_FLOAT, KIND_STALE, type Kind } from '../model/sample.ts'
import type { Slab } from '../slab/slab.ts'
import type { Newest } from './departed.ts'
import type { Generation, GenerationWriter } from './generation.ts'
import { seal } from './row-chunks.ts'
import {
  COUNTS,
  IN_USE,
  KIND_SHIFT,
  LATE_SAMPLE,
  LATE_STARTED,
  LIST,
  listedNext,
  listedType,
  listedWord,
  newestKind,
  newestSlot,
  STAGED_MASK,
  STAGED_MAX,
  STAGED_STAMPS,
  STAGED_V,
  STAMP_KIND_SHIFT,
  STAMP_MASK,
  START_NOTE,
  STATE,
} from './row-layout.ts'
import { copyHistogram, isSameHistogram, releaseHistogram } from './staged-histogram.ts'

/** Between two samples of a series that the log has by themselves. */
const KEY_DISTANCE = 16

const LISTED_WORDS = 2
const LISTED_STARTED_WORDS = 3

/** Words that a sample takes at most, spread over the run it is encoded with. */
export const SAMPLE_WORDS_MAX = 16

/** Bounds of what may be appended, for one batch. */
export interface AppendBounds {
  /** Samples in order are taken from this time on. */
  minValidT: number
  /** Late ones, too; +Infinity when none are taken. */
  minLateT: number
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

/** The newest sample, of this generation or taken over; undefined when there is none. */
export function newest(generation: Generation, at: number): Newest | undefined {
  const kind = newestKind(generation.slab.u32[at * 2 + STATE])
  if (kind < 0) return undefined
  return { t: newestTime(generation, at), v: newestValue(generation.slab, at), kind: kind as Kind }
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

function beyond(bounds: AppendBounds): AppendOutcome {
  return bounds.minLateT === Number.POSITIVE_INFINITY ? APPEND_OUT_OF_BOUNDS : APPEND_TOO_OLD
}

/**
 * Whether `t` is later than the row's newest sample, which there is. Then all that `checkAppend` looks at besides is
 * whether `t` is late. Small enough to be inlined, so that V8 makes no number on the heap for `t`.
 */
export function followsNewest(generation: Generation, at: number, t: number): boolean {
  const { u32 } = generation.slab
  const state = u32[at * 2 + STATE]
  if (newestKind(state) < 0) return false
  return t > generation.stampTime(u32[at * 2 + STAGED_STAMPS + newestSlot(state)] & STAMP_MASK)
}

/** Writes the value of the newest sample, which is a float or nothing that counts, to `to[i]`. */
export function copyNewestValue(slab: Slab, at: number, to: Float64Array, i: number): void {
  to[i] = slab.f64[at + STAGED_V + newestSlot(slab.u32[at * 2 + STATE])]
}

/** Whether the log is to have the next sample of the series by itself, not as a difference; counts it. */
export function isKeyDue(slab: Slab, at: number): boolean {
  const { u32 } = slab
  const counts = u32[at * 2 + COUNTS]
  const since = counts & 0xff
  u32[at * 2 + COUNTS] = (counts & ~0xff) | ((since + 1) % KEY_DISTANCE)
  return since === 0
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
  const slot = takeSlot(generation, at)
  generation.slab.f64[at + STAGED_V + slot] = v
  showSlot(generation, at, slot, stamp, kind)
}

/** As `stage`, of the float `values[i]`: a column in place of a number, which V8 would make on the heap for the call. */
export function stageFloat(
  generation: GenerationWriter,
  at: number,
  stamp: number,
  values: Float64Array,
  i: number,
): void {
  const slot = takeSlot(generation, at)
  generation.slab.f64[at + STAGED_V + slot] = values[i]
  showSlot(generation, at, slot, stamp, KIND_FLOAT)
}

/** The slot for the next sample; a full row is emptied before. Throws NO_MEMORY before anything changed. */
function takeSlot(generation: GenerationWriter, at: number): number {
  const { u32, f64 } = generation.slab
  const row = at * 2
  if ((u32[row + STATE] & STAGED_MASK) === STAGED_MAX) seal(generation, at)
  const staged = u32[row + STATE] & STAGED_MASK
  if (staged === STAGED_MAX - 1) {
    // The slot had the newest sample of before the row was emptied.
    const stale = u32[row + STAGED_STAMPS + staged]
    if (isHistogramKind(stale >>> STAMP_KIND_SHIFT)) releaseHistogram(generation, f64[at + STAGED_V + staged])
  }
  return staged
}

/** Shows the sample in the slot, whose value is there. */
function showSlot(generation: GenerationWriter, at: number, slot: number, stamp: number, kind: Kind): void {
  const { u32 } = generation.slab
  const row = at * 2
  u32[row + STAGED_STAMPS + slot] = ((kind << STAMP_KIND_SHIFT) | stamp) >>> 0
  Atomics.store(u32, row + STATE, IN_USE | ((kind + 1) << KIND_SHIFT) | (slot + 1))
}

/** Whether the row has late samples or start notes: else its samples have no start timestamps. */
export function hasList(slab: Slab, at: number): boolean {
  return slab.u32[at * 2 + LIST] !== 0
}

/**
 * Writer. Notes the start timestamp, 0 = unknown, of the sample of `stamp`, which comes in order and is staged next, unless it
 * is that of the sample before it in this generation. Throws NO_MEMORY before anything changed.
 */
export function noteStart(generation: GenerationWriter, at: number, stamp: number, st: number): void {
  const { u32, f64 } = generation.slab
  const listAt = u32[at * 2 + LIST]
  const hasNote = listAt !== 0 && listedType(u32, listAt) === START_NOTE
  if (!hasNote && st === 0) return
  if (hasNote && f64[listAt + 1] === st) {
    // There was no memory for the sample of a note that is later.
    if (generation.stampTime(u32[listAt * 2 + 1]) <= generation.stampTime(stamp)) return
  }
  const noteAt = generation.arena.allocate(LISTED_WORDS)
  u32[noteAt * 2] = listedWord(START_NOTE, listAt)
  u32[noteAt * 2 + 1] = stamp
  f64[noteAt + 1] = st
  Atomics.store(u32, at * 2 + LIST, noteAt)
}

/**
 * Writer. Adds a sample that is older than the series' newest one; `st` is its start timestamp, 0 = unknown. Throws NO_MEMORY
 * before anything changed.
 */
export function stageLate(
  generation: GenerationWriter,
  at: number,
  stamp: number,
  v: number,
  kind: Kind,
  st: number,
): void {
  const { u32, f64 } = generation.slab
  const listAt = u32[at * 2 + LIST]
  // Behind the note that leads the list, so that it goes on to do so.
  const noteAt = listAt !== 0 && listedType(u32, listAt) === START_NOTE ? listAt : 0
  const lateAt = generation.arena.allocate(st === 0 ? LISTED_WORDS : LISTED_STARTED_WORDS)
  const nextAt = noteAt === 0 ? listAt : listedNext(u32, noteAt)
  u32[lateAt * 2] = listedWord(st === 0 ? LATE_SAMPLE : LATE_STARTED, nextAt)
  u32[lateAt * 2 + 1] = ((kind << STAMP_KIND_SHIFT) | stamp) >>> 0
  f64[lateAt + 1] = v
  if (st !== 0) f64[lateAt + 2] = st
  if (noteAt === 0) Atomics.store(u32, at * 2 + LIST, lateAt)
  else Atomics.store(u32, noteAt * 2, listedWord(START_NOTE, lateAt))
}
