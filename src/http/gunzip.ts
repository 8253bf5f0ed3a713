/**
 * Decompression of a whole body, with the errors of Go's gzip reader.
 *
 * In this thread where that is cheaper: 190 KB of text take 0.2 ms here, and 0.65 ms of CPU by way of libuv's pool
 * (measured on Node 26). What is large, or turns out large, goes to the pool, so that nobody waits for it.
 */
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { giveBodyBuffer, takeBodyBuffer } from './body-buffers.ts'
import { HttpError } from './http-error.ts'
import { Inflater } from './inflater.ts'

const SYNC_COMPRESSED_MAX = 64 * 1024
/** About 2 ms of work. */
const SYNC_BYTES_MAX = 2 * 1024 * 1024

const PIECE_BYTES_MIN = 1024

const gunzipInPool = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip)

/**
 * `limitBytes`: as many bytes or more are one too many; then HttpError BODY_SIZE_LIMIT is thrown, and no more than
 * that was ever in memory. Throws HttpError BODY when the data is broken.
 */
export async function gunzip(compressed: Buffer, limitBytes: number): Promise<Buffer> {
  const maxOutputLength = Math.max(1, Math.min(limitBytes - 1, zlib.constants.Z_MAX_CHUNK))
  if (compressed.length === 0) throw new HttpError('BODY', 'EOF')
  try {
    if (compressed.length <= SYNC_COMPRESSED_MAX) {
      const body = gunzipHere(compressed, Math.min(maxOutputLength, SYNC_BYTES_MAX))
      if (body !== undefined) return checked(body, limitBytes)
    }
    return checked(await gunzipInPool(compressed, { maxOutputLength }), limitBytes)
  } catch (error) {
    throw error instanceof HttpError ? error : gunzipError(error as NodeJS.ErrnoException)
  }
}

const inflater = Inflater.tryMake()

/** Undefined when it is more than `maxOutputLength`. */
function gunzipHere(compressed: Buffer, maxOutputLength: number): Buffer | undefined {
  if (inflater !== undefined) {
    const output = takeBodyBuffer(pieceBytes(compressed, maxOutputLength))
    const length = inflater.inflate(compressed, output)
    if (length >= 0 && length <= maxOutputLength) return output.subarray(0, length)
    giveBodyBuffer(output)
    if (length > maxOutputLength) return undefined
    // The trailer lied about the length: the long way, in pieces.
  }
  try {
    return zlib.gunzipSync(compressed, {
      maxOutputLength,
      chunkSize: pieceBytes(compressed, maxOutputLength),
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw error
  }
}

/**
 * Room for all of the output at once, by what the last four bytes say of its length (RFC 1952), so that it comes in one
 * piece: a third less time. Only a guess, for they may lie.
 */
function pieceBytes(compressed: Buffer, most: number): number {
  const announced = compressed.length < 4 ? 0 : compressed.readUInt32LE(compressed.length - 4)
  return Math.max(PIECE_BYTES_MIN, Math.min(announced, most) + 1)
}

/** The bound of zlib is at least 1, so the smallest limit is looked at here. */
function checked(body: Buffer, limitBytes: number): Buffer {
  if (body.length >= limitBytes) throw bodySizeLimitError()
  return body
}

export function bodySizeLimitError(): HttpError {
  return new HttpError('BODY_SIZE_LIMIT', 'body size limit exceeded')
}

function gunzipError(error: NodeJS.ErrnoException): HttpError {
  switch (error.code) {
    case 'ERR_BUFFER_TOO_LARGE':
      return bodySizeLimitError()
    case 'Z_BUF_ERROR':
      return new HttpError('BODY', 'unexpected EOF', { cause: error })
    case 'Z_DATA_ERROR':
      return new HttpError('BODY', dataErrorText(error.message), { cause: error })
    default:
      return new HttpError('BODY', error.message, { cause: error })
  }
}

function dataErrorText(message: string): string {
  if (message === 'incorrect header check' || message === 'unknown compression method') {
    return 'gzip: invalid header'
  }
  if (message === 'incorrect data check' || message === 'incorrect length check') {
    return 'gzip: invalid checksum'
  }
  return `flate: corrupt input (${message})`
}
