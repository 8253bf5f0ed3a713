/** Durations written as expressions, worked out once the step and range of the query are known. */
import { QueryError } from '../errors.ts'
import { max, min, pow } from '../functions/math.ts'
import type { DurationExpr, DurationOperand } from '../syntax/ast.ts'

/** The query's own times; both 0 for an instant query. */
export interface DurationScope {
  readonly stepMs: number
  /** End less start. */
  readonly rangeMs: number
}

/** The longest duration, 2^63 ns, in seconds. */
const DURATION_MAX_SECONDS = 2 ** 63 / 1e9

function failure(expr: DurationOperand, reason: string): QueryError {
  return new QueryError('bad_data', `${expr.start}:${expr.end}: ${reason}`)
}

/** Whole milliseconds, towards zero. Throws QueryError bad_data, with the byte offsets of the expression. */
export function durationMs(expr: DurationExpr, scope: DurationScope, allowNegative: boolean): number {
  const seconds = evaluate(expr, scope)
  if (!Number.isFinite(seconds)) throw failure(expr, 'duration is NaN or infinite')
  if (seconds <= 0 && !allowNegative) throw failure(expr, 'duration must be greater than 0')
  if (Math.abs(seconds) >= DURATION_MAX_SECONDS) throw failure(expr, 'duration is out of range')
  // Not −0, which would show in texts.
  return Math.trunc(seconds * 1000) + 0
}

function evaluate(expr: DurationOperand, scope: DurationScope): number {
  if (expr.type === 'numberLiteral') return expr.value
  if (expr.op === 'step') return scope.stepMs / 1000
  if (expr.op === 'range') return scope.rangeMs / 1000
  const rhs = evaluate(expr.rhs!, scope)
  if (expr.lhs === null) return expr.op === '-' ? -rhs : rhs
  const lhs = evaluate(expr.lhs, scope)
  switch (expr.op) {
    case '+':
      return lhs + rhs
    case '-':
      return lhs - rhs
    case '*':
      return lhs * rhs
    case '/':
      if (rhs === 0) throw failure(expr, 'division by zero')
      return lhs / rhs
    case '%':
      if (rhs === 0) throw failure(expr, 'modulo by zero')
      return lhs % rhs
    case '^':
      return pow(lhs, rhs)
    case 'min_of':
      return min(lhs, rhs)
    case 'max_of':
      return max(lhs, rhs)
  }
}
