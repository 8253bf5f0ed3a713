/**
 * Chunk of samples as they are: the first encoding, and the fallback for all later ones.
 *
 * A chunk starts on an 8-byte boundary, numbers are little-endian:
 *
 *   byte 0      encoding: 0 = raw
 *   byte 1      flags: bit 0 = a kind byte a sample follows, else all samples are floats
 *   bytes 2–3   u16 number of samples n, 1 ≤ n
 *   bytes 4–7   0
 *   8 × n       f64 times, Unix ms, strictly ascending
 *   8 × n       f64 values
 *   n           u8 kinds, only with flag bit 0; padded with 0 to 8 bytes
 */
import { StorageError } from '../errors.ts'
import { KIND_FLOAT, type SampleColumns } from '../model/sample.ts'

export const ENCODING_RAW = 0
const FLAG_KINDS = 1

/** Words that a chunk of `count` samples takes at most. */
export function rawChunkWords(count: number): number {
  return 1 + 2 * count + ((count + 7) >>> 3)
}

/**
 * Writes samples [0, count) of the columns at word `at`. `u8` and `f64` are views of the same memory.
 * Returns the words written. The columns' own start word is `fromT`, `fromV`; kinds start at byte `fromKind`.
 */
export function encodeRawChunk(
  u8: Uint8Array,
  f64: Float64Array,
  at: number,
  fromT: number,
  fromV: number,
  fromKind: number,
  count: number,
): number {
  let kinds = 0
  for (let i = 0; i < count; i++) kinds |= u8[fromKind + i]
  const byte = at * 8
  u8[byte] = ENCODING_RAW
  u8[byte + 1] = kinds === 0 ? 0 : FLAG_KINDS
  u8[byte + 2] = count & 0xff
  u8[byte + 3] = count >>> 8
  for (let i = 0; i < count; i++) {
    f64[at + 1 + i] = f64[fromT + i]
    f64[at + 1 + count + i] = f64[fromV + i]
  }
  if (kinds === 0) return 1 + 2 * count
  const kindByte = (at + 1 + 2 * count) * 8
  for (let i = 0; i < count; i++) u8[kindByte + i] = u8[fromKind + i]
  return rawChunkWords(count)
}

/**
 * Adds the samples with times in [mint, maxt], of the first `visible` ones only, to the columns.
 * Throws CORRUPTION for an encoding that it does not know.
 */
export function decodeChunk(
  u8: Uint8Array,
  f64: Float64Array,
  at: number,
  visible: number,
  mint: number,
  maxt: number,
  into: SampleColumns,
): void {
  const byte = at * 8
  if (u8[byte] !== ENCODING_RAW) throw new StorageError('CORRUPTION', `unknown chunk encoding ${u8[byte]}`)
  const count = u8[byte + 2] | (u8[byte + 3] << 8)
  const kindByte = (u8[byte + 1] & FLAG_KINDS) === 0 ? -1 : (at + 1 + 2 * count) * 8
  let from = 0
  let to = Math.min(count, visible)
  while (from < to && f64[at + 1 + from] < mint) from++
  while (to > from && f64[at + to] > maxt) to--
  into.reserve(into.length + to - from)
  const { t, v, kind } = into
  let end = into.length
  for (let i = from; i < to; i++, end++) {
    t[end] = f64[at + 1 + i]
    v[end] = f64[at + 1 + count + i]
    kind[end] = kindByte < 0 ? KIND_FLOAT : u8[kindByte + i]
    if (kind[end] !== KIND_FLOAT) into.allFloat = false
  }
  into.length = end
}
