/**
 * Floats of the text format: Go's ParseFloat of before Go 1.13, that is without hexadecimals and underscores.
 */

import { parseGoFloat } from '../../promql/syntax/go-float.ts'
import { quoteString } from '../../promql/syntax/go-format.ts'

/** Powers of ten that a double holds exactly. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))
/** Any integer of so many digits is below 2^53. */
const DIGITS_MAX = 15

const ZERO = 48
const NINE = 57

/**
 * The float that bytes [start, end) spell, by integer arithmetic: at most 15 significant digits times a power of
 * ten within ±22. Both are exact doubles, so the one rounding of their product or quotient is the right one
 * (Clinger 1990, the fast path). NaN for all other texts, valid or not: see `floatFromText`.
 */
export function simpleFloat(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  let c = i < end ? bytes[i] : 0
  const negative = c === 45
  if (negative || c === 43) c = ++i < end ? bytes[i] : 0
  let mantissa = 0
  let digits = 0
  let significant = 0
  let exponent = 0
  for (; c >= ZERO && c <= NINE; c = ++i < end ? bytes[i] : 0) {
    mantissa = mantissa * 10 + (c - ZERO)
    digits++
    if (mantissa !== 0) significant++
  }
  if (c === 46) {
    c = ++i < end ? bytes[i] : 0
    for (; c >= ZERO && c <= NINE; c = ++i < end ? bytes[i] : 0) {
      mantissa = mantissa * 10 + (c - ZERO)
      digits++
      exponent--
      if (mantissa !== 0) significant++
    }
  }
  if (digits === 0 || significant > DIGITS_MAX) return Number.NaN
  if (c === 101 || c === 69) {
    c = ++i < end ? bytes[i] : 0
    const negativeExponent = c === 45
    if (negativeExponent || c === 43) c = ++i < end ? bytes[i] : 0
    let written = 0
    const first = i
    for (; c >= ZERO && c <= NINE && i - first < 4; c = ++i < end ? bytes[i] : 0)
      written = written * 10 + (c - ZERO)
    if (i === first) return Number.NaN
    exponent += negativeExponent ? -written : written
  }
  if (i !== end) return Number.NaN
  if (exponent < -22 || exponent > 22) return mantissa === 0 ? (negative ? -0 : 0) : Number.NaN
  const value = exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent] : mantissa * POWERS_OF_TEN[exponent]
  return negative ? -value : value
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
