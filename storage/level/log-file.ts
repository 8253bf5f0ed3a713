/**
 * LevelDB's `*.log` and `MANIFEST-*`: blocks of 32 KiB of records that do not cross them.
 *
 *   u32 masked CRC-32C of the type and the bytes    u16 length    u8 type    the bytes
 *   type 1 = whole, 2 = first part, 3 = middle part, 4 = last part
 *
 * Fewer than 7 bytes left in a block are zeros. Read here because LevelDB passes over damage in these files in silence:
 * behind a wrong length it takes the rest for the end.
 */
import { findChecked, maskedCrc, u32At } from './crc32c.ts'

const BLOCK = 32_768
const HEADER = 7
const WHOLE = 1
const FIRST = 2
const LAST = 4

/**
 * Offset of the first record that is not as it was written, −1 when there is none. What is cut off at the end is no
 * damage: a power cut or a full disk leaves it so, and nothing of it was acknowledged.
 */
export function findLogDamage(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) {
    const left = BLOCK - (at % BLOCK)
    if (left < HEADER) {
      if (!areZeros(bytes, at, at + left)) return at
      at += left
      continue
    }
    if (bytes.length - at < HEADER) return -1
    const stored = u32At(bytes, at)
    if (stored === 0 && areZeros(bytes, at, bytes.length)) return -1
    const end = recordEnd(bytes, at)
    if (end > at + left) return at
    if (end > bytes.length) {
      // Whether it is a whole record with a wrong length, and not the beginning of one: its checksum fits to some length.
      return findChecked(bytes, at + 6, bytes.length, () => stored) < 0 ? -1 : at
    }
    if (maskedCrc(bytes, at + 6, end) !== stored) return at
    at = end
  }
  return -1
}

/** The records that are whole, in their order, put together from their parts; also behind damage. */
export function* logRecords(bytes: Uint8Array): Generator<Uint8Array> {
  let parts: Uint8Array[] = []
  for (let at = 0; at + HEADER <= bytes.length; ) {
    if (!isRecord(bytes, at)) {
      // Its length is not to be trusted: the next one is where one fits, at the latest where a block begins.
      parts = []
      at++
      continue
    }
    const type = bytes[at + 6]
    const end = recordEnd(bytes, at)
    if (type === WHOLE || type === FIRST) parts = []
    const isPart = type === WHOLE || type === FIRST || parts.length > 0
    if (isPart) parts.push(bytes.subarray(at + HEADER, end))
    if (isPart && (type === WHOLE || type === LAST)) {
      yield parts.length === 1 ? parts[0] : Buffer.concat(parts)
      parts = []
    }
    const left = BLOCK - (end % BLOCK)
    at = left < HEADER ? end + left : end
  }
}

/** Whether a record as it was written begins here. */
function isRecord(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at + 6]
  const end = recordEnd(bytes, at)
  const blockEnd = at - (at % BLOCK) + BLOCK
  if (type < WHOLE || type > LAST || end > Math.min(blockEnd, bytes.length)) return false
  return maskedCrc(bytes, at + 6, end) === u32At(bytes, at)
}

function recordEnd(bytes: Uint8Array, at: number): number {
  return at + HEADER + (bytes[at + 4] | (bytes[at + 5] << 8))
}

function areZeros(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < Math.min(to, bytes.length); i++) if (bytes[i] !== 0) return false
  return true
}
