/** count_values: how many series of a group have each value; the value becomes a label. */

import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { isUtf8Name, type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { QueryError } from '../errors.ts'
import { formatHistogram } from '../histogram/format.ts'
import type { AggregateNode } from '../plan/plan.ts'
import { formatFloat, quoteString } from '../syntax/go-format.ts'
import { ABSENT, Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
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
    const groupOf = (text: string): number => {
      builder.reset(input.labels[i])
      const labels = builder.set(valueLabel, text).labels()
      return findGroup(context, counts, without ? labels.without(names) : labels.only(names), frame.count)
    }
    // A series repeats its values: labels are made once for each that it has.
    const ordinals = new Map<number | FloatHistogram, number>()
    for (let s = 0; s < frame.count; s++) {
      if (column.present[s] === ABSENT) continue
      const isHistogram = column.present[s] === PRESENT_HISTOGRAM
      const value = isHistogram ? column.histograms[s]! : column.values[s]
      let ordinal = ordinals.get(value)
      // A map does not tell −0 from 0.
      if (ordinal === undefined || value === 0) {
        ordinal = groupOf(typeof value === 'number' ? formatFloat(value) : formatHistogram(value))
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
