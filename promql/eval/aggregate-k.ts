/** Aggregations that look at all samples of a group at a step together: topk, bottomk, limitk, quantile. */
import type { Labels } from '../../storage/model/labels.ts'
import { QueryError } from '../errors.ts'
import { quantile } from '../functions/quantile.ts'
import type { AggregateNode } from '../plan/plan.ts'
import { formatFloatShort } from '../syntax/go-format.ts'
import { ABSENT, type Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import { groupSeries } from './aggregate.ts'
import type { EvalContext } from './context.ts'
import { drain, MaterializedOperator, type Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'

/** The greatest float below 2^63, as upstream has it, rounded. */
const INT64_MAX = 2 ** 63 - 1024

function extremes(values: Float64Array): { low: number; high: number; hasNaN: boolean } {
  let low = Infinity
  let high = -Infinity
  let hasNaN = false
  for (const value of values) {
    if (Number.isNaN(value)) hasNaN = true
    if (value < low) low = value
    if (value > high) high = value
  }
  return { low, high, hasNaN }
}

/** Members of each group, in the input's order. */
function membersOf(groupOf: Int32Array, groups: number): number[][] {
  const members: number[][] = Array.from({ length: groups }, () => [])
  for (const [i, g] of groupOf.entries()) members[g].push(i)
  return members
}

export function aggregateQuantile(node: AggregateNode, input: Operator, phi: Scalar): Operator {
  const { context, frame } = input
  const place = node.expr.param!
  const { low, high, hasNaN } = extremes(phi.values)
  // Beside NaN nothing is larger or smaller.
  if (hasNaN) context.annotations.invalidQuantile(Number.NaN, place)
  else {
    if (high > 1) context.annotations.invalidQuantile(high, place)
    if (low < 0) context.annotations.invalidQuantile(low, place)
  }

  const { labels, groupOf } = groupSeries(node, input)
  const drops = new Uint8Array(labels.length)
  const columns = membersOf(groupOf, labels.length).map((members, g) => {
    const inputs: Column[] = []
    let column = context.newColumn(frame.count)
    for (const i of members) {
      let found = input.fill(i, column)
      if (column.mayHaveHistograms) {
        const dropped = column.dropHistograms()
        if (dropped > 0) context.annotations.ignoredInAggregation('quantile', node.expr.expr)
        found -= dropped
      }
      if (found === 0) continue
      if (input.drops[i] !== 0) drops[g] = 1
      inputs.push(column)
      column = context.newColumn(frame.count)
    }
    context.freeColumns(inputs.length + 1, frame.count)
    return inputs.length === 0 ? undefined : quantileOf(context, inputs, phi.values)
  })
  input.release()
  phi.release()
  return new MaterializedOperator(context, frame, labels, columns, drops)
}

function quantileOf(context: EvalContext, inputs: readonly Column[], phi: Float64Array): Column {
  const out = context.newColumn(phi.length)
  const scratch = new Float64Array(inputs.length)
  for (let s = 0; s < phi.length; s++) {
    context.spend(inputs.length)
    let length = 0
    for (const { values, present } of inputs) if (present[s] !== ABSENT) scratch[length++] = values[s]
    if (length === 0) continue
    out.values[s] = quantile(phi[s], scratch, length)
    out.present[s] = PRESENT_FLOAT
  }
  return out
}

/**
 * The k best of a group at a step, in a binary heap with the worst on top; Go's container/heap, so that ties are
 * decided as upstream decides them.
 */
class BestHeap {
  /** Indices into the group's columns. */
  readonly items: number[] = []
  private readonly values: Float64Array
  private readonly sign: 1 | -1

  /** sign 1 keeps the greatest, −1 the least. `values` are those of the group's series at the step. */
  constructor(values: Float64Array, sign: 1 | -1) {
    this.values = values
    this.sign = sign
  }

  /** Whether a is worse than b: NaN is worse than all. */
  private isWorse(a: number, b: number): boolean {
    const x = this.values[a]
    return Number.isNaN(x) || x * this.sign < this.values[b] * this.sign
  }

  offer(item: number, k: number): void {
    const { items } = this
    if (items.length < k) {
      this.up(items.push(item) - 1)
      return
    }
    const worst = this.values[items[0]]
    const value = this.values[item]
    if (worst * this.sign < value * this.sign || (Number.isNaN(worst) && !Number.isNaN(value))) {
      items[0] = item
      this.down(0)
    }
  }

  private up(j: number): void {
    const { items } = this
    while (j > 0) {
      const parent = (j - 1) >> 1
      if (!this.isWorse(items[j], items[parent])) break
      ;[items[j], items[parent]] = [items[parent], items[j]]
      j = parent
    }
  }

  private down(i: number): void {
    const { items } = this
    for (;;) {
      let child = 2 * i + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.isWorse(items[child + 1], items[child])) child++
      if (!this.isWorse(items[child], items[i])) break
      ;[items[i], items[child]] = [items[child], items[i]]
      i = child
    }
  }

  /** Best first; NaN last. */
  sorted(): number[] {
    const { values, sign } = this
    return this.items.sort((a, b) => {
      const x = values[a]
      const y = values[b]
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
      return x === y ? 0 : x * sign > y * sign ? -1 : 1
    })
  }
}

/** k at each step as a whole number of at most `limit`. Undefined where none is at least 1. Throws QueryError where one is NaN. */
function checkedCounts(k: Scalar, limit: number): Float64Array | undefined {
  const { low, high, hasNaN } = extremes(k.values)
  if (hasNaN) throw new QueryError('execution', 'Parameter value is NaN')
  if (high < 1) return undefined
  if (low <= -(2 ** 63)) throw overflow(low, 'underflows')
  if (high >= INT64_MAX) throw overflow(high, 'overflows')
  return k.values.map((value) => Math.min(Math.trunc(value), limit))
}

function overflow(value: number, how: string): QueryError {
  return new QueryError('execution', `Scalar value ${formatFloatShort(value)} ${how} int64`)
}

interface Selected {
  labels: Labels[]
  columns: Column[]
  drops: number[]
}

/**
 * topk, bottomk and limitk: of each group the k best, or first, with their own labels. With a single step the
 * series come out group by group, best first.
 */
export function aggregateSelection(node: AggregateNode, input: Operator, k: Scalar): Operator {
  const { context, frame } = input
  const { op } = node.expr
  const counts = checkedCounts(k, input.size)
  const selected: Selected = { labels: [], columns: [], drops: [] }
  if (counts !== undefined) {
    const { labels, groupOf } = groupSeries(node, input)
    for (const members of membersOf(groupOf, labels.length)) {
      const columns = members.map((i) => {
        const column = context.newColumn(frame.count)
        input.fill(i, column)
        return column
      })
      if (op !== 'limitk') ignoreHistograms(context, node, columns, counts)
      const order = selectColumns(context, op, columns, counts)
      context.freeColumns(columns.length - order.length, frame.count)
      for (const m of order) {
        selected.labels.push(input.labels[members[m]])
        selected.columns.push(columns[m])
        selected.drops.push(input.drops[members[m]])
      }
    }
    input.release()
  } else drain(input)
  k.release()
  const drops = Uint8Array.from(selected.drops)
  return new MaterializedOperator(context, frame, selected.labels, selected.columns, drops)
}

/** topk and bottomk look at floats; an info tells of histograms where k asks for anything. */
function ignoreHistograms(
  context: EvalContext,
  { expr }: AggregateNode,
  columns: readonly Column[],
  counts: Float64Array,
): void {
  for (const column of columns) {
    if (!column.mayHaveHistograms) continue
    const isAsked = column.present.some((kind, s) => kind === PRESENT_HISTOGRAM && counts[s] >= 1)
    if (isAsked) context.annotations.ignoredInAggregation(expr.op, expr)
    column.dropHistograms()
  }
}

/** Takes away from the columns what is not selected; returns the columns with samples left, in order. */
function selectColumns(
  context: EvalContext,
  op: string,
  columns: readonly Column[],
  counts: Float64Array,
): number[] {
  const values = new Float64Array(columns.length)
  const isChosen = new Uint8Array(columns.length)
  const isUsed = new Uint8Array(columns.length)
  let order: number[] = []
  for (let s = 0; s < counts.length; s++) {
    context.spend(columns.length)
    isChosen.fill(0)
    order = op === 'limitk' ? firstOf(columns, s, counts[s]) : bestOf(op, columns, values, s, counts[s])
    for (const m of order) isChosen[m] = isUsed[m] = 1
    for (let m = 0; m < columns.length; m++) if (isChosen[m] === 0) columns[m].present[s] = ABSENT
  }
  if (counts.length === 1) return order
  return columns.map((_, m) => m).filter((m) => isUsed[m] !== 0)
}

function bestOf(
  op: string,
  columns: readonly Column[],
  values: Float64Array,
  s: number,
  k: number,
): number[] {
  const heap = new BestHeap(values, op === 'topk' ? 1 : -1)
  if (k < 1) return []
  for (let m = 0; m < columns.length; m++) {
    if (columns[m].present[s] === ABSENT) continue
    values[m] = columns[m].values[s]
    heap.offer(m, k)
  }
  return heap.sorted()
}

function firstOf(columns: readonly Column[], s: number, k: number): number[] {
  const order: number[] = []
  for (let m = 0; m < columns.length && order.length < k; m++) {
    if (columns[m].present[s] !== ABSENT) order.push(m)
  }
  return order
}
