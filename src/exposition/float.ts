/**
 * Floats of the text format: Go's ParseFloat of before Go 1.13, that is without hexadecimals and underscores.
 */

import { parseGoFloat } from '../../promql/syntax/go-float.ts'
import { quoteString } from '../../promql/syntax/go-format.ts'

/** Powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))
/** A mantissa that ends below this is exact: had a digit been rounded away, it would have ended above. */
const MANTISSA_END = 2 ** 53

const ZERO = 48
const NINE = 57
const PLUS = 43
const MINUS = 45
const POINT = 46

const single = new Float64Array(1)

/**
 * The float that bytes [start, end) spell, if `readSimpleFloat` can read it. NaN for all other texts, valid or not: see
 * `floatFromText`.
 */
export function simpleFloat(bytes: Uint8Array, start: number, end: number): number {
  return readSimpleFloat(bytes, start, end, single, 0) === end ? single[0] : Number.NaN
}

/**
 * Reads the float that begins at byte `start` into `into[k]`, and returns the byte behind it: the first, before `end`,
 * that cannot be part of it. −1 where there is no float, or one that needs `floatFromText`; `into[k]` may then be
 * anything.
 *
 * By integer arithmetic: a mantissa below 2^53 times a power of ten within ±22. Both are exact doubles, so the one
 * rounding of their product or quotient is the right one (Clinger 1990, the fast path).
 */
export function readSimpleFloat(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Float64Array,
  k: number,
): number {
  let i = start
  let c = i < end ? bytes[i] : 0
  const isNegative = c === MINUS
  if (isNegative || c === PLUS) c = ++i < end ? bytes[i] : 0
  const first = i
  // Nine digits fit into an integer of 32 bits, which V8 adds to faster than to a double.
  let small = 0
  for (; c >= ZERO && c <= NINE && i - first < 9; c = ++i < end ? bytes[i] : 0)
    small = small * 10 + (c - ZERO)
  let mantissa = small
  for (; c >= ZERO && c <= NINE; c = ++i < end ? bytes[i] : 0) mantissa = mantissa * 10 + (c - ZERO)
  let digits = i - first
  let exponent = 0
  if (c === POINT) {
    c = ++i < end ? bytes[i] : 0
    const point = i
    for (; c >= ZERO && c <= NINE; c = ++i < end ? bytes[i] : 0) mantissa = mantissa * 10 + (c - ZERO)
    exponent = point - i
    digits -= exponent
  }
  if (digits === 0 || mantissa >= MANTISSA_END) return -1
  if (c === 101 || c === 69) {
    c = ++i < end ? bytes[i] : 0
    const isNegativeExponent = c === MINUS
    if (isNegativeExponent || c === PLUS) c = ++i < end ? bytes[i] : 0
    let written = 0
    const from = i
    for (; c >= ZERO && c <= NINE && i - from < 4; c = ++i < end ? bytes[i] : 0)
      written = written * 10 + (c - ZERO)
    if (i === from || (c >= ZERO && c <= NINE)) return -1
    exponent += isNegativeExponent ? -written : written
  }
  if (exponent < -22 || exponent > 22) {
    if (mantissa !== 0) return -1
    exponent = 0
  }
  const value = exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent] : mantissa * POWERS_OF_TEN[exponent]
  into[k] = isNegative ? -value : value
  return i
}

const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/
const INFINITE = /^[+-]?inf(?:inity)?$/i
const NOT_A_NUMBER = /^nan$/i

/** The float, or undefined where `floatFault` has something to say. */
export function floatFromText(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const value = Number(text)
    return Number.isFinite(value) ? value : undefined
  }
  if (NOT_A_NUMBER.test(text)) return Number.NaN
  if (!INFINITE.test(text)) return undefined
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/**
 * What upstream says of a text that is no float.
 * @param quoted the text as Go quotes it, since it may not be UTF-8
 */
export function floatFault(text: string, quoted: string = quoteString(text)): string {
  if (/[pP_]/.test(text)) return 'unsupported character in float'
  const fault = DECIMAL.test(text) ? 'value out of range' : 'invalid syntax'
  return `strconv.ParseFloat: parsing ${quoted}: ${fault}`
}

/**
 * A bucket bound or quantile in the one form that OpenMetrics allows, so that `1`, `1.0` and `1e0` are one
 * series; a value that is no float stays. Here all of Go's syntax counts.
 */
export function normalizeFloatLabel(value: string): string {
  const float = parseGoFloat(value)
  return float === undefined ? value : formatOpenMetricsFloat(float)
}

/** Shortest digits; an exponent below 1e-4 and from 1e6 on; else always with a point. */
function formatOpenMetricsFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  if (value === 0) return '0.0'
  const [, sign, digit, fraction = '', exponentText] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(
    value.toExponential(),
  )!
  const exponent = Number(exponentText)
  if (exponent < -4 || exponent >= 6) {
    const mark = exponent < 0 ? '-' : '+'
    const magnitude = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digit}${fraction === '' ? '' : `.${fraction}`}e${mark}${magnitude}`
  }
  const plain = String(value)
  return plain.includes('.') ? plain : `${plain}.0`
}
