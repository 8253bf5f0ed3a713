/**
 * Cuts a query into tokens. What a character means depends on whether a brace or a bracket is open; where an
 * error is noticed, and the text it has, are upstream's.
 */
import { describeRune, quoteRune, quoteString } from './go-format.ts'
import { ParseError } from './parse-error.ts'
import {
  DURATION,
  DURATION_WORDS,
  END,
  FILL_WORDS,
  IDENTIFIER,
  KEYWORDS,
  METRIC_IDENTIFIER,
  NUMBER,
  STRING,
  type Token,
} from './token.ts'

const DECIMAL = '0123456789'
const HEXADECIMAL = '0123456789abcdefABCDEF'

function isSpace(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n' || c === '\r'
}

function isDigit(c: string | undefined): boolean {
  return c !== undefined && c >= '0' && c <= '9'
}

function isAlpha(c: string | undefined): boolean {
  return c !== undefined && (c === '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
}

function isAlphaNumeric(c: string | undefined): boolean {
  return isAlpha(c) || isDigit(c)
}

/** Whether a character counts as broken UTF-8: the replacement character itself, as in Go, or half a pair. */
function isBroken(c: string): boolean {
  return c === '\ufffd' || !c.isWellFormed()
}

export class Lexer {
  readonly input: string
  /** One entry a character: Unicode code points, so that no error text shows half of one. */
  private readonly characters: readonly string[]
  /** Byte offset of each character, and of the end. Undefined where all is ASCII and offsets are indexes. */
  private readonly offsets: Uint32Array | undefined
  private pos = 0
  /** Where the token that is being read began. */
  private start = 0
  private parenDepth = 0
  private braceOpen = false
  private bracketOpen = false
  private gotColon = false
  private gotDuration = false
  /** Between `[` and the first number: only what a duration can begin with is known. */
  private durationStart = false

  constructor(input: string) {
    this.input = input
    this.characters = [...input]
    if (Buffer.byteLength(input) !== input.length) {
      this.offsets = new Uint32Array(this.characters.length + 1)
      let offset = 0
      for (let i = 0; i < this.characters.length; i++) {
        this.offsets[i] = offset
        offset += Buffer.byteLength(this.characters[i])
      }
      this.offsets[this.characters.length] = offset
    }
  }

  /** The next token, without comments. Again and again the end after the end. Throws ParseError. */
  next(): Token {
    for (;;) {
      this.start = this.pos
      const c = this.characters[this.pos]
      if (c === '#' && !this.durationStart) this.skipComment()
      else if (isSpace(c)) this.pos++
      else if (this.braceOpen) return this.insideBraces(c)
      else return this.durationStart ? this.insideBrackets(c) : this.statement(c)
    }
  }

  private byteOffset(index: number): number {
    return this.offsets === undefined ? index : this.offsets[index]
  }

  private emit(type: string): Token {
    const text = this.characters.slice(this.start, this.pos).join('')
    const token = { type, text, start: this.byteOffset(this.start), end: this.byteOffset(this.pos) }
    this.start = this.pos
    return token
  }

  /** The sign of `length` characters, whose type is itself. */
  private sign(length: number): Token {
    this.pos += length
    return this.emit(this.characters.slice(this.start, this.pos).join(''))
  }

  private fail(reason: string): never {
    throw new ParseError(
      this.input,
      this.byteOffset(this.start),
      this.byteOffset(this.characters.length),
      reason,
    )
  }

  private skipComment(): void {
    while (this.pos < this.characters.length) {
      const c = this.characters[this.pos]
      if (c === '\n' || c === '\r') return
      this.pos++
    }
  }

  private accept(valid: string): boolean {
    const c = this.characters[this.pos]
    if (c === undefined || !valid.includes(c)) return false
    this.pos++
    return true
  }

  private is(valid: string): boolean {
    const c = this.characters[this.pos]
    return c !== undefined && valid.includes(c)
  }

  private statement(c: string | undefined): Token {
    const following = this.characters[this.pos + 1]
    switch (c) {
      case undefined:
        if (this.parenDepth !== 0) this.fail('unclosed left parenthesis')
        if (this.bracketOpen) this.fail('unclosed left bracket')
        return this.emit(END)
      case ',':
      case '*':
      case '/':
      case '%':
      case '+':
      case '-':
      case '^':
      case '@':
        return this.sign(1)
      case '=':
        if (following === '~') this.fail(`unexpected character after '=': ${quoteRune(following)}`)
        return this.sign(following === '=' ? 2 : 1)
      case '!':
        if (following !== '=') this.fail(`unexpected character after '!': ${quoteRune(following)}`)
        return this.sign(2)
      case '<':
      case '>':
        return this.sign(following === '=' || following === '/' ? 2 : 1)
      case '"':
      case "'":
        return this.quotedString(c)
      case '`':
        return this.rawString()
      case '(':
      case ')':
        return this.parenthesis(c)
      case '{':
        this.braceOpen = true
        return this.sign(1)
      case '[':
        return this.leftBracket()
      case ']':
        if (!this.bracketOpen) this.fail("unexpected right bracket ']'")
        this.bracketOpen = false
        return this.sign(1)
      default:
        if (isDigit(c) || (c === '.' && isDigit(following))) return this.numberOrDuration()
        if (!isAlpha(c) && c !== ':') this.fail(`unexpected character: ${quoteRune(c)}`)
        return this.bracketOpen ? this.bracketWord(c) : this.keywordOrIdentifier()
    }
  }

  private parenthesis(c: '(' | ')'): Token {
    this.parenDepth += c === '(' ? 1 : -1
    const token = this.sign(1)
    if (this.parenDepth < 0) this.fail("unexpected right parenthesis ')'")
    return token
  }

  private leftBracket(): Token {
    if (this.bracketOpen) this.fail("unexpected left bracket '['")
    this.gotColon = false
    this.bracketOpen = true
    this.durationStart = true
    return this.sign(1)
  }

  /** A colon or a word after the first number in brackets. */
  private bracketWord(c: string): Token {
    if (c === ':') {
      if (this.gotColon) this.fail("unexpected colon ':'")
      this.gotColon = true
      return this.sign(1)
    }
    return this.durationWord() ?? this.fail(`unexpected character: ${quoteRune(c)}, expected ':'`)
  }

  private durationWord(): Token | undefined {
    while (isAlpha(this.characters[this.pos])) this.pos++
    const word = this.characters.slice(this.start, this.pos).join('').toLowerCase()
    return DURATION_WORDS.has(word) ? this.emit(word) : undefined
  }

  /** From `[` to the first number. */
  private insideBrackets(c: string | undefined): Token {
    switch (c) {
      case undefined:
        this.fail('unexpected end of input in duration expression')
        break
      case ']':
        this.bracketOpen = false
        this.durationStart = false
        this.gotColon = false
        return this.sign(1)
      case ':': {
        const token = this.sign(1)
        if (!this.gotDuration) this.fail('unexpected colon before duration in duration expression')
        if (this.gotColon) this.fail('unexpected repeated colon in duration expression')
        this.gotColon = true
        return token
      }
      case '(':
      case ')':
        return this.parenthesis(c)
      case '+':
      case '-':
      case '*':
      case '/':
      case '%':
      case '^':
      case ',':
        return this.sign(1)
    }
    if (isDigit(c) || (c === '.' && isDigit(this.characters[this.pos + 1]))) {
      this.gotDuration = true
      this.durationStart = false
      return this.numberOrDuration()
    }
    const word = 'sSmMrR'.includes(c) ? this.durationWord() : undefined
    if (word === undefined) this.fail(`unexpected character in duration expression: ${quoteRune(c)}`)
    this.gotDuration = true
    return word
  }

  private insideBraces(c: string | undefined): Token {
    const following = this.characters[this.pos + 1]
    switch (c) {
      case undefined:
        this.fail('unexpected end of input inside braces')
        break
      case ',':
        return this.sign(1)
      case '"':
      case "'":
        return this.quotedString(c)
      case '`':
        return this.rawString()
      case '=':
        return this.sign(following === '~' ? 2 : 1)
      case '!':
        if (following !== '=' && following !== '~') {
          this.fail(`unexpected character after '!' inside braces: ${quoteRune(following)}`)
        }
        return this.sign(2)
      case '{':
        this.fail("unexpected left brace '{'")
        break
      case '}':
        this.braceOpen = false
        return this.sign(1)
    }
    if (!isAlpha(c)) this.fail(`unexpected character inside braces: ${quoteRune(c)}`)
    while (isAlphaNumeric(this.characters[this.pos])) this.pos++
    return this.emit(IDENTIFIER)
  }

  private keywordOrIdentifier(): Token {
    while (isAlphaNumeric(this.characters[this.pos]) || this.characters[this.pos] === ':') this.pos++
    const word = this.characters.slice(this.start, this.pos).join('')
    const keyword = KEYWORDS.get(word.toLowerCase())
    if (keyword === undefined) return this.emit(word.includes(':') ? METRIC_IDENTIFIER : IDENTIFIER)
    return this.emit(FILL_WORDS.has(keyword) && !this.isParenthesisNext() ? IDENTIFIER : keyword)
  }

  private isParenthesisNext(): boolean {
    let i = this.pos
    while (isSpace(this.characters[i])) i++
    return this.characters[i] === '('
  }

  private quotedString(quote: string): Token {
    this.pos++
    for (;;) {
      const c = this.characters[this.pos]
      if (c === undefined || c === '\n') this.fail('unterminated quoted string')
      this.pos++
      if (c === quote) return this.emit(STRING)
      if (c === '\\') this.escape(quote)
      else if (isBroken(c)) this.fail('invalid UTF-8 rune')
    }
  }

  private rawString(): Token {
    this.pos++
    for (;;) {
      const c = this.characters[this.pos]
      if (c === undefined) this.fail('unterminated raw string')
      this.pos++
      if (c === '`') return this.emit(STRING)
      if (isBroken(c)) this.fail('invalid UTF-8 rune')
    }
  }

  /** Checks what follows a backslash; the value is worked out by `unquoteString`. */
  private escape(quote: string): void {
    const c = this.characters[this.pos++]
    if (c === undefined) this.fail('escape sequence not terminated')
    if ('abfnrtv\\'.includes(c) || c === quote) return
    let digits = 3
    let base = 8
    if (c === 'x' || c === 'u' || c === 'U') {
      base = 16
      digits = c === 'x' ? 2 : c === 'u' ? 4 : 8
    } else if (c >= '0' && c <= '7') {
      this.pos--
    } else {
      this.fail(`unknown escape sequence ${describeRune(c)}`)
    }
    let value = 0
    for (let i = 0; i < digits; i++) {
      const d = this.characters[this.pos++]
      if (d === undefined) this.fail('escape sequence not terminated')
      const digit = HEXADECIMAL.includes(d) ? Number.parseInt(d, 16) : 16
      if (digit >= base) this.fail(`illegal character ${describeRune(d)} in escape sequence`)
      value = value * base + digit
    }
    const largest = digits <= 3 ? 255 : 0x10ffff
    if (value > largest || (value >= 0xd800 && value < 0xe000)) {
      this.fail('escape sequence is an invalid Unicode code point')
    }
  }

  private numberOrDuration(): Token {
    if (this.scanNumber()) return this.emit(NUMBER)
    if (this.scanDuration()) return this.emit(DURATION)
    const text = this.characters.slice(this.start, this.pos).join('')
    return this.fail(`bad number or duration syntax: ${quoteString(text)}`)
  }

  /**
   * Scans a number of any form; whether it is one is decided when its value is worked out. Where it returns
   * false, the position is where upstream's scanner stops, since the rest of a duration is read from there.
   * An `e` is looked for before digits, so that of hexadecimal numbers `0x1e` is none, as upstream.
   */
  private scanNumber(): boolean {
    const initial = this.pos
    let digits = DECIMAL
    if (this.accept('0') && this.accept('xX')) {
      this.accept('_')
      digits = HEXADECIMAL
    }
    this.accept('.')
    this.accept(digits)
    let gotDot = false
    let gotExponent = false
    while (this.is(digits) || this.is('._eE')) {
      if (this.is('.') && gotDot) return this.acceptThenRefuse()
      if (this.is('eE') && gotExponent) return this.acceptThenRefuse()
      if (this.accept('.')) {
        gotDot = true
        if (this.accept('_.') || digits === HEXADECIMAL) return false
      } else if (this.accept('eE')) {
        gotExponent = true
        this.accept('+-')
        if (this.accept('._eE') || this.pos === this.characters.length) return false
      } else if (this.accept('_')) {
        if (this.accept('._eE') || this.pos === this.characters.length) return false
      } else {
        while (this.accept(digits));
      }
    }
    return this.pos > initial && !isAlphaNumeric(this.characters[this.pos])
  }

  private acceptThenRefuse(): false {
    this.pos++
    return false
  }

  /** The units of a duration whose first digits are read. */
  private scanDuration(): boolean {
    if (!this.accept('smhdwy')) return false
    this.accept('s')
    while (this.accept(DECIMAL)) {
      while (this.accept(DECIMAL));
      if (!this.accept('smhdw')) return false
      this.accept('s')
    }
    if (!isAlphaNumeric(this.characters[this.pos])) return true
    this.pos++
    return false
  }
}
