/** Durations that are written as expressions, checked and worked out. */
import {
  children,
  type DurationOperand,
  type Expr,
  type MatrixSelector,
  type Subquery,
  type TimeModifiers,
} from '../../../promql/syntax/ast.ts'
import { goMax, goMin, goPow } from './floats.ts'
import { InterpreterError, type QueryTimes } from './model.ts'

const SECONDS_MAX = 2 ** 63 / 1e9

function fail(operand: DurationOperand, reason: string): never {
  throw new InterpreterError(`${operand.start}:${operand.end}: ${reason}`)
}

function seconds(operand: DurationOperand, times: QueryTimes): number {
  if (operand.type === 'numberLiteral') return operand.value
  const { op, lhs, rhs } = operand
  if (op === 'step') return times.stepMs / 1000
  if (op === 'range') return (times.endMs - times.startMs) / 1000
  const right = seconds(rhs!, times)
  if (lhs === null) return op === '-' ? -right : right
  const left = seconds(lhs, times)
  if (op === '/' && right === 0) return fail(operand, 'division by zero')
  if (op === '%' && right === 0) return fail(operand, 'modulo by zero')
  const operations = {
    '+': left + right,
    '-': left - right,
    '*': left * right,
    '/': left / right,
    '%': left % right,
    '^': goPow(left, right),
    min_of: goMin(left, right),
    max_of: goMax(left, right),
  }
  return operations[op]
}

function milliseconds(operand: DurationOperand, times: QueryTimes, mayBeNegative: boolean): number {
  const value = seconds(operand, times)
  if (!Number.isFinite(value)) fail(operand, 'duration is NaN or infinite')
  if (value <= 0 && !mayBeNegative) fail(operand, 'duration must be greater than 0')
  if (Math.abs(value) >= SECONDS_MAX) fail(operand, 'duration is out of range')
  return Math.trunc(value * 1000)
}

export function offsetOf(modifiers: TimeModifiers, times: QueryTimes): number {
  const { offsetExpr, offsetMs } = modifiers
  return offsetExpr === null ? offsetMs : milliseconds(offsetExpr, times, true)
}

export function rangeOf(expr: MatrixSelector | Subquery, times: QueryTimes): number {
  return expr.rangeExpr === null ? expr.rangeMs : milliseconds(expr.rangeExpr, times, false)
}

/** The step of a subquery; 0 stands for the default. */
export function stepOf(expr: Subquery, times: QueryTimes): number {
  return expr.stepExpr === null ? expr.stepMs : milliseconds(expr.stepExpr, times, false)
}

/** Throws the first error of a duration in the expression, before anything is evaluated. */
export function checkDurations(expr: Expr, times: QueryTimes): void {
  if (expr.type === 'vectorSelector' || expr.type === 'subquery') offsetOf(expr, times)
  if (expr.type === 'subquery') stepOf(expr, times)
  if (expr.type === 'matrixSelector' || expr.type === 'subquery') rangeOf(expr, times)
  for (const child of children(expr)) checkDurations(child, times)
}
