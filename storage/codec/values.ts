/**
 * A column: floats of which every bit is kept, written in the cheapest of some ways.
 *
 *   u8  bits 0–4 argument, bits 5–7 mode; what follows depends on the mode. Where the argument is an exponent e (0 … 22)
 *       the numbers below are whole and a value is number / 10^e (see decimal.ts)
 *
 *   mode 0 constant    e: signed number. Argument 31: the value's 8 bytes
 *   mode 1 linear      e: signed first, signed step
 *   mode 2 frame       e: residuals of the numbers (residuals.ts)
 *   mode 3 delta       e: signed first, residuals of the differences (count − 1)
 *   mode 4 delta2      e: signed first, signed first difference, residuals of the differences' differences (count − 2)
 *   mode 5 runs        where values change, then a column of the values there, the first one included; it is not of mode 5.
 *                      Argument 0: a bitmap of count − 1 bits, bit i − 1 = value i is not value i − 1; bits in the order
 *                      of bit-pack.ts. Argument 1: varint number of changes, for each a varint: values between it and the
 *                      change before (the first one: values before it, less the first value)
 *   mode 6 bits        argument 0: xor.ts. Argument 1: u8 shift (0 … 31), residuals of the upper halves of the values' bits,
 *                      residuals of the lower halves >>> shift
 *   mode 7 exceptions  varint number of them, for each: varint as outliers in residuals.ts, 8 bytes of the value; then a
 *                      column of modes 0 … 4 with all values, those in the places of exceptions being meaningless
 */
import { packedBytes } from './bit-pack.ts'
import { Decimals, EXPONENT_MAX, POWERS_OF_TEN } from './decimal.ts'
import { halvesOf, putHalves, readHalf } from './float-bits.ts'
import {
  addUp,
  putResiduals,
  RESIDUAL_MAX,
  readResidualSums,
  readResiduals,
  residualBytes,
  skipResiduals,
} from './residuals.ts'
import { type ByteCursor, putSigned, putVarint, readSigned, readVarint, signedSize } from './varint.ts'
import { putXor, readXor, trailingZeros, xorBits } from './xor.ts'

const MODE_CONSTANT = 0
const MODE_LINEAR = 1
const MODE_FRAME = 2
const MODE_DELTA = 3
const MODE_DELTA2 = 4
const MODE_RUNS = 5
const MODE_BITS = 6
const MODE_EXCEPTIONS = 7

const CONSTANT_RAW = 31
/** Calling `fill` costs as much as so many stores. */
const FILL_FROM = 32
const RUNS_BITMAP = 0
const RUNS_LIST = 1
const BITS_XOR = 0
const BITS_HALVES = 1

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

/** Writes what `decimals` holds in the cheapest of modes 0–4. Returns `at` when the numbers are too far apart. */
function putDecimals(count: number, bytes: Uint8Array, at: number): number {
  const { n, exponent } = decimals
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
  const span = max - min
  if (span === 0) {
    bytes[at++] = (MODE_CONSTANT << 5) | exponent
    return putSigned(bytes, at, first)
  }
  if (span > RESIDUAL_MAX) return at
  const frameBytes = residualBytes(count, min, max)
  if (span > DELTA_SPAN_MAX) {
    bytes[at++] = (MODE_FRAME << 5) | exponent
    return putResiduals(n, 0, count, min, max, bytes, at)
  }
  if (minDelta === maxDelta) {
    bytes[at++] = (MODE_LINEAR << 5) | exponent
    return putSigned(bytes, putSigned(bytes, at, first), minDelta)
  }
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
  const range = maxDelta - minDelta
  // A few large steps (a counter's reset) become outliers, which the estimate does not see: written, then compared.
  const isStepped = count >= 16 && range > 255 && deltaSum * 16 < range * count
  if (deltaBytes < frameBytes || isStepped) {
    const start = at
    bytes[at++] = (MODE_DELTA << 5) | exponent
    at = putSigned(bytes, at, first)
    at = putResiduals(differences, 0, count - 1, minDelta, maxDelta, bytes, at)
    if (at - start <= 1 + frameBytes) return at
    at = start
  }
  bytes[at++] = (MODE_FRAME << 5) | exponent
  return putResiduals(n, 0, count, min, max, bytes, at)
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

/** Writes `count` values to out[o + i]. Throws CORRUPTION; what was written then is meaningless. */
export function readColumn(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  out: Float64Array,
  o: number,
): void {
  cursor.need(1)
  const head = bytes[cursor.at++]
  if (head >>> 5 === MODE_RUNS) readRuns(bytes, cursor, head & 31, count, out, o)
  else readPlain(bytes, cursor, head, count, out, o)
}

function readPlain(
  bytes: Uint8Array,
  cursor: ByteCursor,
  head: number,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const mode = head >>> 5
  if (mode === MODE_BITS) readBits(bytes, cursor, head & 31, count, out, o)
  else if (mode === MODE_EXCEPTIONS) readExceptions(bytes, cursor, count, out, o)
  else readDecimals(bytes, cursor, head, count, out, o)
}

function readDecimals(
  bytes: Uint8Array,
  cursor: ByteCursor,
  head: number,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const mode = head >>> 5
  const exponent = head & 31
  if (mode === MODE_CONSTANT && exponent === CONSTANT_RAW) {
    cursor.need(8)
    fillHalves(bytes, cursor.at, count, out, o)
    cursor.at += 8
    return
  }
  if (exponent > EXPONENT_MAX || mode > MODE_DELTA2) cursor.fail(`unknown kind ${head} of column`)
  const power = POWERS_OF_TEN[exponent]
  if (mode === MODE_FRAME) {
    readResiduals(bytes, cursor, count, power, out, o)
    return
  }
  const first = readSigned(bytes, cursor)
  if (mode === MODE_CONSTANT) {
    const value = first / power
    if (count > FILL_FROM) out.fill(value, o, o + count)
    else for (let i = o; i < o + count; i++) out[i] = value
  } else if (mode === MODE_DELTA) {
    out[o] = first / power
    readResidualSums(bytes, cursor, count - 1, first, power, out, o + 1)
  } else {
    const step = readSigned(bytes, cursor)
    if (count < 2) cursor.fail('differences of one value')
    if (mode === MODE_LINEAR) {
      for (let i = 0; i < count; i++) out[o + i] = (first + i * step) / power
    } else {
      out[o] = first / power
      out[o + 1] = step
      readResidualSums(bytes, cursor, count - 2, step, 1, out, o + 2)
      addUp(first, count - 1, power, out, o + 1)
    }
  }
}

function fillHalves(bytes: Uint8Array, at: number, count: number, out: Float64Array, o: number): void {
  const halves = halvesOf(out)
  const low = readHalf(bytes, at)
  const high = readHalf(bytes, at + 4)
  for (let i = o; i < o + count; i++) {
    halves[2 * i] = low
    halves[2 * i + 1] = high
  }
}

function readBits(
  bytes: Uint8Array,
  cursor: ByteCursor,
  argument: number,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const halves = halvesOf(out)
  if (argument === BITS_XOR) {
    readXor(bytes, cursor, count, halves, o)
    return
  }
  if (argument !== BITS_HALVES) cursor.fail(`unknown kind ${argument} of bits`)
  cursor.need(1)
  const shift = bytes[cursor.at++] & 31
  readResiduals(bytes, cursor, count, 1, upper, 0)
  if (cursor.limit - cursor.at >= 2 + 4 * count && bytes[cursor.at] === 0 && bytes[cursor.at + 1] === 32) {
    // Plain 32-bit numbers, as nearly always: no detour by doubles.
    const at = cursor.at + 2
    for (let i = 0, p = at; i < count; i++, p += 4) {
      halves[2 * (o + i)] =
        (bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24)) << shift
      halves[2 * (o + i) + 1] = upper[i]
    }
    cursor.at = at + 4 * count
    return
  }
  readResiduals(bytes, cursor, count, 1, lower, 0)
  for (let i = 0; i < count; i++) {
    halves[2 * (o + i)] = lower[i] << shift
    halves[2 * (o + i) + 1] = upper[i]
  }
}

function readExceptions(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const exceptions = readExceptionCount(bytes, cursor, count)
  const list = cursor.at
  skipExceptions(bytes, cursor, exceptions)
  cursor.need(1)
  readDecimals(bytes, cursor, bytes[cursor.at++], count, out, o)
  const end = cursor.at
  const halves = halvesOf(out)
  cursor.at = list
  let next = 0
  for (let e = 0; e < exceptions; e++) {
    const i = next + readVarint(bytes, cursor)
    if (i >= count) cursor.fail(`exception ${i} of ${count}`)
    cursor.need(8)
    halves[2 * (o + i)] = readHalf(bytes, cursor.at)
    halves[2 * (o + i) + 1] = readHalf(bytes, cursor.at + 4)
    cursor.at += 8
    next = i + 1
  }
  cursor.at = end
}

function readExceptionCount(bytes: Uint8Array, cursor: ByteCursor, count: number): number {
  const exceptions = readVarint(bytes, cursor)
  if (exceptions > count) cursor.fail(`${exceptions} exceptions of ${count}`)
  return exceptions
}

function skipExceptions(bytes: Uint8Array, cursor: ByteCursor, exceptions: number): void {
  for (let e = 0; e < exceptions; e++) {
    readVarint(bytes, cursor)
    cursor.need(8)
    cursor.at += 8
  }
}

const runValues = new Float64Array(4096)
/** For each value the index of its run's value, less that of the run before: 0 or 1. */
const runStarts = new Uint8Array(4096 + 8)

function readRuns(
  bytes: Uint8Array,
  cursor: ByteCursor,
  argument: number,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const runs = 1 + readChanges(bytes, cursor, argument, count)
  cursor.need(1)
  const head = bytes[cursor.at++]
  if (head >>> 5 === MODE_RUNS) cursor.fail('runs of runs')
  readPlain(bytes, cursor, head, runs, runValues, 0)
  if (head >>> 5 === MODE_BITS || head >>> 5 === MODE_EXCEPTIONS) {
    expandHalves(count, out, o)
    return
  }
  let run = 0
  out[o] = runValues[0]
  for (let i = 1; i < count; i++) {
    run += runStarts[i]
    out[o + i] = runValues[run]
  }
}

/** Values may be NaNs. */
function expandHalves(count: number, out: Float64Array, o: number): void {
  const source = halvesOf(runValues)
  const target = halvesOf(out)
  runStarts[0] = 0
  for (let i = 0, run = 0; i < count; i++) {
    run += runStarts[i]
    target[2 * (o + i)] = source[2 * run]
    target[2 * (o + i) + 1] = source[2 * run + 1]
  }
}

/** Fills `runStarts` from 1 on. Returns the number of changes, at most count − 1. */
function readChanges(bytes: Uint8Array, cursor: ByteCursor, argument: number, count: number): number {
  if (argument === RUNS_LIST) {
    const changes = readVarint(bytes, cursor)
    if (changes >= count) cursor.fail(`${changes} changes in ${count} values`)
    runStarts.fill(0, 1, count)
    let next = 1
    for (let c = 0; c < changes; c++) {
      const i = next + readVarint(bytes, cursor)
      if (i >= count) cursor.fail(`change ${i} in ${count} values`)
      runStarts[i] = 1
      next = i + 1
    }
    return changes
  }
  if (argument !== RUNS_BITMAP) cursor.fail(`unknown kind ${argument} of runs`)
  const size = packedBytes(count - 1, 1)
  cursor.need(size)
  let changes = 0
  for (let i = 1, at = cursor.at; i < count; at++) {
    const byte = bytes[at]
    const end = Math.min(count, i + 8)
    for (let bit = 0; i < end; i++, bit++) {
      const isStart = (byte >>> bit) & 1
      runStarts[i] = isStart
      changes += isStart
    }
  }
  cursor.at += size
  return changes
}

/** Moves past a column. Returns what it is, in words. Throws CORRUPTION. */
export function describeColumn(bytes: Uint8Array, cursor: ByteCursor, count: number): string {
  cursor.need(1)
  const head = bytes[cursor.at++]
  const argument = head & 31
  switch (head >>> 5) {
    case MODE_RUNS: {
      const runs = 1 + readChanges(bytes, cursor, argument, count)
      cursor.need(1)
      if (bytes[cursor.at] >>> 5 === MODE_RUNS) cursor.fail('runs of runs')
      return `${runs} runs of ${describeColumn(bytes, cursor, runs)}`
    }
    case MODE_EXCEPTIONS: {
      const exceptions = readExceptionCount(bytes, cursor, count)
      skipExceptions(bytes, cursor, exceptions)
      cursor.need(1)
      const inner = describeDecimals(bytes, cursor, bytes[cursor.at++], count)
      return `${inner} with ${exceptions} exceptions`
    }
    case MODE_BITS: {
      if (argument === BITS_XOR) {
        const size = readVarint(bytes, cursor)
        cursor.need(size)
        cursor.at += size
        return `xor ${size} bytes`
      }
      cursor.need(1)
      cursor.at++
      const bits = skipResiduals(bytes, cursor, count)
      return `halves ${bits}+${skipResiduals(bytes, cursor, count)} bits`
    }
    default:
      return describeDecimals(bytes, cursor, head, count)
  }
}

function describeDecimals(bytes: Uint8Array, cursor: ByteCursor, head: number, count: number): string {
  const mode = head >>> 5
  const exponent = head & 31
  if (mode === MODE_CONSTANT && exponent === CONSTANT_RAW) {
    cursor.need(8)
    cursor.at += 8
    return 'constant raw'
  }
  if (exponent > EXPONENT_MAX || mode > MODE_DELTA2) cursor.fail(`unknown kind ${head} of column`)
  if (mode === MODE_FRAME) return `decimal e=${exponent} ${skipResiduals(bytes, cursor, count)} bits`
  readSigned(bytes, cursor)
  if (mode === MODE_CONSTANT) return `constant e=${exponent}`
  if (mode === MODE_DELTA) return `delta e=${exponent} ${skipResiduals(bytes, cursor, count - 1)} bits`
  readSigned(bytes, cursor)
  if (count < 2) cursor.fail('differences of one value')
  if (mode === MODE_LINEAR) return `linear e=${exponent}`
  return `delta2 e=${exponent} ${skipResiduals(bytes, cursor, count - 2)} bits`
}
