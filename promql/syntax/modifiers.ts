/** What may follow an expression: `[range]`, `[range:step]`, `offset`, `@`, `anchored`, `smoothed`. */
import type { DurationOperand, Expr, MatrixSelector, Subquery, TimeModifiers, VectorSelector } from './ast.ts'
import {
  durationMs,
  parseNumberLiteral,
  parseOffsetDuration,
  parsePositiveDuration,
} from './duration-expression.ts'
import { formatFixed } from './go-format.ts'
import { DURATION, NUMBER } from './token.ts'
import type { TokenStream } from './token-stream.ts'

const DURATION_WISH = 'number, duration, step(), or range()'
const RANGE_CONTEXT = { context: 'subquery or range selector', expected: DURATION_WISH }
const STEP_CONTEXT = {
  context: 'subquery selector',
  expected: 'number, duration, step(), range(), or "]"',
}
const OFFSET_CONTEXT = { context: 'offset', expected: DURATION_WISH }
const MODIFIER_TARGETS = 'an instant vector selector or range vector selector or a subquery'

/** Seconds whose milliseconds would not fit 64 bits. */
const TIMESTAMP_BOUND = 2 ** 63

/** The expression with all that follows it. Throws ParseError. */
export function parseModifiers(
  tokens: TokenStream,
  expr: Expr,
  options: { readonly extendedRangeSelectors?: boolean },
): Expr {
  for (;;) {
    switch (tokens.peek().type) {
      case '[':
        expr = parseBrackets(tokens, expr)
        break
      case 'offset':
        expr = parseOffset(tokens, expr)
        break
      case '@':
        expr = parseAt(tokens, expr)
        break
      case 'anchored':
      case 'smoothed':
        expr = setExtended(tokens, expr, tokens.next().type as 'anchored' | 'smoothed', options)
        break
      default:
        return expr
    }
  }
}

/** A duration as the pair of fields that the tree has for it. */
function split(operand: DurationOperand): [ms: number, expr: MatrixSelector['rangeExpr']] {
  return operand.type === 'numberLiteral' ? [durationMs(operand.value), null] : [0, operand]
}

function parseBrackets(tokens: TokenStream, expr: Expr): MatrixSelector | Subquery {
  const open = tokens.next()
  const [rangeMs, rangeExpr] = split(parsePositiveDuration(tokens, RANGE_CONTEXT))
  const close = tokens.accept(']')
  if (close !== undefined) {
    const span = { start: open.start, end: close.end }
    if (expr.type !== 'vectorSelector') tokens.fail(span, 'ranges only allowed for vector selectors')
    if (expr.offsetMs !== 0) tokens.fail(span, 'no offset modifiers allowed before range')
    if (expr.timestampMs !== null) tokens.fail(span, 'no @ modifiers allowed before range')
    return { type: 'matrixSelector', selector: expr, rangeMs, rangeExpr, start: expr.start, end: close.end }
  }
  if (tokens.accept(':') === undefined) tokens.unexpected('subquery or range', '":" or "]"')
  let stepMs = 0
  let stepExpr: Subquery['stepExpr'] = null
  if (!tokens.is(']')) {
    ;[stepMs, stepExpr] = split(parsePositiveDuration(tokens, STEP_CONTEXT))
    if (!tokens.is(']')) tokens.unexpected('subquery selector', '"]"')
  }
  return {
    type: 'subquery',
    expr,
    rangeMs,
    rangeExpr,
    stepMs,
    stepExpr,
    offsetMs: 0,
    offsetExpr: null,
    timestampMs: null,
    startOrEnd: null,
    start: expr.start,
    end: tokens.next().end,
  }
}

/** The node that holds the time modifiers of an expression; undefined where it can have none. */
function modifiersOf(expr: Expr): VectorSelector | Subquery | undefined {
  if (expr.type === 'matrixSelector') return expr.selector
  return expr.type === 'vectorSelector' || expr.type === 'subquery' ? expr : undefined
}

/** The expression with other time modifiers, now ending at `end`. */
function withModifiers(expr: Expr, changes: Partial<TimeModifiers>, end: number): Expr {
  if (expr.type === 'matrixSelector') return { ...expr, selector: { ...expr.selector, ...changes }, end }
  return { ...(expr as VectorSelector | Subquery), ...changes, end }
}

function parseOffset(tokens: TokenStream, expr: Expr): Expr {
  tokens.next()
  const operand = parseOffsetDuration(tokens, OFFSET_CONTEXT)
  const modifiers = modifiersOf(expr)
  if (modifiers === undefined)
    return tokens.fail(expr, `offset modifier must be preceded by ${MODIFIER_TARGETS}`)
  if (modifiers.offsetMs !== 0 || modifiers.offsetExpr !== null) {
    tokens.fail(expr, 'offset may not be set multiple times')
  }
  const [offsetMs, offsetExpr] = split(operand)
  return withModifiers(expr, { offsetMs, offsetExpr }, operand.end)
}

function parseAt(tokens: TokenStream, expr: Expr): Expr {
  tokens.next()
  const preprocessor = tokens.accept('start') ?? tokens.accept('end')
  if (preprocessor !== undefined) {
    if (tokens.accept('(') === undefined) tokens.unexpected('@', 'timestamp')
    const close = tokens.accept(')') ?? tokens.unexpected('@', 'timestamp')
    checkNoTimestamp(tokens, expr)
    return withModifiers(expr, { startOrEnd: preprocessor.type as 'start' | 'end' }, close.end)
  }
  const sign = tokens.accept('-') ?? tokens.accept('+')
  if (!tokens.is(NUMBER) && !tokens.is(DURATION)) tokens.unexpected('@', 'timestamp')
  const literal = parseNumberLiteral(tokens)
  const seconds = sign?.type === '-' ? -literal.value : literal.value
  if (!(Math.abs(seconds) < TIMESTAMP_BOUND)) {
    tokens.fail(expr, `timestamp out of bounds for @ modifier: ${formatFixed(seconds, 6)}`)
  }
  checkNoTimestamp(tokens, expr)
  // Half a millisecond is rounded away from zero.
  const timestampMs = Math.sign(seconds) * Math.round(Math.abs(seconds) * 1000) + 0
  return withModifiers(expr, { timestampMs }, literal.end)
}

function checkNoTimestamp(tokens: TokenStream, expr: Expr): void {
  const modifiers = modifiersOf(expr)
  if (modifiers === undefined) tokens.fail(expr, `@ modifier must be preceded by ${MODIFIER_TARGETS}`)
  if (modifiers.timestampMs !== null || modifiers.startOrEnd !== null) {
    tokens.fail(expr, '@ <timestamp> may not be set multiple times')
  }
}

/** Marks a selector. Its end stays where it was, as upstream's does. */
function setExtended(
  tokens: TokenStream,
  expr: Expr,
  word: 'anchored' | 'smoothed',
  options: { readonly extendedRangeSelectors?: boolean },
): Expr {
  if (!options.extendedRangeSelectors) {
    tokens.fail(expr, `${word} modifier is experimental and not enabled`)
  }
  if (expr.type === 'subquery') tokens.fail(expr, `${word} modifier is not supported for subqueries`)
  if (expr.type !== 'vectorSelector' && expr.type !== 'matrixSelector') {
    tokens.fail(expr, `${word} modifier not implemented`)
  }
  const selector = expr.type === 'matrixSelector' ? expr.selector : expr
  if (word === 'anchored' ? selector.smoothed : selector.anchored) {
    tokens.fail(expr, 'anchored and smoothed modifiers cannot be used together')
  }
  const marked = { ...selector, [word]: true }
  return expr.type === 'matrixSelector' ? { ...expr, selector: marked } : marked
}
