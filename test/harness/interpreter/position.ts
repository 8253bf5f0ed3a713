/** Places that annotations show. */
import type { Expr } from '../../../promql/syntax/ast.ts'

export function unparenthesized(expr: Expr): Expr {
  return expr.type === 'parenExpr' ? unparenthesized(expr.expr) : expr
}

/** Where an argument of a function begins; upstream forgets where a subquery stood. */
export function argumentStart(arg: Expr): number {
  const inner = unparenthesized(arg)
  return inner.type === 'subquery' ? 0 : inner.start
}
