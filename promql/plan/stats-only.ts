/**
 * Which selectors feed nothing but counts and sums of histograms, so that no buckets are wanted of them.
 *
 * Source: Prometheus promql/engine.go detectHistogramStatsDecoding. On the way up from a selector, histogram_count, _sum and
 * _avg say yes, unless higher up comes what needs buckets.
 */
import type { Expr, VectorSelector } from '../syntax/ast.ts'

const STATS: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg'])
const BUCKETS: ReadonlySet<string> = new Set([
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
])

export function statsOnlySelectors(root: Expr): ReadonlySet<VectorSelector> {
  const found = new Set<VectorSelector>()
  visit(root, false, false, found)
  return found
}

/** `wants`: a function of counts and sums is above. `needsBuckets`: so is something that needs buckets. */
function visit(expr: Expr, wants: boolean, needsBuckets: boolean, found: Set<VectorSelector>): void {
  switch (expr.type) {
    case 'numberLiteral':
    case 'stringLiteral':
      return
    case 'vectorSelector':
      if (wants && !needsBuckets) found.add(expr)
      return
    case 'matrixSelector':
      visit(expr.selector, wants, needsBuckets, found)
      return
    case 'subquery':
      visit(expr.expr, false, true, found)
      return
    case 'parenExpr':
    case 'unaryExpr':
      visit(expr.expr, wants, needsBuckets, found)
      return
    case 'binaryExpr': {
      const isCut = needsBuckets || expr.op === '</' || expr.op === '>/'
      visit(expr.lhs, wants, isCut, found)
      visit(expr.rhs, wants, isCut, found)
      return
    }
    case 'aggregation':
      if (expr.param !== null) visit(expr.param, wants, needsBuckets, found)
      visit(expr.expr, wants, needsBuckets, found)
      return
    case 'call': {
      const { name } = expr.func
      for (const arg of expr.args)
        visit(arg, wants || STATS.has(name), needsBuckets || BUCKETS.has(name), found)
    }
  }
}
