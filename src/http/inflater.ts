/**
 * Inflates gzip into a buffer that is there already, with one inflater for all.
 *
 * zlib's own functions make an inflater (44 KiB) and an output buffer a call. The parts beneath them, by which Node's
 * streams drive zlib, can be used again; they are no documented interface, so that they are tried when the program
 * starts, and whoever finds them changed takes the way by `gunzipSync`.
 */
import { constants, createGunzip, gzipSync } from 'node:zlib'

/** As node:zlib has it inside. */
interface Inside {
  _handle: {
    reset(): void
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void
    onerror: (message: string, errno: number, code: string) => void
  }
  /** [room left in the output, input left]. */
  _writeState: Uint32Array
}

export class Inflater {
  private readonly inside: Inside
  private failure: (Error & { code: string }) | undefined

  private constructor(inside: Inside) {
    this.inside = inside
    inside._handle.onerror = (message, _errno, code) => {
      this.failure = Object.assign(new Error(message), { code })
    }
  }

  /** Undefined where Node's zlib is another one inside. */
  static tryMake(): Inflater | undefined {
    try {
      const inflater = new Inflater(createGunzip() as unknown as Inside)
      const text = Buffer.from('narthex '.repeat(100))
      const output = Buffer.alloc(1024)
      for (let round = 0; round < 2; round++) {
        const length = inflater.inflate(gzipSync(text), output)
        if (length !== text.length || !output.subarray(0, length).equals(text)) return undefined
      }
      return inflater
    } catch {
      // No such parts. That is an answer and no failure: the caller has another way.
      return undefined
    }
  }

  /**
   * Bytes that the input has uncompressed, which are in `output` then; −1 when they are more than it holds.
   * Throws what zlib says of broken data, with its code, as gunzipSync does.
   */
  inflate(input: Buffer, output: Buffer): number {
    const { _handle: handle, _writeState: state } = this.inside
    this.failure = undefined
    handle.reset()
    handle.writeSync(constants.Z_FINISH, input, 0, input.length, output, 0, output.length)
    const failure = this.failure as (Error & { code: string }) | undefined
    if (failure !== undefined) {
      // With no room left it could not come to the end: whether the data is broken is not known.
      if (failure.code === 'Z_BUF_ERROR' && state[0] === 0) return -1
      throw failure
    }
    if (state[0] === 0) return -1
    return output.length - state[0]
  }
}
