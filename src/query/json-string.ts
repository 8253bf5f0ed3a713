/**
 * JSON strings as Prometheus writes them. There are two forms: label sets are written plainly; all other strings
 * (errors, warnings, lists of names, keys and values of maps) go through Go's encoder, which also escapes what
 * could end a script element in HTML.
 */
import type { Labels } from '../../storage/model/labels.ts'
import type { ByteWriter } from './byte-writer.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a

/** Quote, backslash, controls: what a label set escapes. */
const PLAIN = /["\\\u0000-\u001f]/g
/** And what HTML or JavaScript would read as its own, and lone surrogates. */
const HTML = /["\\\u0000-\u001f<>&\u2028\u2029]|\p{Surrogate}/gu

function escapeCharacter(character: string): string {
  switch (character) {
    case '"':
      return '\\"'
    case '\\':
      return '\\\\'
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
  }
  const code = character.charCodeAt(0)
  if (code >= 0xd800 && code <= 0xdfff) return '\\ufffd'
  return `\\u${code.toString(16).padStart(4, '0')}`
}

/** With quotes; `<`, `>`, `&`, U+2028, U+2029 as `\uXXXX`, a lone surrogate as `\ufffd`. */
export function htmlSafeJsonString(text: string): string {
  return `"${text.replace(HTML, escapeCharacter)}"`
}

/** With quotes; only what JSON demands is escaped. */
export function labelJsonString(text: string): string {
  return `"${text.replace(PLAIN, escapeCharacter)}"`
}

/** `{"name":"value",…}` in the plain form, in the order of the set. */
export function labelSetJson(labels: Labels): string {
  const { pairs } = labels
  let json = '{'
  for (let i = 0; i < pairs.length; i += 2) {
    json += `${i === 0 ? '' : ','}${labelJsonString(pairs[i])}:${labelJsonString(pairs[i + 1])}`
  }
  return `${json}}`
}

export function writeHtmlSafeString(writer: ByteWriter, text: string): void {
  writer.utf8(htmlSafeJsonString(text))
}

/** Copies printable ASCII without quote or backslash as it is; gives up at the first other character. */
function writeLabelString(writer: ByteWriter, text: string): void {
  const { length } = text
  writer.reserve(length + 2)
  const { bytes } = writer
  let at = writer.length
  bytes[at++] = QUOTE
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) {
      writer.utf8(labelJsonString(text))
      return
    }
    bytes[at++] = code
  }
  bytes[at++] = QUOTE
  writer.length = at
}

/** The same bytes as `labelSetJson`. */
export function writeLabelSet(writer: ByteWriter, labels: Labels): void {
  const { pairs } = labels
  writer.ascii('{')
  for (let i = 0; i < pairs.length; i += 2) {
    writer.reserve(2)
    if (i > 0) writer.bytes[writer.length++] = COMMA
    writeLabelString(writer, pairs[i])
    writer.reserve(1)
    writer.bytes[writer.length++] = COLON
    writeLabelString(writer, pairs[i + 1])
  }
  writer.ascii('}')
}
