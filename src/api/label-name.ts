/** Label names in URL paths, where characters beyond letters, digits and underscores may be written as codes. */

const PREFIX = 'U__'
const CODE_DIGITS_MAX = 6

/**
 * The name that `U__…` stands for: a double underscore is an underscore, `_2e_` the character U+002E. A text that
 * does not start so, or does not decode, is returned as it is.
 */
export function unescapeLabelName(text: string): string {
  if (!text.startsWith(PREFIX)) return text
  let name = ''
  let at = PREFIX.length
  while (at < text.length) {
    if (text[at] !== '_') {
      name += text[at++]
      continue
    }
    if (text[at + 1] === '_') {
      name += '_'
      at += 2
      continue
    }
    const end = text.indexOf('_', at + 1)
    const character = end < 0 ? undefined : decodeCharacter(text.slice(at + 1, end))
    if (character === undefined) return text
    name += character
    at = end + 1
  }
  return name
}

function decodeCharacter(digits: string): string | undefined {
  if (digits.length > CODE_DIGITS_MAX || !/^[0-9a-f]+$/i.test(digits)) return undefined
  const code = Number.parseInt(digits, 16)
  const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isCharacter ? String.fromCodePoint(code) : undefined
}
