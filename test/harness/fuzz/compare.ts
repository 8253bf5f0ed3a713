/** Whether two answers are the same, and where they differ. */
import { statsOnlySelectors } from '../../../promql/plan/stats-only.ts'
import type { Expr } from '../../../promql/syntax/ast.ts'
import { children } from '../../../promql/syntax/ast.ts'
import { compareLabels } from '../../../storage/model/labels.ts'
import { type Buckets, equalBounds, type NaiveHistogram } from '../interpreter/histogram.ts'
import type { Answer, ResultPoint, ResultSeries } from '../interpreter/interpreter.ts'
import { formatLabels } from '../interpreter/label-text.ts'
import { isHistogram, UndefinedResult, type Value } from '../interpreter/model.ts'
import { unparenthesized } from '../interpreter/position.ts'
import type { Answered } from './engine-answer.ts'

/** Relative difference of values that need not agree to the last bit. */
const TOLERANCE = 1e-9

/** Functions and aggregations that add up in an order of their own, or that every library rounds in its own way. */
const INEXACT =
  /^(exp|ln|log2|log10|a?(sin|cos|tan)h?|sum|avg|stddev|stdvar|sum_over_time|avg_over_time|stddev_over_time|stdvar_over_time|mad_over_time|deriv|predict_linear|double_exponential_smoothing|histogram_.*)$/

/** Whether the query's values are promised to the last bit: selection, the rate family, counts, extremes, quantiles. */
export function isExact(expr: Expr): boolean {
  const name = expr.type === 'call' ? expr.func.name : expr.type === 'aggregation' ? expr.op : ''
  return !INEXACT.test(name) && children(expr).every(isExact)
}

function isSameFloat(a: number, b: number, exact: boolean): boolean {
  if (Object.is(a, b)) return true
  if (exact || !Number.isFinite(a) || !Number.isFinite(b)) return false
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b))
}

function areSameBuckets(a: Buckets, b: Buckets, count: number): boolean {
  const isNear = (x: number, y: number) =>
    isSameFloat(x, y, false) || Math.abs(x - y) <= TOLERANCE * Math.abs(count)
  return [...new Set([...a.keys(), ...b.keys()])].every((index) =>
    isNear(a.get(index) ?? 0, b.get(index) ?? 0),
  )
}

function areSameHistograms(a: NaiveHistogram, b: NaiveHistogram): boolean {
  const isNear = (x: number, y: number) =>
    isSameFloat(x, y, false) || Math.abs(x - y) <= TOLERANCE * Math.abs(a.count)
  return (
    a.hint === b.hint &&
    a.schema === b.schema &&
    isSameFloat(a.zeroThreshold, b.zeroThreshold, false) &&
    isNear(a.zeroCount, b.zeroCount) &&
    isSameFloat(a.count, b.count, false) &&
    isNear(a.sum, b.sum) &&
    equalBounds(a.bounds, b.bounds) &&
    areSameBuckets(a.positive, b.positive, a.count) &&
    areSameBuckets(a.negative, b.negative, a.count)
  )
}

function areSameValues(a: Value, b: Value, exact: boolean): boolean {
  if (isHistogram(a) && isHistogram(b)) return areSameHistograms(a, b)
  return !isHistogram(a) && !isHistogram(b) && isSameFloat(a, b, exact)
}

export function formatValue(value: Value): string {
  if (!isHistogram(value)) return Object.is(value, -0) ? '-0' : String(value)
  return JSON.stringify({ ...value, positive: [...value.positive], negative: [...value.negative] })
}

function compareSeries(expected: ResultSeries, actual: ResultSeries, exact: boolean): string | undefined {
  const times = (points: readonly ResultPoint[]) => points.map(({ t }) => t).join()
  if (times(expected.points) !== times(actual.points)) {
    return `points at ${times(actual.points)}, not at ${times(expected.points)}`
  }
  for (const [i, { t, value }] of expected.points.entries()) {
    const other = actual.points[i].value
    if (!areSameValues(value, other, exact)) return `${formatValue(other)} at ${t}, not ${formatValue(value)}`
  }
  return undefined
}

/** Labels and values of two answers; `expected` is the one that is right. */
export function compareValues(
  expected: readonly ResultSeries[],
  actual: readonly ResultSeries[],
  exact: boolean,
): string | undefined {
  const sorted = (series: readonly ResultSeries[]) =>
    series.toSorted((a, b) => compareLabels(a.labels, b.labels))
  const [left, right] = [sorted(expected), sorted(actual)]
  const names = (series: readonly ResultSeries[]) =>
    series.map(({ labels }) => formatLabels(labels)).join(' ')
  if (names(left) !== names(right)) return `series ${names(right) || 'none'}, not ${names(left) || 'none'}`
  for (const [i, series] of left.entries()) {
    const difference = compareSeries(series, right[i], exact)
    if (difference !== undefined) return `${formatLabels(series.labels)}: ${difference}`
  }
  return undefined
}

/** What an order is of, at the top of an instant query: values, labels, or nothing. */
function orderOf(expr: Expr): 'values' | 'labels' | 'none' {
  const top = unparenthesized(expr)
  if (top.type === 'aggregation') {
    const isWhole = top.grouping.length === 0 && !top.without
    return isWhole && (top.op === 'topk' || top.op === 'bottomk') ? 'values' : 'none'
  }
  if (top.type !== 'call') return 'none'
  if (top.func.name.startsWith('sort_by_label')) return 'labels'
  return top.func.name.startsWith('sort') ? 'values' : 'none'
}

function compareOrder(
  expr: Expr,
  expected: readonly ResultSeries[],
  actual: readonly ResultSeries[],
): string | undefined {
  const order = orderOf(expr)
  if (order === 'none') return undefined
  const show = ({ labels, points }: ResultSeries) =>
    order === 'labels' ? formatLabels(labels) : Number(points[0].value).toPrecision(9)
  const [left, right] = [expected.map(show).join(' '), actual.map(show).join(' ')]
  return left === right ? undefined : `order ${right}, not ${left}`
}

/** Upstream reads histograms in another way under these, which finds resets that others do not see. */
const ON_THE_FLY = /conflicting counter resets during histogram aggregation/

/** Where only counts and sums are wanted, upstream reads histograms without bounds, which so never differ. */
const OF_BOUNDS = /mismatched custom buckets were reconciled/

/** Annotations count as sets of texts, each told at one of the places where it may. */
function compareAnnotations(expr: Expr, expected: Answer, actual: readonly string[]): string | undefined {
  const isWithoutBounds = statsOnlySelectors(expr).size > 0
  const mayLack = (text: string) => ON_THE_FLY.test(text) || (isWithoutBounds && OF_BOUNDS.test(text))
  const optional = new Set(expected.alternatives.flat())
  const place = / \(\d+:\d+\)$/
  const told = new Map<string, string>()
  for (const text of actual) {
    const plain = text.replace(place, '')
    if (told.has(plain)) return `twice told: ${text}`
    told.set(plain, text)
  }
  for (const { text, places } of expected.notes) {
    const shown = told.get(text)
    if (shown === undefined) {
      if (!optional.has(text) && !mayLack(text)) return `not told: ${text}${places[0]}`
      continue
    }
    if (!places.some((one) => text + one === shown)) return `told ${shown}, not at ${places.join()}`
    told.delete(text)
  }
  const missing = expected.alternatives.find(
    (texts) => !texts.some((text) => actual.some((one) => one.startsWith(text))),
  )
  if (missing !== undefined) return `none told of: ${missing.join('; ')}`
  const extra = [...told.values()].find((text) => !ON_THE_FLY.test(text))
  return extra === undefined ? undefined : `told: ${extra}`
}

/** Which of several pairs of duplicates is named depends on the order of series, which the language leaves open. */
const DUPLICATES =
  /(found duplicate series for the match group ).*( on the (?:left|right) hand-side).*(?=;many-to-many)/

function hasValueLabels(expr: Expr): boolean {
  return (expr.type === 'aggregation' && expr.op === 'count_values') || children(expr).some(hasValueLabels)
}

/** Where the engine's answer differs from the interpreter's; undefined when it does not. */
export function compareAnswers(
  expr: Expr,
  expected: Answer | { readonly error: string },
  actual: Answered,
): string | undefined {
  if ('error' in actual && /not supported yet$/.test(actual.error)) throw new UndefinedResult(actual.error)
  if ('error' in expected || 'error' in actual) {
    const [left, right] = [expected, actual].map((one) =>
      'error' in one ? `error ${one.error}` : 'no error',
    )
    if (left.replace(DUPLICATES, '$1$2') === right.replace(DUPLICATES, '$1$2')) return undefined
    return `${right}; expected ${left}`
  }
  const type = actual.type === 'samples' ? 'matrix' : actual.type
  if (type !== expected.type) return `a ${type}, not a ${expected.type}`
  if (expected.text !== actual.text) return `"${actual.text}", not "${expected.text}"`
  const exact = isExact(expr)
  const difference = compareValues(expected.series, actual.series, exact)
  if (difference !== undefined && hasValueLabels(expr) && (!exact || difference.includes('{count:'))) {
    throw new UndefinedResult('labels made of values that need not agree to the last bit')
  }
  return (
    difference ??
    (type === 'vector' ? compareOrder(expr, expected.series, actual.series) : undefined) ??
    compareAnnotations(expr, expected, actual.annotations)
  )
}
