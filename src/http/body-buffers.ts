/**
 * Buffers that uncompressed bodies are written to, used again: V8 counts what lies outside of its heap, and collects
 * garbage as often as a few dozen fresh bodies come (measured: a third of a scraping server's time).
 */

/** Kept when nobody uses them: the most, each. */
const BUFFERS_MAX = 8
const BYTES_MAX = 4 * 2 ** 20
const STEP_BYTES = 64 * 1024

const free: Buffer[] = []

/** A buffer of at least `bytes` bytes, of any content. */
export function takeBodyBuffer(bytes: number): Buffer {
  const at = free.findIndex((buffer) => buffer.length >= bytes)
  if (at >= 0) return free.splice(at, 1)[0]
  return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
}

/** Requires: nobody reads it any more. */
export function giveBodyBuffer(buffer: Buffer): void {
  if (buffer.length > BYTES_MAX) return
  if (free.length === BUFFERS_MAX) {
    // The larger ones serve more bodies.
    free.sort((a, b) => b.length - a.length)
    if (free[BUFFERS_MAX - 1].length >= buffer.length) return
    free.pop()
  }
  free.push(buffer)
}
