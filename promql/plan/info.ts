/**
 * What info() reads beside its vector: series of info metrics, at the times that the vector's first selector looks at.
 *
 * Source: Prometheus promql/info.go effectiveInfoNameMatchers, infoSelectHints.
 */
import { METRIC_NAME } from '../../storage/model/labels.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { type Call, children, type Expr, type TimeModifiers, type VectorSelector } from '../syntax/ast.ts'

const DEFAULT_METRIC = 'target_info'
/** Names that are looked at where matchers only say which not. */
const ANY_INFO_METRIC = '.+_info'

/** The selector of the info series: the second argument of the call, with matchers on the name in any case. */
export function infoSelector({ args, start, end }: Call): VectorSelector {
  const given = args.length > 1 ? args[1] : undefined
  if (given !== undefined && given.type !== 'vectorSelector')
    throw new Error('the parser takes selectors only')
  const matchers = given?.matchers ?? []
  const onName = matchers.filter(({ name }) => name === METRIC_NAME)
  const isPositive = onName.some(({ op }) => op === '=' || op === '=~')
  const added: Matcher[] = []
  if (onName.length === 0) added.push(new Matcher(METRIC_NAME, '=', DEFAULT_METRIC))
  else if (!isPositive) added.push(new Matcher(METRIC_NAME, '=~', ANY_INFO_METRIC))
  return {
    type: 'vectorSelector',
    name: '',
    matchers: [...added, ...matchers],
    anchored: false,
    smoothed: false,
    offsetMs: 0,
    offsetExpr: null,
    timestampMs: null,
    startOrEnd: null,
    start: given?.start ?? start,
    end: given?.end ?? end,
  }
}

/** What shifts the times at which the first selector of an expression is read, from the outermost subquery inwards. */
export function infoModifiers(expr: Expr): TimeModifiers[] {
  return findSelector(expr) ?? []
}

function findSelector(expr: Expr): TimeModifiers[] | undefined {
  if (expr.type === 'vectorSelector') return [expr]
  // The parameter of an aggregation comes last here, though it is written first.
  const inner = expr.type === 'aggregation' ? children(expr).toReversed() : children(expr)
  for (const child of inner) {
    const found = findSelector(child)
    if (found !== undefined) return expr.type === 'subquery' ? [expr, ...found] : found
  }
  return undefined
}
