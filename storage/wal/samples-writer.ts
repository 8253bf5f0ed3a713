/** Writes the samples of a commit into a page of the log. Their bytes are drawn in samples.ts. */
import { zigzag } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'
import { KIND_FLOAT, KIND_HISTOGRAM, KIND_STALE } from '../model/sample.ts'
import { writeHistogram } from './histogram-record.ts'
import {
  BITS,
  FLOAT_HISTOGRAM,
  HISTOGRAM,
  HUNDREDTHS_MIDDLE,
  INTEGER_MIDDLE,
  INTEGER_SMALL,
  OTHER_MODE,
  OTHER_MODE_ONCE,
  RUN_MAX,
  type SampleBatch,
  SCALED,
  SCALES,
  STALE,
  STARTS_F64,
  STARTS_RUNS,
  TIMES_DELTAS,
  TIMES_F64,
  TIMES_ONE,
} from './samples.ts'

/** Times beyond it, and their differences, are written as they are. */
const TIME_MAX = 2 ** 50

/** Starts from here on are written as they are. */
const START_MAX = 2 ** 48

const INTEGER_MAX = 2 ** 52

/** Most bytes of a sample without its histogram: time, run, start, mode, value. */
const SAMPLE_BYTES_MAX = 8 + 10 + 10 + 1 + 9

const scratch = new Float64Array(2)
const scratchBits = new Uint32Array(scratch.buffer)

/** Whether one of the samples [from, to) has a start timestamp. */
export function hasStarts({ st }: SampleBatch, from: number, to: number): boolean {
  if (st.length > 0) for (let i = from; i < to; i++) if (st[i] !== 0) return true
  return false
}

/** Writes samples [from, to), `withStarts` or without. Requires: 1 ≤ to − from ≤ COMMIT_SAMPLES_MAX. */
export function writeSamples(
  batch: SampleBatch,
  from: number,
  to: number,
  withStarts: boolean,
  out: ByteWriter,
): void {
  out.reserve(16 + (to - from) * SAMPLE_BYTES_MAX)
  out.varint(to - from)
  writeTimes(batch.t, from, to, out)
  writeRuns(batch.index, from, to, out)
  if (withStarts) writeStarts(batch.st, from, to, out)
  writeValues(batch, from, to, out)
}

function writeTimes(t: Float64Array, from: number, to: number, out: ByteWriter): void {
  let isOne = true
  let isWhole = true
  for (let i = from; i < to; i++) {
    if (t[i] !== t[from]) isOne = false
    if (!(Math.abs(t[i]) < TIME_MAX) || Math.floor(t[i]) !== t[i]) isWhole = false
  }
  out.u8(isWhole ? (isOne ? TIMES_ONE : TIMES_DELTAS) : TIMES_F64)
  if (!isWhole) {
    for (let i = from; i < to; i++) out.f64(t[i])
    return
  }
  let before = 0
  for (let i = from; i < (isOne ? from + 1 : to); i++) {
    out.varint(zigzag(t[i] - before))
    before = t[i]
  }
}

function writeRuns(index: Uint32Array, from: number, to: number, out: ByteWriter): void {
  let runs = 1
  for (let i = from + 1; i < to; i++) if (index[i] !== index[i - 1] + 1) runs++
  out.varint(runs)
  let end = 0
  for (let i = from; i < to; ) {
    const start = i++
    while (i < to && index[i] === index[i - 1] + 1) i++
    out.varint(zigzag(index[start] - end))
    out.varint(i - start)
    end = index[i - 1] + 1
  }
}

function writeStarts(st: Float64Array, from: number, to: number, out: ByteWriter): void {
  let isWhole = true
  for (let i = from; i < to; i++) {
    if (!(Math.abs(st[i]) < START_MAX) || Math.floor(st[i]) !== st[i]) isWhole = false
  }
  out.u8(isWhole ? STARTS_RUNS : STARTS_F64)
  if (!isWhole) {
    for (let i = from; i < to; i++) out.f64(st[i])
    return
  }
  let before = 0
  for (let i = from; i < to; ) {
    const start = st[i]
    const first = i++
    while (i < to && st[i] === start) i++
    const code = start === 0 ? 0 : 1 + zigzag(start - before)
    if (start !== 0) before = start
    if (i - first === 1) out.varint(2 * code)
    else {
      out.varint(2 * code + 1)
      out.varint(i - first)
    }
  }
}

function writeValues(batch: SampleBatch, from: number, to: number, out: ByteWriter): void {
  const { v, lastV, isKey, kind } = batch
  const bits = new Uint32Array(v.buffer, v.byteOffset, 2 * v.length)
  const lastBits = new Uint32Array(lastV.buffer, lastV.byteOffset, 2 * lastV.length)
  let mode = 0
  let run = 0
  for (let i = from; i < to; i++) {
    if (kind[i] !== KIND_FLOAT) {
      if (run > 0) run = writeRun(run, out)
      writeOtherKind(batch, i, out)
      // A histogram takes what it takes.
      out.reserve((to - i) * SAMPLE_BYTES_MAX)
      continue
    }
    const key = isKey[i]
    if (key === 0 && bits[2 * i] === lastBits[2 * i] && bits[2 * i + 1] === lastBits[2 * i + 1]) {
      if (++run === RUN_MAX) run = writeRun(run, out)
      continue
    }
    if (run > 0) run = writeRun(run, out)
    if (key !== mode) {
      const isLasting = i + 1 < to && isKey[i + 1] === key
      if (isLasting) mode = key
      out.bytes[out.length++] = isLasting ? OTHER_MODE : OTHER_MODE_ONCE
    }
    const base = key === 1 ? 0 : lastV[i]
    if (!writeScaled(v[i], base, out)) writeBits(v[i], base, out)
  }
  if (run > 0) writeRun(run, out)
}

/** Requires room, 1 ≤ run ≤ RUN_MAX. Returns 0: no sample waits any more. */
function writeRun(run: number, out: ByteWriter): 0 {
  out.bytes[out.length++] = run - 1
  return 0
}

function writeOtherKind(batch: SampleBatch, i: number, out: ByteWriter): void {
  const kind = batch.kind[i]
  if (kind === KIND_STALE) {
    out.u8(STALE)
    return
  }
  out.u8(kind === KIND_HISTOGRAM ? HISTOGRAM : FLOAT_HISTOGRAM)
  writeHistogram(batch.histograms[batch.v[i]], out)
}

/** Writes v as a difference of integers, maybe scaled ones; false when none gives its bits again. Requires room. */
function writeScaled(v: number, base: number, out: ByteWriter): boolean {
  // Not a number that can be in play, or −0, which no difference gives.
  if (!(Math.abs(v) < INTEGER_MAX && Math.abs(base) < INTEGER_MAX) || (v === 0 && 1 / v < 0)) return false
  const difference = v - base
  if (
    Math.floor(difference) === difference &&
    Math.abs(difference) < INTEGER_MAX / 2 &&
    base + difference === v
  ) {
    writeInteger(zigzag(difference), 0, out)
    return true
  }
  for (let i = 1; i < SCALES.length; i++) {
    const s = SCALES[i]
    const whole = Math.round(v * s)
    if (whole / s !== v) continue
    const from = Math.round(base * s)
    const d = whole - from
    if (!(Math.abs(whole) < INTEGER_MAX && Math.abs(from) < INTEGER_MAX && Math.abs(d) < INTEGER_MAX / 2))
      return false
    writeInteger(zigzag(d), i, out)
    return true
  }
  return false
}

function writeInteger(z: number, scale: number, out: ByteWriter): void {
  const { bytes } = out
  if (scale === 0 && z < 64) {
    bytes[out.length++] = INTEGER_SMALL | z
    return
  }
  if (scale <= 1 && z < 2 ** 13) {
    bytes[out.length++] = (scale === 0 ? INTEGER_MIDDLE : HUNDREDTHS_MIDDLE) | (z >>> 8)
    bytes[out.length++] = z & 0xff
    return
  }
  const codeAt = out.length++
  const start = out.length
  let low = z >>> 0
  if (z >= 2 ** 32) {
    for (let i = 0; i < 4; i++, low >>>= 8) bytes[out.length++] = low & 0xff
    low = Math.floor(z / 2 ** 32)
  }
  for (; low > 0; low >>>= 8) bytes[out.length++] = low & 0xff
  // A scaled difference of 0, of two values that are one when rounded, still takes its byte.
  if (out.length === start) bytes[out.length++] = 0
  bytes[codeAt] = SCALED + 8 * scale + (out.length - start - 1)
}

/** Requires room. */
function writeBits(v: number, base: number, out: ByteWriter): void {
  const { bytes } = out
  scratch[0] = v
  scratch[1] = base
  const low = scratchBits[0] ^ scratchBits[2]
  const high = scratchBits[1] ^ scratchBits[3]
  const size = high === 0 ? Math.max(1, (39 - Math.clz32(low)) >>> 3) : 4 + ((39 - Math.clz32(high)) >>> 3)
  bytes[out.length++] = BITS | (size - 1)
  for (let i = 0; i < size; i++)
    bytes[out.length++] = (i < 4 ? low >>> (8 * i) : high >>> (8 * i - 32)) & 0xff
}
