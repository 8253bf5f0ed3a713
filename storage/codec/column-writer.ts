/** Writes columns (column.ts), each in the cheapest way. */
import {
  BITS_HALVES,
  BITS_XOR,
  CONSTANT_RAW,
  MODE_BITS,
  MODE_CONSTANT,
  MODE_DELTA,
  MODE_DELTA2,
  MODE_EXCEPTIONS,
  MODE_FRAME,
  MODE_LINEAR,
  MODE_RUNS,
  RUNS_BITMAP,
  RUNS_LIST,
} from './column.ts'
import { Decimals } from './decimal.ts'
import { halvesOf, putHalves } from './float-bits.ts'
import { putResiduals, RESIDUAL_MAX, residualBytes } from './residuals.ts'
import { putSigned, putVarint, signedSize } from './varint.ts'
import { putXor, trailingZeros, xorBits } from './xor.ts'

/** Differences of differences are exact, and packable, when the numbers lie within this of one another. */
const DELTA2_SPAN_MAX = 2 ** 50
const DELTA_SPAN_MAX = 2 ** 52

/** Room that a column of `count` values needs while it is written, tries included. */
export function columnRoom(count: number): number {
  return 128 + 40 * count
}

const decimals = new Decimals()
const differences = new Float64Array(4096)
const differences2 = new Float64Array(4096)
const changed = new Float64Array(4096)
const upper = new Float64Array(4096)
const lower = new Float64Array(4096)

/** Writes values[from, from + count), 1 ≤ count ≤ 4096. Requires `columnRoom`. Returns the end of what was written. */
export function putColumn(
  values: Float64Array,
  from: number,
  count: number,
  bytes: Uint8Array,
  at: number,
): number {
  const changes = countChanges(values, from, count)
  if (changes === 0) return putConstant(values, from, bytes, at)
  if ((changes + 1) * 4 <= count) return putRuns(values, from, count, changes, bytes, at)
  const end = putPlain(values, from, count, bytes, at)
  const size = end - at
  // What runs would take if their values cost the same each.
  if (count >= 8 && (size * (changes + 1)) / count + count / 8 + 3 < size * 0.85) {
    const runsEnd = putRuns(values, from, count, changes, bytes, end)
    if (runsEnd - end < size) {
      bytes.copyWithin(at, end, runsEnd)
      return at + runsEnd - end
    }
  }
  return end
}

/** Values that differ from the one before. NaNs always do. */
function countChanges(values: Float64Array, from: number, count: number): number {
  let changes = 0
  let before = values[from]
  for (let i = from + 1; i < from + count; i++) {
    const value = values[i]
    if (isChange(before, value)) changes++
    before = value
  }
  return changes
}

function isChange(before: number, value: number): boolean {
  return value !== before || (value === 0 && 1 / value !== 1 / before)
}

function putConstant(values: Float64Array, from: number, bytes: Uint8Array, at: number): number {
  if (decimals.take(values, from, 1)) {
    bytes[at++] = (MODE_CONSTANT << 5) | decimals.exponent
    return putSigned(bytes, at, decimals.n[0])
  }
  const halves = halvesOf(values)
  bytes[at++] = (MODE_CONSTANT << 5) | CONSTANT_RAW
  return putHalves(bytes, at, halves[2 * from], halves[2 * from + 1])
}

function putRuns(
  values: Float64Array,
  from: number,
  count: number,
  changes: number,
  bytes: Uint8Array,
  at: number,
): number {
  const bitmapBytes = (count + 6) >>> 3
  const isList = 1 + changes + (count >>> 7) < bitmapBytes
  bytes[at++] = (MODE_RUNS << 5) | (isList ? RUNS_LIST : RUNS_BITMAP)
  if (isList) at = putVarint(bytes, at, changes)
  else for (let i = 0; i < bitmapBytes; i++) bytes[at + i] = 0
  changed[0] = values[from]
  let k = 1
  let next = 1
  let hasNaN = Number.isNaN(changed[0])
  for (let i = 1; i < count; i++) {
    const value = values[from + i]
    if (!isChange(values[from + i - 1], value)) continue
    changed[k++] = value
    if (Number.isNaN(value)) hasNaN = true
    if (isList) at = putVarint(bytes, at, i - next)
    else bytes[at + ((i - 1) >>> 3)] |= 1 << ((i - 1) & 7)
    next = i + 1
  }
  if (!isList) at += bitmapBytes
  if (hasNaN) copyChanged(values, from, count)
  return putPlain(changed, 0, k, bytes, at)
}

/** Fills `changed` by halves, as `putRuns` does by numbers. */
function copyChanged(values: Float64Array, from: number, count: number): void {
  const source = halvesOf(values)
  const target = halvesOf(changed)
  let k = 0
  for (let i = from; i < from + count; i++) {
    if (i > from && !isChange(values[i - 1], values[i])) continue
    target[2 * k] = source[2 * i]
    target[2 * k + 1] = source[2 * i + 1]
    k++
  }
}

/** In any mode but runs. */
function putPlain(values: Float64Array, from: number, count: number, bytes: Uint8Array, at: number): number {
  if (!decimals.take(values, from, count)) return putBits(values, from, count, bytes, at)
  const start = at
  if (decimals.exceptionCount > 0) at = putExceptions(values, from, bytes, at)
  const end = putDecimals(count, bytes, at)
  // Numbers of many digits may be dearer than the bits that they came from.
  if (end > at && (end - start) / count < 5) return end
  const bitsAt = Math.max(end, start)
  const bitsEnd = putBits(values, from, count, bytes, bitsAt)
  if (end > at && end - start <= bitsEnd - bitsAt) return end
  bytes.copyWithin(start, bitsAt, bitsEnd)
  return start + bitsEnd - bitsAt
}

function putExceptions(values: Float64Array, from: number, bytes: Uint8Array, at: number): number {
  const halves = halvesOf(values)
  bytes[at++] = MODE_EXCEPTIONS << 5
  at = putVarint(bytes, at, decimals.exceptionCount)
  let next = 0
  for (let e = 0; e < decimals.exceptionCount; e++) {
    const i = decimals.exceptions[e]
    at = putVarint(bytes, at, i - next)
    at = putHalves(bytes, at, halves[2 * (from + i)], halves[2 * (from + i) + 1])
    next = i + 1
  }
  return at
}

/** How far apart the numbers of `decimals` are, their differences, and the differences of those. */
const spread = {
  min: 0,
  max: 0,
  minDelta: 0,
  maxDelta: 0,
  minDelta2: 0,
  maxDelta2: 0,
  /** Sum of the absolute differences. */
  deltaSum: 0,
}

/** Fills `spread`, `differences` and `differences2`. */
function measureSpread(count: number): void {
  const { n } = decimals
  const first = n[0]
  let min = first
  let max = first
  let minDelta = Infinity
  let maxDelta = -Infinity
  let minDelta2 = Infinity
  let maxDelta2 = -Infinity
  let deltaSum = 0
  let before = first
  let deltaBefore = n[1] - first
  for (let i = 1; i < count; i++) {
    const number = n[i]
    const delta = number - before
    const delta2 = delta - deltaBefore
    if (number < min) min = number
    if (number > max) max = number
    if (delta < minDelta) minDelta = delta
    if (delta > maxDelta) maxDelta = delta
    if (delta2 < minDelta2) minDelta2 = delta2
    if (delta2 > maxDelta2) maxDelta2 = delta2
    deltaSum += delta < 0 ? -delta : delta
    differences[i - 1] = delta
    differences2[i - 1] = delta2
    before = number
    deltaBefore = delta
  }
  spread.min = min
  spread.max = max
  spread.minDelta = minDelta
  spread.maxDelta = maxDelta
  spread.minDelta2 = minDelta2
  spread.maxDelta2 = maxDelta2
  spread.deltaSum = deltaSum
}

/** Writes what `decimals` holds in the cheapest of modes 0–4. Returns `at` when the numbers are too far apart. */
function putDecimals(count: number, bytes: Uint8Array, at: number): number {
  measureSpread(count)
  const { n, exponent } = decimals
  const { min, max, minDelta, maxDelta, minDelta2, maxDelta2 } = spread
  const first = n[0]
  const span = max - min
  if (span === 0) {
    bytes[at++] = (MODE_CONSTANT << 5) | exponent
    return putSigned(bytes, at, first)
  }
  if (span > RESIDUAL_MAX) return at
  if (span > DELTA_SPAN_MAX) return putFrame(count, bytes, at)
  if (minDelta === maxDelta) {
    bytes[at++] = (MODE_LINEAR << 5) | exponent
    return putSigned(bytes, putSigned(bytes, at, first), minDelta)
  }
  const frameBytes = residualBytes(count, min, max)
  const firstBytes = signedSize(first)
  const deltaBytes = firstBytes + residualBytes(count - 1, minDelta, maxDelta)
  if (span < DELTA2_SPAN_MAX && count > 3) {
    const firstDeltaBytes = firstBytes + signedSize(differences[0])
    const delta2Bytes = firstDeltaBytes + residualBytes(count - 2, minDelta2, maxDelta2)
    if (delta2Bytes < deltaBytes && delta2Bytes < frameBytes) {
      bytes[at++] = (MODE_DELTA2 << 5) | exponent
      at = putSigned(bytes, putSigned(bytes, at, first), differences[0])
      return putResiduals(differences2, 1, count - 2, minDelta2, maxDelta2, bytes, at)
    }
  }
  // A few large steps (a counter's reset) become outliers, which the estimate does not see: written, then compared.
  const range = maxDelta - minDelta
  const isStepped = count >= 16 && range > 255 && spread.deltaSum * 16 < range * count
  if (deltaBytes < frameBytes || isStepped) {
    const end = putDelta(count, bytes, at)
    if (end - at <= 1 + frameBytes) return end
  }
  return putFrame(count, bytes, at)
}

function putFrame(count: number, bytes: Uint8Array, at: number): number {
  bytes[at++] = (MODE_FRAME << 5) | decimals.exponent
  return putResiduals(decimals.n, 0, count, spread.min, spread.max, bytes, at)
}

function putDelta(count: number, bytes: Uint8Array, at: number): number {
  bytes[at++] = (MODE_DELTA << 5) | decimals.exponent
  at = putSigned(bytes, at, decimals.n[0])
  return putResiduals(differences, 0, count - 1, spread.minDelta, spread.maxDelta, bytes, at)
}

/** Writes the bits of the values: in halves, unless XOR is smaller by enough to make up for its slower reading. */
function putBits(values: Float64Array, from: number, count: number, bytes: Uint8Array, at: number): number {
  const halves = halvesOf(values)
  let minUpper = Infinity
  let maxUpper = 0
  let allLower = 0
  for (let i = 0; i < count; i++) {
    const high = halves[2 * (from + i) + 1]
    upper[i] = high
    if (high < minUpper) minUpper = high
    if (high > maxUpper) maxUpper = high
    allLower |= halves[2 * (from + i)]
  }
  const shift = trailingZeros(allLower) & 31
  let minLower = Infinity
  let maxLower = 0
  for (let i = 0; i < count; i++) {
    const low = halves[2 * (from + i)] >>> shift
    lower[i] = low
    if (low < minLower) minLower = low
    if (low > maxLower) maxLower = low
  }
  // Nothing is gained by the smallest then, and readers like whole words.
  if (maxLower - minLower >= 2 ** 31) minLower = 0
  const halvesBytes = 1 + residualBytes(count, minUpper, maxUpper) + residualBytes(count, minLower, maxLower)
  const size = xorBits(halves, from, count)
  if (8 + size / 8 < halvesBytes * 0.95) {
    bytes[at++] = (MODE_BITS << 5) | BITS_XOR
    return putXor(halves, from, count, size, bytes, at)
  }
  bytes[at++] = (MODE_BITS << 5) | BITS_HALVES
  bytes[at++] = shift
  at = putResiduals(upper, 0, count, minUpper, maxUpper, bytes, at)
  return putResiduals(lower, 0, count, minLower, maxLower, bytes, at)
}
