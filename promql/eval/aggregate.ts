/**
 * Aggregations with one sample a group and step.
 *
 * One input series is held at a time, beside the columns of the groups. Series come in the input's order and are
 * added in upstream's order of float operations (promql/engine.go `aggregation`), so that sums agree bit for bit.
 */
import { type Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import type { AggregateNode } from '../plan/plan.ts'
import type { AggregateOp } from '../syntax/ast.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../value.ts'
import { HistogramGroup } from './aggregate-histograms.ts'
import type { EvalContext } from './context.ts'
import { MaterializedOperator, type Operator } from './operator.ts'
import { labelsKey } from './series-labels.ts'

/** Which group each input series belongs to. */
export interface Grouping {
  /** Of each group, in the order of its first series. */
  labels: Labels[]
  /** Group of each input series. */
  groupOf: Int32Array
}

export function groupSeries(node: AggregateNode, input: Operator): Grouping {
  const { grouping, without } = node.expr
  const key = labelsKey(grouping, !without)
  const names = new Set(grouping)
  if (without) names.add(METRIC_NAME)
  const ordinals = new Map<string, number>()
  const labels: Labels[] = []
  const groupOf = Int32Array.from(input.labels, (series) => {
    const text = key(series)
    let group = ordinals.get(text)
    if (group === undefined) {
      group = ordinals.size
      ordinals.set(text, group)
      labels.push(without ? series.without(names) : series.only(names))
    }
    return group
  })
  return { labels, groupOf }
}

/** Running state of one group, one place a step. `out.values` is the sum, extreme or square sum. */
interface Group {
  out: Column
  /** Number of samples so far. */
  count: Float64Array
  /** Compensation of a Kahan–Neumaier sum. */
  c: Float64Array
  mean: Float64Array
  /** avg: whether the sum overflowed, and the mean is kept up instead. */
  isIncremental: Uint8Array
  /** sum: whether every step has a sample already. */
  isFull: boolean
  /** sum and avg: once there was any histogram. */
  histograms: HistogramGroup | undefined
}

/** Adds the floats of one series to its group, or where only presence counts its samples. `isFull`: it has one at every step. */
type Accumulator = (group: Group, column: Column, isFull: boolean) => void

function addToSum(group: Group, { values, present }: Column, isFull: boolean): void {
  const { out, c } = group
  const sums = out.values
  if (isFull && group.isFull) {
    for (let s = 0; s < sums.length; s++) {
      const x = values[s]
      const sum = sums[s]
      const next = sum + x
      const virtual = next - sum
      c[s] += sum - (next - virtual) + (x - virtual)
      sums[s] = next
    }
    return
  }
  if (isFull) group.isFull = true
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const x = values[s]
    if (out.present[s] === ABSENT) {
      out.present[s] = PRESENT_FLOAT
      sums[s] = x
      continue
    }
    const sum = sums[s]
    const next = sum + x
    // Knuth's TwoSum: the same rounding error as by Neumaier's two cases, without a branch.
    const virtual = next - sum
    c[s] += sum - (next - virtual) + (x - virtual)
    sums[s] = next
  }
}

function addToAverage(group: Group, { values, present }: Column): void {
  const { out, c, count, mean, isIncremental } = group
  const sums = out.values
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const x = values[s]
    const n = ++count[s]
    if (out.present[s] === ABSENT) {
      out.present[s] = PRESENT_FLOAT
      sums[s] = x
      continue
    }
    if (isIncremental[s] === 0) {
      const sum = sums[s]
      const next = sum + x
      if (next !== Infinity && next !== -Infinity) {
        if (Math.abs(sum) >= Math.abs(x)) c[s] += sum - next + x
        else c[s] += x - next + sum
        sums[s] = next
        continue
      }
      isIncremental[s] = 1
      mean[s] = sum / (n - 1)
      c[s] /= n - 1
    }
    addToMean(mean, c, s, x / n, (n - 1) / n)
  }
}

/** mean·q + x as a Kahan–Neumaier sum. */
function addToMean(mean: Float64Array, c: Float64Array, s: number, x: number, q: number): void {
  const scaled = q * mean[s]
  const next = scaled + x
  c[s] *= q
  if (next === Infinity || next === -Infinity) c[s] = 0
  else if (Math.abs(scaled) >= Math.abs(x)) c[s] += scaled - next + x
  else c[s] += x - next + scaled
  mean[s] = next
}

/** Welford's method, without compensation as upstream. */
function addToVariance({ out, count, mean }: Group, { values, present }: Column): void {
  const squares = out.values
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const x = values[s]
    const n = ++count[s]
    if (out.present[s] === ABSENT) {
      out.present[s] = PRESENT_FLOAT
      squares[s] = Number.isFinite(x) ? 0 : Number.NaN
      mean[s] = x
      continue
    }
    const delta = x - mean[s]
    mean[s] += delta / n
    squares[s] += delta * (x - mean[s])
  }
}

function addToExtreme({ out }: Group, { values, present }: Column, sign: 1 | -1): void {
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const best = out.values[s]
    if (out.present[s] === ABSENT || best * sign < values[s] * sign || Number.isNaN(best)) {
      out.values[s] = values[s]
      out.present[s] = PRESENT_FLOAT
    }
  }
}

function addToCount({ out }: Group, { present }: Column): void {
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    out.values[s]++
    out.present[s] = PRESENT_FLOAT
  }
}

function addToGroup({ out }: Group, { present }: Column): void {
  for (let s = 0; s < present.length; s++) if (present[s] !== ABSENT) out.present[s] = PRESENT_FLOAT
}

/** What each aggregation does with a series, and in the end with its group. */
const AGGREGATIONS: Readonly<
  Partial<Record<AggregateOp, { add: Accumulator; finish: (group: Group) => void }>>
> = {
  sum: {
    add: addToSum,
    finish: ({ out: { values }, c }) => {
      // Once it has overflowed, or met a NaN, a sum never comes back, and upstream's compensation is 0.
      for (let s = 0; s < values.length; s++) if (Number.isFinite(values[s])) values[s] += c[s]
    },
  },
  avg: {
    add: addToAverage,
    finish: ({ out: { values }, c, count, mean, isIncremental }) => {
      for (let s = 0; s < values.length; s++) {
        values[s] = isIncremental[s] === 0 ? values[s] / count[s] + c[s] / count[s] : mean[s] + c[s]
      }
    },
  },
  count: { add: addToCount, finish: () => {} },
  group: { add: addToGroup, finish: ({ out }) => out.values.fill(1) },
  min: { add: (group, column) => addToExtreme(group, column, -1), finish: () => {} },
  max: { add: (group, column) => addToExtreme(group, column, 1), finish: () => {} },
  stdvar: {
    add: addToVariance,
    finish: ({ out: { values }, count }) => {
      for (let s = 0; s < values.length; s++) values[s] /= count[s]
    },
  },
  stddev: {
    add: addToVariance,
    finish: ({ out: { values }, count }) => {
      for (let s = 0; s < values.length; s++) values[s] = Math.sqrt(values[s] / count[s])
    },
  },
}

const NO_FLOATS = new Float64Array(0)
const NO_BYTES = new Uint8Array(0)

function newGroup(context: EvalContext, op: AggregateOp, steps: number): Group {
  const needsCount = op === 'avg' || op === 'stddev' || op === 'stdvar'
  return {
    out: context.newColumn(steps),
    count: needsCount ? new Float64Array(steps) : NO_FLOATS,
    mean: needsCount ? new Float64Array(steps) : NO_FLOATS,
    c: op === 'sum' || op === 'avg' ? new Float64Array(steps) : NO_FLOATS,
    isIncremental: op === 'avg' ? new Uint8Array(steps) : NO_BYTES,
    isFull: false,
    histograms: undefined,
  }
}

/** Aggregations that ask only whether there is a sample. */
const COUNTING: ReadonlySet<AggregateOp> = new Set<AggregateOp>(['count', 'group'])

/** Adds a column's histograms up beside its floats, or leaves them out with an info. Returns how many floats are left. */
function takeHistograms(
  { expr }: AggregateNode,
  group: Group,
  column: Column,
  context: EvalContext,
  metricName: string,
): number {
  const { op } = expr
  const { annotations } = context
  if (op === 'sum' || op === 'avg') {
    const count = column.present.length
    group.histograms ??= new HistogramGroup(count, op === 'avg', annotations, expr.expr)
    return group.histograms.take(column, group.out, metricName)
  }
  if (column.dropHistograms() > 0) annotations.ignoredInAggregation(op, expr.expr)
  return column.countPresent()
}

/** One aggregation at work. */
class Aggregation {
  private readonly node: AggregateNode
  private readonly input: Operator
  private readonly grouping: Grouping
  private readonly groups: (Group | undefined)[]
  private readonly drops: Uint8Array

  constructor(node: AggregateNode, input: Operator) {
    this.node = node
    this.input = input
    this.grouping = groupSeries(node, input)
    this.groups = new Array(this.grouping.labels.length)
    this.drops = new Uint8Array(this.grouping.labels.length)
  }

  /** Adds series i of the input, which has `found` samples. May take histograms out of the column. */
  add(i: number, column: Column, found: number): void {
    const { node, input, groups } = this
    const { op } = node.expr
    const { context, frame } = input
    const g = this.grouping.groupOf[i]
    groups[g] ??= newGroup(context, op, frame.count)
    const group = groups[g]
    if (input.drops[i] !== 0) this.drops[g] = 1
    let floats = found
    if ((column.mayHaveHistograms || group.histograms !== undefined) && !COUNTING.has(op)) {
      floats = takeHistograms(node, group, column, context, input.labels[i].get(METRIC_NAME))
    }
    if (floats > 0) AGGREGATIONS[op]!.add(group, column, floats === frame.count)
  }

  finish(): Operator {
    const { context, frame } = this.input
    const columns = this.groups.map((group) => {
      if (group === undefined) return undefined
      AGGREGATIONS[this.node.expr.op]!.finish(group)
      group.histograms?.finish(group.out)
      return group.out
    })
    return new MaterializedOperator(context, frame, this.grouping.labels, Array.from(columns), this.drops)
  }
}

/** sum, avg, count, group, min, max, stddev, stdvar: one or several of one input, in one pass over it. */
export function aggregate(nodes: readonly AggregateNode[], input: Operator): Operator[] {
  const aggregations = nodes.map((node) => new Aggregation(node, input))
  const column = new Column(input.frame.count)
  const copy = nodes.length > 1 ? new Column(input.frame.count) : column
  for (let i = 0; i < input.size; i++) {
    const found = input.fill(i, column)
    if (found === 0) continue
    for (const aggregation of aggregations) {
      // An aggregation may take the histograms out of its column.
      const hasOwn = aggregations.length > 1 && column.mayHaveHistograms
      if (hasOwn) copy.copyFrom(column)
      aggregation.add(i, hasOwn ? copy : column, found)
    }
  }
  input.release()
  return aggregations.map((aggregation) => aggregation.finish())
}
