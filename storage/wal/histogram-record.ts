/**
 * A native histogram as bytes of the write-ahead log: plain, and by itself.
 *
 *   u8      bits 0–1 = counter reset hint (0 unknown, 1 reset, 2 not reset, 3 gauge), bit 2 = all counts are integers
 *   signed  schema (a varint in zigzag)
 *   f64     zero threshold
 *   f64     sum
 *   count   zero count          count  count
 *   positive spans, positive buckets, negative spans, negative buckets, custom values
 *
 * Spans: varint n, then n × (signed offset, varint length). Buckets: varint n, then n × count. Custom values: varint n,
 * then n × f64. A `count` is a varint when all of them are integers, else an f64.
 */

import { type ByteReader, zigzag } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'
import { StorageError } from '../errors.ts'
import type { CounterResetHint, FloatHistogram, Span } from '../model/histogram.ts'

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge']
const FLAG_INTEGERS = 4

export function writeHistogram(histogram: FloatHistogram, out: ByteWriter): void {
  const { positiveBuckets, negativeBuckets, zeroCount, count } = histogram
  const isWhole =
    isCount(zeroCount) && isCount(count) && positiveBuckets.every(isCount) && negativeBuckets.every(isCount)
  out.u8(HINTS.indexOf(histogram.counterResetHint) | (isWhole ? FLAG_INTEGERS : 0))
  out.varint(zigzag(histogram.schema))
  out.f64(histogram.zeroThreshold)
  out.f64(histogram.sum)
  writeCount(zeroCount, isWhole, out)
  writeCount(count, isWhole, out)
  writeSpans(histogram.positiveSpans, out)
  writeBuckets(positiveBuckets, isWhole, out)
  writeSpans(histogram.negativeSpans, out)
  writeBuckets(negativeBuckets, isWhole, out)
  writeBuckets(histogram.customValues, false, out)
}

/** Throws CORRUPTION. */
export function readHistogram(reader: ByteReader): FloatHistogram {
  const flags = reader.u8()
  if (flags >= 2 * FLAG_INTEGERS)
    throw new StorageError('CORRUPTION', `a histogram has unknown flags ${flags}`)
  const isWhole = (flags & FLAG_INTEGERS) !== 0
  return {
    counterResetHint: HINTS[flags & 3],
    schema: reader.signed(),
    zeroThreshold: reader.f64(),
    sum: reader.f64(),
    zeroCount: isWhole ? reader.varint() : reader.f64(),
    count: isWhole ? reader.varint() : reader.f64(),
    positiveSpans: readSpans(reader),
    positiveBuckets: readBuckets(reader, isWhole),
    negativeSpans: readSpans(reader),
    negativeBuckets: readBuckets(reader, isWhole),
    customValues: readBuckets(reader, false),
  }
}

/** −0 is no count: a varint would lose its sign. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)
}

function writeCount(value: number, isWhole: boolean, out: ByteWriter): void {
  if (isWhole) out.varint(value)
  else out.f64(value)
}

function writeBuckets(values: readonly number[], isWhole: boolean, out: ByteWriter): void {
  out.varint(values.length)
  for (const value of values) writeCount(value, isWhole, out)
}

function readBuckets(reader: ByteReader, isWhole: boolean): number[] {
  // A length that is wrong ends at the page's end, whatever it says.
  const values: number[] = []
  for (let left = reader.varint(); left > 0; left--) values.push(isWhole ? reader.varint() : reader.f64())
  return values
}

function writeSpans(spans: readonly Span[], out: ByteWriter): void {
  out.varint(spans.length)
  for (const { offset, length } of spans) {
    out.varint(zigzag(offset))
    out.varint(length)
  }
}

function readSpans(reader: ByteReader): Span[] {
  const spans: Span[] = []
  for (let left = reader.varint(); left > 0; left--)
    spans.push({ offset: reader.signed(), length: reader.varint() })
  return spans
}
