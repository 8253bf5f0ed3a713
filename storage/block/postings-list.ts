/**
 * Ascending refs of one label pair, in the form that takes the fewest bytes. The count, at least 2, is known from
 * elsewhere.
 *
 *   u8 0  runs:    varint number of runs; each: varint first ref less the end of the run before, varint length − 1
 *   u8 1  deltas:  varint first ref, then 128 deltas (less 1) at a time:
 *                  varint the smallest, u8 width, width bits each: the deltas less the smallest
 *   u8 2  bitmap:  varint first ref, then a bit for each ref up to the last one, from the low end of each byte
 *
 * Evenly spaced refs, as one target's series among those of a thousand targets, take no bits but the blocks' heads.
 */

import { bitWidth } from '../codec/bit-pack.ts'
import { ByteReader } from '../codec/byte-reader.ts'
import type { ByteWriter } from '../codec/byte-writer.ts'
import { readBits, writeBits } from './packed-column.ts'

const FORM_RUNS = 0
const FORM_DELTAS = 1
const FORM_BITMAP = 2
const DELTAS_MAX = 128

const deltas = new Float64Array(DELTAS_MAX)

function varintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5
}

/** Writes refs [from, to). Requires: ascending, at least two. */
export function writeRefs(out: ByteWriter, refs: Uint32Array, from: number, to: number): void {
  const bitmap = Math.ceil((refs[to - 1] - refs[from] + 1) / 8)
  const runs = runsBytes(refs, from, to)
  const packed = deltasBytes(refs, from, to)
  if (runs <= packed && runs <= bitmap) writeRuns(out, refs, from, to)
  else if (packed <= bitmap) writeDeltas(out, refs, from, to)
  else writeBitmap(out, refs, from, to, bitmap)
}

/** End of the run of consecutive refs that begins at i. */
function runEnd(refs: Uint32Array, i: number, to: number): number {
  let end = i + 1
  while (end < to && refs[end] === refs[end - 1] + 1) end++
  return end
}

function runsBytes(refs: Uint32Array, from: number, to: number): number {
  let bytes = 3
  let before = 0
  for (let i = from; i < to; ) {
    const end = runEnd(refs, i, to)
    bytes += varintBytes(refs[i] - before) + varintBytes(end - i - 1)
    before = refs[end - 1] + 1
    i = end
  }
  return bytes
}

function writeRuns(out: ByteWriter, refs: Uint32Array, from: number, to: number): void {
  let count = 0
  for (let i = from; i < to; i = runEnd(refs, i, to)) count++
  out.u8(FORM_RUNS)
  out.varint(count)
  let before = 0
  for (let i = from; i < to; ) {
    const end = runEnd(refs, i, to)
    out.varint(refs[i] - before)
    out.varint(end - i - 1)
    before = refs[end - 1] + 1
    i = end
  }
}

function deltasBytes(refs: Uint32Array, from: number, to: number): number {
  let bytes = 5
  for (let i = from + 1; i < to; i += DELTAS_MAX) {
    const end = Math.min(i + DELTAS_MAX, to)
    let min = refs[i] - refs[i - 1]
    let max = min
    for (let j = i + 1; j < end; j++) {
      const delta = refs[j] - refs[j - 1]
      if (delta < min) min = delta
      else if (delta > max) max = delta
    }
    bytes += varintBytes(min) + 1 + Math.ceil(((end - i) * bitWidth(max - min)) / 8)
  }
  return bytes
}

function writeDeltas(out: ByteWriter, refs: Uint32Array, from: number, to: number): void {
  out.u8(FORM_DELTAS)
  out.varint(refs[from])
  for (let i = from + 1; i < to; i += DELTAS_MAX) {
    const count = Math.min(DELTAS_MAX, to - i)
    let min = 2 ** 32
    let max = 0
    for (let j = 0; j < count; j++) {
      const delta = refs[i + j] - refs[i + j - 1] - 1
      deltas[j] = delta
      if (delta < min) min = delta
      if (delta > max) max = delta
    }
    const width = bitWidth(max - min)
    out.varint(min)
    out.u8(width)
    writeBits(out, deltas, 0, count, min, width)
  }
}

function writeBitmap(out: ByteWriter, refs: Uint32Array, from: number, to: number, size: number): void {
  const first = refs[from]
  out.u8(FORM_BITMAP)
  out.varint(first)
  out.reserve(size)
  const start = out.length
  out.bytes.fill(0, start, start + size)
  for (let i = from; i < to; i++) out.bytes[start + ((refs[i] - first) >>> 3)] |= 1 << ((refs[i] - first) & 7)
  out.length += size
}

/** Reads a list of `count` refs into `into`, from position `end` on. Returns the new end. */
export function readRefs(
  bytes: Uint8Array,
  at: number,
  count: number,
  into: Uint32Array,
  end: number,
): number {
  const reader = new ByteReader(bytes, at)
  const form = reader.u8()
  if (form === FORM_RUNS) return readRuns(reader, into, end)
  if (form === FORM_DELTAS) return readDeltas(reader, count, into, end)
  return readBitmap(reader, count, into, end)
}

function readRuns(reader: ByteReader, into: Uint32Array, end: number): number {
  let ref = 0
  for (let runs = reader.varint(); runs > 0; runs--) {
    ref += reader.varint()
    for (let left = reader.varint(); left >= 0; left--) into[end++] = ref++
  }
  return end
}

function readDeltas(reader: ByteReader, count: number, into: Uint32Array, end: number): number {
  let ref = reader.varint()
  into[end++] = ref
  for (let left = count - 1; left > 0; left -= DELTAS_MAX) {
    const size = Math.min(left, DELTAS_MAX)
    const min = reader.varint()
    readBits(reader, size, deltas, min + 1, reader.u8())
    // Bits are padded to a whole byte at the end of each block.
    for (let i = 0; i < size; i++) {
      ref += deltas[i]
      into[end++] = ref
    }
  }
  return end
}

function readBitmap(reader: ByteReader, count: number, into: Uint32Array, end: number): number {
  const first = reader.varint()
  const { bytes } = reader
  for (let byte = 0, left = count; left > 0; byte++) {
    const bits = bytes[reader.at + byte]
    if (bits === 0) continue
    for (let bit = 0; bit < 8; bit++) {
      if ((bits & (1 << bit)) === 0) continue
      into[end++] = first + 8 * byte + bit
      left--
    }
  }
  return end
}
