/**
 * How one series lies in one generation: its newest samples in a staging row, older ones in chunks. One writer
 * (series-row.ts, row-chunks.ts), any readers (row-reader.ts).
 *
 * A row is 16 words (128 bytes). Indexes of u32 from its start:
 *
 *    0  version: odd while chunks and staged samples change places
 *    1  state: bits 0–3 number of staged samples, 0–8; bits 4–6 kind of the newest sample + 1, 0 = there is none;
 *       bit 7 = the row is in use
 *    2  first closed chunk   3  last closed chunk   4  open chunk (addresses, 0 = none)   5  number of closed chunks
 *    6  the row's list: its late samples, newest first, and start notes; 0 = none. A start note leads it where there is one
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
 * one sample at time 0.
 *
 * Record of the list: u32 next (bits 0–29: address, 0 = none; bits 30–31: what this record is), then
 *   0 late sample: u32 stamp and kind, f64 value        1 the same, and f64 its start timestamp
 *   2 start note: u32 stamp, f64 start timestamp: those samples have it that came in order and are of the stamp's time or later,
 *     up to the next note, which leads to this one. Without a note before them samples have none.
 *
 * A full row goes into the open chunk, which is written anew with it; an open chunk of OPEN_SAMPLES_MAX is closed;
 * MERGED_CHUNKS closed ones become one. So each sample is encoded about four times, in runs. At the replay floats and
 * stale markers wait outside of the row (bulk-rows.ts) and are encoded once; for histograms there is no open chunk then,
 * but more small ones are merged: half the work for more memory meanwhile.
 *
 * How readers stay right. A staged sample is whole before the state that shows it is stored. All that moves sits
 * between two steps of the version, and a reader that saw the version move reads again; freed chunks are
 * overwritten, so it decodes what may be garbage, and finds out behind it. A record of the list is whole before the
 * row shows it, and nothing of it changes but which one is next. What is newer than the reader's view is told by its
 * stamp's commit.
 */
import type { Slab } from '../slab/slab.ts'

/** Slots of a row. */
export const STAGED_MAX = 8

// Indexes of u32.
export const VERSION = 0
export const STATE = 1
export const FIRST_CLOSED = 2
export const LAST_CLOSED = 3
export const OPEN = 4
export const CLOSED_COUNT = 5
export const LIST = 6
export const COUNTS = 7
export const STAGED_STAMPS = 24
/** Index of f64. */
export const STAGED_V = 4

export const STAGED_MASK = 0xf
export const KIND_SHIFT = 4
export const KIND_MASK = 7
export const IN_USE = 0x80

export const STAMP_MASK = 0x3fffffff
export const STAMP_KIND_SHIFT = 30

export const CHUNK_HEADER_WORDS = 4

// What a record of the list is.
export const LATE_SAMPLE = 0
export const LATE_STARTED = 1
export const START_NOTE = 2
const LISTED_SHIFT = 30
const LISTED_ADDRESS = 0x3fffffff

/** What the record of the list at `at` is. */
export function listedType(u32: Uint32Array, at: number): number {
  return u32[at * 2] >>> LISTED_SHIFT
}

/** Address of the next record of the list, 0 = none. */
export function listedNext(u32: Uint32Array, at: number): number {
  return u32[at * 2] & LISTED_ADDRESS
}

/** The first half word of a record of the list. */
export function listedWord(type: number, nextAt: number): number {
  return ((type << LISTED_SHIFT) | nextAt) >>> 0
}

/** Whether commit `a` is later than `b`. Numbers wrap at 2^32; two that are compared are never 2^31 apart. */
export function isLaterCommit(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}

/** Whether the row was begun. */
export function isInUse(slab: Slab, at: number): boolean {
  return at !== 0 && (slab.u32[at * 2 + STATE] & IN_USE) !== 0
}

/** Kind of the newest sample, −1 when there is none. */
export function newestKind(state: number): number {
  return ((state >>> KIND_SHIFT) & KIND_MASK) - 1
}

export function newestSlot(state: number): number {
  return ((state & STAGED_MASK) + STAGED_MAX - 1) % STAGED_MAX
}

export function stampCount(u32: Uint32Array, recordAt: number): number {
  return u32[recordAt * 2 + 1] >>> 16
}
