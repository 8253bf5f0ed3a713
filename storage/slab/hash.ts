/** MurmurHash3 by Austin Appleby (public domain), the 32-bit and the x86 128-bit form, over bytes in memory. */

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r))
}

function fmix(h: number): number {
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function word(bytes: Uint8Array, i: number): number {
  return bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24)
}

/** Hash of bytes [start, end) as an unsigned 32-bit integer. */
export function hash32(bytes: Uint8Array, start: number, end: number): number {
  let h = 0
  let i = start
  for (; i + 4 <= end; i += 4) {
    const k = Math.imul(rotl(Math.imul(word(bytes, i), 0xcc9e2d51), 15), 0x1b873593)
    h = (Math.imul(rotl(h ^ k, 13), 5) + 0xe6546b64) | 0
  }
  let k = 0
  for (let shift = 0; i < end; i++, shift += 8) k |= bytes[i] << shift
  h ^= Math.imul(rotl(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593)
  return fmix(h ^ (end - start)) >>> 0
}

/** Hash of two unsigned 32-bit integers. */
export function hashPair(a: number, b: number): number {
  return fmix(Math.imul(a, 0x9e3779b1) ^ rotl(Math.imul(b, 0x85ebca6b), 13)) >>> 0
}

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

/** Hash of bytes [start, end) as four unsigned 32-bit integers in `out`. */
export function hash128(bytes: Uint8Array, start: number, end: number, out: Uint32Array): void {
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  let i = start
  for (; i + 16 <= end; i += 16) {
    h1 ^= Math.imul(rotl(Math.imul(word(bytes, i), C1), 15), C2)
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotl(Math.imul(word(bytes, i + 4), C2), 16), C3)
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotl(Math.imul(word(bytes, i + 8), C3), 17), C4)
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotl(Math.imul(word(bytes, i + 12), C4), 18), C1)
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  const k = [0, 0, 0, 0]
  for (let n = 0; i < end; i++, n++) k[n >> 2] |= bytes[i] << ((n & 3) * 8)
  h4 ^= Math.imul(rotl(Math.imul(k[3], C4), 18), C1)
  h3 ^= Math.imul(rotl(Math.imul(k[2], C3), 17), C4)
  h2 ^= Math.imul(rotl(Math.imul(k[1], C2), 16), C3)
  h1 ^= Math.imul(rotl(Math.imul(k[0], C1), 15), C2)
  const length = end - start
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = (h2 + h1) | 0
  h3 = (h3 + h1) | 0
  h4 = (h4 + h1) | 0
  h1 = fmix(h1)
  h2 = fmix(h2)
  h3 = fmix(h3)
  h4 = fmix(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  out[0] = h1
  out[1] = h2 + h1
  out[2] = h3 + h1
  out[3] = h4 + h1
}
