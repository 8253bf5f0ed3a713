/**
 * A large body in pieces, as the client takes them: written at once it would keep the thread until the kernel has copied it,
 * and scrapes would wait.
 */
import { Readable } from 'node:stream'

const PIECE_BYTES = 256 * 1024

/** A body of up to so many bytes is sent as it is. */
export const WHOLE_BYTES = 4 * PIECE_BYTES

export function inPieces(body: Uint8Array): Readable {
  let at = 0
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      if (at >= body.length) {
        this.push(null)
        return
      }
      const piece = body.subarray(at, at + PIECE_BYTES)
      at += PIECE_BYTES
      // Others have their turn between two pieces.
      setImmediate(() => this.push(piece))
    },
  })
}
