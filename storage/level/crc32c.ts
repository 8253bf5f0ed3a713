/** CRC-32C (Castagnoli), as LevelDB's files have it. */

/** Eight tables of 256: table k steps over a byte that k bytes follow. */
const TABLES = new Int32Array(8 * 256)
for (let i = 0; i < 256; i++) {
  let crc = i
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  TABLES[i] = crc
}
for (let i = 256; i < TABLES.length; i++) TABLES[i] = TABLES[TABLES[i - 256] & 0xff] ^ (TABLES[i - 256] >>> 8)

/** Masked checksum of bytes [from, to). */
export function maskedCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1
  let i = from
  // Eight bytes a turn, so that the processor looks up several at once.
  for (; i + 8 <= to; i += 8) {
    const low = crc ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24))
    crc =
      TABLES[1792 + (low & 0xff)] ^
      TABLES[1536 + ((low >>> 8) & 0xff)] ^
      TABLES[1280 + ((low >>> 16) & 0xff)] ^
      TABLES[1024 + (low >>> 24)] ^
      TABLES[768 + bytes[i + 4]] ^
      TABLES[512 + bytes[i + 5]] ^
      TABLES[256 + bytes[i + 6]] ^
      TABLES[bytes[i + 7]]
  }
  for (; i < to; i++) crc = TABLES[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
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
    crc = TABLES[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
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
