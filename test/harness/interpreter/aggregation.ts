/** Aggregations, one step at a time. */

import { labelsHashRatio } from '../../../promql/functions/xxhash64.ts'
import type { Aggregate } from '../../../promql/syntax/ast.ts'
import { formatFloat, formatFloatShort, quoteString } from '../../../promql/syntax/go-format.ts'
import { isUtf8Name, type Labels } from '../../../storage/model/labels.ts'
import { compareNaNFirst, meanOf, quantileOf, sumOf } from './floats.ts'
import { isCustom, type NaiveHistogram } from './histogram.ts'
import { formatHistogram } from './histogram-format.ts'
import { averageHistograms, sumHistograms, tellSum } from './histogram-sum.ts'
import {
  type Element,
  InterpreterError,
  isHistogram,
  type Scope,
  UndefinedResult,
  type Value,
  type Vector,
} from './model.ts'
import { metricName, withLabel } from './naming.ts'
import { unparenthesized } from './position.ts'

interface Group {
  readonly labels: Labels
  readonly elements: readonly Element[]
}

const INT64_MAX = 2 ** 63

function groupLabels(labels: Labels, { grouping, without }: Aggregate): Labels {
  if (without) return labels.without(new Set([...grouping, '__name__']))
  return labels.only(new Set(grouping))
}

function groupsOf(vector: Vector, expr: Aggregate): Group[] {
  const groups = new Map<string, Group & { elements: Element[] }>()
  for (const element of vector) {
    const labels = groupLabels(element.labels, expr)
    const group = groups.get(labels.key()) ?? { labels, elements: [] }
    groups.set(labels.key(), group)
    group.elements.push(element)
  }
  return [...groups.values()]
}

function floatsOf(elements: readonly Element[]): number[] {
  return elements.flatMap(({ value }) => (isHistogram(value) ? [] : [value]))
}

function histogramsOf(elements: readonly Element[]): NaiveHistogram[] {
  return elements.flatMap(({ value }) => (isHistogram(value) ? [value] : []))
}

/** Welford's method, started at the first value. */
function variance(values: readonly number[]): number {
  if (!Number.isFinite(values[0])) return Number.NaN
  let mean = values[0]
  let squares = 0
  for (let i = 1; i < values.length; i++) {
    const delta = values[i] - mean
    mean += delta / (i + 1)
    squares += delta * (values[i] - mean)
  }
  return squares / values.length
}

/** The smallest in the order `isBefore`; NaN only where there is nothing else. */
function extreme(values: readonly number[], isBefore: (a: number, b: number) => boolean): number {
  let chosen = values[0]
  for (const value of values) if (isBefore(value, chosen) || Number.isNaN(chosen)) chosen = value
  return chosen
}

export class Aggregation {
  private readonly expr: Aggregate
  private readonly scope: Scope
  private readonly start: number
  private readonly params: readonly number[]

  /** `params` has the parameter at each step, where it is a number. */
  constructor(expr: Aggregate, scope: Scope, params: readonly number[]) {
    this.expr = expr
    this.scope = scope
    this.start = unparenthesized(expr.expr).start
    this.params = params
  }

  evaluate(steps: readonly Vector[]): Vector[] {
    if (this.isEmptyByParam()) return steps.map(() => [])
    return steps.map((vector, i) => {
      const groups = groupsOf(vector, this.expr)
      switch (this.expr.op) {
        case 'topk':
        case 'bottomk':
        case 'limitk':
        case 'limit_ratio':
          return groups.flatMap((group) => this.choose(group, this.params[i], vector.length))
        default:
          return groups.flatMap((group) => this.aggregate(group, this.params[i]))
      }
    })
  }

  private get notes() {
    return this.scope.run.notes
  }

  /** Checks the parameter over all steps. Returns whether nothing is chosen at any. */
  private isEmptyByParam(): boolean {
    const { op, param } = this.expr
    const max = this.params.reduce((a, b) => (b > a ? b : a), Number.NEGATIVE_INFINITY)
    const min = this.params.reduce((a, b) => (b < a ? b : a), Number.POSITIVE_INFINITY)
    const hasNaN = this.params.some(Number.isNaN)
    const start = param === null ? 0 : unparenthesized(param).start
    if (op === 'topk' || op === 'bottomk' || op === 'limitk') {
      if (hasNaN) throw new InterpreterError('Parameter value is NaN')
      if (max < 1) return true
      if (min <= -INT64_MAX)
        throw new InterpreterError(`Scalar value ${formatFloatShort(min)} underflows int64`)
      if (max >= INT64_MAX)
        throw new InterpreterError(`Scalar value ${formatFloatShort(max)} overflows int64`)
    }
    if (op === 'limit_ratio') {
      if (hasNaN) throw new InterpreterError('Ratio value is NaN')
      if (max === 0 && min === 0) return true
      if (max > 1) this.warnRatio(max, 1, start)
      if (min < -1) this.warnRatio(min, -1, start)
    }
    if (op === 'quantile') {
      if (hasNaN) this.warnQuantile(Number.NaN, start)
      else {
        if (max > 1) this.warnQuantile(max, start)
        if (min < 0) this.warnQuantile(min, start)
      }
    }
    return false
  }

  private warnRatio(ratio: number, cap: number, start: number): void {
    const text = `ratio value should be between -1 and 1, got ${formatFloatShort(ratio)}, capping to ${cap}`
    this.notes.warn(text, start)
  }

  private warnQuantile(phi: number, start: number): void {
    this.notes.warn(`quantile value should be between 0 and 1, got ${formatFloatShort(phi)}`, start)
  }

  private aggregate({ labels, elements }: Group, param: number): Element[] {
    const value = this.valueOf(elements, param)
    if (value === undefined) return []
    const { op } = this.expr
    // Histograms that are passed over do not count as seen.
    const isSeen = ({ value: one }: Element) => !isHistogram(one) || SEES_HISTOGRAMS.has(op)
    const dropName = elements.some((element) => element.dropName && isSeen(element))
    return [{ labels, dropName, value, t: 0 }]
  }

  private valueOf(elements: readonly Element[], param: number): Value | undefined {
    const { op } = this.expr
    if (op === 'count') return elements.length
    if (op === 'group') return 1
    const floats = floatsOf(elements)
    const histograms = histogramsOf(elements)
    if (op === 'sum' || op === 'avg') return this.total(elements, floats, histograms)
    if (histograms.length > 0) this.notes.info(`ignored histogram in ${op} aggregation`, this.start)
    if (floats.length === 0) return undefined
    switch (op) {
      case 'min':
        return extreme(floats, (a, b) => a < b)
      case 'max':
        return extreme(floats, (a, b) => a > b)
      case 'stdvar':
        return variance(floats)
      case 'stddev':
        return Math.sqrt(variance(floats))
      case 'quantile':
        return quantileOf(param, floats)
      default:
        throw new Error(`no aggregation: ${op}`)
    }
  }

  private total(
    elements: readonly Element[],
    floats: readonly number[],
    histograms: readonly NaiveHistogram[],
  ): Value | undefined {
    const isSum = this.expr.op === 'sum'
    if (histograms.length === 0) return isSum ? sumOf(floats) : meanOf(floats)
    // The first histogram of another kind than those before it ends the group; what comes after is not looked at.
    const first = elements[0].value
    const misfit = elements.findIndex(
      ({ value }) => isHistogram(first) && isHistogram(value) && isCustom(value) !== isCustom(first),
    )
    if (misfit >= 0) this.tellIncompatible(elements[misfit].labels)
    const seen = misfit < 0 ? elements : elements.slice(0, misfit + 1)
    if (isHistogram(first)) {
      const added = histogramsOf(misfit < 0 ? elements : elements.slice(0, misfit))
      tellSum({ ...sumHistograms(added), conflict: false }, this.notes, this.start)
    }
    if (seen.some(({ value }) => !isHistogram(value))) {
      this.notes.warn('encountered a mix of histograms and floats for aggregation', this.start)
      return undefined
    }
    if (misfit >= 0) return undefined
    const total = isSum ? sumHistograms(histograms) : averageHistograms(histograms)
    tellSum(total, this.notes, this.start)
    return total.histogram
  }

  private tellIncompatible(labels: Labels): void {
    const name = quoteString(metricName(labels))
    this.notes.warn(
      `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${name}`,
      this.start,
    )
  }

  private choose({ elements }: Group, param: number, size: number): Element[] {
    const { op } = this.expr
    if (op === 'limit_ratio') {
      const ratio = Math.max(-1, Math.min(1, param))
      if (ratio === 0) return []
      return elements.filter(({ labels }) => {
        const hash = labelsHashRatio(labels)
        return ratio >= 0 ? hash < ratio : hash >= 1 + ratio
      })
    }
    const k = Math.min(Math.trunc(param), size)
    if (k < 1) return []
    if (op === 'limitk') return elements.slice(0, k)
    const candidates = elements.filter(({ value }) => !isHistogram(value))
    if (candidates.length < elements.length)
      this.notes.info(`ignored histogram in ${op} aggregation`, this.expr.start)
    return rank(candidates, k, op === 'topk' ? -1 : 1)
  }
}

const SEES_HISTOGRAMS: ReadonlySet<string> = new Set(['sum', 'avg', 'count', 'group'])

/** The k best, best first; NaN is the worst. Throws UndefinedResult where equal values lie on both sides of k. */
function rank(elements: readonly Element[], k: number, sign: 1 | -1): Element[] {
  const values = (element: Element) => element.value as number
  const isNaNValue = (element: Element) => Number.isNaN(values(element))
  const sorted = [
    ...elements
      .filter((e) => !isNaNValue(e))
      .toSorted((a, b) => sign * compareNaNFirst(values(a), values(b))),
    ...elements.filter(isNaNValue),
  ]
  if (k < sorted.length) {
    const [inside, outside] = [values(sorted[k - 1]), values(sorted[k])]
    if (inside === outside || (Number.isNaN(inside) && Number.isNaN(outside))) {
      throw new UndefinedResult('equal values at the border of topk')
    }
  }
  return sorted.slice(0, k)
}

/** count_values: how many elements of a group have each value. */
export function countValues(expr: Aggregate, label: string, steps: readonly Vector[]): Vector[] {
  if (!isUtf8Name(label)) throw new InterpreterError(`invalid label name ${quoteString(label)}`)
  const grouping = expr.without ? expr.grouping : [...expr.grouping, label]
  return steps.map((vector) => {
    const marked = vector.map((element) => {
      const { value, labels } = element
      const text = isHistogram(value) ? formatHistogram(value) : formatFloat(value)
      return { ...element, labels: withLabel(labels, label, text) }
    })
    return groupsOf(marked, { ...expr, grouping }).map(({ labels, elements }) => ({
      labels,
      dropName: false,
      value: elements.length,
      t: 0,
    }))
  })
}
