/**
 * Expressions in the place of a duration: in brackets and after `offset`. Literals are folded with their sign and
 * stay numbers; all else becomes a DurationExpr that is worked out when the query runs.
 */
import type { DurationExpr, DurationOperand, NumberLiteral } from './ast.ts'
import { parseDuration } from './duration.ts'
import { parseNumber } from './literal.ts'
import { DURATION, NUMBER, type Token } from './token.ts'
import type { TokenStream } from './token-stream.ts'

/** Seconds whose nanoseconds no longer fit 64 bits. */
const OUT_OF_RANGE_SECONDS = 2 ** 63 / 1e9

const POWER_LEVEL = 3
const UNARY_LEVEL = 2
const LEVELS: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': POWER_LEVEL }

/** What encloses the expression, for error texts. */
export interface DurationContext {
  readonly context: string
  readonly expected: string
}

/** A number or duration literal. Requires: the next token is one. */
export function parseNumberLiteral(tokens: TokenStream): NumberLiteral {
  const token = tokens.next()
  const isDuration = token.type === DURATION
  const value = literalValue(tokens, token)
  return { type: 'numberLiteral', value, isDuration, start: token.start, end: token.end }
}

function literalValue(tokens: TokenStream, token: Token): number {
  try {
    if (token.type === NUMBER) return parseNumber(token.text)
    const ms = parseDuration(token.text)
    // Seconds and nanoseconds apart, as Go's Duration.Seconds adds them up.
    return Math.floor(ms / 1000) + ((ms % 1000) * 1e6) / 1e9
  } catch (error) {
    const reason = (error as Error).message
    return tokens.fail(token, token.type === NUMBER ? `error parsing number: ${reason}` : reason, error)
  }
}

/** Whole milliseconds of seconds as written: rounded to nanoseconds, then truncated towards zero. */
export function durationMs(seconds: number): number {
  const ns = Math.sign(seconds) * Math.round(Math.abs(seconds) * 1e9)
  return Math.trunc(ns / 1e6) + 0
}

function checkRange(tokens: TokenStream, literal: NumberLiteral, at: Token | NumberLiteral): NumberLiteral {
  if (Math.abs(literal.value) > OUT_OF_RANGE_SECONDS) tokens.fail(at, 'duration out of range')
  return literal
}

/** A duration in brackets. A literal must be greater than 0. */
export function parsePositiveDuration(tokens: TokenStream, enclosing: DurationContext): DurationOperand {
  const operand = parseDurationExpr(tokens, enclosing, 0)
  if (operand.type === 'numberLiteral' && operand.value <= 0) {
    tokens.fail(operand, 'duration must be greater than 0')
  }
  return operand
}

/** What follows `offset`: one operand with its sign, so that `x offset 5m + 1` adds 1 to the shifted x. */
export function parseOffsetDuration(tokens: TokenStream, enclosing: DurationContext): DurationOperand {
  const sign = tokens.accept('-') ?? tokens.accept('+')
  if (sign === undefined) return parseOperand(tokens, enclosing)
  return applySign(tokens, sign, parseOperand(tokens, enclosing), true)
}

function parseDurationExpr(
  tokens: TokenStream,
  enclosing: DurationContext,
  minLevel: number,
): DurationOperand {
  let lhs: DurationOperand
  const sign = tokens.accept('-') ?? tokens.accept('+')
  if (sign === undefined) lhs = parseOperand(tokens, enclosing)
  else lhs = applySign(tokens, sign, parseDurationExpr(tokens, enclosing, UNARY_LEVEL + 1), false)
  for (;;) {
    const level = LEVELS[tokens.peek().type]
    if (level === undefined || level < minLevel) return lhs
    const op = tokens.next()
    const rhs = parseDurationExpr(tokens, enclosing, level === POWER_LEVEL ? level : level + 1)
    if (rhs.type === 'numberLiteral' && rhs.value === 0) {
      if (op.type === '/') tokens.fail(op, 'division by zero')
      if (op.type === '%') tokens.fail(op, 'modulo by zero')
    }
    lhs = durationExpr(op.type as DurationExpr['op'], lhs, rhs, lhs.start, rhs.end)
  }
}

function durationExpr(
  op: DurationExpr['op'],
  lhs: DurationOperand | null,
  rhs: DurationOperand | null,
  start: number,
  end: number,
): DurationExpr {
  return { type: 'durationExpr', op, lhs, rhs, wrapped: false, start, end }
}

function applySign(
  tokens: TokenStream,
  sign: Token,
  operand: DurationOperand,
  isPlusKept: boolean,
): DurationOperand {
  if (operand.type === 'numberLiteral') {
    const value = sign.type === '-' ? -operand.value : operand.value
    return checkRange(tokens, { ...operand, value, start: sign.start }, sign)
  }
  // After `offset` a sign before a word makes an expression of its own, even a plus; it prints the same.
  if (sign.type === '-' || (isPlusKept && !operand.wrapped)) {
    return durationExpr(sign.type as '+' | '-', null, operand, sign.start, operand.end)
  }
  return operand
}

/** A literal, `step()`, `range()`, `min_of(a, b)`, `max_of(a, b)`, or an expression in parentheses. */
function parseOperand(tokens: TokenStream, enclosing: DurationContext): DurationOperand {
  const token = tokens.peek()
  switch (token.type) {
    case NUMBER:
    case DURATION: {
      const literal = parseNumberLiteral(tokens)
      return checkRange(tokens, literal, literal)
    }
    case 'step':
    case 'range': {
      tokens.next()
      expect(tokens, '(', enclosing)
      const close = expect(tokens, ')', enclosing)
      return durationExpr(token.type, null, null, token.start, close.end)
    }
    case 'min_of':
    case 'max_of': {
      tokens.next()
      expect(tokens, '(', enclosing)
      const lhs = parseDurationExpr(tokens, enclosing, 0)
      expect(tokens, ',', enclosing)
      const rhs = parseDurationExpr(tokens, enclosing, 0)
      const close = expect(tokens, ')', enclosing)
      return durationExpr(token.type, lhs, rhs, token.start, close.end)
    }
    case '(': {
      tokens.next()
      const inner = parseDurationExpr(tokens, enclosing, 0)
      const close = expect(tokens, ')', enclosing)
      if (inner.type === 'durationExpr') return { ...inner, wrapped: true }
      // A literal has no place for the mark, so that it is put under a plus that prints as nothing.
      return { ...durationExpr('+', null, inner, token.start, close.end), wrapped: true }
    }
    default:
      return tokens.unexpected(enclosing.context, enclosing.expected)
  }
}

function expect(tokens: TokenStream, type: string, enclosing: DurationContext): Token {
  return tokens.accept(type) ?? tokens.unexpected(enclosing.context, enclosing.expected)
}
