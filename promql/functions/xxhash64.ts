/**
 * xxHash64 with seed 0 (Yann Collet, xxhash.com), and the hash of a label set that limit_ratio samples by.
 *
 * Arithmetic is on BigInt modulo 2^64: a hash is needed once a series, not once a sample.
 */
import type { Labels } from '../../storage/model/labels.ts'

const MASK = (1n << 64n) - 1n
const P1 = 11400714785074694791n
const P2 = 14029467366897019727n
const P3 = 1609587929392839161n
const P4 = 9650029242287828579n
const P5 = 2870177450012600261n

function rotate(x: bigint, bits: bigint): bigint {
  return ((x << bits) | (x >> (64n - bits))) & MASK
}

function round(accumulator: bigint, input: bigint): bigint {
  return (rotate((accumulator + input * P2) & MASK, 31n) * P1) & MASK
}

function mergeRound(hash: bigint, accumulator: bigint): bigint {
  return ((hash ^ round(0n, accumulator)) * P1 + P4) & MASK
}

/** In [0, 2^64). */
export function xxHash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { length } = bytes
  let at = 0
  let hash = P5
  if (length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK]
    for (; at + 32 <= length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = round(lanes[lane], view.getBigUint64(at + 8 * lane, true))
      }
    }
    hash =
      (rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n)) & MASK
    for (const lane of lanes) hash = mergeRound(hash, lane)
  }
  hash = (hash + BigInt(length)) & MASK
  for (; at + 8 <= length; at += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK
  }
  if (at + 4 <= length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK
    at += 4
  }
  for (; at < length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]) * P5) & MASK), 11n) * P1) & MASK
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK
  return hash ^ (hash >> 32n)
}

/** A length below 255 as one byte, else 0xff and three bytes, low first. */
function pushLength(bytes: number[], length: number): void {
  if (length < 255) bytes.push(length)
  else bytes.push(255, length & 255, (length >> 8) & 255, (length >> 16) & 255)
}

/** Upstream's Labels.Hash as a part of 2^64, in [0, 1): of names and values in order, each after its length. */
export function labelsHashRatio(labels: Labels): number {
  const bytes: number[] = []
  for (const text of labels.pairs) {
    const encoded = Buffer.from(text, 'utf8')
    pushLength(bytes, encoded.length)
    bytes.push(...encoded)
  }
  return Number(xxHash64(Uint8Array.from(bytes))) / 2 ** 64
}
