/** Values of string and number literals. */
import { INVALID_BYTE_BASE } from './go-format.ts'

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  '"': 34,
  "'": 39,
}

/**
 * The value of a string as written, with its quotes. Requires: what the lexer took for a string.
 * `\x` and octal escapes are bytes: together they may form UTF-8; those that do not stand as U+DC00 + byte.
 */
export function unquoteString(literal: string): string {
  const body = literal.slice(1, -1)
  if (literal[0] === '`') return body
  if (!body.includes('\\')) return body
  const bytes: number[] = []
  for (let i = 0; i < body.length; ) {
    if (body[i] !== '\\') {
      const end = body.indexOf('\\', i)
      const plain = end < 0 ? body.slice(i) : body.slice(i, end)
      bytes.push(...Buffer.from(plain))
      i += plain.length
      continue
    }
    const c = body[i + 1]
    const simple = SIMPLE_ESCAPES[c]
    if (simple !== undefined) {
      bytes.push(simple)
      i += 2
    } else if (c === 'x') {
      bytes.push(Number.parseInt(body.slice(i + 2, i + 4), 16))
      i += 4
    } else if (c === 'u' || c === 'U') {
      const digits = c === 'u' ? 4 : 8
      const code = Number.parseInt(body.slice(i + 2, i + 2 + digits), 16)
      bytes.push(...Buffer.from(String.fromCodePoint(code)))
      i += 2 + digits
    } else {
      bytes.push(Number.parseInt(body.slice(i + 1, i + 4), 8))
      i += 4
    }
  }
  return decodeBytes(Buffer.from(bytes))
}

function decodeBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd')) return text
  let decoded = ''
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes[i])
    const part = bytes.subarray(i, i + length)
    const character = part.toString('utf8')
    // Broken input decodes to replacement characters, which encode to other bytes than it had.
    if (length > 0 && Buffer.from(character).equals(part)) {
      decoded += character
      i += length
    } else {
      decoded += String.fromCharCode(INVALID_BYTE_BASE + bytes[i])
      i++
    }
  }
  return decoded
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc2) return 0
  if (first < 0xe0) return 2
  return first < 0xf0 ? 3 : 4
}

const INT64_MAX = 2n ** 63n - 1n

/**
 * The value of a number as written: as Go's ParseInt with base 0 (`0x1F`, and `017` is 15), else its ParseFloat.
 * Throws Error with Go's text.
 */
export function parseNumber(text: string): number {
  const plain = text.replaceAll('_', '')
  const sign = plain[0] === '-' ? -1 : 1
  const unsigned = plain.replace(/^[+-]/, '')
  if (/^0[xX]/.test(unsigned)) {
    const value = /^0[xX][0-9a-fA-F]+$/.test(unsigned) ? BigInt(unsigned) : INT64_MAX + 1n
    if (value > INT64_MAX) throw new Error(`strconv.ParseFloat: parsing "${text}": invalid syntax`)
    return sign * Number(value)
  }
  if (/^0[0-7]+$/.test(unsigned)) return sign * Number.parseInt(unsigned, 8)
  if (/^inf(inity)?$/i.test(unsigned)) return sign * Number.POSITIVE_INFINITY
  if (/^nan$/i.test(plain)) return Number.NaN
  if (!/^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(unsigned)) {
    throw new Error(`strconv.ParseFloat: parsing "${text}": invalid syntax`)
  }
  const value = sign * Number(unsigned)
  if (!Number.isFinite(value)) throw new Error(`strconv.ParseFloat: parsing "${text}": value out of range`)
  return value
}
