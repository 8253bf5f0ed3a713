/** Where Prometheus 2.42, which Debian has, answers otherwise than 3.x, and what is done about it. */
import { children, type Expr } from '../../../promql/syntax/ast.ts'

export interface VersionDifference {
  readonly what: string
  /** Whether the query may meet it. */
  readonly isMet: (expr: Expr) => boolean
}

function some(expr: Expr, test: (part: Expr) => boolean): boolean {
  return test(expr) || children(expr).some((part) => some(part, test))
}

function calls(...names: readonly string[]): (expr: Expr) => boolean {
  return (expr) => some(expr, (part) => part.type === 'call' && names.includes(part.func.name))
}

function aggregates(...names: readonly string[]): (expr: Expr) => boolean {
  return (expr) => some(expr, (part) => part.type === 'aggregation' && names.includes(part.op))
}

/** Met now and then only: such queries are asked, and a difference counts as explained. */
export const VERSION_OCCASIONS: readonly VersionDifference[] = [
  {
    what: 'the zero point of a counter was taken before the threshold of extrapolation, and now after',
    isMet: calls('rate', 'increase'),
  },
  {
    what: 'the deviation of a first NaN or infinity was 0, and is NaN',
    isMet: aggregates('stddev', 'stdvar'),
  },
  { what: 'the window of predict_linear slid along though `@` fixed it', isMet: calls('predict_linear') },
  {
    what: 'several partners were no error where the comparison filtered them out',
    isMet: (expr) => some(expr, (part) => part.type === 'binaryExpr' && /^[=!<>]/.test(part.op)),
  },
  { what: 'the last digits of means differ, and are labels here', isMet: aggregates('count_values') },
  { what: 'k below all integers was an error, and gives nothing', isMet: aggregates('topk', 'bottomk') },
]

/** Queries that meet one of these are left out. */
export const VERSION_DIFFERENCES: readonly VersionDifference[] = [
  {
    what: 'windows and lookback are closed on the left in 2.x: samples lie at odd, all borders at even milliseconds',
    isMet: () => false,
  },
  {
    what: 'steps of subqueries are whole seconds, and borders are not, for the same reason',
    isMet: () => false,
  },
  {
    what: 'annotations came with 2.48 and are not compared; of errors only that there is one',
    isMet: () => false,
  },
  { what: 'first_over_time came with 3.x', isMet: calls('first_over_time') },
  {
    what: 'histogram_fraction, _avg, _stddev and _stdvar knew no classic buckets or were not there',
    isMet: calls('histogram_fraction', 'histogram_avg', 'histogram_stddev', 'histogram_stdvar'),
  },
  {
    what: 'durations were no numbers',
    isMet: (expr) => some(expr, (part) => part.type === 'numberLiteral' && part.isDuration),
  },
  {
    what: '__type__ and __unit__ were not dropped like the name: the data have none',
    isMet: () => false,
  },
  {
    what: 'atan2 kept the name',
    isMet: (expr) => some(expr, (part) => part.type === 'binaryExpr' && part.op === 'atan2'),
  },
]
