/**
 * When in its interval a target is scraped: upstream's hashes, so that a server that takes over from Prometheus
 * keeps the rhythm, and two servers with different external labels or hosts do not scrape at the same moment.
 *
 * Source: Prometheus scrape/target.go (hash, offset) and scrape/manager.go (setOffsetSeed); FNV-1a, 64 bits;
 * xxHash64 with seed 0 over the label set as model/labels lays it out (each string behind its length: one byte, or
 * 255 and three bytes). BigInt is slow, and used once a target.
 */
import type { Labels } from '../../storage/model/labels.ts'
import { labelsText } from './labels-text.ts'

const NANOSECONDS = 1_000_000n

/** Modulo 2^64. */
function u64(x: bigint): bigint {
  return BigInt.asUintN(64, x)
}

const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

export function fnv1a64(text: string): bigint {
  let hash = FNV_OFFSET
  for (const byte of Buffer.from(text)) hash = u64((hash ^ BigInt(byte)) * FNV_PRIME)
  return hash
}

const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n

function rotate(x: bigint, bits: bigint): bigint {
  return u64(x << bits) | u64(x >> (64n - bits))
}

function round(accumulator: bigint, lane: bigint): bigint {
  return u64(rotate(u64(accumulator + u64(lane * P2)), 31n) * P1)
}

export function xxhash64(bytes: Buffer): bigint {
  const length = bytes.length
  let at = 0
  let hash: bigint
  if (length >= 32) {
    let a = u64(P1 + P2)
    let b = P2
    let c = 0n
    let d = u64(-P1)
    for (; at + 32 <= length; at += 32) {
      a = round(a, bytes.readBigUInt64LE(at))
      b = round(b, bytes.readBigUInt64LE(at + 8))
      c = round(c, bytes.readBigUInt64LE(at + 16))
      d = round(d, bytes.readBigUInt64LE(at + 24))
    }
    hash = u64(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n))
    for (const lane of [a, b, c, d]) hash = u64(u64((hash ^ round(0n, lane)) * P1) + P4)
  } else hash = P5
  hash = u64(hash + BigInt(length))
  for (; at + 8 <= length; at += 8) {
    hash = u64(u64(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1) + P4)
  }
  if (at + 4 <= length) {
    hash ^= u64(BigInt(bytes.readUInt32LE(at)) * P1)
    hash = u64(u64(rotate(hash, 23n) * P2) + P3)
    at += 4
  }
  for (; at < length; at++) hash = u64(rotate(hash ^ u64(BigInt(bytes[at]) * P5), 11n) * P1)
  hash = u64((hash ^ (hash >> 33n)) * P2)
  hash = u64((hash ^ (hash >> 29n)) * P3)
  return hash ^ (hash >> 32n)
}

/** Go's labels.Labels.Hash. */
export function labelsHash(labels: Labels): bigint {
  const parts: Buffer[] = []
  for (const text of labels.pairs) {
    const bytes = Buffer.from(text)
    const { length } = bytes
    parts.push(
      Buffer.from(length < 255 ? [length] : [255, length & 255, (length >> 8) & 255, (length >> 16) & 255]),
      bytes,
    )
  }
  return xxhash64(Buffer.concat(parts))
}

/** `labels`: all that are left after relabelling, `__*` ones too. */
export function targetHash(labels: Labels, url: string): bigint {
  return fnv1a64(`${labelsHash(labels).toString().padStart(16, '0')}${url}`)
}

/** The same for all targets of one server. */
export function offsetSeed(hostname: string, externalLabels: Labels): bigint {
  return fnv1a64(hostname + labelsText(externalLabels))
}

/** Milliseconds, 0 ≤ offset < interval: scrapes begin where Unix time modulo the interval is this. */
export function scrapeOffsetMs(hash: bigint, seed: bigint, intervalMs: number): number {
  return Number(((hash ^ seed) % (BigInt(intervalMs) * NANOSECONDS)) / NANOSECONDS)
}
