/**
 * Floats as the 8 bytes that they are, little-endian: every bit survives, a NaN's payload too. A NaN that is moved as a
 * number may come out quiet (0x7ff00000_00000002 became 0x7ff80000_00000002); so whatever may be one is moved in halves.
 */
import type { ByteCursor } from './varint.ts'

// Typed arrays have the machine's order, which is little-endian wherever Node runs.
const scratch = new Float64Array(1)
const scratchBytes = new Uint8Array(scratch.buffer)

/** The halves of each value: [2 × i] is the lower one of value i. */
export function halvesOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
}

/** Requires: room. Returns the end of what was written. */
export function putHalves(bytes: Uint8Array, at: number, low: number, high: number): number {
  bytes[at] = low
  bytes[at + 1] = low >>> 8
  bytes[at + 2] = low >>> 16
  bytes[at + 3] = low >>> 24
  bytes[at + 4] = high
  bytes[at + 5] = high >>> 8
  bytes[at + 6] = high >>> 16
  bytes[at + 7] = high >>> 24
  return at + 8
}

export function readHalf(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

/** Not for a NaN that has a payload. Requires: room. Returns the end of what was written. */
export function putFloat(bytes: Uint8Array, at: number, value: number): number {
  scratch[0] = value
  for (let i = 0; i < 8; i++) bytes[at + i] = scratchBytes[i]
  return at + 8
}

/** Throws CORRUPTION when fewer than 8 bytes are left. */
export function readFloat(bytes: Uint8Array, cursor: ByteCursor): number {
  cursor.need(8)
  for (let i = 0; i < 8; i++) scratchBytes[i] = bytes[cursor.at + i]
  cursor.at += 8
  return scratch[0]
}
