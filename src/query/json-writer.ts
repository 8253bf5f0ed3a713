/**
 * Answers of the HTTP API as bytes.
 *
 *   {"status":"success","data":…,"warnings":[…],"infos":[…]}
 *   {"status":"error","errorType":"…","error":"…","hint":"…","infos":[…]}
 *
 * `warnings` and `infos` are left out when empty. The order of keys is upstream's: Grafana's reader wants
 * `resultType` before `result`.
 *
 * The loop over samples writes bytes straight into the buffer: the time of each step is formatted once an answer
 * and copied, a value goes by its digits. No string is made for most samples.
 */
import assert from 'node:assert/strict'
import {
  ABSENT,
  PRESENT_FLOAT,
  PRESENT_HISTOGRAM,
  type QueryValue,
  type RawSeries,
  type ResultSeries,
  type StepRange,
} from '../../promql/value.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { Labels } from '../../storage/model/labels.ts'
import type { ApiErrorType } from '../api/errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { writeHistogramSample } from './json-histogram.ts'
import {
  formatScalar,
  formatScalarTime,
  putTime,
  putValue,
  TIME_BYTES_MAX,
  VALUE_BYTES_MAX,
  writeNumber,
} from './json-number.ts'
import { writeHtmlSafeString, writeLabelSet } from './json-string.ts'

/** Doubtful things about a result, each as one text for people. */
export interface Notices {
  warnings: readonly string[]
  infos: readonly string[]
}

export const NO_NOTICES: Notices = { warnings: [], infos: [] }

/** Of each kind of notice an answer carries at most so many; the rest is counted. */
const NOTICES_MAX = 10

/** Seconds and number of samples of each step. */
export type StepSamples = readonly (readonly [number, number])[]

/** What `stats` shows; seconds and counts. The order of keys is that of the answer. */
export interface QueryStatistics {
  timings: {
    evalTotalTime: number
    resultSortTime: number
    queryPreparationTime: number
    innerEvalTime: number
    execQueueTime: number
    execTotalTime: number
  }
  samples: {
    totalQueryableSamplesPerStep?: StepSamples
    totalQueryableSamples: number
    samplesReadPerStep?: StepSamples
    samplesRead: number
    peakSamples: number
  }
}

const COMMA = 0x2c
const QUOTE = 0x22
const OPEN = 0x5b
const CLOSE = 0x5d

/** `[`, time, `,"`, value, `"],`: no sample takes more bytes. */
const SAMPLE_BYTES_MAX = TIME_BYTES_MAX + VALUE_BYTES_MAX + 8

/** The answer to an instant or range query; `explain` are the lines of its plan, where they were asked for. */
export function queryAnswer(
  value: QueryValue,
  statistics: QueryStatistics | undefined,
  notices: Notices,
  explain?: readonly string[],
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter()
  writer.ascii('{"status":"success","data":{"resultType":"')
  writer.ascii(value.type === 'samples' ? 'matrix' : value.type)
  writer.ascii('","result":')
  writeResult(writer, value)
  if (statistics !== undefined) writeStatistics(writer, statistics)
  if (explain !== undefined) {
    writer.ascii(',"explain":')
    writeStrings(writer, explain)
  }
  writer.ascii('}')
  return finishAnswer(writer, notices)
}

/** The answer to a series query: a list of label sets. */
export function labelSetsAnswer(labelSets: readonly Labels[], notices: Notices): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter()
  writer.ascii('{"status":"success","data":[')
  for (let i = 0; i < labelSets.length; i++) {
    if (i > 0) writer.ascii(',')
    writeLabelSet(writer, labelSets[i])
  }
  writer.ascii(']')
  return finishAnswer(writer, notices)
}

/** The answer to a query for label names or values. */
export function stringsAnswer(strings: readonly string[], notices: Notices): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter()
  writer.ascii('{"status":"success","data":')
  writeStrings(writer, strings)
  return finishAnswer(writer, notices)
}

/** The answer to a request that failed; `hint` says what to do about it. Warnings have no place in it, only infos. */
export function errorAnswer(
  errorType: ApiErrorType,
  message: string,
  hint?: string,
  infos: readonly string[] = [],
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(256)
  writer.ascii(`{"status":"error","errorType":"${errorType}","error":`)
  writeHtmlSafeString(writer, message)
  if (hint !== undefined) {
    writer.ascii(',"hint":')
    writeHtmlSafeString(writer, hint)
  }
  return finishAnswer(writer, { warnings: [], infos })
}

function finishAnswer(writer: ByteWriter, notices: Notices): Uint8Array<ArrayBuffer> {
  writeNotices(writer, 'warnings', 'warning', notices.warnings)
  writeNotices(writer, 'infos', 'info', notices.infos)
  writer.ascii('}')
  return writer.finish()
}

function writeNotices(writer: ByteWriter, key: string, kind: string, notices: readonly string[]): void {
  if (notices.length === 0) return
  const shown = notices.slice(0, NOTICES_MAX)
  const omitted = notices.length - shown.length
  if (omitted > 0) shown.push(`${omitted} more ${kind} annotations omitted`)
  writer.ascii(`,"${key}":`)
  writeStrings(writer, shown)
}

function writeStrings(writer: ByteWriter, strings: readonly string[]): void {
  writer.ascii('[')
  for (let i = 0; i < strings.length; i++) {
    if (i > 0) writer.ascii(',')
    writeHtmlSafeString(writer, strings[i])
  }
  writer.ascii(']')
}

function writeResult(writer: ByteWriter, value: QueryValue): void {
  switch (value.type) {
    case 'scalar':
      writer.ascii(`[${formatScalarTime(value.timeMs)},"${formatScalar(value.value)}"]`)
      return
    case 'string':
      writer.ascii(`[${formatScalarTime(value.timeMs)},`)
      writeHtmlSafeString(writer, value.value)
      writer.ascii(']')
      return
    case 'vector':
      writeVector(writer, value.timeMs, value.series)
      return
    case 'matrix':
      writeMatrix(writer, value.steps, value.series)
      return
    case 'samples':
      writeRawSeries(writer, value.series)
      return
  }
}

function writeVector(writer: ByteWriter, timeMs: number, series: readonly ResultSeries[]): void {
  writer.ascii('[')
  for (let i = 0; i < series.length; i++) {
    const { labels, values, present, histograms } = series[i]
    assert(present[0] !== ABSENT, 'a series of an instant vector has a sample at its only step')
    writer.ascii(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabelSet(writer, labels)
    if (present[0] === PRESENT_HISTOGRAM) {
      writer.ascii(',"histogram":')
      writeHistogramSample(writer, timeMs, histograms[0]!)
    } else {
      writer.ascii(',"value":')
      writer.reserve(SAMPLE_BYTES_MAX)
      putSample(writer, timeMs, values[0])
    }
    writer.ascii('}')
  }
  writer.ascii(']')
}

/** `[time,"value"]`. Requires: SAMPLE_BYTES_MAX bytes of room. */
function putSample(writer: ByteWriter, t: number, v: number): void {
  const { bytes } = writer
  let at = writer.length
  bytes[at++] = OPEN
  at = putTime(bytes, at, t)
  bytes[at++] = COMMA
  bytes[at++] = QUOTE
  at = putValue(bytes, at, v)
  bytes[at++] = QUOTE
  bytes[at++] = CLOSE
  writer.length = at
}

function writeRawSeries(writer: ByteWriter, series: readonly RawSeries[]): void {
  writer.ascii('[')
  for (let i = 0; i < series.length; i++) {
    const { labels, t, v, histograms } = series[i]
    writer.ascii(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabelSet(writer, labels)
    let taken = 0
    for (let s = 0; s < t.length; s++) {
      if (histograms[s] !== undefined) continue
      if (taken++ === 0) {
        writer.ascii(',"values":[')
        writer.reserve(t.length * (SAMPLE_BYTES_MAX + 1))
      } else writer.bytes[writer.length++] = COMMA
      putSample(writer, t[s], v[s])
    }
    if (taken > 0) writer.ascii(']')
    writeHistograms(writer, histograms, (s) => t[s])
    writer.ascii('}')
  }
  writer.ascii(']')
}

/** `,"histograms":[…]` of what there is; nothing without any. */
function writeHistograms(
  writer: ByteWriter,
  histograms: readonly (FloatHistogram | undefined)[],
  timeOf: (i: number) => number,
): void {
  let separator = ',"histograms":['
  for (let i = 0; i < histograms.length; i++) {
    const histogram = histograms[i]
    if (histogram === undefined) continue
    writer.ascii(separator)
    writeHistogramSample(writer, timeOf(i), histogram)
    separator = ','
  }
  if (separator === ',') writer.ascii(']')
}

/** `[time,"` of every step, one after the other. */
interface StepHeads {
  bytes: Uint8Array
  /** Step s has bytes [ends[s − 1], ends[s]), the first from 0. */
  ends: Uint32Array
}

function formatStepHeads(steps: StepRange): StepHeads {
  const bytes = new Uint8Array(steps.count * (TIME_BYTES_MAX + 3))
  const ends = new Uint32Array(steps.count)
  let at = 0
  for (let s = 0; s < steps.count; s++) {
    bytes[at++] = OPEN
    at = putTime(bytes, at, steps.startMs + s * steps.stepMs)
    bytes[at++] = COMMA
    bytes[at++] = QUOTE
    ends[s] = at
  }
  return { bytes, ends }
}

function writeMatrix(writer: ByteWriter, steps: StepRange, series: readonly ResultSeries[]): void {
  const heads = formatStepHeads(steps)
  writer.ascii('[')
  for (let i = 0; i < series.length; i++) {
    writer.ascii(i === 0 ? '{"metric":' : ',{"metric":')
    const { labels, present, histograms } = series[i]
    writeLabelSet(writer, labels)
    writeSteps(writer, heads, series[i])
    if (histograms.length > 0) {
      const shown = histograms.map((histogram, s) =>
        present[s] === PRESENT_HISTOGRAM ? histogram : undefined,
      )
      writeHistograms(writer, shown, (s) => steps.startMs + s * steps.stepMs)
    }
    writer.ascii('}')
  }
  writer.ascii(']')
}

/** `,"values":[…]` of the floats; nothing without any. */
function writeSteps(
  writer: ByteWriter,
  heads: StepHeads,
  { values, present, histograms }: ResultSeries,
): void {
  const count = heads.ends.length
  let taken = 0
  for (let s = 0; s < count; s++) if (present[s] === PRESENT_FLOAT) taken++
  assert(taken > 0 || histograms.length > 0, 'a series of a result has a sample')
  if (taken === 0) return
  writer.ascii(',"values":[')
  writer.reserve(taken * SAMPLE_BYTES_MAX + 1)
  const { bytes } = writer
  const { bytes: headBytes, ends } = heads
  let at = writer.length
  for (let s = 0; s < count; s++) {
    if (present[s] !== PRESENT_FLOAT) continue
    // A loop and not a `set` of a view: the heads are some 16 bytes.
    for (let from = s === 0 ? 0 : ends[s - 1]; from < ends[s]; from++) bytes[at++] = headBytes[from]
    at = putValue(bytes, at, values[s])
    bytes[at++] = QUOTE
    bytes[at++] = CLOSE
    bytes[at++] = COMMA
  }
  // In the place of the comma after the last sample.
  bytes[at - 1] = CLOSE
  writer.length = at
}

function writeStatistics(writer: ByteWriter, statistics: QueryStatistics): void {
  writer.ascii(',"stats":{"timings":')
  writeCounts(writer, statistics.timings)
  writer.ascii(',"samples":')
  writeCounts(writer, statistics.samples)
  writer.ascii('}')
}

function writeCounts(writer: ByteWriter, counts: Readonly<Record<string, number | StepSamples>>): void {
  let separator = '{'
  for (const [key, count] of Object.entries(counts)) {
    writer.ascii(`${separator}"${key}":`)
    if (typeof count === 'number') writeNumber(writer, count)
    else writeStepSamples(writer, count)
    separator = ','
  }
  writer.ascii('}')
}

/** `[[time,count],…]`. */
function writeStepSamples(writer: ByteWriter, steps: StepSamples): void {
  let separator = '[['
  for (const [time, count] of steps) {
    writer.ascii(separator)
    writeNumber(writer, time)
    writer.ascii(',')
    writeNumber(writer, count)
    separator = '],['
  }
  writer.ascii(']]')
}
