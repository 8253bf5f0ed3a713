/** absent(): one series where there is nothing. */
import { Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { unwrapParens } from '../plan/prepare.ts'
import type { Expr } from '../syntax/ast.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../value.ts'
import { MaterializedOperator, type Operator } from './operator.ts'

/**
 * The labels that a selector asks for by equality, once each, in the order of its matchers: any later matcher on
 * a label takes it away again. Other expressions give none.
 */
export function absentLabels(arg: Expr): Labels {
  const expr = unwrapParens(arg)
  const selector = expr.type === 'matrixSelector' ? expr.selector : expr
  if (selector.type !== 'vectorSelector') return Labels.EMPTY
  const builder = new LabelsBuilder()
  const seen = new Set<string>()
  for (const { name, op, value } of selector.matchers) {
    if (name === METRIC_NAME) continue
    if (op === '=' && !seen.has(name)) {
      builder.set(name, value)
      seen.add(name)
    } else builder.delete(name)
  }
  return builder.labels()
}

export function absent(input: Operator, arg: Expr): Operator {
  const { frame } = input
  const out = input.context.newColumn(frame.count)
  const column = new Column(frame.count)
  out.present.fill(PRESENT_FLOAT)
  out.values.fill(1)
  for (let i = 0; i < input.size; i++) {
    input.fill(i, column)
    for (let s = 0; s < frame.count; s++) if (column.present[s] !== ABSENT) out.present[s] = ABSENT
  }
  input.release()
  return new MaterializedOperator(input.context, frame, [absentLabels(arg)], [out])
}
