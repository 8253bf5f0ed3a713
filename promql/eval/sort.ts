/** sort and its kin: an order of series, which only an instant query shows. */
import { compareLabels } from '../../storage/model/labels.ts'
import { compareNatural } from '../functions/natural-order.ts'
import { freeColumns, MaterializedOperator, materialize, type Operator } from './operator.ts'

type Order = (a: number, b: number) => number

/** By value at the only step; NaN is last either way. Series without a float go. */
export function sortByValue(input: Operator, isDescending: boolean): Operator {
  const columns = materialize(input).map((column) => {
    if (column === undefined || !column.mayHaveHistograms) return column
    column.dropHistograms()
    if (column.countPresent() > 0) return column
    freeColumns(input, [column])
    return undefined
  })
  const value = (i: number) => columns[i]!.values[0]
  const sign = isDescending ? -1 : 1
  return reorder(input, columns, (a, b) => {
    const x = value(a)
    const y = value(b)
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
    return x === y ? 0 : (x < y ? -1 : 1) * sign
  })
}

/** By the named labels in natural order, then by all labels. */
export function sortByLabel(input: Operator, names: readonly string[], isDescending: boolean): Operator {
  const sign = isDescending ? -1 : 1
  return reorder(input, materialize(input), (a, b) => {
    for (const name of names) {
      const x = input.labels[a].get(name)
      const y = input.labels[b].get(name)
      // Different texts of equal natural order: upstream then takes the second to be greater.
      if (x !== y) return compareNatural(x, y) < 0 ? -sign : sign
    }
    return compareLabels(input.labels[a], input.labels[b]) * sign
  })
}

function reorder(input: Operator, columns: ReturnType<typeof materialize>, order: Order): Operator {
  const present = columns.map((_, i) => i).filter((i) => columns[i] !== undefined)
  // More than one step has no order of values: what there is stays as it is.
  if (input.frame.count === 1) present.sort(order)
  input.release()
  return new MaterializedOperator(
    input.context,
    input.frame,
    present.map((i) => input.labels[i]),
    present.map((i) => columns[i]),
    Uint8Array.from(present, (i) => input.drops[i]),
  )
}
