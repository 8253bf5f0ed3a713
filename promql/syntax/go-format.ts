/** Texts as Go's fmt and strconv write them, where upstream's output shows them. */

/** What Go's strconv.IsPrint lets stand unescaped: letters, marks, numbers, punctuation, symbols, and space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** A byte that is not valid UTF-8 is carried in strings as this surrogate plus the byte. */
export const INVALID_BYTE_BASE = 0xdc00

function escapeCharacter(character: string, quote: string): string {
  if (character === quote) return `\\${quote}`
  const named = ESCAPES[character]
  if (named !== undefined) return named
  if (PRINTABLE.test(character)) return character
  const code = character.codePointAt(0)!
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  if (code > INVALID_BYTE_BASE + 0x7f && code <= INVALID_BYTE_BASE + 0xff) {
    return `\\x${hex(code - INVALID_BYTE_BASE, 2)}`
  }
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0')
}

/** Go's `%q` of a string. */
export function quoteString(text: string): string {
  let quoted = '"'
  for (const character of text) quoted += escapeCharacter(character, '"')
  return `${quoted}"`
}

/** Go's `%q` of a rune; undefined, the end of the text, comes out as Go prints it: U+FFFD. */
export function quoteRune(character: string | undefined): string {
  return `'${character === undefined ? '\ufffd' : escapeCharacter(character, "'")}'`
}

/** Go's `%#U` of a rune: `U+0044 'D'`. */
export function describeRune(character: string): string {
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return PRINTABLE.test(character) ? `U+${code} '${character}'` : `U+${code}`
}

/** The names Go gives to what is not a finite number, else undefined. */
function formatSpecial(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return undefined
  return value > 0 ? '+Inf' : '-Inf'
}

/** Sign, shortest digits d₁d₂…, and the exponent e of 0.d₁d₂… × 10^e. */
function shortestDigits(value: number): { sign: string; digits: string; exponent: number } {
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  if (value === 0) return { sign, digits: '0', exponent: 1 }
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e')
  return { sign, digits: mantissa.replace('.', ''), exponent: Number(exponent) + 1 }
}

/** Go's FormatFloat(value, 'f', -1, 64): the shortest digits that read back the same, never an exponent. */
export function formatFloat(value: number): string {
  const special = formatSpecial(value)
  if (special !== undefined) return special
  const { sign, digits, exponent } = shortestDigits(value)
  if (exponent <= 0) return `${sign}0.${'0'.repeat(-exponent)}${digits}`
  if (exponent >= digits.length) return sign + digits.padEnd(exponent, '0')
  return `${sign}${digits.slice(0, exponent)}.${digits.slice(exponent)}`
}

/** Go's `%g` and `%v` of a float: as formatFloat, with an exponent below 1e-4 and from 1e6 on. */
export function formatFloatShort(value: number): string {
  const special = formatSpecial(value)
  if (special !== undefined) return special
  const { sign, digits, exponent } = shortestDigits(value)
  const scientific = exponent - 1
  if (scientific >= -4 && scientific < 6) return formatFloat(value)
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  const power = String(Math.abs(scientific)).padStart(2, '0')
  return `${sign}${digits[0]}${fraction}e${scientific < 0 ? '-' : '+'}${power}`
}

/** Go's `%.Nf` of a float, exact for any size. */
export function formatFixed(value: number, decimals: number): string {
  const special = formatSpecial(value)
  if (special !== undefined) return special
  if (Math.abs(value) < 1e21) return (Object.is(value, -0) ? '-' : '') + value.toFixed(decimals)
  // Every float this large is a whole number.
  return `${BigInt(value)}.${'0'.repeat(decimals)}`
}
