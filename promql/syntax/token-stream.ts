/** The lexer's tokens with one token of lookahead, and the errors that a parser raises on them. */
import { Lexer } from './lexer.ts'
import { ParseError } from './parse-error.ts'
import { describeToken, type Token } from './token.ts'

export class TokenStream {
  readonly input: string
  private readonly lexer: Lexer
  private ahead: Token | undefined

  constructor(input: string) {
    this.input = input
    this.lexer = new Lexer(input)
  }

  peek(): Token {
    this.ahead ??= this.lexer.next()
    return this.ahead
  }

  next(): Token {
    const token = this.peek()
    this.ahead = undefined
    return token
  }

  is(type: string): boolean {
    return this.peek().type === type
  }

  /** The token when it has this type; then it is consumed. */
  accept(type: string): Token | undefined {
    return this.is(type) ? this.next() : undefined
  }

  fail(at: { readonly start: number; readonly end: number }, reason: string, cause?: unknown): never {
    throw new ParseError(this.input, at.start, at.end, reason, { cause })
  }

  /** `unexpected X[ in context][, expected what]` at the next token. */
  unexpected(context: string, expected: string): never {
    const token = this.peek()
    const place = context === '' ? '' : ` in ${context}`
    const wish = expected === '' ? '' : `, expected ${expected}`
    return this.fail(token, `unexpected ${describeToken(token)}${place}${wish}`)
  }
}
