/**
 * From text to a checked tree: a precedence-climbing parser by hand. It stops at the first error, which is the
 * only one that upstream shows; the order in which errors are found, their texts and their places are upstream's.
 */
import { Matcher } from '../../storage/model/matcher.ts'
import { SIGNATURES } from '../functions/signatures.ts'
import type {
  Aggregate,
  AggregateOp,
  Binary,
  BinaryOp,
  Expr,
  StringLiteral,
  VectorMatching,
  VectorSelector,
} from './ast.ts'
import { checkTypes } from './check.ts'
import { parseNumberLiteral } from './duration-expression.ts'
import { quoteString } from './go-format.ts'
import { unquoteString } from './literal.ts'
import { parseModifiers } from './modifiers.ts'
import { ParseError } from './parse-error.ts'
import { parseGrouping, parseMatchers } from './selector.ts'
import {
  DURATION,
  END,
  isAggregator,
  isFunctionName,
  isMetricName,
  NUMBER,
  STRING,
  type Token,
  takesParameter,
} from './token.ts'
import { TokenStream } from './token-stream.ts'

/** Parts of the language that are off unless asked for. Duration expressions are always on. */
export interface ParseOptions {
  /** Experimental functions, limitk and limit_ratio. */
  readonly experimentalFunctions?: boolean
  /** `anchored` and `smoothed`. */
  readonly extendedRangeSelectors?: boolean
  /** `fill`, `fill_left` and `fill_right`. */
  readonly binopFill?: boolean
}

/** The checked tree of a query. Throws ParseError. */
export function parse(input: string, options: ParseOptions = {}): Expr {
  try {
    const tokens = new TokenStream(input)
    if (tokens.is(END)) throw new ParseError(input, 0, 0, 'no expression found in input')
    const expr = new Parser(tokens, options).parseExpr(0)
    if (!tokens.is(END)) tokens.unexpected('', '')
    return checkTypes(expr, input)
  } catch (error) {
    // The stack is used up by some ten thousand brackets or operators: no query that a person means.
    if (!(error instanceof RangeError)) throw error
    throw new ParseError(input, 0, 0, 'expression is nested too deeply', { cause: error })
  }
}

/** The matchers of a series selector such as `up{job="x"}`; modifiers are not allowed. Throws ParseError. */
export function parseSelector(input: string): readonly Matcher[] {
  const tokens = new TokenStream(input)
  const token = tokens.peek()
  if (token.type !== '{' && !isMetricName(token.type)) tokens.unexpected('', '')
  const selector = parseVectorSelector(tokens, token.type === '{' ? undefined : tokens.next())
  if (!tokens.is(END)) tokens.unexpected('', '')
  return selector.matchers
}

/** What an expression can begin with, besides a name. */
const EXPR_STARTS: ReadonlySet<string> = new Set([NUMBER, DURATION, STRING, '(', '{', '+', '-'])

const UNARY_LEVEL = 5
const POWER_LEVEL = 6
const LEVELS: ReadonlyMap<string, number> = new Map([
  ['or', 1],
  ...['and', 'unless'].map((op): [string, number] => [op, 2]),
  ...['==', '!=', '<=', '<', '>=', '>', '</', '>/'].map((op): [string, number] => [op, 3]),
  ...['+', '-'].map((op): [string, number] => [op, 4]),
  ...['*', '/', '%', 'atan2'].map((op): [string, number] => [op, UNARY_LEVEL]),
  ['^', POWER_LEVEL],
])

/** The rest of a selector whose name is read; without a name, the next token is `{`. */
function parseVectorSelector(tokens: TokenStream, nameToken?: Token): VectorSelector {
  const { start } = nameToken ?? tokens.peek()
  const name = nameToken?.text ?? ''
  let matchers: Matcher[] = []
  let end = nameToken?.end ?? 0
  if (tokens.is('{')) ({ matchers, end } = parseMatchers(tokens))
  if (name !== '') matchers.push(new Matcher('__name__', '=', name))
  return {
    type: 'vectorSelector',
    name,
    matchers,
    offsetMs: 0,
    offsetExpr: null,
    timestampMs: null,
    startOrEnd: null,
    anchored: false,
    smoothed: false,
    start,
    end,
  }
}

class Parser {
  private readonly tokens: TokenStream
  private readonly options: ParseOptions
  /** How many aggregations are open: a syntax error anywhere inside one is told as one of the aggregation. */
  private aggregationDepth = 0

  constructor(tokens: TokenStream, options: ParseOptions) {
    this.tokens = tokens
    this.options = options
  }

  private unexpected(): never {
    return this.tokens.unexpected(this.aggregationDepth > 0 ? 'aggregation' : '', '')
  }

  private expect(type: string): Token {
    return this.tokens.accept(type) ?? this.unexpected()
  }

  /** An expression of operators that bind at least as strongly as `minLevel`. */
  parseExpr(minLevel: number): Expr {
    let lhs = this.parseOperand()
    for (;;) {
      const level = LEVELS.get(this.tokens.peek().type)
      if (level === undefined || level < minLevel) return lhs
      const op = this.tokens.next().type as BinaryOp
      const { returnBool, matching } = this.parseMatching()
      const rhs = this.parseExpr(level === POWER_LEVEL ? level : level + 1)
      lhs = this.binary(op, lhs, rhs, returnBool, matching)
    }
  }

  private binary(op: BinaryOp, lhs: Expr, rhs: Expr, returnBool: boolean, matching: VectorMatching): Binary {
    const { fill } = matching
    const expr: Binary = {
      type: 'binaryExpr',
      op,
      lhs,
      rhs,
      returnBool,
      matching,
      start: lhs.start,
      end: rhs.end,
    }
    if (!this.options.binopFill && (fill.lhs !== null || fill.rhs !== null)) {
      this.tokens.fail(expr, 'binop fill modifiers are experimental and not enabled')
    }
    return expr
  }

  /** `[bool] [on(…)|ignoring(…) [group_left[(…)]|group_right[(…)]]] [fill…]`. */
  private parseMatching(): { returnBool: boolean; matching: VectorMatching } {
    const { tokens } = this
    const returnBool = tokens.accept('bool') !== undefined
    let card: VectorMatching['card'] = 'one-to-one'
    let labels: readonly string[] = []
    let include: readonly string[] = []
    const on = tokens.is('on')
    if (on || tokens.is('ignoring')) {
      tokens.next()
      labels = parseGrouping(tokens).labels
      const group = tokens.accept('group_left') ?? tokens.accept('group_right')
      if (group !== undefined) {
        card = group.type === 'group_left' ? 'many-to-one' : 'one-to-many'
        if (tokens.is('(')) include = parseGrouping(tokens).labels
      }
    }
    return { returnBool, matching: { card, labels, on, include, fill: this.parseFill() } }
  }

  private parseFill(): VectorMatching['fill'] {
    const { tokens } = this
    if (tokens.accept('fill') !== undefined) {
      const value = this.parseFillValue()
      return { lhs: value, rhs: value }
    }
    let lhs: number | null = null
    let rhs: number | null = null
    if (tokens.accept('fill_left') !== undefined) {
      lhs = this.parseFillValue()
      if (tokens.accept('fill_right') !== undefined) rhs = this.parseFillValue()
    } else if (tokens.accept('fill_right') !== undefined) {
      rhs = this.parseFillValue()
      if (tokens.accept('fill_left') !== undefined) lhs = this.parseFillValue()
    }
    return { lhs, rhs }
  }

  private parseFillValue(): number {
    this.expect('(')
    const sign = this.tokens.accept('-') ?? this.tokens.accept('+')
    if (!this.tokens.is(NUMBER) && !this.tokens.is(DURATION)) this.unexpected()
    const { value } = parseNumberLiteral(this.tokens)
    this.expect(')')
    return sign?.type === '-' ? -value : value
  }

  /** A sign with its operand, or a primary expression with its brackets and modifiers. */
  private parseOperand(): Expr {
    const sign = this.tokens.accept('-') ?? this.tokens.accept('+')
    if (sign === undefined) return parseModifiers(this.tokens, this.parsePrimary(), this.options)
    // Binds like `*`: `-1^2` is −(1^2), and `-a * b` is (−a) * b.
    const expr = this.parseExpr(UNARY_LEVEL + 1)
    if (expr.type !== 'numberLiteral') {
      return { type: 'unaryExpr', op: sign.type as '+' | '-', expr, start: sign.start, end: expr.end }
    }
    return { ...expr, value: sign.type === '-' ? -expr.value : expr.value, start: sign.start }
  }

  private parsePrimary(): Expr {
    const { tokens } = this
    const token = tokens.peek()
    switch (token.type) {
      case NUMBER:
      case DURATION:
        return parseNumberLiteral(tokens)
      case STRING:
        return this.parseString()
      case '(':
        return this.parseParen()
      case '{':
        return parseVectorSelector(tokens)
    }
    if (isAggregator(token.type) || isFunctionName(token.type)) return this.parseNamed()
    if (!isMetricName(token.type)) this.unexpected()
    return parseVectorSelector(tokens, tokens.next())
  }

  private parseString(): StringLiteral {
    const token = this.tokens.next()
    return {
      type: 'stringLiteral',
      value: unquoteString(token.text),
      start: token.start,
      end: token.end,
    }
  }

  private parseParen(): Expr {
    const open = this.tokens.next()
    const expr = this.parseExpr(0)
    const close = this.expect(')')
    return { type: 'parenExpr', expr, start: open.start, end: close.end }
  }

  /** What begins with the name of an aggregation or of a function; which of them may also be a metric's name. */
  private parseNamed(): Expr {
    const { tokens } = this
    const name = tokens.next()
    if (isAggregator(name.type)) {
      if (tokens.is('(') || tokens.is('by') || tokens.is('without')) return this.parseAggregate(name)
    } else if (tokens.is('(')) {
      return this.parseCall(name)
    }
    return parseVectorSelector(tokens, name)
  }

  private parseCall(name: Token): Expr {
    const { args, end } = this.parseArguments()
    const func = SIGNATURES.get(name.text)
    if (func === undefined) {
      return this.tokens.fail(name, `unknown function with name ${quoteString(name.text)}`)
    }
    if (func.experimental && !this.options.experimentalFunctions) {
      this.tokens.fail(name, `function ${quoteString(name.text)} is not enabled`)
    }
    return { type: 'call', func, args, start: name.start, end }
  }

  private parseArguments(): { args: Expr[]; end: number } {
    const { tokens } = this
    this.expect('(')
    const args: Expr[] = []
    let close = tokens.accept(')')
    while (close === undefined) {
      args.push(this.parseExpr(0))
      const comma = tokens.accept(',')
      if (comma === undefined) close = this.expect(')')
      else if (!this.isExprStart(tokens.peek())) {
        tokens.fail(comma, 'trailing commas not allowed in function call args')
      }
    }
    return { args, end: close.end }
  }

  private isExprStart({ type }: Token): boolean {
    return isMetricName(type) || EXPR_STARTS.has(type)
  }

  private parseAggregate(op: Token): Aggregate {
    const { tokens } = this
    this.aggregationDepth++
    let modifier = this.parseAggregateModifier()
    const { args, end: bodyEnd } = this.parseArguments()
    this.aggregationDepth--
    let end = bodyEnd
    if (modifier === undefined) {
      modifier = this.parseAggregateModifier()
      if (modifier !== undefined) end = modifier.end
    }
    const at = { start: op.start, end }
    if (args.length === 0) tokens.fail(at, 'no arguments for aggregate expression provided')
    const hasParam = takesParameter(op.type)
    const isExperimental = op.type === 'limitk' || op.type === 'limit_ratio'
    if (isExperimental && !this.options.experimentalFunctions) {
      const flag = '--enable-feature=promql-experimental-functions'
      tokens.fail(at, `${op.type}() is experimental and must be enabled with ${flag}`)
    }
    const wanted = hasParam ? 2 : 1
    if (args.length !== wanted) {
      const counts = `expected ${wanted}, got ${args.length}`
      tokens.fail(at, `wrong number of arguments for aggregate expression provided, ${counts}`)
    }
    return {
      type: 'aggregation',
      op: op.type as AggregateOp,
      expr: args[wanted - 1],
      param: hasParam ? args[0] : null,
      grouping: modifier?.labels ?? [],
      without: modifier?.without ?? false,
      ...at,
    }
  }

  private parseAggregateModifier(): { labels: string[]; without: boolean; end: number } | undefined {
    const word = this.tokens.accept('by') ?? this.tokens.accept('without')
    if (word === undefined) return undefined
    const { labels, end } = parseGrouping(this.tokens)
    return { labels, without: word.type === 'without', end }
  }
}
