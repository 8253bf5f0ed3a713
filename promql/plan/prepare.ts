/** From the tree of a query to its plan. */
import { tooManySamples } from '../errors.ts'
import type {
  Aggregate,
  Call,
  DurationExpr,
  Expr,
  MatrixSelector,
  Subquery,
  TimeModifiers,
  VectorSelector,
} from '../syntax/ast.ts'
import { printMatcher } from '../syntax/printer.ts'
import { type DurationScope, durationMs } from './duration.ts'
import { infoModifiers, infoSelector } from './info.ts'
import { Frame, type Plan, type PlanNode, type Selection } from './plan.ts'
import { findSharing } from './shared.ts'
import { statsOnlySelectors } from './stats-only.ts'

export interface PrepareOptions {
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
  readonly lookbackMs: number
  readonly defaultSubqueryStepMs: number
  /** Whether samples are to be counted for each step of the query. */
  readonly perStepStats: boolean
}

/** Functions whose result depends on the evaluation time even where their arguments do not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set(
  (
    'days_in_month day_of_month day_of_week day_of_year end hour minute month ' +
    'predict_linear range start step time timestamp year'
  ).split(' '),
)

/** Throws QueryError: bad_data for durations that come out wrong. */
export function prepare(expr: Expr, options: PrepareOptions): Plan {
  return new Planner(options).plan(expr)
}

/** The expression inside all parentheses around it. */
export function unwrapParens(expr: Expr): Expr {
  while (expr.type === 'parenExpr') expr = expr.expr
  return expr
}

/** The aggregation with its operands unwrapped: annotations point inside of their parentheses. */
function withoutParens(expr: Aggregate): Aggregate {
  return { ...expr, expr: unwrapParens(expr.expr), param: expr.param && unwrapParens(expr.param) }
}

/** More steps than any query means; each costs memory even where there is no sample. */
const STEPS_MAX = 5_000_000

/** Number of steps in [startMs, endMs]. Throws QueryError when they are too many. */
function stepCount(startMs: number, endMs: number, stepMs: number): number {
  const count = stepMs === 0 ? 1 : Math.floor((endMs - startMs) / stepMs) + 1
  if (count > STEPS_MAX) throw tooManySamples()
  return count
}

class Planner {
  private readonly options: PrepareOptions
  private readonly scope: DurationScope
  private readonly selections: Selection[] = []
  /** Equal selections are read once. */
  private readonly selectionOf = new Map<string, number>()
  private statsOnly: ReadonlySet<VectorSelector> = new Set()
  private readonly invariants = new Map<Expr, boolean>()

  constructor(options: PrepareOptions) {
    this.options = options
    this.scope = { stepMs: options.stepMs, rangeMs: options.endMs - options.startMs }
  }

  plan(expr: Expr): Plan {
    const { startMs, endMs, stepMs, perStepStats } = this.options
    this.statsOnly = statsOnlySelectors(expr)
    const frame = new Frame(startMs, stepMs, stepCount(startMs, endMs, stepMs), perStepStats)
    const root = this.node(expr, frame, '')
    let mint = Infinity
    let maxt = -Infinity
    for (const selection of this.selections) {
      mint = Math.min(mint, selection.mint)
      maxt = Math.max(maxt, selection.maxt)
    }
    if (mint > maxt) mint = maxt = 0
    return { root, selections: this.selections, sharing: findSharing(root), mint, maxt }
  }

  /** `func` is the nearest function or aggregation around the expression. */
  private node(expr: Expr, frame: Frame, func: string): PlanNode {
    expr = unwrapParens(expr)
    const mayRepeat = frame.count > 1 && !['matrixSelector', 'subquery', 'stringLiteral'].includes(expr.type)
    if (mayRepeat && expr.type !== 'numberLiteral' && this.isInvariant(expr)) {
      const once = new Frame(frame.times[0], 0, 1, false)
      return { kind: 'invariant', frame, inner: this.node(expr, once, func) }
    }
    switch (expr.type) {
      case 'numberLiteral':
        return { kind: 'number', frame, expr }
      case 'stringLiteral':
        return { kind: 'string', frame, expr }
      case 'unaryExpr': {
        const inner = this.node(expr.expr, frame, func)
        return expr.op === '+' ? inner : { kind: 'negate', frame, expr, inner }
      }
      case 'binaryExpr': {
        const lhs = this.node(expr.lhs, frame, '')
        return { kind: 'binary', frame, expr, lhs, rhs: this.node(expr.rhs, frame, '') }
      }
      case 'aggregation': {
        const param = expr.param === null ? null : this.node(expr.param, frame, expr.op)
        const inner = this.node(expr.expr, frame, expr.op)
        return { kind: 'aggregate', frame, expr: withoutParens(expr), param, inner }
      }
      case 'call': {
        if (expr.func.name === 'info') return this.info(expr, frame)
        const args = expr.args.map((arg) => this.node(arg, frame, expr.func.name))
        return { kind: 'call', frame, expr: { ...expr, args: expr.args.map(unwrapParens) }, args }
      }
      case 'vectorSelector':
        return this.selector(expr, frame, func)
      case 'matrixSelector':
        return this.range(expr, frame, func)
      case 'subquery':
        return this.subquery(expr, frame, func)
      case 'parenExpr':
        throw new Error('parentheses are unwrapped before')
    }
  }

  /** Whether the expression gives the same at every step of a query. */
  private isInvariant(expr: Expr): boolean {
    let answer = this.invariants.get(expr)
    if (answer === undefined) {
      answer = this.findInvariance(expr)
      this.invariants.set(expr, answer)
    }
    return answer
  }

  private findInvariance(expr: Expr): boolean {
    switch (expr.type) {
      case 'numberLiteral':
      case 'stringLiteral':
        return true
      case 'parenExpr':
      case 'unaryExpr':
        return this.isInvariant(expr.expr)
      case 'binaryExpr':
        return this.isInvariant(expr.lhs) && this.isInvariant(expr.rhs)
      case 'aggregation':
        // As upstream, which does not look at the parameter: that of the first step counts.
        return this.isInvariant(expr.expr)
      case 'call':
        return !TIME_DEPENDENT.has(expr.func.name) && expr.args.every((arg) => this.isInvariant(arg))
      case 'matrixSelector':
        return this.isInvariant(expr.selector)
      case 'vectorSelector':
      case 'subquery':
        return expr.timestampMs !== null || expr.startOrEnd !== null
    }
  }

  private selector(expr: VectorSelector, frame: Frame, func: string): PlanNode {
    const { lookbackMs } = this.options
    const refMs = this.referenceTimes(expr, frame.times)
    const selection = this.select(expr, refMs, lookbackMs, expr.smoothed ? lookbackMs : 0, func, 0)
    return { kind: 'selector', frame, expr, refMs, selection, isStatsOnly: this.statsOnly.has(expr) }
  }

  /** The arguments are the vector and the selector of the info series, whether or not it is given. */
  private info(expr: Call, frame: Frame): PlanNode {
    const selector = infoSelector(expr)
    const { lookbackMs } = this.options
    let refMs = frame.times
    for (const modifiers of infoModifiers(expr.args[0])) refMs = this.referenceTimes(modifiers, refMs)
    const selection = this.select(selector, refMs, lookbackMs, 0, 'info', 0)
    const series: PlanNode = { kind: 'selector', frame, expr: selector, refMs, selection, isStatsOnly: false }
    return { kind: 'call', frame, expr, args: [this.node(expr.args[0], frame, 'info'), series] }
  }

  private range(expr: MatrixSelector, frame: Frame, func: string): PlanNode {
    const { lookbackMs } = this.options
    const { selector } = expr
    const rangeMs = this.resolve(expr.rangeExpr, expr.rangeMs, false)
    const refMs = this.referenceTimes(selector, frame.times)
    const extension = selector.anchored ? 'anchored' : selector.smoothed ? 'smoothed' : undefined
    const spanMs = extension === undefined ? rangeMs : rangeMs + lookbackMs
    const aheadMs = extension === 'smoothed' ? lookbackMs : 0
    const selection = this.select(selector, refMs, spanMs, aheadMs, func, rangeMs)
    const isStatsOnly = this.statsOnly.has(selector)
    return { kind: 'range', frame, expr, refMs, rangeMs, selection, isStatsOnly, extension }
  }

  private subquery(expr: Subquery, frame: Frame, func: string): PlanNode {
    const rangeMs = this.resolve(expr.rangeExpr, expr.rangeMs, false)
    const stepMs = this.resolve(expr.stepExpr, expr.stepMs, false) || this.options.defaultSubqueryStepMs
    const refMs = this.referenceTimes(expr, frame.times)
    // Where windows leave gaps, it matters for the sum at which steps samples were read.
    const countsSteps = frame.count > 1 && (frame.countsSteps || frame.stepMs > rangeMs)
    let inner = new Frame(0, stepMs, 0, countsSteps)
    if (frame.count > 0) {
      // The first multiple of the step inside the first window, which is open on the left.
      const startMs = (Math.floor((refMs[0] - rangeMs) / stepMs) + 1) * stepMs
      const count = stepCount(startMs, refMs[frame.count - 1], stepMs)
      inner = new Frame(startMs, stepMs, Math.max(count, 0), countsSteps)
    }
    return { kind: 'subquery', frame, expr, refMs, rangeMs, inner: this.node(expr.expr, inner, func) }
  }

  private resolve(expr: DurationExpr | null, ms: number, allowNegative: boolean): number {
    return expr === null ? ms : durationMs(expr, this.scope, allowNegative)
  }

  /** For each time of a step the time that is looked at. */
  private referenceTimes(modifiers: TimeModifiers, times: Float64Array): Float64Array {
    const offsetMs = this.resolve(modifiers.offsetExpr, modifiers.offsetMs, true)
    const { startOrEnd } = modifiers
    const atMs =
      startOrEnd === null
        ? modifiers.timestampMs
        : startOrEnd === 'start'
          ? this.options.startMs
          : this.options.endMs
    return times.map((t) => (atMs ?? t) - offsetMs)
  }

  /** Notes a read of (first refMs − spanMs, last refMs + aheadMs]. */
  private select(
    expr: VectorSelector,
    refMs: Float64Array,
    spanMs: number,
    aheadMs: number,
    func: string,
    rangeMs: number,
  ): number {
    if (refMs.length === 0) return -1
    const hints = { func, stepMs: this.options.stepMs, rangeMs, labelsOnly: false }
    const mint = refMs[0] - spanMs + 1
    const maxt = refMs[refMs.length - 1] + aheadMs
    const text = expr.matchers.map(printMatcher).join()
    const key = `${mint} ${maxt} ${text}`
    let selection = this.selectionOf.get(key)
    if (selection === undefined) {
      selection = this.selections.push({ matchers: expr.matchers, mint, maxt, hints }) - 1
      this.selectionOf.set(key, selection)
      return selection
    }
    const known = this.selections[selection]
    // What only one of several readers means to do is no hint.
    if (known.hints.func !== func || known.hints.rangeMs !== rangeMs) {
      this.selections[selection] = { ...known, hints: { ...hints, func: '', rangeMs: 0 } }
    }
    return selection
  }
}
