/** What is wrong with a page, in upstream's words, and where. */
import { quoteString } from '../../promql/syntax/go-format.ts'

/** Longest excerpt in characters: lines of some exporters have kilobytes. */
const EXCERPT_MAX = 200

export class ExpositionError extends Error {
  /** Of the line on which the broken entry begins, from 1. */
  readonly line: number
  /** The beginning of that line. */
  readonly excerpt: string

  constructor(message: string, line: number, excerpt: string) {
    super(message)
    this.name = 'ExpositionError'
    this.line = line
    this.excerpt = excerpt
  }
}

/** Makes the error for an entry that begins at byte `start`. */
export function expositionError(message: string, body: Buffer, start: number): ExpositionError {
  let line = 1
  for (let i = body.indexOf(10); i >= 0 && i < start; i = body.indexOf(10, i + 1)) line++
  const newline = body.indexOf(10, start)
  const end = Math.min(newline < 0 ? body.length : newline, start + EXCERPT_MAX)
  return new ExpositionError(message, line, body.toString('utf8', start, end))
}

/**
 * Text of bytes that may not be UTF-8: a byte that is not part of a valid sequence becomes the lone surrogate
 * U+DC00 + byte, so that the text is not well-formed either, and nothing is lost.
 */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('\ufffd')) return text
  let decoded = ''
  for (let i = start; i < end; ) {
    const length = sequenceLength(bytes, i, end)
    decoded += length === 0 ? String.fromCharCode(0xdc00 + bytes[i]) : bytes.toString('utf8', i, i + length)
    i += Math.max(length, 1)
  }
  return decoded
}

/** Bytes of the valid UTF-8 sequence at i; 0 when there is none. Unicode 15, table 3-7. */
function sequenceLength(bytes: Buffer, i: number, end: number): number {
  const lead = bytes[i]
  if (lead < 0x80) return 1
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
  if (length === 0 || i + length > end) return 0
  for (let k = 1; k < length; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return 0
  const second = bytes[i + 1]
  if (lead === 0xe0 && second < 0xa0) return 0
  if (lead === 0xed && second > 0x9f) return 0
  if (lead === 0xf0 && second < 0x90) return 0
  if (lead === 0xf4 && second > 0x8f) return 0
  return length
}

/** Go's `%q` of bytes. */
export function quoteBytes(bytes: Buffer, start: number, end: number): string {
  return quoteString(decodeUtf8(bytes, start, end))
}
