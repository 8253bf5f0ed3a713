/**
 * Tokens of the text format. The states, and what each of them takes, are those of upstream's lexer
 * (model/textparse/promlex.l), down to where null bytes are passed over. Bytes only: no strings are made here.
 *
 * The page is read as if it ended with one more newline.
 */

export const EOF = 0
export const LINEBREAK = 1
export const WHITESPACE = 2
export const HELP = 3
export const TYPE = 4
export const TEXT = 5
export const COMMENT = 6
export const METRIC_NAME = 7
export const QUOTED = 8
export const BRACE_OPEN = 9
export const BRACE_CLOSE = 10
export const LABEL_NAME = 11
export const LABEL_VALUE = 12
export const COMMA = 13
export const EQUAL = 14
export const TIMESTAMP = 15
export const VALUE = 16
export const INVALID = 17

export type Token = number

/** As they are called in upstream's messages. */
export const TOKEN_NAMES: readonly string[] = [
  'EOF',
  'LINEBREAK',
  'WHITESPACE',
  'HELP',
  'TYPE',
  'TEXT',
  'COMMENT',
  'MNAME',
  'QSTRING',
  'BOPEN',
  'BCLOSE',
  'LNAME',
  'LVALUE',
  'COMMA',
  'EQUAL',
  'TIMESTAMP',
  'VALUE',
  'INVALID',
]

const IN_LINE_START = 0
const IN_COMMENT = 1
const IN_META_NAME = 2
const IN_META_TEXT = 3
const IN_LABELS = 4
const IN_LABEL_VALUE = 5
const IN_VALUE = 6
const IN_TIMESTAMP = 7

const NEWLINE = 10
const QUOTE = 34
const BACKSLASH = 92

/** Classes of bytes, as bits. */
export const LABEL_START = 1
export const LABEL_REST = 2
export const METRIC_START = 4
export const METRIC_REST = 8
export const BLANK = 16
export const DIGIT = 32
/** ASCII that stands for itself in a label value: no quote, backslash, newline or null byte. */
export const PLAIN = 64

export const BYTE_CLASS: Uint8Array = byteClasses()

function byteClasses(): Uint8Array {
  const classes = new Uint8Array(256)
  for (let c = 0; c < 128; c++) {
    const text = String.fromCharCode(c)
    if (/[a-zA-Z_]/.test(text)) classes[c] |= LABEL_START | LABEL_REST | METRIC_START | METRIC_REST
    if (/[0-9]/.test(text)) classes[c] |= LABEL_REST | METRIC_REST | DIGIT
    if (text === ':') classes[c] |= METRIC_START | METRIC_REST
    if (text === ' ' || text === '\t') classes[c] |= BLANK
    if (!'"\\\n\0'.includes(text)) classes[c] |= PLAIN
  }
  return classes
}

export class TextLexer {
  /** First byte of the last token. */
  start = 0
  /** The byte after it: where the next token begins. */
  at = 0
  private readonly bytes: Uint8Array
  private state = IN_LINE_START

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Goes on at byte `at`, which begins a line. */
  reset(at: number): void {
    this.at = at
    this.state = IN_LINE_START
  }

  /** The next token that is not white space. */
  nextToken(): Token {
    for (;;) {
      const token = this.lex()
      if (token !== WHITESPACE) return token
    }
  }

  private lex(): Token {
    this.start = this.at
    if (this.at > this.bytes.length) return EOF
    const c = this.current()
    // A metadata text takes its leading blanks.
    if (this.state !== IN_META_TEXT && BYTE_CLASS[c] & BLANK) {
      this.passBlanks()
      return WHITESPACE
    }
    switch (this.state) {
      case IN_LINE_START:
        return this.lexLineStart(c)
      case IN_META_NAME:
        if (c === QUOTE) return this.quoted() ? this.token(METRIC_NAME, IN_META_TEXT) : INVALID
        return this.lexMetricName(c, IN_META_TEXT)
      case IN_META_TEXT:
        return this.lexMetaText(c)
      case IN_LABELS:
        return this.lexLabels(c)
      case IN_LABEL_VALUE:
        return c === QUOTE && this.quoted() ? this.token(LABEL_VALUE, IN_LABELS) : INVALID
      case IN_VALUE:
        return this.lexValue(c)
      default:
        return this.lexTimestamp(c)
    }
  }

  private lexLineStart(c: number): Token {
    switch (c) {
      case 0:
        this.next()
        return EOF
      case NEWLINE:
        return this.single(LINEBREAK, IN_LINE_START)
      case 35: // #
        return this.lexComment()
      case 123: // {
        return this.single(BRACE_OPEN, IN_LABELS)
      default:
        return this.lexMetricName(c, IN_VALUE)
    }
  }

  /** `# HELP ` and `# TYPE ` are metadata; all else behind a # is passed over. */
  private lexComment(): Token {
    let c = this.next()
    if ((BYTE_CLASS[c] & BLANK) === 0) return this.passComment()
    c = this.passBlanks()
    this.state = IN_COMMENT
    const word = c === 72 ? 'HELP' : 'TYPE'
    for (let k = 0; k < word.length; k++) {
      if (c !== word.charCodeAt(k)) return this.passComment()
      c = this.next()
    }
    if ((BYTE_CLASS[c] & BLANK) === 0) return this.passComment()
    this.passBlanks()
    return this.token(word === 'HELP' ? HELP : TYPE, IN_META_NAME)
  }

  private passComment(): Token {
    for (let c = this.current(); ; c = this.next()) {
      if (c === 0) return EOF
      if (c === NEWLINE) return this.token(COMMENT, IN_LINE_START)
    }
  }

  private lexMetricName(c: number, state: number): Token {
    if ((BYTE_CLASS[c] & METRIC_START) === 0) return INVALID
    do c = this.next()
    while (BYTE_CLASS[c] & METRIC_REST)
    return this.token(METRIC_NAME, state)
  }

  private lexMetaText(c: number): Token {
    if (BYTE_CLASS[c] & BLANK) {
      c = this.passBlanks()
      if (c === NEWLINE || c === 0) return WHITESPACE
    }
    while (c !== NEWLINE && c !== 0) c = this.next()
    return this.token(TEXT, IN_LINE_START)
  }

  private lexLabels(c: number): Token {
    switch (c) {
      case QUOTE:
        return this.quoted() ? QUOTED : INVALID
      case 44: // ,
        return this.single(COMMA, IN_LABELS)
      case 61: // =
        return this.single(EQUAL, IN_LABEL_VALUE)
      case 125: // }
        return this.single(BRACE_CLOSE, IN_VALUE)
    }
    if ((BYTE_CLASS[c] & LABEL_START) === 0) return INVALID
    do c = this.next()
    while (BYTE_CLASS[c] & LABEL_REST)
    return LABEL_NAME
  }

  private lexValue(c: number): Token {
    if (c === 123) return this.single(BRACE_OPEN, IN_LABELS)
    if (c === NEWLINE || c === 0) return INVALID
    do c = this.next()
    while (c !== NEWLINE && c !== 0 && c !== 123 && (BYTE_CLASS[c] & BLANK) === 0)
    return this.token(VALUE, IN_TIMESTAMP)
  }

  private lexTimestamp(c: number): Token {
    if (c === NEWLINE) return this.single(LINEBREAK, IN_LINE_START)
    if ((BYTE_CLASS[c] & DIGIT) === 0) return INVALID
    do c = this.next()
    while (BYTE_CLASS[c] & DIGIT)
    return TIMESTAMP
  }

  /** Passes a quoted string, over lines even; false when its end is missing. */
  private quoted(): boolean {
    for (let c = this.next(); ; c = this.next()) {
      if (c === QUOTE) {
        this.next()
        return true
      }
      if (c === BACKSLASH) {
        c = this.next()
        if (c === NEWLINE) return false
      }
      if (c === 0) return false
    }
  }

  private passBlanks(): number {
    let c = this.next()
    while (BYTE_CLASS[c] & BLANK) c = this.next()
    return c
  }

  private single(token: Token, state: number): Token {
    this.next()
    return this.token(token, state)
  }

  private token(token: Token, state: number): Token {
    this.state = state
    return token
  }

  private current(): number {
    return this.at < this.bytes.length ? this.bytes[this.at] : NEWLINE
  }

  /**
   * Goes to the next byte; 0 past the end. Null bytes are passed over where they are allowed: in comments, help
   * texts and label values.
   */
  private next(): number {
    if (++this.at > this.bytes.length) return 0
    const allowed = this.state === IN_LABEL_VALUE || this.state === IN_META_TEXT || this.state === IN_COMMENT
    if (allowed) while (this.at < this.bytes.length && this.bytes[this.at] === 0) this.at++
    return this.current()
  }
}
