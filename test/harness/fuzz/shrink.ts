/** Makes a failing case smaller for as long as it fails. */
import {
  children,
  type Expr,
  type MatrixSelector,
  type VectorSelector,
  valueType,
} from '../../../promql/syntax/ast.ts'
import { print } from '../../../promql/syntax/printer.ts'
import type { DataSet } from '../interpreter/data-set.ts'
import type { RandomQuery } from './random-query.ts'

export interface Case {
  readonly data: DataSet
  readonly query: RandomQuery
}

/** Undefined where the case is no failure, or no query at all. */
export type Fails = (one: Case) => Promise<string | undefined>

const TRIALS_MAX = 3000

/** The expression with other parts, in the order of `children`. */
function withChildren(expr: Expr, parts: readonly Expr[]): Expr {
  switch (expr.type) {
    case 'aggregation':
      return expr.param === null ? { ...expr, expr: parts[0] } : { ...expr, param: parts[0], expr: parts[1] }
    case 'binaryExpr':
      return { ...expr, lhs: parts[0], rhs: parts[1] }
    case 'call':
      return { ...expr, args: parts }
    case 'matrixSelector':
      return { ...expr, selector: parts[0] as VectorSelector } satisfies MatrixSelector
    case 'subquery':
    case 'parenExpr':
    case 'unaryExpr':
      return { ...expr, expr: parts[0] }
    default:
      return expr
  }
}

/** Simpler expressions of the same type in the place of one. */
function* simpler(expr: Expr): Generator<Expr> {
  const type = valueType(expr)
  for (const part of children(expr)) {
    if (valueType(part) === type) yield part
    for (const deeper of children(part)) if (valueType(deeper) === type) yield deeper
  }
  if (expr.type === 'vectorSelector' || expr.type === 'subquery') {
    if (expr.offsetMs !== 0 || expr.offsetExpr !== null) yield { ...expr, offsetMs: 0, offsetExpr: null }
    if (expr.timestampMs !== null || expr.startOrEnd !== null)
      yield { ...expr, timestampMs: null, startOrEnd: null }
  }
  if (expr.type === 'vectorSelector' && expr.matchers.length > 1) {
    const matchers = expr.matchers.filter(({ name }) => name === '__name__')
    if (matchers.length > 0) yield { ...expr, matchers }
  }
  if (expr.type === 'aggregation' && expr.grouping.length > 0)
    yield { ...expr, grouping: expr.grouping.slice(1) }
  if (type === 'scalar' && expr.type !== 'numberLiteral') {
    yield { type: 'numberLiteral', value: 1, isDuration: false, start: expr.start, end: expr.end }
  }
}

function* variants(expr: Expr): Generator<Expr> {
  yield* simpler(expr)
  const parts = children(expr)
  for (const [i, part] of parts.entries()) {
    for (const variant of variants(part)) yield withChildren(expr, parts.with(i, variant))
  }
}

function* smallerQueries(query: RandomQuery, parse: (text: string) => Expr): Generator<RandomQuery> {
  const { startMs, endMs, stepMs } = query
  if (stepMs > 0) {
    yield { ...query, endMs: startMs, stepMs: 0 }
    yield { ...query, startMs: endMs, stepMs: 0 }
    if (endMs > startMs) yield { ...query, endMs: startMs }
    if (endMs - stepMs >= startMs) {
      yield { ...query, endMs: endMs - stepMs }
      yield { ...query, startMs: startMs + stepMs }
    }
  }
  for (const variant of variants(parse(query.text))) yield { ...query, text: print(variant) }
}

function* smallerData(data: DataSet): Generator<DataSet> {
  for (let size = Math.ceil(data.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
    for (let i = 0; i < data.length; i += size) yield data.toSpliced(i, size)
  }
  for (const [i, series] of data.entries()) {
    const { samples } = series
    for (let size = Math.ceil(samples.length / 2); size >= 1; size = size > 1 ? Math.ceil(size / 2) : 0) {
      for (let j = 0; j < samples.length; j += size) {
        yield data.with(i, { ...series, samples: samples.toSpliced(j, size) })
      }
    }
  }
}

/** The smallest failing case found. Requires: the given one fails. */
export async function shrink(first: Case, fails: Fails, parse: (text: string) => Expr): Promise<Case> {
  let best = first
  let trials = 0
  const isFailing = async (candidate: Case): Promise<boolean> => {
    if (trials++ > TRIALS_MAX) return false
    return (await fails(candidate)) !== undefined
  }
  const improve = async (): Promise<boolean> => {
    for (const query of smallerQueries(best.query, parse)) {
      if (!(await isFailing({ ...best, query }))) continue
      best = { ...best, query }
      return true
    }
    for (const data of smallerData(best.data)) {
      if (!(await isFailing({ ...best, data }))) continue
      best = { ...best, data: data.filter(({ samples }) => samples.length > 0) }
      return true
    }
    return false
  }
  while (trials <= TRIALS_MAX && (await improve()));
  return best
}
