/** Numbers of an API answer: sample values, times of samples, and the two oddities of scalars. */
import type { ByteWriter } from './byte-writer.ts'

/** No value takes more bytes: sign, 17 digits, point, leading zeros, or exponent. */
export const VALUE_BYTES_MAX = 32

/** No time takes more bytes: sign, 13 digits of seconds, point, three digits. */
export const TIME_BYTES_MAX = 24

const ZERO = 0x30
const MINUS = 0x2d
const POINT = 0x2e

/** Integers below this take the path by digits. */
const DIGITS_MAX = 1e15

/**
 * The value of a sample: the shortest decimal that reads back to the same float; with an exponent of at least
 * two digits where the magnitude is below 1e-6 or at least 1e21; `NaN`, `+Inf`, `-Inf`.
 */
export function formatValue(v: number): string {
  if (Number.isNaN(v)) return 'NaN'
  if (v === Number.POSITIVE_INFINITY) return '+Inf'
  if (v === Number.NEGATIVE_INFINITY) return '-Inf'
  if (v === 0) return Object.is(v, -0) ? '-0' : '0'
  // JavaScript changes to the exponent at the same magnitudes, but writes one digit of it where one is enough.
  const text = String(v)
  const e = text.indexOf('e')
  return e >= 0 && text.length - e === 3 ? `${text.slice(0, e + 2)}0${text[e + 2]}` : text
}

/** The value of a scalar: the shortest decimal that reads back, never with an exponent. */
export function formatScalar(v: number): string {
  const text = formatValue(v)
  const e = text.indexOf('e')
  if (e < 0) return text
  const sign = text.startsWith('-') ? '-' : ''
  const [whole, fraction = ''] = text.slice(sign.length, e).split('.')
  const exponent = Number(text.slice(e + 1))
  // The exponent is at least 21 or at most −7, so that the point falls outside of the (at most 17) digits.
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${whole}${fraction}`
  return `${sign}${whole}${fraction.padEnd(exponent, '0')}`
}

/** The time of a scalar or string, in seconds, as a JSON number without needless zeros: 1.5. */
export function formatScalarTime(ms: number): string {
  return String(ms / 1000)
}

/** Writes the digits of an integer, 0 ≤ n < 1e15. Requires: room. Returns the place after them. */
function putDigits(bytes: Uint8Array, at: number, n: number): number {
  let width = 1
  for (let bound = 10; n >= bound; bound *= 10) width++
  const end = at + width
  let place = end - 1
  // Beyond 31 bits the division of doubles is exact as well, only slower.
  while (n > 0x7fffffff) {
    const tenth = Math.floor(n / 10)
    bytes[place--] = ZERO + (n - tenth * 10)
    n = tenth
  }
  let small = n | 0
  while (place >= at) {
    const tenth = (small / 10) | 0
    bytes[place--] = ZERO + (small - tenth * 10)
    small = tenth
  }
  return end
}

/**
 * Writes a sample's value as `formatValue` gives it. Requires: VALUE_BYTES_MAX bytes of room at `at`.
 * Returns the place after it.
 *
 * Values with up to three decimals are common and go by digits: where k = v · 1000 is an integer below 1e15 and
 * k / 1000 gives v back, the decimal of k has at most 15 significant digits, so no other decimal as short reads
 * back to v, and it is the shortest once its trailing zeros are gone.
 */
export function putValue(bytes: Uint8Array, at: number, v: number): number {
  const magnitude = v < 0 ? -v : v
  const whole = Math.floor(magnitude)
  if (whole === magnitude && magnitude < DIGITS_MAX) {
    if (v < 0 || Object.is(v, -0)) bytes[at++] = MINUS
    return putDigits(bytes, at, whole)
  }
  const thousandths = Math.round(magnitude * 1000)
  if (thousandths < DIGITS_MAX && thousandths / 1000 === magnitude) {
    if (v < 0) bytes[at++] = MINUS
    at = putDigits(bytes, at, whole)
    return putFraction(bytes, at, thousandths - whole * 1000)
  }
  const text = formatValue(v)
  for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
  return at
}

/** Writes `.d`, `.dd` or `.ddd` for 1 ≤ thousandths ≤ 999, without trailing zeros. */
function putFraction(bytes: Uint8Array, at: number, thousandths: number): number {
  bytes[at] = POINT
  const tenths = (thousandths / 100) | 0
  const hundredths = ((thousandths / 10) | 0) % 10
  const last = thousandths % 10
  bytes[at + 1] = ZERO + tenths
  if (hundredths === 0 && last === 0) return at + 2
  bytes[at + 2] = ZERO + hundredths
  if (last === 0) return at + 3
  bytes[at + 3] = ZERO + last
  return at + 4
}

/**
 * Writes the time of a sample in seconds: `1435781451`, `1435781451.781`, `1.500`. The fraction has three digits
 * and is there only if it is not zero. `ms` is an integer. Requires: TIME_BYTES_MAX bytes of room at `at`.
 * Returns the place after it.
 */
export function putTime(bytes: Uint8Array, at: number, ms: number): number {
  let magnitude = ms
  if (ms < 0) {
    bytes[at++] = MINUS
    magnitude = -ms
  }
  const seconds = Math.floor(magnitude / 1000)
  at = putDigits(bytes, at, seconds)
  const fraction = magnitude - seconds * 1000
  if (fraction === 0) return at
  bytes[at] = POINT
  bytes[at + 1] = ZERO + ((fraction / 100) | 0)
  bytes[at + 2] = ZERO + (((fraction / 10) | 0) % 10)
  bytes[at + 3] = ZERO + (fraction % 10)
  return at + 4
}

/** A number of JSON, of a statistic. Requires: finite. */
export function writeNumber(writer: ByteWriter, n: number): void {
  writer.ascii(JSON.stringify(n))
}
