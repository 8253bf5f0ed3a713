/** CRC-32C (Castagnoli), as LevelDB's files have it. */

const TABLE = new Uint32Array(256)
for (let i = 0; i < 256; i++) {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  TABLE[i] = crc
}

/** Masked checksum of bytes [from, to). */
export function maskedCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1
  for (let i = from; i < to; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
  return mask(crc)
}

/** The first end in (from, limit] so that the masked checksum of bytes [from, end) is what `stored(end)` says; −1: none. */
export function findChecked(
  bytes: Uint8Array,
  from: number,
  limit: number,
  stored: (end: number) => number,
): number {
  let crc = -1
  for (let i = from; i < limit; i++) {
    crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
    if (mask(crc) === stored(i + 1)) return i + 1
  }
  return -1
}

/** LevelDB rotates and shifts its checksums, since those of data that has checksums in it are weak. */
function mask(crc: number): number {
  const final = ~crc >>> 0
  return (((final >>> 15) | (final << 17)) + 0xa282ead8) >>> 0
}

/** Little-endian. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}
