/**
 * The float that Go's strconv.ParseFloat reads from a text, or undefined where it reports an error: bad syntax,
 * or a finite number beyond the largest float.
 */
export function parseGoFloat(text: string): number | undefined {
  const special = SPECIAL.get(text.toLowerCase())
  if (special !== undefined) return special
  const isHex = HEX.test(text)
  if (!isHex && !DECIMAL.test(text)) return undefined
  const plain = text.replaceAll('_', '')
  const value = isHex ? parseHex(plain) : Number(plain)
  return Number.isFinite(value) ? value : undefined
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ...['inf', '+inf', 'infinity', '+infinity'].map((name) => [name, Number.POSITIVE_INFINITY] as const),
  ...['-inf', '-infinity'].map((name) => [name, Number.NEGATIVE_INFINITY] as const),
])

// Underscores may stand between digits.
const DIGITS = '[0-9]+(?:_[0-9]+)*'
const HEX_DIGITS = '[0-9a-f]+(?:_[0-9a-f]+)*'
const DECIMAL = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, 'i')
const HEX = new RegExp(
  `^[+-]?0x_?(?:${HEX_DIGITS}\\.?(?:${HEX_DIGITS})?|\\.${HEX_DIGITS})p[+-]?${DIGITS}$`,
  'i',
)

/** Mantissas of more than 53 bits may be rounded twice, which no writer of hexadecimal floats needs. */
function parseHex(text: string): number {
  const [, sign, whole, fraction = '', exponent] = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)$/i.exec(
    text,
  )!
  const mantissa = Number(BigInt(`0x${whole}${fraction}`))
  const value = mantissa * 2 ** (Number(exponent) - 4 * fraction.length)
  return sign === '-' ? -value : value
}
