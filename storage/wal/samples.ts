/**
 * The samples of one commit as bytes of the write-ahead log: differences to each series' value before.
 *
 *   varint  number of samples n, 1 ≤ n ≤ 4096
 *   u8      form of the times
 *   times   form 0: one for all, signed (a varint in zigzag) · form 1: n × signed, each the difference to the one before,
 *           the first to 0 · form 2: n × f64
 *   varint  number of runs of series indexes; a run: signed start − end of the run before (at first 0), varint length
 *   starts  only in a record with start timestamps: u8 form · form 0: runs of samples with one, until they are n: varint
 *           2 × c + 1 and varint length, or for a single one varint 2 × c; c = 0: none, unknown; else c − 1 = the difference to the
 *           one before that is known, at first to 0, in zigzag · form 1: n × f64, 0 = unknown
 *   values  codes, below, in the order of the samples
 *
 * Each code is a byte, with what follows it. Integers z are in zigzag: d = 0, −1, 1 … is z = 0, 1, 2 …
 *
 *   00–3f   the next 1 to 64 samples have the bits of their series' value before
 *   40–7f   z = low 6 bits                                 v = base + d
 *   80–9f   z = low 5 bits × 256 + the byte that follows    v = base + d
 *   a0–bf   the same                                       v = (round(base × 100) + d) / 100
 *   c0–e7   by rows of 8 with the scale s = 1, 100, 10^3, 10^6, 10^9: z in the low 3 bits + 1 bytes, little-endian
 *                                                          v = (round(base × s) + d) / s; with s = 1: base + d
 *   f0–f7   the low (low 3 bits + 1) bytes, little-endian, of the bits of v xor those of the base
 *   f8      stale marker          f9  histogram of integers          fa  histogram of floats (histogram-record.ts)
 *   fe      the next float is of the other mode             ff  the mode changes
 *
 * Two modes for the codes from 40 to f7: at first the base is the series' value before, in the same generation; in the self-contained mode it is 0.
 * A float whose series has no float before it in the generation, or another kind as its sample before, is
 * self-contained; and now and then another one is, so that a reader who lost a page finds its way again.
 */

import { type ByteReader, unzigzag, zigzag } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'
import { StorageError } from '../errors.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_HISTOGRAM, KIND_STALE } from '../model/sample.ts'
import { readHistogram, writeHistogram } from './histogram-record.ts'

/** Samples of one commit as columns; [0, length) counts. */
export interface SampleBatch {
  length: number
  /** Index of the series in the generation. */
  index: Uint32Array
  /** Unix milliseconds. */
  t: Float64Array
  /** For a histogram the index of it in `histograms`. */
  v: Float64Array
  kind: Uint8Array
  /** Start timestamps, Unix milliseconds, 0 = unknown. Empty as long as no sample has one. */
  st: Float64Array
  /** Value of the sample before it of the same series. Not looked at where `isKey` is 1 or the kind is no float. */
  lastV: Float64Array
  /**
   * 1 = written by itself: where the sample before it in this generation was no float or there is none, and as often
   * as the head wants; a lost page costs a series its floats up to the next one of these.
   */
  isKey: Uint8Array
  histograms: readonly FloatHistogram[]
}

/** Samples of one commit record at most. */
export const COMMIT_SAMPLES_MAX = 4096

/** A larger index of a series is damage: it would ask for gigabytes. */
const INDEX_MAX = 2 ** 27

const TIMES_ONE = 0
const TIMES_DELTAS = 1
const TIMES_F64 = 2
/** Times beyond it, and their differences, are written as they are. */
const TIME_MAX = 2 ** 50

const STARTS_RUNS = 0
const STARTS_F64 = 1
/** Starts from here on are written as they are. */
const START_MAX = 2 ** 48

const RUN_MAX = 0x40
const INTEGER_SMALL = 0x40
const INTEGER_MIDDLE = 0x80
const HUNDREDTHS_MIDDLE = 0xa0
const SCALED = 0xc0
const BITS = 0xf0
const STALE = 0xf8
const HISTOGRAM = 0xf9
const FLOAT_HISTOGRAM = 0xfa
const OTHER_MODE_ONCE = 0xfe
const OTHER_MODE = 0xff

const SCALES = Float64Array.of(1, 100, 1e3, 1e6, 1e9)
const SCALES_END = SCALED + 8 * SCALES.length
const INTEGER_MAX = 2 ** 52

/** Most bytes of a sample without its histogram: time, run, start, mode, value. */
const SAMPLE_BYTES_MAX = 8 + 10 + 10 + 1 + 9

const scratch = new Float64Array(2)
const scratchBits = new Uint32Array(scratch.buffer)

/** The float that is read: at first its base. */
const decoded = new Float64Array(1)
const decodedBits = new Uint32Array(decoded.buffer)

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

/** The newest float of each series of a generation, as a reader of its pages knows it. */
export class LastValues {
  v = new Float64Array(1024)
  isKnown = new Uint8Array(1024)

  /** Makes room for series `index`. Throws CORRUPTION when there can be no such series. */
  reserve(index: number): void {
    if (index < this.v.length) return
    if (index >= INDEX_MAX) throw new StorageError('CORRUPTION', `a series has index ${index}`)
    const size = Math.max(index + 1, this.v.length * 2)
    const v = new Float64Array(size)
    const isKnown = new Uint8Array(size)
    v.set(this.v)
    isKnown.set(this.isKnown)
    this.v = v
    this.isKnown = isKnown
  }

  /** After something was lost no value is trusted until it comes by itself. */
  forget(): void {
    this.isKnown.fill(0)
  }
}

const NO_STARTS = new Float64Array(0)

/** What was read of one commit record: columns, [0, length) counts. Overwritten by the next one. */
export class LoggedSamples {
  length = 0
  readonly index = new Uint32Array(COMMIT_SAMPLES_MAX)
  readonly t = new Float64Array(COMMIT_SAMPLES_MAX)
  /** For a histogram the index of it in `histograms`. */
  readonly v = new Float64Array(COMMIT_SAMPLES_MAX)
  readonly kind = new Uint8Array(COMMIT_SAMPLES_MAX)
  /** Start timestamps, 0 = unknown; empty where the record has none. */
  st: Float64Array = NO_STARTS
  /** The array behind `st`. */
  readonly starts = new Float64Array(COMMIT_SAMPLES_MAX)
  readonly histograms: FloatHistogram[] = []
  /** Samples whose value is not known, since the value that it differs from was lost: [0, lostLength) counts. */
  lostLength = 0
  readonly lostIndex = new Uint32Array(COMMIT_SAMPLES_MAX)
  readonly lostT = new Float64Array(COMMIT_SAMPLES_MAX)
}

/** Reads what `writeSamples` wrote. Throws CORRUPTION. */
export function readSamples(
  reader: ByteReader,
  withStarts: boolean,
  last: LastValues,
  into: LoggedSamples,
): void {
  const count = reader.varint()
  if (count < 1 || count > COMMIT_SAMPLES_MAX)
    throw new StorageError('CORRUPTION', `a commit has ${count} samples`)
  into.length = 0
  into.lostLength = 0
  into.histograms.length = 0
  readTimes(reader, into.t, count)
  readRuns(reader, into.index, count, last)
  into.st = withStarts ? into.starts : NO_STARTS
  if (withStarts) readStarts(reader, into.st, count)
  readValues(reader, last, into, count)
  if (withStarts && into.lostLength > 0) dropLost(into.st, count)
}

function readTimes(reader: ByteReader, t: Float64Array, count: number): void {
  const form = reader.u8()
  if (form === TIMES_ONE) {
    t.fill(reader.signed(), 0, count)
  } else if (form === TIMES_DELTAS) {
    for (let i = 0, before = 0; i < count; i++) t[i] = before += reader.signed()
  } else if (form === TIMES_F64) {
    for (let i = 0; i < count; i++) t[i] = reader.f64()
  } else {
    throw new StorageError('CORRUPTION', `a commit has times of unknown form ${form}`)
  }
}

function readRuns(reader: ByteReader, index: Uint32Array, count: number, last: LastValues): void {
  let done = 0
  let end = 0
  for (let runs = reader.varint(); runs > 0; runs--) {
    const start = end + reader.signed()
    const length = reader.varint()
    if (start < 0 || length < 1 || length > count - done) {
      throw new StorageError('CORRUPTION', `a run has series ${start} and length ${length}`)
    }
    end = start + length
    last.reserve(end - 1)
    for (let i = start; i < end; i++) index[done++] = i
  }
  if (done !== count) throw new StorageError('CORRUPTION', `${count} samples have ${done} series`)
}

function readStarts(reader: ByteReader, st: Float64Array, count: number): void {
  const form = reader.u8()
  if (form === STARTS_F64) {
    // NaN is none; `lose` marks with it.
    for (let i = 0; i < count; i++) st[i] = reader.f64() || 0
    return
  }
  if (form !== STARTS_RUNS)
    throw new StorageError('CORRUPTION', `a commit has start timestamps of unknown form ${form}`)
  let before = 0
  for (let done = 0; done < count; ) {
    const code = reader.varint()
    const length = code % 2 === 0 ? 1 : reader.varint()
    if (length < 1 || length > count - done)
      throw new StorageError('CORRUPTION', `a run of start timestamps has length ${length}`)
    if (code >= 2) before += unzigzag(Math.floor(code / 2) - 1)
    st.fill(code < 2 ? 0 : before, done, done + length)
    done += length
  }
}

/** Closes the gaps of samples that are lost: `lose` marked them. */
function dropLost(st: Float64Array, count: number): void {
  let to = 0
  for (let i = 0; i < count; i++) if (!Number.isNaN(st[i])) st[to++] = st[i]
}

function readValues(reader: ByteReader, last: LastValues, into: LoggedSamples, count: number): void {
  const { v, isKnown } = last
  let isSelfContained = false
  let isOnce = false
  for (let i = 0; i < count; ) {
    const code = reader.u8()
    if (code < RUN_MAX) {
      if (isOnce || i + code >= count) throw unknownCode(code)
      for (const end = i + code + 1; i < end; i++) {
        const index = into.index[i]
        if (isKnown[index] === 1) keep(into, i, v, index)
        else lose(into, i)
      }
      continue
    }
    if (code >= OTHER_MODE_ONCE) {
      if (code === OTHER_MODE) isSelfContained = !isSelfContained
      else isOnce = true
      continue
    }
    const index = into.index[i]
    if (code >= STALE) {
      readOtherKind(reader, code, into, i)
      isKnown[index] = 0
      i++
      continue
    }
    const hasBase = isSelfContained === isOnce
    isOnce = false
    decoded[0] = hasBase ? v[index] : 0
    if (code < INTEGER_MIDDLE) decoded[0] += unzigzagSmall(code & 0x3f)
    else if (code < BITS) addScaled(reader, code)
    else addBits(reader, code)
    if (hasBase && isKnown[index] === 0) {
      lose(into, i++)
      continue
    }
    v[index] = decoded[0]
    isKnown[index] = 1
    keep(into, i++, v, index)
  }
}

/** Keeps sample `i` as the float `values[at]`: a column, so that V8 makes no number on the heap for the call. */
function keep(into: LoggedSamples, i: number, values: Float64Array, at: number): void {
  const to = into.length++
  into.index[to] = into.index[i]
  into.t[to] = into.t[i]
  into.v[to] = values[at]
  into.kind[to] = KIND_FLOAT
}

function keepOtherKind(into: LoggedSamples, i: number, v: number, kind: number): void {
  const to = into.length++
  into.index[to] = into.index[i]
  into.t[to] = into.t[i]
  into.v[to] = v
  into.kind[to] = kind
}

function lose(into: LoggedSamples, i: number): void {
  const at = into.lostLength++
  into.lostIndex[at] = into.index[i]
  into.lostT[at] = into.t[i]
  if (into.st.length > 0) into.st[i] = Number.NaN
}

function readOtherKind(reader: ByteReader, code: number, into: LoggedSamples, i: number): void {
  if (code === STALE) {
    keepOtherKind(into, i, 0, KIND_STALE)
    return
  }
  if (code > FLOAT_HISTOGRAM) throw unknownCode(code)
  const kind = code === HISTOGRAM ? KIND_HISTOGRAM : KIND_FLOAT_HISTOGRAM
  keepOtherKind(into, i, into.histograms.push(readHistogram(reader)) - 1, kind)
}

/** Makes the base in `decoded` the value. */
function addScaled(reader: ByteReader, code: number): void {
  if (code < SCALED) {
    const d = unzigzagSmall(((code & 0x1f) << 8) | reader.u8())
    if (code < HUNDREDTHS_MIDDLE) decoded[0] += d
    else decoded[0] = (Math.round(decoded[0] * 100) + d) / 100
    return
  }
  if (code >= SCALES_END) throw unknownCode(code)
  const { bytes } = reader
  const size = (code & 7) + 1
  const at = reader.skip(size)
  let z = 0
  for (let i = size - 1; i >= 0; i--) z = z * 256 + bytes[at + i]
  const d = unzigzag(z)
  const scale = (code - SCALED) >>> 3
  if (scale === 0) decoded[0] += d
  else decoded[0] = (Math.round(decoded[0] * SCALES[scale]) + d) / SCALES[scale]
}

/** As `addScaled`, of the bits. */
function addBits(reader: ByteReader, code: number): void {
  const { bytes } = reader
  const size = (code & 7) + 1
  const at = reader.skip(size)
  for (let i = 0; i < size; i++) decodedBits[i >>> 2] ^= bytes[at + i] << (8 * (i & 3))
}

function unzigzagSmall(z: number): number {
  return (z >>> 1) ^ -(z & 1)
}

function unknownCode(code: number): StorageError {
  return new StorageError('CORRUPTION', `a value has unknown code ${code}`)
}
