/**
 * Runs of bytes compared and hashed four at a time. On DataViews, since these read words at any place, and without an
 * object a run.
 */

/** Whether bytes [i, i + length) of `a` are bytes [k, k + length) of `b`. Requires both runs to be inside. */
export function equalRuns(a: DataView, i: number, b: DataView, k: number, length: number): boolean {
  if (length < 4) {
    for (let n = 0; n < length; n++) if (a.getUint8(i + n) !== b.getUint8(k + n)) return false
    return true
  }
  const rest = length - 4
  // The last word overlaps the one before it where the length is no multiple of four.
  for (let n = 0; n < rest; n += 4) {
    if (a.getInt32(i + n, true) !== b.getInt32(k + n, true)) return false
  }
  return a.getInt32(i + rest, true) === b.getInt32(k + rest, true)
}

/** How many bytes of the two runs of at most `length` bytes are the same, from their beginnings on. */
export function commonLength(a: Uint8Array, i: number, b: Uint8Array, k: number, length: number): number {
  let n = 0
  while (n < length && a[i + n] === b[k + n]) n++
  return n
}

const MIX_A = 0x9e3779b1
const MIX_B = 0x85ebca6b
const MIX_C = 0xc2b2ae35

/** A hash of 32 bits, unsigned: multiply and shift a word, as MurmurHash3 does. Not for hostile input. */
export function hashRun(view: DataView, start: number, length: number): number {
  let h = MIX_A ^ length
  let n = 0
  for (; n + 4 <= length; n += 4) {
    h = Math.imul(h ^ Math.imul(view.getInt32(start + n, true), MIX_B), MIX_C)
    h ^= h >>> 15
  }
  for (; n < length; n++) h = Math.imul(h ^ view.getUint8(start + n), MIX_A)
  return finished(h)
}

/** A hash of 53 bits as an integer, for where the bytes are not kept to be compared: two such of 32 bits side by side. */
export function wideHashRun(view: DataView, start: number, length: number): number {
  let high = MIX_A ^ length
  let low = MIX_B + length
  let n = 0
  for (; n + 4 <= length; n += 4) {
    const word = view.getInt32(start + n, true)
    high = Math.imul(high ^ Math.imul(word, MIX_B), MIX_C)
    low = Math.imul(low ^ word, MIX_A)
    high ^= high >>> 15
    low ^= low >>> 14
  }
  for (; n < length; n++) {
    high = Math.imul(high ^ view.getUint8(start + n), MIX_A)
    low = Math.imul(low ^ view.getUint8(start + n), MIX_C)
  }
  return finished(high) * 0x200000 + (finished(low) >>> 11)
}

function finished(h: number): number {
  h ^= h >>> 16
  h = Math.imul(h, MIX_B)
  h ^= h >>> 13
  h = Math.imul(h, MIX_C)
  return (h ^ (h >>> 16)) >>> 0
}
