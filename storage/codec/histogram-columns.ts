/**
 * Native histograms of a chunk: layouts once, counts as columns.
 *
 *   varint number of layouts, then each:
 *          signed  schema
 *          f64     zero threshold
 *          spans   of the positive buckets, then of the negative ones: varint number, for each signed offset, varint length
 *          varint  number of custom values, f64 × number
 *   varint number of runs, then each: varint 4 × samples + hint (0 unknown, 1 reset, 2 not_reset, 3 gauge), varint layout.
 *          The samples of all runs are the chunk's histograms in their order
 *   for each layout, over its samples in their order, columns as in column.ts: zero count, count, sum, each positive
 *          bucket, each negative bucket. Counts are absolute
 *
 * Columns go along time: a bucket's count is near what it was, less so near its neighbour's.
 */
import type { CounterResetHint, FloatHistogram, Span } from '../model/histogram.ts'
import type { ByteWriter } from './byte-writer.ts'
import { describeColumn, readColumn } from './column-reader.ts'
import { columnRoom, putColumn } from './column-writer.ts'
import { putFloat, readFloat } from './float-bits.ts'
import { type ByteCursor, putSigned, putVarint, readSigned, readVarint, VARINT_BYTES_MAX } from './varint.ts'

/** Numbers that the histograms of a chunk have together at most: what a reader makes room for. */
const NUMBERS_MAX = 2 ** 22

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge']
/** Zero count, count, sum. */
const PLAIN_NUMBERS = 3

/** Numbers of one histogram, those of its layout included. */
export function histogramNumbers(histogram: FloatHistogram): number {
  const { positiveBuckets, negativeBuckets, positiveSpans, negativeSpans, customValues } = histogram
  const ofLayout = 2 * (positiveSpans.length + negativeSpans.length) + customValues.length
  return PLAIN_NUMBERS + positiveBuckets.length + negativeBuckets.length + ofLayout
}

interface Layout {
  schema: number
  zeroThreshold: number
  positiveSpans: readonly Span[]
  negativeSpans: readonly Span[]
  customValues: readonly number[]
}

function areEqualSpans(a: readonly Span[], b: readonly Span[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++)
    if (a[i].offset !== b[i].offset || a[i].length !== b[i].length) return false
  return true
}

/** Bits count: a threshold or bound may be −0. */
function areEqualNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}

function areAlike(a: Layout, b: Layout): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    areEqualSpans(a.positiveSpans, b.positiveSpans) &&
    areEqualSpans(a.negativeSpans, b.negativeSpans) &&
    areEqualNumbers(a.customValues, b.customValues)
  )
}

const column = new Float64Array(4096)

/**
 * Writes them. Requires: 1 … 4096 histograms, 2^22 numbers at most, and each with as many buckets as
 * its spans say.
 */
export function putHistograms(histograms: readonly FloatHistogram[], out: ByteWriter): void {
  const layouts: FloatHistogram[] = []
  const members: FloatHistogram[][] = []
  const runs: number[] = []
  let runLayout = -1
  let runHint = -1
  for (const histogram of histograms) {
    // The newest layout first: a series seldom goes back to an older one.
    let layout = layouts.length - 1
    while (layout >= 0 && !areAlike(layouts[layout], histogram)) layout--
    if (layout < 0) {
      layout = layouts.push(histogram) - 1
      members.push([])
    }
    members[layout].push(histogram)
    const hint = HINTS.indexOf(histogram.counterResetHint)
    if (layout === runLayout && hint === runHint) runs[runs.length - 2] += 4
    else runs.push(4 + hint, layout)
    runLayout = layout
    runHint = hint
  }
  out.varint(layouts.length)
  for (const layout of layouts) putLayout(layout, out)
  out.varint(runs.length / 2)
  for (const number of runs) out.varint(number)
  for (const same of members) putNumbers(same, out)
}

function putLayout(layout: Layout, out: ByteWriter): void {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = layout
  const spans = positiveSpans.length + negativeSpans.length
  out.reserve(64 + 2 * VARINT_BYTES_MAX * spans + 8 * customValues.length)
  const { bytes } = out
  let at = putFloat(bytes, putSigned(bytes, out.length, schema), zeroThreshold)
  at = putSpans(negativeSpans, bytes, putSpans(positiveSpans, bytes, at))
  at = putVarint(bytes, at, customValues.length)
  for (const bound of customValues) at = putFloat(bytes, at, bound)
  out.length = at
}

function putSpans(spans: readonly Span[], bytes: Uint8Array, at: number): number {
  at = putVarint(bytes, at, spans.length)
  for (const span of spans) at = putVarint(bytes, putSigned(bytes, at, span.offset), span.length)
  return at
}

function putNumbers(same: readonly FloatHistogram[], out: ByteWriter): void {
  const count = same.length
  for (let i = 0; i < count; i++) column[i] = same[i].zeroCount
  addColumn(count, out)
  for (let i = 0; i < count; i++) column[i] = same[i].count
  addColumn(count, out)
  for (let i = 0; i < count; i++) column[i] = same[i].sum
  addColumn(count, out)
  for (let b = 0; b < same[0].positiveBuckets.length; b++) {
    for (let i = 0; i < count; i++) column[i] = same[i].positiveBuckets[b]
    addColumn(count, out)
  }
  for (let b = 0; b < same[0].negativeBuckets.length; b++) {
    for (let i = 0; i < count; i++) column[i] = same[i].negativeBuckets[b]
    addColumn(count, out)
  }
}

function addColumn(count: number, out: ByteWriter): void {
  out.reserve(columnRoom(count))
  out.length = putColumn(column, 0, count, out.bytes, out.length)
}

/** What a chunk says of its histograms before their numbers. */
interface Plan {
  layouts: (Layout & { positive: number; negative: number; samples: number })[]
  /** For each histogram its layout. */
  layoutOf: Uint16Array
  hintOf: Uint8Array
}

/** Throws CORRUPTION, before it makes room for what is not there. */
function readPlan(bytes: Uint8Array, cursor: ByteCursor, count: number): Plan {
  const layoutCount = readVarint(bytes, cursor)
  if (layoutCount > count) cursor.fail(`${layoutCount} layouts of ${count} histograms`)
  const layouts: Plan['layouts'] = []
  let numbers = 0
  for (let i = 0; i < layoutCount; i++) {
    const layout = readLayout(bytes, cursor)
    layouts.push(layout)
    numbers += 2 * (layout.positiveSpans.length + layout.negativeSpans.length) + layout.customValues.length
    if (numbers > NUMBERS_MAX) cursor.fail(`${numbers} numbers of histograms`)
  }
  const layoutOf = new Uint16Array(count)
  const hintOf = new Uint8Array(count)
  const runs = readVarint(bytes, cursor)
  let done = 0
  for (let r = 0; r < runs && done < count; r++) {
    const code = readVarint(bytes, cursor)
    const layout = readVarint(bytes, cursor)
    const samples = Math.floor(code / 4)
    if (samples < 1 || samples > count - done || layout >= layoutCount)
      cursor.fail('an impossible run of histograms')
    layoutOf.fill(layout, done, done + samples)
    hintOf.fill(code % 4, done, done + samples)
    layouts[layout].samples += samples
    done += samples
  }
  if (done < count) cursor.fail(`layouts of ${done} of ${count} histograms`)
  let columns = 0
  for (const { positive, negative, samples } of layouts) {
    numbers += samples * (PLAIN_NUMBERS + positive + negative)
    if (samples > 0) columns += PLAIN_NUMBERS + positive + negative
  }
  if (numbers > NUMBERS_MAX) cursor.fail(`${numbers} numbers of histograms`)
  // A column has two bytes at least.
  cursor.need(2 * columns)
  return { layouts, layoutOf, hintOf }
}

function readLayout(bytes: Uint8Array, cursor: ByteCursor): Plan['layouts'][number] {
  const schema = readSigned(bytes, cursor)
  const zeroThreshold = readFloat(bytes, cursor)
  const positiveSpans = readSpans(bytes, cursor)
  const negativeSpans = readSpans(bytes, cursor)
  const bounds = readVarint(bytes, cursor)
  if (bounds > NUMBERS_MAX) cursor.fail(`${bounds} custom values`)
  cursor.need(8 * bounds)
  const customValues: number[] = []
  for (let i = 0; i < bounds; i++) customValues.push(readFloat(bytes, cursor))
  const positive = bucketsOf(positiveSpans)
  const negative = bucketsOf(negativeSpans)
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues, positive, negative, samples: 0 }
}

function readSpans(bytes: Uint8Array, cursor: ByteCursor): Span[] {
  const count = readVarint(bytes, cursor)
  if (count > NUMBERS_MAX) cursor.fail(`${count} spans`)
  // A span has two bytes at least.
  cursor.need(2 * count)
  const spans: Span[] = []
  for (let i = 0; i < count; i++) {
    spans.push({ offset: readSigned(bytes, cursor), length: readVarint(bytes, cursor) })
  }
  return spans
}

function bucketsOf(spans: readonly Span[]): number {
  let buckets = 0
  for (const span of spans) buckets += span.length
  return buckets
}

type Draft = { -readonly [K in keyof FloatHistogram]: FloatHistogram[K] } & {
  positiveBuckets: number[]
  negativeBuckets: number[]
}

/** Histograms [from, to) of the chunk's `count`; those of one layout share its spans. Throws CORRUPTION. */
export function readHistograms(
  bytes: Uint8Array,
  cursor: ByteCursor,
  count: number,
  from: number,
  to: number,
): FloatHistogram[] {
  const { layouts, layoutOf, hintOf } = readPlan(bytes, cursor, count)
  const drafts: Draft[] = []
  /** For each draft its place in the columns of its layout. */
  const places = new Uint16Array(Math.max(0, to - from))
  const seen = new Uint16Array(layouts.length)
  for (let i = 0; i < to; i++) {
    const layout = layouts[layoutOf[i]]
    const place = seen[layoutOf[i]]++
    if (i < from) continue
    places[drafts.length] = place
    drafts.push(makeDraft(layout, HINTS[hintOf[i]]))
  }
  for (let l = 0; l < layouts.length; l++) {
    const layout = layouts[l]
    if (layout.samples === 0) continue
    const mine: number[] = []
    for (let d = 0; d < drafts.length; d++) if (layoutOf[from + d] === l) mine.push(d)
    readNumbers(bytes, cursor, layout, drafts, places, mine)
  }
  return drafts
}

function makeDraft(layout: Plan['layouts'][number], counterResetHint: CounterResetHint): Draft {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues, positive, negative } = layout
  return {
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans,
    negativeSpans,
    positiveBuckets: new Array<number>(positive).fill(0),
    negativeBuckets: new Array<number>(negative).fill(0),
    customValues,
  }
}

function readNumbers(
  bytes: Uint8Array,
  cursor: ByteCursor,
  layout: Plan['layouts'][number],
  drafts: readonly Draft[],
  places: Uint16Array,
  mine: readonly number[],
): void {
  const { samples, positive, negative } = layout
  readColumn(bytes, cursor, samples, column, 0)
  for (const d of mine) drafts[d].zeroCount = column[places[d]]
  readColumn(bytes, cursor, samples, column, 0)
  for (const d of mine) drafts[d].count = column[places[d]]
  readColumn(bytes, cursor, samples, column, 0)
  for (const d of mine) drafts[d].sum = column[places[d]]
  for (let b = 0; b < positive; b++) {
    readColumn(bytes, cursor, samples, column, 0)
    for (const d of mine) drafts[d].positiveBuckets[b] = column[places[d]]
  }
  for (let b = 0; b < negative; b++) {
    readColumn(bytes, cursor, samples, column, 0)
    for (const d of mine) drafts[d].negativeBuckets[b] = column[places[d]]
  }
}

/** Moves past them. Returns what they are, in words. Throws CORRUPTION. */
export function describeHistograms(bytes: Uint8Array, cursor: ByteCursor, count: number): string {
  const { layouts } = readPlan(bytes, cursor, count)
  let columns = 0
  for (const { positive, negative, samples } of layouts) {
    if (samples === 0) continue
    const size = PLAIN_NUMBERS + positive + negative
    columns += size
    for (let c = 0; c < size; c++) describeColumn(bytes, cursor, samples)
  }
  return `${count} histograms, ${layouts.length} layouts, ${columns} columns`
}
