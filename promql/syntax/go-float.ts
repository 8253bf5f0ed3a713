/** Floats as Go's strconv.ParseFloat reads them, by the syntax of Go's own literals. */
import { quoteString } from './go-format.ts'

/** The float, or undefined where `goFloatFault` has something to say. */
export function parseGoFloat(text: string): number | undefined {
  const special = SPECIAL.get(text.toLowerCase())
  if (special !== undefined) return special
  const isHex = HEX.test(text)
  if (!isHex && !DECIMAL.test(text)) return undefined
  const plain = text.replaceAll('_', '')
  const value = isHex ? parseHex(plain) : Number(plain)
  return Number.isFinite(value) ? value : undefined
}

/** Go's error of a text that `parseGoFloat` does not read: no float, or one beyond the largest. */
export function goFloatFault(text: string): string {
  const fault = HEX.test(text) || DECIMAL.test(text) ? 'value out of range' : 'invalid syntax'
  return `strconv.ParseFloat: parsing ${quoteString(text)}: ${fault}`
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ...['inf', '+inf', 'infinity', '+infinity'].map((name) => [name, Number.POSITIVE_INFINITY] as const),
  ...['-inf', '-infinity'].map((name) => [name, Number.NEGATIVE_INFINITY] as const),
])

// An underscore may stand between digits, in decimals too; and one between 0x and a digit.
const DIGITS = '[0-9]+(?:_[0-9]+)*'
const HEX_DIGITS = '[0-9a-f]+(?:_[0-9a-f]+)*'
const DECIMAL = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, 'i')
const HEX = new RegExp(
  `^[+-]?0x(?:_?${HEX_DIGITS}\\.?(?:${HEX_DIGITS})?|\\.${HEX_DIGITS})p[+-]?${DIGITS}$`,
  'i',
)

const MANTISSA_BITS = 53
/** Of the last bit of the smallest floats. */
const EXPONENT_MIN = -1074

/** Rounds to the nearest float, to the even one of two: once, whether there are too many bits or it is too small. */
function parseHex(text: string): number {
  const [, sign, whole, fraction = '', power] = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)$/i.exec(text)!
  let mantissa = BigInt(`0x${whole}${fraction}`)
  let exponent = Number(power) - 4 * fraction.length
  const bits = mantissa === 0n ? 0 : mantissa.toString(2).length
  const surplus = Math.max(bits - MANTISSA_BITS, EXPONENT_MIN - exponent)
  if (bits === 0 || surplus > bits) return sign === '-' ? -0 : 0
  if (surplus > 0) {
    const cut = BigInt(surplus)
    const half = 1n << (cut - 1n)
    const rest = BigInt.asUintN(surplus, mantissa)
    mantissa >>= cut
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++
    exponent += surplus
  }
  const value = Number(mantissa) * 2 ** exponent
  return sign === '-' ? -value : value
}
