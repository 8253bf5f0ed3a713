/**
 * Pull parser of the text format (0.0.4 and 1.0.0). It accepts and refuses what upstream's does
 * (model/textparse/promparse.go), with the same messages.
 *
 * The usual form of a sample line is read by a loop over bytes that makes no strings and no tokens. Whatever that
 * loop does not know, from a null byte to a broken line, goes through the lexer, which alone decides.
 */
import { isUtf8 } from 'node:buffer'
import { decodeUtf8, type ExpositionError, expositionError, quoteBytes } from './exposition-error.ts'
import { floatFault, floatFromText, normalizeFloatLabel, readSimpleFloat, simpleFloat } from './float.ts'
import { readPlainLabels, unescapeLabel } from './label-text.ts'
import {
  BLANK,
  BRACE_CLOSE,
  BRACE_OPEN,
  BYTE_CLASS,
  COMMA,
  COMMENT,
  DIGIT,
  EOF,
  EQUAL,
  HELP,
  LABEL_NAME,
  LABEL_REST,
  LABEL_START,
  LABEL_VALUE,
  LINEBREAK,
  METRIC_NAME,
  METRIC_REST,
  METRIC_START,
  PLAIN,
  QUOTED,
  TEXT,
  TextLexer,
  TIMESTAMP,
  TOKEN_NAMES,
  type Token,
  TYPE,
  VALUE,
} from './text-lexer.ts'

export const ENTRY_EOF = 0
export const ENTRY_SERIES = 1
export const ENTRY_HELP = 2
export const ENTRY_TYPE = 3
export type Entry = typeof ENTRY_EOF | typeof ENTRY_SERIES | typeof ENTRY_HELP | typeof ENTRY_TYPE

/** `unknown` is written `untyped` in this format. */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'unknown'

const METRIC_TYPES: readonly { written: Buffer; type: MetricType }[] = [
  { written: Buffer.from('counter'), type: 'counter' },
  { written: Buffer.from('gauge'), type: 'gauge' },
  { written: Buffer.from('histogram'), type: 'histogram' },
  { written: Buffer.from('summary'), type: 'summary' },
  { written: Buffer.from('untyped'), type: 'unknown' },
]

/** Labels whose values are floats, by the type of the family. */
const FLOAT_LABELS: Readonly<Partial<Record<MetricType, string>>> = { histogram: 'le', summary: 'quantile' }

const NEWLINE = 10
const QUOTE = 34
const BACKSLASH = 92
/** Timestamps of more digits than this go through the exact path. */
const FAST_TIMESTAMP_DIGITS = 15
const INT64_MAX_TEXT = '9223372036854775807'

export class TextParser {
  /** After ENTRY_SERIES: bytes [seriesStart, seriesEnd) are the name and labels as written. */
  seriesStart = 0
  seriesEnd = 0
  /** After ENTRY_SERIES. Any NaN is the same NaN: a stale marker cannot be written in text. */
  value = 0
  /** After ENTRY_SERIES: Unix milliseconds as written; NaN when there is none. */
  timestampMs = Number.NaN
  /** The type of the last TYPE line, which also says whether `le` and `quantile` are floats. */
  metricType: MetricType | undefined = undefined

  /** Where the next entry begins. A reader that knows what the entries there are may set it to the end of one. */
  at = 0
  /** Where the current entry begins. */
  entryStart = 0
  /** Behind the last newline. Before it every loop of the plain path ends at a newline without asking. */
  readonly plainEnd: number

  private readonly body: Buffer
  private readonly lexer: TextLexer
  private readonly float = new Float64Array(1)
  /** Newlines before `countedTo`, for `line`. */
  private newlines = 0
  private countedTo = 0
  /** Whether the current sample was read by the plain path. */
  private isPlain = false
  /** Bounds of the name and of the text of the current metadata. */
  private nameStart = 0
  private nameEnd = 0
  private textStart = 0
  private textEnd = 0
  /** Bounds of the name, then of each label's name and value; −1 while there is no name. */
  private readonly offsets: number[] = []

  /** Reads the body in place; it must not change meanwhile. */
  constructor(body: Uint8Array) {
    this.body = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    this.lexer = new TextLexer(body)
    this.plainEnd = this.body.lastIndexOf(NEWLINE) + 1
  }

  /** Goes to the next entry. Throws ExpositionError; then the page is of no further use. */
  next(): Entry {
    const { body } = this
    while (this.at < body.length) {
      const c = body[this.at]
      if (c === NEWLINE) {
        this.at++
        continue
      }
      this.entryStart = this.at
      this.isPlain = BYTE_CLASS[c] & METRIC_START && this.at < this.plainEnd ? this.readPlainSample() : false
      if (this.isPlain) return ENTRY_SERIES
      const entry = this.readEntry()
      if (entry !== undefined) return entry
    }
    return ENTRY_EOF
  }

  /** The line on which the current entry begins, from 1. */
  get line(): number {
    for (; this.countedTo < this.entryStart; this.countedTo++) {
      if (this.body[this.countedTo] === NEWLINE) this.newlines++
    }
    return this.newlines + 1
  }

  /** After ENTRY_HELP and ENTRY_TYPE. */
  get metricName(): string {
    return decodeUtf8(this.body, this.nameStart, this.nameEnd)
  }

  /** After ENTRY_HELP. */
  get helpText(): string {
    const text = this.body.toString('utf8', this.textStart, this.textEnd)
    return text.includes('\\') ? text.replace(/\\([\\n])/g, (_, c) => (c === 'n' ? '\n' : c)) : text
  }

  /**
   * After ENTRY_SERIES: `[name, value, …]`, `__name__` first, then the labels in the order written, with empty
   * values and repeated names as they are. Bytes that are not UTF-8, possible in quoted names only, become lone
   * surrogates (`decodeUtf8`), so that no check of names lets them pass.
   */
  rawLabels(): string[] {
    const labels = this.isPlain
      ? readPlainLabels(this.body.toString('utf8', this.seriesStart, this.seriesEnd))
      : this.lexedLabels()
    const floatLabel = this.metricType === undefined ? undefined : FLOAT_LABELS[this.metricType]
    if (floatLabel === undefined) return labels
    for (let i = 2; i < labels.length; i += 2) {
      if (labels[i] === floatLabel) labels[i + 1] = normalizeFloatLabel(labels[i + 1])
    }
    return labels
  }

  private lexedLabels(): string[] {
    const { body, offsets } = this
    this.lexer.reset(this.seriesStart)
    this.readSeries(this.lexer.nextToken())
    const labels = ['__name__']
    for (let i = 0; i < offsets.length; i += 2) {
      labels.push(unescapeLabel(decodeUtf8(body, offsets[i], offsets[i + 1])))
    }
    return labels
  }

  /**
   * Reads `name{label="value",…} float [timestamp]\n` in its usual form. False when the line is anything else,
   * with nothing changed that the exact path would not set again.
   */
  private readPlainSample(): boolean {
    const { body } = this
    let i = this.at + 1
    while (BYTE_CLASS[body[i]] & METRIC_REST) i++
    if (body[i] === 123) {
      i = this.passPlainLabels(i + 1)
      if (i < 0) return false
    }
    const seriesEnd = i
    if ((BYTE_CLASS[body[i]] & BLANK) === 0) return false
    do i++
    while (BYTE_CLASS[body[i]] & BLANK)
    const valueStart = i
    i = readSimpleFloat(body, i, this.plainEnd, this.float, 0)
    let value = this.float[0]
    if (i < 0 || body[i] > 32) {
      i = this.plainTokenEnd(valueStart)
      const other = floatFromText(body.toString('latin1', valueStart, i))
      if (other === undefined) return false
      value = other
    }
    while (BYTE_CLASS[body[i]] & BLANK) i++
    let timestampMs = Number.NaN
    if (BYTE_CLASS[body[i]] & DIGIT) {
      const first = i
      timestampMs = 0
      for (; BYTE_CLASS[body[i]] & DIGIT; i++) timestampMs = timestampMs * 10 + (body[i] - 48)
      if (i - first > FAST_TIMESTAMP_DIGITS) return false
      while (BYTE_CLASS[body[i]] & BLANK) i++
    }
    if (body[i] !== NEWLINE) return false
    this.seriesStart = this.at
    this.seriesEnd = seriesEnd
    this.value = value
    this.timestampMs = timestampMs
    this.at = i + 1
    return true
  }

  /** From behind `{` to behind `}`; −1 when a label is not of the form `name="value"`. */
  private passPlainLabels(i: number): number {
    const { body } = this
    while (body[i] !== 125) {
      if ((BYTE_CLASS[body[i]] & LABEL_START) === 0) return -1
      do i++
      while (BYTE_CLASS[body[i]] & LABEL_REST)
      if (body[i] !== 61 || body[i + 1] !== QUOTE) return -1
      i += 2
      while (BYTE_CLASS[body[i]] & PLAIN) i++
      if (body[i] !== QUOTE) {
        i = this.passLabelValue(i)
        if (i < 0) return -1
      }
      i++
      if (body[i] === 44) i++
      else if (body[i] !== 125) return -1
    }
    return i + 1
  }

  /**
   * A value with escapes or beyond ASCII, from its first such byte to its closing quote; −1 where a newline, a null
   * byte or broken UTF-8 is in it. What stands before the first such byte is ASCII, so UTF-8 is checked from there.
   */
  private passLabelValue(start: number): number {
    const { body } = this
    let i = start
    let seen = 0
    for (; body[i] !== QUOTE; i++) {
      if (body[i] === BACKSLASH) i++
      if (body[i] === NEWLINE || body[i] === 0) return -1
      seen |= body[i]
    }
    return seen >= 128 && !isUtf8(body.subarray(start, i)) ? -1 : i
  }

  /** End of the value that begins at `i`. Requires a newline behind it. */
  private plainTokenEnd(i: number): number {
    const { body } = this
    while (body[i] > 32 && body[i] !== 123) i++
    return i
  }

  private plainFloat(start: number, end: number): number | undefined {
    const value = simpleFloat(this.body, start, end)
    return Number.isNaN(value) ? floatFromText(this.body.toString('latin1', start, end)) : value
  }

  /** Reads one entry token by token; undefined for a comment. */
  private readEntry(): Entry | undefined {
    const { lexer } = this
    lexer.reset(this.at)
    const token = lexer.nextToken()
    switch (token) {
      case EOF:
        // A null byte where an entry could begin ends the page.
        this.at = this.body.length
        return ENTRY_EOF
      case LINEBREAK:
        this.at = lexer.at
        return undefined
      case COMMENT:
        lexer.nextToken()
        this.at = lexer.at
        return undefined
      case HELP:
      case TYPE:
        return this.readMetadata(token)
      case METRIC_NAME:
      case BRACE_OPEN:
        this.readSample(token)
        return ENTRY_SERIES
      default:
        throw this.unexpected('expected a valid start token', token)
    }
  }

  private readMetadata(token: Token): Entry {
    const { lexer, body } = this
    const kind = TOKEN_NAMES[token]
    const nameToken = lexer.nextToken()
    if (nameToken !== METRIC_NAME) throw this.unexpected(`expected metric name after ${kind}`, nameToken)
    const quoted = body[lexer.start] === QUOTE ? 1 : 0
    this.nameStart = lexer.start + quoted
    this.nameEnd = lexer.at - quoted
    const textToken = lexer.nextToken()
    if (textToken !== TEXT) throw this.fault(`expected text in ${kind}, got ${TOKEN_NAMES[textToken]}`)
    // Whatever stands between name and text, a blank or not, is one byte.
    this.textStart = Math.min(lexer.start + 1, lexer.at)
    this.textEnd = lexer.at
    if (token === TYPE) this.readType()
    else this.checkHelp()
    const endToken = lexer.nextToken()
    if (endToken !== LINEBREAK) throw this.unexpected('linebreak expected after metadata', endToken)
    this.at = lexer.at
    return token === TYPE ? ENTRY_TYPE : ENTRY_HELP
  }

  private readType(): void {
    const { body, textStart, textEnd } = this
    for (const { written, type } of METRIC_TYPES) {
      if (written.length !== textEnd - textStart || written[0] !== body[textStart]) continue
      if (body.compare(written, 0, written.length, textStart, textEnd) !== 0) continue
      this.metricType = type
      return
    }
    throw this.fault(`invalid metric type ${quoteBytes(body, textStart, textEnd)}`)
  }

  private checkHelp(): void {
    const { body, textStart, textEnd } = this
    let seen = 0
    for (let i = textStart; i < textEnd; i++) seen |= body[i]
    if (seen < 128 || isUtf8(body.subarray(textStart, textEnd))) return
    throw this.fault(`help text ${quoteBytes(body, textStart, textEnd)} is not a valid utf8 string`)
  }

  private readSample(token: Token): void {
    const { lexer, body, offsets } = this
    const valueToken = this.readSeries(token)
    if (offsets[0] === -1) throw this.fault(`metric name not set while parsing: ${this.soFar()}`)
    if (valueToken !== VALUE) throw this.unexpected('expected value after metric', valueToken)
    const value = this.plainFloat(lexer.start, lexer.at)
    if (value === undefined) {
      const text = body.toString('latin1', lexer.start, lexer.at)
      const fault = floatFault(text, quoteBytes(body, lexer.start, lexer.at))
      throw this.fault(`${fault} while parsing: ${this.soFar()}`)
    }
    this.value = value
    this.timestampMs = Number.NaN
    let next = lexer.nextToken()
    if (next === TIMESTAMP) {
      this.readTimestamp(body.toString('latin1', lexer.start, lexer.at))
      next = lexer.nextToken()
      if (next !== LINEBREAK) throw this.unexpected('expected next entry after timestamp', next)
    } else if (next !== LINEBREAK) {
      throw this.unexpected('expected timestamp or new record', next)
    }
    this.at = lexer.at
  }

  private readTimestamp(text: string): void {
    const digits = text.replace(/^0+(?=.)/, '')
    const longer = digits.length - INT64_MAX_TEXT.length
    if (longer > 0 || (longer === 0 && digits > INT64_MAX_TEXT)) {
      throw this.fault(
        `strconv.ParseInt: parsing "${text}": value out of range while parsing: ${this.soFar()}`,
      )
    }
    this.timestampMs = Number(digits)
  }

  /** Reads name and labels into `offsets` and the series' bounds; answers the token behind them. */
  private readSeries(token: Token): Token {
    const { lexer, offsets } = this
    offsets.length = 0
    this.seriesStart = this.entryStart
    if (token === BRACE_OPEN) {
      offsets.push(-1, -1)
    } else {
      // Blanks before a name are part of it, as upstream has it.
      offsets.push(this.entryStart, lexer.at)
      this.seriesEnd = lexer.at
      const behind = lexer.nextToken()
      if (behind !== BRACE_OPEN) return behind
    }
    this.readLabels()
    this.seriesEnd = lexer.at
    return lexer.nextToken()
  }

  /** From behind `{` to behind `}`. Commas between labels may be missing, and one may follow the last. */
  private readLabels(): void {
    const { lexer, offsets, body } = this
    let token = lexer.nextToken()
    while (token !== BRACE_CLOSE) {
      if (token !== LABEL_NAME && token !== QUOTED) throw this.unexpected('expected label name', token)
      const quoted = token === QUOTED ? 1 : 0
      const nameStart = lexer.start + quoted
      const nameEnd = lexer.at - quoted
      token = lexer.nextToken()
      if (quoted === 1 && (token === COMMA || token === BRACE_CLOSE)) {
        if (offsets[0] !== -1) throw this.fault(`metric name already set while parsing: ${this.soFar()}`)
        offsets[0] = nameStart
        offsets[1] = nameEnd
        if (token === COMMA) token = lexer.nextToken()
        continue
      }
      if (token !== EQUAL) throw this.unexpected('expected equal', token)
      token = lexer.nextToken()
      if (token !== LABEL_VALUE) throw this.unexpected('expected label value', token)
      if (!isUtf8(body.subarray(lexer.start, lexer.at))) {
        throw this.fault(`invalid UTF-8 label value: ${quoteBytes(body, lexer.start, lexer.at)}`)
      }
      offsets.push(nameStart, nameEnd, lexer.start + 1, lexer.at - 1)
      token = lexer.nextToken()
      if (token === COMMA) token = lexer.nextToken()
    }
  }

  private fault(message: string): ExpositionError {
    return expositionError(message, this.body, this.entryStart)
  }

  /** The entry up to the end of the last token, quoted. */
  private soFar(): string {
    return this.quote(this.entryStart, this.lexer.at)
  }

  /** A token in the wrong place. Upstream shows one byte more than the token. */
  private unexpected(expectation: string, token: Token): ExpositionError {
    const { lexer } = this
    const got = `${this.quote(lexer.start, lexer.at + 1)} ("${TOKEN_NAMES[token]}")`
    return this.fault(
      `${expectation}, got ${got} while parsing: ${this.quote(this.entryStart, lexer.at + 1)}`,
    )
  }

  /** Upstream's buffer has a newline more than the page. */
  private quote(start: number, end: number): string {
    const { body } = this
    const quoted = quoteBytes(body, start, Math.min(end, body.length))
    return end > body.length ? `${quoted.slice(0, -1)}\\n"` : quoted
  }
}
