/** Reads columns (column.ts). */
import { packedBytes } from './bit-pack.ts'
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
import { EXPONENT_MAX, POWERS_OF_TEN } from './decimal.ts'
import { halvesOf, readHalf } from './float-bits.ts'
import { addUp, readResidualSums, readResiduals, skipResiduals } from './residuals.ts'
import { type ByteCursor, readSigned, readVarint } from './varint.ts'
import { readXor } from './xor.ts'

/** Calling `fill` costs as much as so many stores. */
const FILL_FROM = 32

const upper = new Float64Array(4096)
const lower = new Float64Array(4096)

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
/** 1 for each value with which a run begins, except the first. */
const runStarts = new Uint8Array(4096 + 8)
const BITS_OF_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0
  for (let rest = byte; rest > 0; rest >>>= 1) bits += rest & 1
  return bits
})

function readRuns(
  bytes: Uint8Array,
  cursor: ByteCursor,
  argument: number,
  count: number,
  out: Float64Array,
  o: number,
): void {
  const changesAt = cursor.at
  const runs = 1 + readChanges(bytes, cursor, argument, count)
  cursor.need(1)
  const head = bytes[cursor.at++]
  if (head >>> 5 === MODE_RUNS) cursor.fail('runs of runs')
  readPlain(bytes, cursor, head, runs, runValues, 0)
  const mayBeNaN = head >>> 5 === MODE_BITS || head >>> 5 === MODE_EXCEPTIONS
  if (argument === RUNS_BITMAP && !mayBeNaN) {
    expandBitmap(bytes, changesAt, count, out, o)
    return
  }
  if (argument === RUNS_BITMAP) fillStarts(bytes, changesAt, count)
  if (mayBeNaN) {
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

function expandBitmap(bytes: Uint8Array, at: number, count: number, out: Float64Array, o: number): void {
  let run = 0
  let value = runValues[0]
  out[o] = value
  const end = o + count
  for (let i = o + 1; i < end; at++) {
    let byte = bytes[at]
    const byteEnd = i + 8 < end ? i + 8 : end
    if (byte === 0) {
      for (; i < byteEnd; i++) out[i] = value
      continue
    }
    for (; i < byteEnd; i++, byte >>>= 1) {
      run += byte & 1
      out[i] = runValues[run]
    }
    value = runValues[run]
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

function fillStarts(bytes: Uint8Array, at: number, count: number): void {
  for (let i = 1; i < count; at++) {
    const end = Math.min(count, i + 8)
    for (let byte = bytes[at]; i < end; i++, byte >>>= 1) runStarts[i] = byte & 1
  }
}

/** Returns the number of changes, at most count − 1. Fills `runStarts` from 1 on where they are a list. */
function readChanges(bytes: Uint8Array, cursor: ByteCursor, argument: number, count: number): number {
  let changes = 0
  if (argument === RUNS_LIST) {
    changes = readVarint(bytes, cursor)
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
  for (let at = cursor.at; at < cursor.at + size; at++) changes += BITS_OF_BYTE[bytes[at]]
  if (changes >= count) cursor.fail(`${changes} changes in ${count} values`)
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
