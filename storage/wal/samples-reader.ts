/** Reads the samples of a commit from a page of the log. Their bytes are drawn in samples.ts. */
import { type ByteReader, unzigzag } from '../codec/byte-reader.ts'
import { StorageError } from '../errors.ts'
import type { FloatHistogram } from '../model/histogram.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_HISTOGRAM, KIND_STALE } from '../model/sample.ts'
import { readHistogram } from './histogram-record.ts'
import {
  BITS,
  COMMIT_SAMPLES_MAX,
  FLOAT_HISTOGRAM,
  HISTOGRAM,
  HUNDREDTHS_MIDDLE,
  INTEGER_MIDDLE,
  OTHER_MODE,
  OTHER_MODE_ONCE,
  RUN_MAX,
  SCALED,
  SCALES,
  SCALES_END,
  STALE,
  STARTS_F64,
  STARTS_RUNS,
  TIMES_DELTAS,
  TIMES_F64,
  TIMES_ONE,
} from './samples.ts'

/** A larger index of a series is damage: it would ask for gigabytes. */
const INDEX_MAX = 2 ** 27

/** The float that is read: at first its base. */
const decoded = new Float64Array(1)
const decodedBits = new Uint32Array(decoded.buffer)

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
