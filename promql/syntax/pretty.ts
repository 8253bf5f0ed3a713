/**
 * The text of an expression for people: canonical, and what is longer than a line is split, each part on lines of its own.
 * Selectors and numbers are never split; comments are lost.
 *
 * Rules: Prometheus promql/parser/prettier.go.
 */
import type { Aggregate, Binary, Expr } from './ast.ts'
import { print, printAggregateHead, printOperator, printSubquerySuffix } from './printer.ts'

/** Bytes of UTF-8. */
const LINE_BYTES = 100
const INDENT = '  '

export function prettyPrint(expr: Expr): string {
  return pretty(expr, 0)
}

/** `level`: how deep the expression stands; its first line is indented, too. */
function pretty(expr: Expr, level: number): string {
  const indent = INDENT.repeat(level)
  const text = print(expr)
  const isLong = Buffer.byteLength(text) > LINE_BYTES
  switch (expr.type) {
    case 'aggregation':
      return isLong ? splitAggregate(expr, level) : indent + text
    case 'binaryExpr':
      return isLong ? splitBinary(expr, level) : indent + text
    case 'call': {
      if (!isLong) return indent + text
      const args = expr.args.map((arg) => pretty(arg, level + 1)).join(',\n')
      return `${indent}${expr.func.name}(\n${args}\n${indent})`
    }
    case 'parenExpr':
      return isLong ? `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})` : indent + text
    case 'subquery':
      // A short one is not indented: upstream leaves that to what is inside, which it does not print then.
      return isLong ? pretty(expr.expr, level) + printSubquerySuffix(expr) : text
    case 'unaryExpr':
      return indent + expr.op + pretty(expr.expr, level).trim()
    case 'matrixSelector':
    case 'vectorSelector':
    case 'numberLiteral':
    case 'stringLiteral':
      return indent + text
  }
}

function splitAggregate(expr: Aggregate, level: number): string {
  const indent = INDENT.repeat(level)
  const param = expr.param === null ? '' : `${pretty(expr.param, level + 1)},\n`
  return `${indent}${printAggregateHead(expr)}(\n${param}${pretty(expr.expr, level + 1)}\n${indent})`
}

function splitBinary(expr: Binary, level: number): string {
  const operator = INDENT.repeat(level) + printOperator(expr)
  return `${pretty(expr.lhs, level + 1)}\n${operator}\n${pretty(expr.rhs, level + 1)}`
}
