/** Decompression of snappy's block format (google/snappy format_description.txt), in which LevelDB packs its blocks. */
import { StorageError } from '../errors.ts'

/** More than any block of ours is damage. */
const LENGTH_MAX = 64 * 2 ** 20

/** Throws CORRUPTION. */
export function unsnappy(bytes: Uint8Array): Uint8Array {
  let at = 0
  let length = 0
  for (let shift = 0; ; shift += 7) {
    if (at === bytes.length || shift > 28) throw broken()
    const byte = bytes[at++]
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (length > LENGTH_MAX) throw broken()
  const out = new Uint8Array(length)
  let end = 0
  while (at < bytes.length) {
    const tag = bytes[at++]
    if ((tag & 3) === 0) {
      const extra = Math.max(0, (tag >>> 2) - 59)
      const size = 1 + (extra === 0 ? tag >>> 2 : littleEndian(bytes, at, extra))
      at += extra
      if (at + size > bytes.length || end + size > length) throw broken()
      out.set(bytes.subarray(at, at + size), end)
      at += size
      end += size
      continue
    }
    const isShort = (tag & 3) === 1
    const size = isShort ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2)
    const extra = isShort ? 1 : (tag & 3) === 2 ? 2 : 4
    const offset = littleEndian(bytes, at, extra) + (isShort ? (tag >>> 5) * 256 : 0)
    at += extra
    if (offset === 0 || offset > end || end + size > length) throw broken()
    // Byte by byte: what is copied may overlap what it makes.
    for (let i = 0; i < size; i++, end++) out[end] = out[end - offset]
  }
  if (end !== length) throw broken()
  return out
}

function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) throw broken()
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]
  return value
}

function broken(): StorageError {
  return new StorageError('CORRUPTION', 'a compressed block is damaged')
}
