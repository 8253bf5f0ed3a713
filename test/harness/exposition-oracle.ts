/**
 * A second parser of the text format, slow and plain: one regular expression for each piece of the grammar, over
 * a string with a character a byte. The parser under test is compared with it.
 */
import { normalizeFloatLabel } from '../../src/exposition/float.ts'

export interface OracleEntry {
  kind: 'series' | 'help' | 'type'
  /** Series as written, as one character a byte; name of the metric for metadata. */
  text: string
  value: number
  /** Undefined when there is none. */
  timestamp: bigint | undefined
  /** Of a series: flat names and values; undefined for what is not UTF-8. */
  labels: (string | undefined)[]
  /** Help text or type. */
  meta: string
}

export interface OraclePage {
  entries: OracleEntry[]
  failed: boolean
}

/** Anything that is not as the grammar wants it. */
class Refused extends Error {}

export function parseSlowly(body: Uint8Array): OraclePage {
  const page = new SlowParser(Buffer.from(body).toString('latin1'))
  try {
    page.parse()
    return { entries: page.entries, failed: false }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { entries: page.entries, failed: true }
  }
}

class SlowParser {
  readonly entries: OracleEntry[] = []
  private readonly text: string
  private at = 0
  private type = ''

  constructor(text: string) {
    this.text = `${text}\n`
  }

  parse(): void {
    while (this.at < this.text.length) {
      if (this.take(/[ \t]*\n/y)) continue
      if (this.take(/[ \t]*\0/y)) return
      // A comment: null bytes end the page in one that begins without a blank, or right behind the blank.
      if (this.take(/[ \t]*#(?![ \t])[^\n\0]*\0/y) || this.take(/[ \t]*#[ \t]+\0/y)) return
      if (this.take(/[ \t]*#(?![ \t])[^\n]*\n/y)) continue
      const help = this.take(/[ \t]*#[ \t]+H\0*E\0*L\0*P\0*(?:[ \t]\0*)+/y)
      if (help !== undefined || this.take(/[ \t]*#[ \t]+T\0*Y\0*P\0*E\0*(?:[ \t]\0*)+/y) !== undefined) {
        this.metadata(help === undefined ? 'type' : 'help')
        continue
      }
      if (this.take(/[ \t]*#[^\n]*\n/y)) continue
      this.series()
    }
  }

  private metadata(kind: 'help' | 'type'): void {
    const name = this.need(/"(?:\\[^\n\0]|[^"\\\0])*"|[a-zA-Z_:][a-zA-Z0-9_:]*/y)
    const rest = this.take(/[^\n\0][^\n]*/y) ?? ''
    const text = /^[ \t][ \t\0]*$/.test(rest) ? '' : rest.slice(1)
    if (kind === 'help' && utf8(text) === undefined) throw new Refused()
    if (kind === 'type') {
      if (!/^(?:counter|gauge|histogram|summary|untyped)$/.test(text)) throw new Refused()
      this.type = text
    }
    this.need(/\n/y)
    const meta = kind === 'type' ? text.replace('untyped', 'unknown') : unescapeText(utf8(text)!, /\\(\\|n)/g)
    const bare = name.startsWith('"') ? name.slice(1, -1) : name
    this.entries.push({ kind, text: bare, value: 0, timestamp: undefined, labels: [], meta })
  }

  private series(): void {
    const start = this.at
    const labels: (string | undefined)[] = []
    let name = this.take(/[ \t]*[a-zA-Z_:][a-zA-Z0-9_:]*/y)
    let end = this.at
    if (this.take(/[ \t]*\{/y) !== undefined) {
      while (this.take(/[ \t]*\}/y) === undefined) {
        const quoted = this.take(/[ \t]*"(?:\\[^\n\0]|[^"\\\0])*"/y)?.trimStart()
        const label = quoted?.slice(1, -1) ?? this.need(/[ \t]*[a-zA-Z_][a-zA-Z0-9_]*/y).trimStart()
        if (quoted !== undefined && (this.take(/[ \t]*,/y) !== undefined || this.sees(/[ \t]*\}/y))) {
          if (name !== undefined) throw new Refused()
          name = label
          continue
        }
        this.need(/[ \t]*=/y)
        if (this.sees(/\0/y)) throw new Refused()
        this.need(/(?:[ \t]\0*)*/y)
        const value = this.need(/"\0*(?:\\\0*[^\n\0]\0*|[^"\\\0]\0*)*"\0*/y)
        if (utf8(value) === undefined) throw new Refused()
        labels.push(this.string(label), this.labelValue(label, value.slice(1, -1)))
        this.take(/[ \t]*,/y)
      }
      end = this.at
    }
    if (name === undefined) throw new Refused()
    const value = float(this.need(/[ \t]*[^\0\n \t{]+/y).replace(/^[ \t]*/, ''))
    const digits = this.take(/[ \t]*[0-9]+/y)?.trim()
    const timestamp = digits === undefined ? undefined : BigInt(digits)
    if (timestamp !== undefined && timestamp >= 2n ** 63n) throw new Refused()
    this.need(/[ \t]*\n/y)
    const all = ['__name__', this.string(name), ...labels]
    this.entries.push({
      kind: 'series',
      text: this.text.slice(start, end),
      value,
      timestamp,
      labels: all,
      meta: '',
    })
  }

  private string(latin1: string): string | undefined {
    const text = utf8(latin1)
    return text === undefined ? undefined : unescapeText(text, /\\(\\|n|")/g)
  }

  private labelValue(label: string, latin1: string): string {
    const value = this.string(latin1)!
    const floats =
      (this.type === 'histogram' && label === 'le') || (this.type === 'summary' && label === 'quantile')
    return floats ? normalizeFloatLabel(value) : value
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.text)
    if (match === null) return undefined
    this.at += match[0].length
    return match[0]
  }

  private need(pattern: RegExp): string {
    const text = this.take(pattern)
    if (text === undefined) throw new Refused()
    return text
  }

  private sees(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    return pattern.test(this.text)
  }
}

function utf8(latin1: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(latin1, 'latin1'))
  } catch {
    return undefined
  }
}

function unescapeText(text: string, escapes: RegExp): string {
  return text.replace(escapes, (_, c) => (c === 'n' ? '\n' : c))
}

function float(text: string): number {
  if (/^nan$/i.test(text)) return Number.NaN
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (!/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text)) throw new Refused()
  const value = Number(text)
  if (!Number.isFinite(value)) throw new Refused()
  return value
}
