/**
 * YAML as Go's yaml.v2 writes it: two spaces, lists not indented under their key, and quotes only where a
 * plain scalar would not come back as the same string. status/config is compared by people and by scripts,
 * so the form is upstream's; long lines are not folded.
 */
import { isPrintable } from '../telemetry/quote.ts'

/** A list that is written in one line: `[a, b]`. */
export class FlowList {
  readonly items: readonly string[]

  constructor(items: readonly string[]) {
    this.items = items
  }
}

export interface YamlField {
  readonly key: string
  /** Undefined leaves the field out. */
  readonly value: YamlValue | undefined
}

/** A list of fields is a mapping, in that order. */
export type YamlValue =
  | string
  | number
  | boolean
  | FlowList
  | readonly string[]
  | readonly YamlField[]
  | readonly (readonly YamlField[])[]

type YamlBlock = Extract<YamlValue, readonly unknown[]>

export function field(key: string, value: YamlValue | undefined): YamlField {
  return { key, value }
}

/** As `field`, but left out when the value says nothing: false, 0, '' or an empty list. */
export function optionalField(key: string, value: YamlValue): YamlField {
  const isEmpty =
    value === false ||
    value === 0 ||
    value === '' ||
    (value instanceof FlowList ? value.items.length === 0 : Array.isArray(value) && value.length === 0)
  return { key, value: isEmpty ? undefined : value }
}

export function writeYaml(fields: readonly YamlField[]): string {
  return writeFields(fields, '')
}

function writeFields(fields: readonly YamlField[], indent: string): string {
  let text = ''
  for (const { key, value } of fields) {
    if (value === undefined) continue
    text += `${indent}${writeString(key, false)}:${writeValue(value, indent)}`
  }
  return text
}

/** What follows `key:`, with the line's end. */
function writeValue(value: YamlValue, indent: string): string {
  if (!isBlock(value)) return ` ${writeScalar(value, indent)}\n`
  if (value.length === 0) return ' []\n'
  if (isMapping(value)) return `\n${writeFields(value, `${indent}  `)}`
  return `\n${value.map((item) => writeItem(item, indent)).join('')}`
}

function writeItem(item: string | readonly YamlField[], indent: string): string {
  if (typeof item === 'string') return `${indent}- ${writeScalar(item, indent)}\n`
  const fields = writeFields(item, `${indent}  `)
  return fields === '' ? `${indent}- {}\n` : `${indent}- ${fields.slice(indent.length + 2)}`
}

function isBlock(value: YamlValue): value is YamlBlock {
  return Array.isArray(value)
}

function isMapping(value: YamlBlock): value is readonly YamlField[] {
  const first = value[0]
  return typeof first === 'object' && 'key' in first
}

function writeScalar(value: string | number | boolean | FlowList, indent: string): string {
  if (value instanceof FlowList) return `[${value.items.map((item) => writeString(item, true)).join(', ')}]`
  if (typeof value !== 'string') return String(value)
  if (value.includes('\n') && isPrintable(value.replaceAll('\n', '')) && !/^\s/.test(value)) {
    return writeLiteral(value, `${indent}  `)
  }
  return writeString(value, false)
}

function writeLiteral(text: string, indent: string): string {
  const chomp = !text.endsWith('\n') ? '-' : text.endsWith('\n\n') ? '+' : ''
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  return `|${chomp}\n${body.replace(/^(?=.)/gm, indent)}`
}

/** What yaml.v2 would read as something else than a string when it stands there plain. */
const RESOLVES_TO_OTHER = [
  /^(|~|null|Null|NULL|<<)$/,
  /^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/,
  /^[-+]?(\.inf|\.Inf|\.INF)$/,
  /^(\.nan|\.NaN|\.NAN)$/,
  /^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/,
  /^[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$/,
  /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/,
  /^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$/,
]

function writeString(text: string, inFlow: boolean): string {
  if (!isPrintable(text) || RESOLVES_TO_OTHER.some((pattern) => pattern.test(text))) return doubleQuoted(text)
  return isPlain(text, inFlow) ? text : `'${text.replaceAll("'", "''")}'`
}

/** libyaml's rules for a plain scalar of one line. */
function isPlain(text: string, inFlow: boolean): boolean {
  if (/^(---|\.\.\.)/.test(text) || /^ | $/.test(text)) return false
  if (/^[#,[\]{}&*!|>'"%@`]/.test(text)) return false
  if (/^[-?:]( |$)/.test(text) || /:( |$)| #/.test(text)) return false
  return !(inFlow && (/^[-?:]/.test(text) || /[,?[\]{}:]/.test(text)))
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '\u0085': '\\N',
  '\u00a0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

function doubleQuoted(text: string): string {
  let quoted = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (ESCAPES[character] !== undefined) quoted += ESCAPES[character]
    else if (isPrintable(character)) quoted += character
    else if (code < 0x100) quoted += `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`
    else if (code < 0x10000) quoted += `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
    else quoted += `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`
  }
  return `"${quoted}"`
}
