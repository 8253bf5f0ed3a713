/**
 * A chunk: 1 … 4,096 samples of one series as columns, times and values apart. It begins at any byte. Numbers are
 * little-endian; "varint" and "signed" are drawn in varint.ts.
 *
 *   u8      bits 0–1  how the times are written (timestamps.ts)
 *           bit 2     kinds are there, else all samples are floats
 *           bit 3     start timestamps are there
 *           bits 4–7  number of samples n, if under 16; else 0
 *   varint  n, only where bits 4–7 are 0
 *   varint  bytes of all that follows
 *   times   (timestamps.ts)
 *   kinds, only with bit 2: runs of samples of one kind, until they are n: varint 8 × samples + kind
 *           (0 float, 1 stale marker, 2 histogram with integer counts, 3 histogram with float counts)
 *   floats, if there are any: a column (column.ts) of the samples of kind 0
 *   histograms, if there are any: (histogram-columns.ts) the samples of kinds 2 and 3
 *   start timestamps, only with bit 3: varint bytes of them, then a column (column.ts) of n times, 0 = unknown
 *
 * Memory that is read may be overwritten meanwhile: every count and place is checked before it is followed, loops are
 * bounded by the 4,096, and what comes out is either samples, right or not, or CORRUPTION.
 */
import type { FloatHistogram } from '../model/histogram.ts'
import { setHint } from '../model/reset-hints.ts'
import { isHistogramKind, KIND_FLOAT, KIND_FLOAT_HISTOGRAM, type SampleColumns } from '../model/sample.ts'
import { ByteWriter } from './byte-writer.ts'
import { describeColumn, readColumn } from './column-reader.ts'
import { columnRoom, putColumn } from './column-writer.ts'
import { halvesOf } from './float-bits.ts'
import { describeHistograms, histogramNumbers, putHistograms, readHistograms } from './histogram-columns.ts'
import {
  describeTimes,
  putTimes,
  readBounds,
  readTimes,
  TIMES_REGULAR,
  type TimeBounds,
} from './timestamps.ts'
import { ByteCursor, putVarint, readVarint } from './varint.ts'

export const CHUNK_SAMPLES_MAX = 4096

const FLAG_KINDS = 4
const FLAG_START_TIMESTAMPS = 8
const SMALL_COUNT_MAX = 15
/** Calling `fill` costs as much as so many stores. */
const FILL_FROM = 32
/** Samples of a chunk whose times are remembered for the next one. */
const AGAIN_MAX = 256
/** The byte length is written last: so many bytes are kept for it, by the number of samples. */
const ONE_BYTE_LENGTH_SAMPLES = 12
/** Histogram numbers of a chunk from which on `chunkEnd` adds no sample. */
const NUMBERS_ENOUGH = 2 ** 17
/** No chunk is longer; what says so is garbage. */
const BODY_BYTES_MAX = 2 ** 26

const written = { mode: 0, end: 0 }
const floats = new Float64Array(CHUNK_SAMPLES_MAX)
const floatHalves = halvesOf(floats)
/** Start timestamps as bytes. */
const startBytes = new ByteWriter(64)

/**
 * The end of the longest chunk that may begin with sample `from`: at most CHUNK_SAMPLES_MAX samples, and fewer where
 * their histograms are large. Requires: from < to. Returns an index in (from, to].
 */
export function chunkEnd(columns: SampleColumns, from: number, to: number): number {
  const end = Math.min(to, from + CHUNK_SAMPLES_MAX)
  if (columns.allFloat) return end
  let numbers = 0
  for (let i = from; i < end; i++) {
    if (!isHistogramKind(columns.kind[i])) continue
    numbers += histogramNumbers(columns.histograms[columns.v[i]])
    if (numbers > NUMBERS_ENOUGH && i > from) return i
  }
  return end
}

/**
 * Writes samples [from, to) of the columns as one chunk. Requires: times strictly ascending; `chunkEnd` allows it.
 * Throws RangeError for a
 * number of samples out of range, or when the final time is not the latest.
 */
export function encodeChunk(columns: SampleColumns, from: number, to: number, out: ByteWriter): void {
  const count = to - from
  if (!(count >= 1 && count <= CHUNK_SAMPLES_MAX)) throw new RangeError(`a chunk of ${count} samples`)
  let kinds = 0
  if (!columns.allFloat) for (let i = from; i < to; i++) kinds |= columns.kind[i]
  out.reserve(64 + 8 * count + columnRoom(count))
  const start = out.length
  let at = start + 1
  if (count > SMALL_COUNT_MAX) at = putVarint(out.bytes, at, count)
  const lengthAt = at
  const body = lengthAt + (count <= ONE_BYTE_LENGTH_SAMPLES ? 1 : 2)
  putTimesAgain(columns.t, from, count, out.bytes, body)
  const countBits = count > SMALL_COUNT_MAX ? 0 : count << 4
  out.bytes[start] = written.mode | (kinds === 0 ? 0 : FLAG_KINDS) | countBits
  if (kinds === 0) {
    out.length = putColumn(columns.v, from, count, out.bytes, written.end)
  } else {
    out.length = written.end
    putMixed(columns, from, to, out)
  }
  if (columns.st.length > 0 && putStarts(columns.st, from, to, out)) out.bytes[start] |= FLAG_START_TIMESTAMPS
  putLength(out, lengthAt, body)
}

/** Returns whether a sample has one; else nothing is written. */
function putStarts(st: Float64Array, from: number, to: number, out: ByteWriter): boolean {
  let i = from
  while (i < to && st[i] === 0) i++
  if (i === to) return false
  startBytes.clear()
  startBytes.reserve(columnRoom(to - from))
  startBytes.length = putColumn(st, from, to - from, startBytes.bytes, 0)
  out.varint(startBytes.length)
  out.copy(startBytes.bytes, 0, startBytes.length)
  return true
}

/** The newest times that were not regular, and how they were written: series of one target follow, which share them. */
const again = {
  t: new Float64Array(AGAIN_MAX),
  count: 0,
  mode: 0,
  bytes: new Uint8Array(16 * AGAIN_MAX),
  length: 0,
}

/** As `putTimes`, which sets `written`. */
function putTimesAgain(t: Float64Array, from: number, count: number, bytes: Uint8Array, at: number): void {
  if (count === again.count && areAgain(t, from, count)) {
    for (let i = 0; i < again.length; i++) bytes[at + i] = again.bytes[i]
    written.mode = again.mode
    written.end = at + again.length
    return
  }
  putTimes(t, from, count, bytes, at, written)
  const length = written.end - at
  if (written.mode === TIMES_REGULAR || count > AGAIN_MAX || length > again.bytes.length) return
  for (let i = 0; i < count; i++) again.t[i] = t[from + i]
  for (let i = 0; i < length; i++) again.bytes[i] = bytes[at + i]
  again.count = count
  again.mode = written.mode
  again.length = length
}

function areAgain(t: Float64Array, from: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (t[from + i] !== again.t[i]) return false
  return true
}

/** Writes the byte length in front of the body; moves the body when the place that was kept is too small. */
function putLength(out: ByteWriter, at: number, body: number): void {
  const size = out.length - body
  const kept = body - at
  let needed = 1
  for (let rest = size; rest >= 0x80; rest /= 0x80) needed++
  if (needed > kept) {
    const more = needed - kept
    out.reserve(more)
    out.bytes.copyWithin(body + more, body, out.length)
    out.length += more
  }
  if (needed < kept) {
    // Two bytes for a small number, which readers take as well.
    out.bytes[at] = size | 0x80
    out.bytes[at + 1] = 0
  } else putVarint(out.bytes, at, size)
}

function putMixed(columns: SampleColumns, from: number, to: number, out: ByteWriter): void {
  const { v, kind } = columns
  const halves = halvesOf(v)
  const histograms: FloatHistogram[] = []
  let floatCount = 0
  let runStart = from
  for (let i = from; i < to; i++) {
    if (kind[i] === KIND_FLOAT) {
      floatHalves[2 * floatCount] = halves[2 * i]
      floatHalves[2 * floatCount + 1] = halves[2 * i + 1]
      floatCount++
    } else if (isHistogramKind(kind[i])) {
      histograms.push(columns.histograms[v[i]])
    }
    if (i + 1 === to || kind[i + 1] !== kind[i]) {
      out.varint(8 * (i + 1 - runStart) + kind[i])
      runStart = i + 1
    }
  }
  if (floatCount > 0) {
    out.reserve(columnRoom(floatCount))
    out.length = putColumn(floats, 0, floatCount, out.bytes, out.length)
  }
  if (histograms.length > 0) putHistograms(histograms, out)
}

const cursor = new ByteCursor()
const bounds: TimeBounds = { mint: 0, maxt: 0, step: 0 }
const kinds = new Uint8Array(CHUNK_SAMPLES_MAX)
const starts = new Float64Array(CHUNK_SAMPLES_MAX)
/** What `readHead` found. */
const head = { flags: 0, count: 0 }

/** Leaves the cursor at the times. Throws CORRUPTION. */
function readHead(bytes: Uint8Array, at: number): void {
  cursor.start = at
  cursor.at = at
  cursor.limit = bytes.length
  cursor.need(1)
  head.flags = bytes[cursor.at++]
  head.count = head.flags >>> 4
  if (head.count === 0) head.count = readVarint(bytes, cursor)
  if (head.count < 1 || head.count > CHUNK_SAMPLES_MAX) cursor.fail(`${head.count} samples`)
  const size = readVarint(bytes, cursor)
  if (size > BODY_BYTES_MAX) cursor.fail(`${size} bytes`)
  cursor.need(size)
  cursor.limit = cursor.at + size
}

/**
 * Adds the samples with times in [mint, maxt], both inclusive, of the chunk at byte `at` to the columns. Times that
 * follow on what is there are the caller's affair. Throws CORRUPTION for what cannot be a chunk; the columns are as
 * they were then.
 */
export function decodeChunk(
  bytes: Uint8Array,
  at: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  readHead(bytes, at)
  const { flags, count } = head
  const mode = flags & 3
  readBounds(bytes, cursor, mode, count, bounds)
  if (bounds.mint > maxt || bounds.maxt < mint) return
  const base = into.length
  into.reserve(base + count)
  const { t } = into
  readTimes(bytes, cursor, mode, count, bounds, t, base)
  let from = 0
  let to = count
  if (bounds.mint < mint) while (from < count && t[base + from] < mint) from++
  if (bounds.maxt > maxt) while (to > from && t[base + to - 1] > maxt) to--
  if (from >= to) return
  if ((flags & FLAG_KINDS) !== 0) readMixed(bytes, count, from, to, into)
  else {
    const { v, kind } = into
    readColumn(bytes, cursor, count, v, base)
    readEnd(bytes)
    if (from > 0) v.copyWithin(base, base + from, base + to)
    if (to - from > FILL_FROM) kind.fill(KIND_FLOAT, base, base + to - from)
    else for (let i = base; i < base + to - from; i++) kind[i] = KIND_FLOAT
  }
  if (from > 0) t.copyWithin(base, base + from, base + to)
  if ((flags & FLAG_START_TIMESTAMPS) !== 0) {
    for (let i = from; i < to; i++) into.setStart(base + i - from, starts[i])
  }
  into.length = base + to - from
}

/** Puts the start timestamps, if there are any, into `starts`. The chunk ends where its length says. */
function readEnd(bytes: Uint8Array): void {
  if ((head.flags & FLAG_START_TIMESTAMPS) !== 0) {
    const size = readVarint(bytes, cursor)
    cursor.need(size)
    const end = cursor.at + size
    readColumn(bytes, cursor, head.count, starts, 0)
    if (cursor.at !== end) cursor.fail('start timestamps of another length')
  }
  if (cursor.at !== cursor.limit) cursor.fail(`${cursor.limit - cursor.at} bytes too many`)
}

/** What `readKinds` found. */
const mix = { floats: 0, stale: 0, histograms: 0 }

function readKinds(bytes: Uint8Array, count: number): void {
  mix.floats = 0
  mix.stale = 0
  mix.histograms = 0
  for (let done = 0; done < count; ) {
    const code = readVarint(bytes, cursor)
    const kind = code % 8
    const size = Math.floor(code / 8)
    if (size < 1 || size > count - done || kind > KIND_FLOAT_HISTOGRAM)
      cursor.fail('an impossible run of kinds')
    kinds.fill(kind, done, done + size)
    if (kind === KIND_FLOAT) mix.floats += size
    else if (isHistogramKind(kind)) mix.histograms += size
    else mix.stale += size
    done += size
  }
}

/** Values and kinds of samples [from, to) go behind what the columns have; their length stays. */
function readMixed(bytes: Uint8Array, count: number, from: number, to: number, into: SampleColumns): void {
  readKinds(bytes, count)
  if (mix.floats > 0) readColumn(bytes, cursor, mix.floats, floats, 0)
  let float = 0
  let histogramsFrom = 0
  for (let i = 0; i < from; i++) {
    if (kinds[i] === KIND_FLOAT) float++
    else if (isHistogramKind(kinds[i])) histogramsFrom++
  }
  const { v, kind } = into
  const halves = halvesOf(v)
  let end = into.length
  let histogram = into.histograms.length
  let isAllFloat = true
  for (let i = from; i < to; i++, end++) {
    kind[end] = kinds[i]
    if (kinds[i] === KIND_FLOAT) {
      halves[2 * end] = floatHalves[2 * float]
      halves[2 * end + 1] = floatHalves[2 * float + 1]
      float++
      continue
    }
    isAllFloat = false
    v[end] = isHistogramKind(kinds[i]) ? histogram++ : 0
  }
  const histogramCount = histogram - into.histograms.length
  // The histogram before the first sample that is asked for tells how that goes on.
  const before = from > 0 && isHistogramKind(kinds[from]) && kinds[from - 1] === kinds[from] ? 1 : 0
  const histograms =
    mix.histograms > 0
      ? readHistograms(
          bytes,
          cursor,
          mix.histograms,
          histogramsFrom - before,
          histogramsFrom + histogramCount,
        )
      : []
  if (before === 1) {
    const previous = histograms.shift()
    if (histograms[0].counterResetHint === 'unknown') setHint(histograms[0], previous)
  }
  readEnd(bytes)
  for (const one of histograms) into.histograms.push(one)
  if (!isAllFloat) into.allFloat = false
}

export interface ChunkInfo {
  samples: number
  /** First and final time, both inclusive. */
  mint: number
  maxt: number
  /** Of the whole chunk: the next one may begin behind them. */
  byteLength: number
  stale: number
  histograms: number
  /** How the times, floats, histograms and start timestamps are written, in words; '' for what is not there. */
  times: string
  values: string
  layouts: string
  starts: string
}

/** Bytes of the chunk at byte `at`. Throws CORRUPTION. */
export function chunkByteLength(bytes: Uint8Array, at: number): number {
  readHead(bytes, at)
  return cursor.limit - at
}

/** What the chunk at byte `at` is, without its samples. Throws CORRUPTION. */
export function chunkInfo(bytes: Uint8Array, at: number): ChunkInfo {
  readHead(bytes, at)
  const { flags, count } = head
  const mode = flags & 3
  readBounds(bytes, cursor, mode, count, bounds)
  const { mint, maxt } = bounds
  const times = describeTimes(bytes, cursor, mode, count, bounds)
  mix.floats = count
  mix.stale = 0
  mix.histograms = 0
  if ((flags & FLAG_KINDS) !== 0) readKinds(bytes, count)
  const values = mix.floats > 0 ? describeColumn(bytes, cursor, mix.floats) : ''
  const layouts = mix.histograms > 0 ? describeHistograms(bytes, cursor, mix.histograms) : ''
  const hasStarts = (flags & FLAG_START_TIMESTAMPS) !== 0
  const startsAt = cursor.at
  readEnd(bytes)
  const startText = hasStarts ? describeStarts(bytes, startsAt) : ''
  const { stale, histograms } = mix
  return {
    samples: count,
    mint,
    maxt,
    byteLength: cursor.limit - at,
    stale,
    histograms,
    times,
    values,
    layouts,
    starts: startText,
  }
}

/** Of the chunk that was read last, whose start timestamps are at byte `at`. */
function describeStarts(bytes: Uint8Array, at: number): string {
  cursor.at = at
  readVarint(bytes, cursor)
  return describeColumn(bytes, cursor, head.count)
}

/** The same as one line, such as `120 samples, times regular 15000 ms, values delta e=2 9 bits, 160 bytes`. */
export function describeChunk(bytes: Uint8Array, at: number): string {
  const { samples, byteLength, stale, times, values, layouts, starts } = chunkInfo(bytes, at)
  const parts = [`${samples} samples`, `times ${times}`]
  if (values !== '') parts.push(`values ${values}`)
  if (layouts !== '') parts.push(layouts)
  if (starts !== '') parts.push(`starts ${starts}`)
  if (stale > 0) parts.push(`${stale} stale`)
  parts.push(`${byteLength} bytes`)
  return parts.join(', ')
}
