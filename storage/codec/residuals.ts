/**
 * Whole numbers near one another: what they are above their smallest, bit-packed.
 *
 *   signed base
 *   u8     bits 0–5 width (0 … 53), bit 6 = a factor follows, bit 7 = outliers follow
 *   factor, only with bit 6: varint f, 2 or more; without it f is 1
 *   outliers, only with bit 7: varint number of them, then for each
 *          varint  numbers between it and the outlier before (the first one: numbers before it)
 *          signed  number − base
 *   packed (number − base) / f, all of them (bit-pack.ts); 0 in the places of outliers
 *
 * Outliers keep the width small where a few numbers are far off: a counter's reset, a missed scrape. The factor does
 * where all go by steps: bytes in pages.
 */
import {
  bitWidth,
  PACK_WIDTH_MAX,
  pack,
  packedBytes,
  SUMS_WIDTH_MAX,
  unpack,
  unpackSums,
} from './bit-pack.ts'
import { type ByteCursor, putSigned, putVarint, readSigned, readVarint, signedSize } from './varint.ts'

const FLAG_OUTLIERS = 0x80
const FLAG_FACTOR = 0x40
/** Numbers of fewer bits are not worth the search for a factor. */
const FACTOR_WIDTH_MIN = 6
/** Fewer numbers are not worth a search. */
const OUTLIERS_FROM = 16

const TWO_31 = 0x80000000

/** Differences up to this are exact in doubles, and packable. */
export const RESIDUAL_MAX = 2 ** PACK_WIDTH_MAX - 1

/** Bytes that `putResiduals` takes without outliers. */
export function residualBytes(count: number, min: number, max: number): number {
  return signedSize(min) + 1 + packedBytes(count, bitWidth(max - min))
}

const sorted = new Float64Array(4096)
const inliers = new Float64Array(4096)

/**
 * Writes values[from, from + count). Requires: integers, |value| ≤ 2^53, `min` and `max` are theirs,
 * max − min ≤ RESIDUAL_MAX, count ≤ 4096, and room. Returns the end of what was written.
 */
export function putResiduals(
  values: Float64Array,
  from: number,
  count: number,
  min: number,
  max: number,
  bytes: Uint8Array,
  at: number,
): number {
  const width = bitWidth(max - min)
  if (count >= OUTLIERS_FROM && width > 1 && hasOutliers(values, from, count, max - min)) {
    const end = putWithOutliers(values, from, count, width, bytes, at)
    if (end > at) return end
  }
  at = putSigned(bytes, at, min)
  const factor = width < FACTOR_WIDTH_MIN ? 1 : factorOf(values, from, count, min)
  if (factor > 1) return putScaled(values, from, count, min, (max - min) / factor, factor, bytes, at)
  bytes[at++] = width
  return pack(values, from, count, min, width, bytes, at)
}

/** The greatest number that divides all of value − min. Nearly always a few values tell that it is 1. */
function factorOf(values: Float64Array, from: number, count: number, min: number): number {
  if (count < OUTLIERS_FROM) return powerOfTwoOf(values, from, count, min)
  let factor = 0
  for (let i = from; i < from + count && factor !== 1; i++) {
    let rest = values[i] - min
    if (factor === 0) {
      factor = rest
      continue
    }
    // Euclid's algorithm; one step where the factor divides the value.
    rest = rest < TWO_31 && factor < TWO_31 ? (rest | 0) % (factor | 0) : rest % factor
    while (rest !== 0) {
      const next = factor < TWO_31 ? (factor | 0) % (rest | 0) : factor % rest
      factor = rest
      rest = next
    }
  }
  return factor
}

/** For few numbers, where dividing costs too much: the greatest power of two that does so. */
function powerOfTwoOf(values: Float64Array, from: number, count: number, min: number): number {
  let bits = 0
  for (let i = from; i < from + count; i++) bits |= values[i] - min
  bits &= 0xffff
  return bits === 0 ? 1 : bits & -bits
}

function putScaled(
  values: Float64Array,
  from: number,
  count: number,
  min: number,
  high: number,
  factor: number,
  bytes: Uint8Array,
  at: number,
): number {
  for (let i = 0; i < count; i++) inliers[i] = (values[from + i] - min) / factor
  bytes[at++] = bitWidth(high) | FLAG_FACTOR
  at = putVarint(bytes, at, factor)
  return pack(inliers, 0, count, 0, bitWidth(high), bytes, at)
}

/**
 * Whether a few numbers stretch the range: the mean distance from a middling number is under a 16th of it. A cheap
 * question before the dear one.
 */
function hasOutliers(values: Float64Array, from: number, count: number, range: number): boolean {
  const a = values[from + (count >>> 2)]
  const b = values[from + (count >>> 1)]
  const c = values[from + count - (count >>> 2)]
  const middle = a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b
  let sum = 0
  for (let i = from; i < from + count; i++) {
    const distance = values[i] - middle
    sum += distance < 0 ? -distance : distance
  }
  return sum * 16 < range * count
}

/**
 * Sorts, and cuts off ends one by one, the farther one first, as long as it could pay. Returns `at` when no cut is
 * smaller than packing all with `fullWidth`.
 */
function putWithOutliers(
  values: Float64Array,
  from: number,
  count: number,
  fullWidth: number,
  bytes: Uint8Array,
  at: number,
): number {
  for (let i = 0; i < count; i++) sorted[i] = values[from + i]
  sorted.subarray(0, count).sort()
  let low = 0
  let high = count - 1
  let bestBits = count * fullWidth
  let bestLow = -1
  let bestHigh = -1
  let outlierBits = 8
  for (let cut = 0; cut < count >>> 2 && low < high; cut++) {
    // What stays is near the middle, so the end that is farther from it goes.
    const middle = sorted[(low + high) >>> 1]
    const isLow = middle - sorted[low] > sorted[high] - middle
    outlierBits += 8 + 8 * signedSize(sorted[isLow ? low : high] - middle)
    if (isLow) low++
    else high--
    const bits = outlierBits + count * bitWidth(sorted[high] - sorted[low])
    if (bits < bestBits) {
      bestBits = bits
      bestLow = sorted[low]
      bestHigh = sorted[high]
    }
    if (outlierBits >= bestBits) break
  }
  if (bestBits === count * fullWidth) return at
  return putResidualsWithin(values, from, count, bestLow, bestHigh, bytes, at)
}

/** The same where all numbers outside of [base, high] are to be outliers. Requires: high − base ≤ RESIDUAL_MAX. */
export function putResidualsWithin(
  values: Float64Array,
  from: number,
  count: number,
  base: number,
  high: number,
  bytes: Uint8Array,
  at: number,
): number {
  const width = bitWidth(high - base)
  let outliers = 0
  for (let i = 0; i < count; i++) {
    const value = values[from + i]
    const isIn = value >= base && value <= high
    inliers[i] = isIn ? value : base
    if (!isIn) outliers++
  }
  at = putSigned(bytes, at, base)
  const factor = width < FACTOR_WIDTH_MIN ? 1 : factorOf(inliers, 0, count, base)
  bytes[at++] = bitWidth((high - base) / factor) | FLAG_OUTLIERS | (factor > 1 ? FLAG_FACTOR : 0)
  if (factor > 1) at = putVarint(bytes, at, factor)
  at = putVarint(bytes, at, outliers)
  let next = 0
  for (let i = 0; i < count; i++) {
    const value = values[from + i]
    if (value >= base && value <= high) continue
    at = putVarint(bytes, at, i - next)
    at = putSigned(bytes, at, value - base)
    next = i + 1
  }
  if (factor > 1) for (let i = 0; i < count; i++) inliers[i] = base + (inliers[i] - base) / factor
  return pack(inliers, 0, count, base, bitWidth((high - base) / factor), bytes, at)
}

/** What `readResidualsHead` found. */
const found = { base: 0, width: 0, factor: 1, outliers: 0 }

/** Leaves the cursor at the outliers, or where there are none at the packed numbers. */
function readResidualsHead(bytes: Uint8Array, cursor: ByteCursor, count: number): void {
  found.base = readSigned(bytes, cursor)
  cursor.need(1)
  const head = bytes[cursor.at++]
  found.width = head & 0x3f
  found.factor = (head & FLAG_FACTOR) === 0 ? 1 : readVarint(bytes, cursor)
  found.outliers = (head & FLAG_OUTLIERS) === 0 ? 0 : readVarint(bytes, cursor)
  if (found.width > PACK_WIDTH_MAX) cursor.fail(`numbers of ${found.width} bits`)
  if (found.outliers > count) cursor.fail(`${found.outliers} outliers of ${count}`)
}

/** Writes each over the divisor to out[o + i]. Throws CORRUPTION. */
export function readResiduals(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  readResidualsHead(bytes, cursor, count)
  const { base, width, factor, outliers } = found
  const list = cursor.at
  if (outliers > 0) skipOutliers(bytes, cursor, outliers)
  const size = packedBytes(count, width)
  cursor.need(size)
  unpack(bytes, cursor.at, count, width, base, factor, divisor, out, o)
  const end = cursor.at + size
  if (outliers > 0) {
    cursor.at = list
    readOutliers(bytes, cursor, outliers, count, base, divisor, out, o)
  }
  cursor.at = end
}

/**
 * The same for differences: value i is first + the sum of the numbers up to it, over the divisor. Throws CORRUPTION.
 */
export function readResidualSums(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  first: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  const start = cursor.at
  readResidualsHead(bytes, cursor, count)
  const { base, width, factor, outliers } = found
  if (outliers > 0 || width > SUMS_WIDTH_MAX) {
    cursor.at = start
    readResiduals(bytes, cursor, count, 1, out, o)
    addUp(first, count, divisor, out, o)
    return
  }
  const size = packedBytes(count, width)
  cursor.need(size)
  unpackSums(bytes, cursor.at, count, width, base, factor, first, divisor, out, o)
  cursor.at += size
}

/** Makes sums over the divisor of the differences that are there. */
export function addUp(first: number, count: number, divisor: number, out: Float64Array, o: number): void {
  let sum = first
  for (let i = o; i < o + count; i++) {
    sum += out[i]
    out[i] = sum / divisor
  }
}

function readOutliers(
  bytes: Uint8Array,
  cursor: ByteCursor,
  outliers: number,
  count: number,
  base: number,
  divisor: number,
  out: Float64Array,
  o: number,
): void {
  let next = 0
  for (let i = 0; i < outliers; i++) {
    const place = next + readVarint(bytes, cursor)
    if (place >= count) cursor.fail(`outlier ${place} of ${count}`)
    out[o + place] = (base + readSigned(bytes, cursor)) / divisor
    next = place + 1
  }
}

function skipOutliers(bytes: Uint8Array, cursor: ByteCursor, outliers: number): void {
  for (let i = 0; i < outliers; i++) {
    readVarint(bytes, cursor)
    readSigned(bytes, cursor)
  }
}

/** Moves past them. Returns their width in bits. Throws CORRUPTION. */
export function skipResiduals(bytes: Uint8Array, cursor: ByteCursor, count: number): number {
  readResidualsHead(bytes, cursor, count)
  const { width, outliers } = found
  skipOutliers(bytes, cursor, outliers)
  cursor.need(packedBytes(count, width))
  cursor.at += packedBytes(count, width)
  return width
}
