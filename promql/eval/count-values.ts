/** count_values: how many series of a group have each value; the value becomes a label. */
import { isUtf8Name, type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { QueryError } from '../errors.ts'
import type { AggregateNode } from '../plan/plan.ts'
import { formatFloat, quoteString } from '../syntax/go-format.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import { MaterializedOperator, type Operator } from './operator.ts'

interface Counts {
  readonly labels: Labels[]
  readonly columns: Column[]
  readonly ordinals: Map<string, number>
}

export function countValues(node: AggregateNode, input: Operator, valueLabel: string): Operator {
  const { context, frame } = input
  const { grouping, without } = node.expr
  if (!isUtf8Name(valueLabel)) {
    throw new QueryError('execution', `invalid label name ${quoteString(valueLabel)}`)
  }
  const names = new Set(grouping)
  names.add(without ? METRIC_NAME : valueLabel)
  const counts: Counts = { labels: [], columns: [], ordinals: new Map() }
  const column = new Column(frame.count)
  const builder = new LabelsBuilder()
  for (let i = 0; i < input.size; i++) {
    input.fill(i, column)
    // A series repeats its values: labels are made once for each that it has.
    const ordinals = new Map<number, number>()
    for (let s = 0; s < frame.count; s++) {
      if (column.present[s] === ABSENT) continue
      const value = column.values[s]
      let ordinal = ordinals.get(value)
      if (ordinal === undefined || Object.is(value, -0) || value === 0) {
        builder.reset(input.labels[i])
        const labels = builder.set(valueLabel, formatFloat(value)).labels()
        ordinal = findGroup(
          context,
          counts,
          without ? labels.without(names) : labels.only(names),
          frame.count,
        )
        ordinals.set(value, ordinal)
      }
      counts.columns[ordinal].values[s]++
      counts.columns[ordinal].present[s] = PRESENT_FLOAT
    }
  }
  input.release()
  return new MaterializedOperator(context, frame, counts.labels, counts.columns)
}

function findGroup(context: EvalContext, counts: Counts, labels: Labels, steps: number): number {
  const key = labels.key()
  let ordinal = counts.ordinals.get(key)
  if (ordinal === undefined) {
    ordinal = counts.labels.push(labels) - 1
    counts.columns.push(context.newColumn(steps))
    counts.ordinals.set(key, ordinal)
  }
  return ordinal
}
