/**
 * The times of a chunk, Unix milliseconds. The mode stands in the chunk's first byte.
 *
 *   0 regular    signed first; with two samples or more: step
 *   1 deltas     signed first, varint final − first, residuals of each time's distance from the one before (count − 1)
 *   2 line       signed first, varint final − first, step, residuals of time i − (first + i × step) for i in [1, count)
 *   3 raw        f64 × count
 *
 *   step         varint: 2 × step, or 2 × step/1000 + 1 where it is whole seconds
 *
 * Deltas suit a schedule with gaps, where a gap is an outlier; a line suits jitter around a schedule. Raw is for what
 * are no whole numbers up to 2^53.
 */
import { putFloat, readFloat } from './float-bits.ts'
import { putResiduals, readResidualSums, readResiduals, residualBytes, skipResiduals } from './residuals.ts'
import { type ByteCursor, putSigned, putVarint, readSigned, readVarint } from './varint.ts'

export const TIMES_REGULAR = 0
export const TIMES_DELTAS = 1
export const TIMES_LINE = 2
export const TIMES_RAW = 3

const EXACT_MAX = 2 ** 53

const distances = new Float64Array(4096)
const deviations = new Float64Array(4096)

/** Where the times were written: the mode, and the end. */
export interface TimesWritten {
  mode: number
  end: number
}

/** Requires: 1 ≤ count ≤ 4096, strictly ascending, and room for 8 × count + 32 bytes. */
export function putTimes(
  t: Float64Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  at: number,
  written: TimesWritten,
): void {
  const first = t[from]
  const final = t[from + count - 1]
  if (!(final > first || count === 1)) throw new RangeError('times do not ascend')
  const step = count === 1 ? 0 : t[from + 1] - first
  let i = 1
  while (i < count && t[from + i] - t[from + i - 1] === step) i++
  // Whole, and so far from 2^53 that sums are exact.
  const isExact = first >= -EXACT_MAX && final <= EXACT_MAX && Math.floor(first) === first
  if (i >= count && isExact && Math.floor(step) === step) {
    written.mode = TIMES_REGULAR
    at = putSigned(bytes, at, first)
    written.end = count === 1 ? at : putStep(bytes, at, step)
    return
  }
  if (!isExact || final - first > EXACT_MAX / 2 || !areWhole(t, from, count)) {
    written.mode = TIMES_RAW
    for (let k = from; k < from + count; k++) at = putFloat(bytes, at, t[k])
    written.end = at
    return
  }
  at = putSigned(bytes, at, first)
  at = putVarint(bytes, at, final - first)
  putIrregular(t, from, count, bytes, at, written)
}

function areWhole(t: Float64Array, from: number, count: number): boolean {
  for (let i = from; i < from + count; i++) if (Math.floor(t[i]) !== t[i]) return false
  return true
}

function putIrregular(
  t: Float64Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  at: number,
  written: TimesWritten,
): void {
  const first = t[from]
  const step = Math.max(1, Math.round((t[from + count - 1] - first) / (count - 1)))
  let minDistance = Infinity
  let maxDistance = -Infinity
  let minDeviation = Infinity
  let maxDeviation = -Infinity
  for (let i = 1; i < count; i++) {
    const distance = t[from + i] - t[from + i - 1]
    if (distance < minDistance) minDistance = distance
    if (distance > maxDistance) maxDistance = distance
    distances[i - 1] = distance
    const deviation = t[from + i] - (first + i * step)
    if (deviation < minDeviation) minDeviation = deviation
    if (deviation > maxDeviation) maxDeviation = deviation
    deviations[i - 1] = deviation
  }
  written.mode = TIMES_DELTAS
  written.end = putResiduals(distances, 0, count - 1, minDistance, maxDistance, bytes, at)
  if (2 + residualBytes(count - 1, minDeviation, maxDeviation) >= written.end - at) return
  at = putStep(bytes, at, step)
  written.mode = TIMES_LINE
  written.end = putResiduals(deviations, 0, count - 1, minDeviation, maxDeviation, bytes, at)
}

function putStep(bytes: Uint8Array, at: number, step: number): number {
  return putVarint(bytes, at, step % 1000 === 0 ? (step / 1000) * 2 + 1 : step * 2)
}

function readStep(bytes: Uint8Array, cursor: ByteCursor): number {
  const code = readVarint(bytes, cursor)
  const half = Math.floor(code / 2)
  return code % 2 === 1 ? half * 1000 : half
}

/** First and final time, both inclusive, and for regular and line the step. */
export interface TimeBounds {
  mint: number
  maxt: number
  step: number
}

/**
 * Moves the cursor to what the mode has beyond the bounds: residuals for deltas and line, the end of the times for
 * regular, their start for raw. Throws CORRUPTION.
 */
export function readBounds(
  bytes: Uint8Array,
  cursor: ByteCursor,
  mode: number,
  count: number,
  bounds: TimeBounds,
): void {
  if (mode === TIMES_RAW) {
    cursor.need(8 * count)
    const at = cursor.at
    bounds.mint = readFloat(bytes, cursor)
    cursor.at = at + 8 * (count - 1)
    bounds.maxt = readFloat(bytes, cursor)
    cursor.at = at
    return
  }
  const first = readSigned(bytes, cursor)
  bounds.mint = first
  if (mode === TIMES_REGULAR) {
    bounds.step = count === 1 ? 0 : readStep(bytes, cursor)
    bounds.maxt = first + (count - 1) * bounds.step
    return
  }
  bounds.maxt = first + readVarint(bytes, cursor)
  bounds.step = mode === TIMES_LINE ? readStep(bytes, cursor) : 0
}

/** Writes the times to out[o + i]. Requires: the cursor is where `readBounds` left it. Throws CORRUPTION. */
export function readTimes(
  bytes: Uint8Array,
  cursor: ByteCursor,
  mode: number,
  count: number,
  bounds: TimeBounds,
  out: Float64Array,
  o: number,
): void {
  const { mint: first, step } = bounds
  switch (mode) {
    case TIMES_REGULAR:
      for (let i = 0; i < count; i++) out[o + i] = first + i * step
      return
    case TIMES_DELTAS:
      out[o] = first
      readResidualSums(bytes, cursor, count - 1, first, 1, out, o + 1)
      return
    case TIMES_LINE:
      readResiduals(bytes, cursor, count - 1, 1, out, o + 1)
      out[o] = first
      for (let i = 1; i < count; i++) out[o + i] += first + i * step
      return
    default:
      for (let i = 0; i < count; i++) out[o + i] = readFloat(bytes, cursor)
  }
}

/** Moves past the times. Returns what they are, in words. Requires and throws as `readTimes`. */
export function describeTimes(
  bytes: Uint8Array,
  cursor: ByteCursor,
  mode: number,
  count: number,
  bounds: TimeBounds,
): string {
  switch (mode) {
    case TIMES_REGULAR:
      return count === 1 ? 'single' : `regular ${bounds.step} ms`
    case TIMES_DELTAS:
      return `deltas ${skipResiduals(bytes, cursor, count - 1)} bits`
    case TIMES_LINE:
      return `line ${bounds.step} ms ${skipResiduals(bytes, cursor, count - 1)} bits`
    default:
      cursor.need(8 * count)
      cursor.at += 8 * count
      return 'raw'
  }
}
