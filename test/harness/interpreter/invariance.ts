/** Which expressions upstream evaluates once, at the first step, since they are the same at all. */
import { children, type Expr } from '../../../promql/syntax/ast.ts'

const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  ...['days_in_month', 'day_of_month', 'day_of_week', 'day_of_year', 'hour', 'minute', 'month', 'year'],
  ...['end', 'predict_linear', 'range', 'start', 'step', 'time', 'timestamp'],
])

export function isInvariant(expr: Expr): boolean {
  switch (expr.type) {
    case 'vectorSelector':
    case 'subquery':
      return expr.timestampMs !== null || expr.startOrEnd !== null
    case 'aggregation':
      // The parameter does not count.
      return isInvariant(expr.expr)
    case 'call':
      return !TIME_DEPENDENT.has(expr.func.name) && expr.args.every(isInvariant)
    default:
      return children(expr).every(isInvariant)
  }
}
