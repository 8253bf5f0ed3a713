/**
 * PromQL in its shortest form: step by step and series by series, nothing shared, nothing kept from one window to
 * the next. It is what the engine is compared with, and knows the engine's parser but none of its evaluation.
 */
import type { Aggregate, Binary, Expr, MatrixSelector, Subquery } from '../../../promql/syntax/ast.ts'
import { valueType } from '../../../promql/syntax/ast.ts'
import { compareLabels, Labels } from '../../../storage/model/labels.ts'
import { Aggregation, countValues } from './aggregation.ts'
import { Matching, scalarOperation, setOperation, vectorAndScalar } from './binary.ts'
import type { DataSet } from './data-set.ts'
import { checkDurations } from './durations.ts'
import { FunctionCall } from './functions.ts'
import { multiply } from './histogram.ts'
import { isInvariant } from './invariance.ts'
import {
  DUPLICATE_LABEL_SET,
  type Element,
  InterpreterError,
  isHistogram,
  type Outcome,
  type QueryTimes,
  type Run,
  type Scope,
  type Settings,
  UndefinedResult,
  type Value,
  type Vector,
} from './model.ts'
import { checkUnique, dropName, withFirstMarks, withoutMetadata } from './naming.ts'
import { type Note, Notes } from './notes.ts'
import { unparenthesized } from './position.ts'
import { evaluateSelector, windowsOf } from './selection.ts'

export interface ResultPoint {
  readonly t: number
  readonly value: Value
}

export interface ResultSeries {
  readonly labels: Labels
  readonly points: readonly ResultPoint[]
}

export interface Answer {
  readonly type: 'scalar' | 'string' | 'vector' | 'matrix'
  readonly text: string
  readonly series: readonly ResultSeries[]
  /** Whether the order of the series is part of the answer. */
  readonly notes: readonly Note[]
  readonly alternatives: readonly (readonly string[])[]
}

/**
 * The answer to a query, at startMs, startMs + stepMs, … up to endMs. Throws InterpreterError where the query has
 * none, UndefinedResult where the language leaves it open.
 */
export function interpret(
  expr: Expr,
  query: string,
  data: DataSet,
  times: QueryTimes,
  settings: Settings,
): Answer {
  checkDurations(expr, times)
  const run: Run = { data, settings, times, notes: new Notes() }
  const steps = [times.startMs]
  while (times.stepMs > 0 && steps.at(-1)! + times.stepMs <= times.endMs)
    steps.push(steps.at(-1)! + times.stepMs)
  const scope: Scope = { run, times: steps, isWhole: true }
  const isInstant = times.stepMs === 0
  const answer = (type: Answer['type'], series: readonly ResultSeries[], text = ''): Answer => ({
    type,
    text,
    series,
    notes: run.notes.all(query),
    alternatives: run.notes.alternatives,
  })
  if (valueType(expr) === 'matrix') return answer('matrix', matrix(expr, scope))
  const outcome = evaluate(expr, scope)
  if (outcome.type === 'string') return answer('string', [], outcome.value)
  if (outcome.type === 'scalar') {
    const points = outcome.values.map((value, i) => ({ t: steps[i], value }))
    return answer(isInstant ? 'scalar' : 'matrix', [{ labels: Labels.EMPTY, points }])
  }
  return answer(isInstant ? 'vector' : 'matrix', assemble(outcome.steps, scope))
}

/** The elements of all steps as series. Throws where two of them come to the same labels at one step. */
function assemble(steps: readonly Vector[], { times, run }: Scope): ResultSeries[] {
  const series = new Map<string, ResultSeries & { points: ResultPoint[] }>()
  for (const [i, vector] of steps.entries()) {
    for (const { labels: full, dropName: isDropped, value } of vector) {
      const labels = isDropped ? withoutMetadata(full) : full
      const one = series.get(labels.key()) ?? { labels, points: [] }
      series.set(labels.key(), one)
      if (one.points.at(-1)?.t === times[i]) throw new InterpreterError(DUPLICATE_LABEL_SET)
      one.points.push({ t: times[i], value })
    }
  }
  const all = [...series.values()]
  return run.times.stepMs === 0 ? all : all.toSorted((a, b) => compareLabels(a.labels, b.labels))
}

/** A range vector as the answer of an instant query. */
function matrix(expr: Expr, scope: Scope): ResultSeries[] {
  const inner = unparenthesized(expr) as MatrixSelector | Subquery
  if (inner.type === 'matrixSelector' && (inner.selector.anchored || inner.selector.smoothed)) {
    throw new UndefinedResult('a bare range with borders')
  }
  const all = windowsOf(inner, scope, evaluate).flatMap(({ labels, dropName: isDropped, windows }) => {
    const points = windows[0].samples.map(({ t, value }) => ({ t, value }))
    return points.length === 0 ? [] : [{ labels: isDropped ? withoutMetadata(labels) : labels, points }]
  })
  const merged = new Map<string, ResultSeries>()
  for (const { labels, points } of all) {
    const before = merged.get(labels.key())?.points ?? []
    if (before.some(({ t }) => points.some((point) => point.t === t))) {
      throw new InterpreterError(DUPLICATE_LABEL_SET)
    }
    merged.set(labels.key(), { labels, points: [...before, ...points].toSorted((a, b) => a.t - b.t) })
  }
  return [...merged.values()].toSorted((a, b) => compareLabels(a.labels, b.labels))
}

export function evaluate(expr: Expr, scope: Scope): Outcome {
  switch (expr.type) {
    case 'numberLiteral':
      return { type: 'scalar', values: scope.times.map(() => expr.value) }
    case 'stringLiteral':
      return { type: 'string', value: expr.value }
    case 'parenExpr':
      return evaluate(expr.expr, scope)
    case 'vectorSelector':
      return { type: 'vector', steps: evaluateSelector(expr, scope) }
    case 'unaryExpr':
      return expr.op === '+' ? evaluate(expr.expr, scope) : negate(evaluate(expr.expr, scope), scope)
    case 'call':
      return new FunctionCall(expr, scope, evaluate).evaluate()
    case 'aggregation':
      return { type: 'vector', steps: aggregate(expr, scope) }
    case 'binaryExpr':
      return binary(expr, scope)
    case 'matrixSelector':
    case 'subquery':
      throw new Error('a range vector where none may be')
  }
}

function negate(outcome: Outcome, { run }: Scope): Outcome {
  if (outcome.type === 'scalar') return { type: 'scalar', values: outcome.values.map((value) => -value) }
  if (outcome.type !== 'vector') throw new Error('a string with a sign')
  const steps = outcome.steps.map((vector) =>
    vector.map((element): Element => {
      const { value } = element
      const negated = isHistogram(value) ? multiply(value, -1) : -value
      return dropName({ ...element, value: negated }, run.settings)
    }),
  )
  if (!run.settings.delayedNameRemoval) checkUnique(steps)
  return { type: 'vector', steps }
}

function aggregate(expr: Aggregate, scope: Scope): Vector[] {
  const param = expr.param === null ? undefined : evaluate(unparenthesized(expr.param), scope)
  const outcome = evaluate(unparenthesized(expr.expr), scope)
  if (outcome.type !== 'vector') throw new Error('an aggregation of something else than a vector')
  if (expr.op === 'count_values') {
    if (param?.type !== 'string') throw new Error('count_values without a label')
    const steps = countValues(expr, param.value, outcome.steps)
    checkUnique(steps)
    return steps
  }
  const params = param?.type === 'scalar' ? param.values : []
  if (isInvariant(expr) && params.some((value) => !Object.is(value, params[0]))) {
    throw new UndefinedResult(
      'upstream takes the first parameter for all steps where the vector is the same at all',
    )
  }
  return new Aggregation(expr, scope, params).evaluate(outcome.steps)
}

function binary(expr: Binary, scope: Scope): Outcome {
  const lhs = evaluate(expr.lhs, scope)
  const rhs = evaluate(expr.rhs, scope)
  const { run, times } = scope
  if (lhs.type === 'string' || rhs.type === 'string') throw new Error('an operator on strings')
  if (lhs.type === 'scalar' && rhs.type === 'scalar') {
    return { type: 'scalar', values: lhs.values.map((a, i) => scalarOperation(expr.op, a, rhs.values[i])) }
  }
  const steps = times.map((_, i): Element[] => {
    if (lhs.type === 'scalar') return vectorAndScalar(expr, vectorAt(rhs, i), lhs.values[i], true, run)
    if (rhs.type === 'scalar') return vectorAndScalar(expr, vectorAt(lhs, i), rhs.values[i], false, run)
    if (expr.matching?.card === 'many-to-many') return setOperation(expr, lhs.steps[i], rhs.steps[i])
    return new Matching(expr, run).evaluate(lhs.steps[i], rhs.steps[i])
  })
  if (!run.settings.delayedNameRemoval || times.length > 1) checkUnique(steps)
  return { type: 'vector', steps: withFirstMarks(steps) }
}

function vectorAt(outcome: Outcome, i: number): Vector {
  if (outcome.type !== 'vector') throw new Error('no vector')
  return outcome.steps[i]
}
