/**
 * fill(), fill_left(), fill_right(): a number in place of a side's missing sample.
 *
 * A side gets, for each set of matching labels that the other side has, a series with just those labels. It is there
 * at the steps where the other side has a sample and this side has none. All else is ordinary matching.
 *
 * A sample of the "many" side that has no result with its partner (a float and a histogram, say) counts as missing, as it does
 * upstream.
 *
 * As upstream, which turns the sides round for group_right but not their values: fill_left is always for the "many"
 * side, and fill_right for the "one" side.
 */
import { type Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import type { VectorMatching } from '../syntax/ast.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { MaterializedOperator, materialize, type Operator } from './operator.ts'
import { labelsKey } from './series-labels.ts'

interface Side {
  readonly operator: Operator
  readonly columns: (Column | undefined)[]
  /** Presence of any series, by the key of the matching labels. */
  readonly presence: Map<string, { labels: Labels; present: Uint8Array }>
}

/** The matching labels of a series. */
export function matchingLabels(labels: Labels, { on, labels: names }: VectorMatching): Labels {
  return on ? labels.only(new Set(names)) : labels.without(new Set([...names, METRIC_NAME]))
}

function readSide(operator: Operator, matching: VectorMatching): Side {
  const keyOf = labelsKey(matching.labels, matching.on)
  const columns = materialize(operator)
  const presence: Side['presence'] = new Map()
  for (const [i, column] of columns.entries()) {
    if (column === undefined) continue
    const labels = operator.labels[i]
    const key = keyOf(labels)
    const known = presence.get(key)
    if (known === undefined) {
      presence.set(key, { labels: matchingLabels(labels, matching), present: column.present.slice() })
    } else for (let s = 0; s < column.present.length; s++) known.present[s] |= column.present[s]
  }
  return { operator, columns, presence }
}

/** Whether samples of the two sides have a result at a step. */
type HaveResult = (many: Column, one: Column, s: number) => boolean

/** Where samples of the "many" side have a result, by the key of the matching labels. */
function findResults(
  many: Side,
  one: Side,
  matching: VectorMatching,
  haveResult: HaveResult,
): Side['presence'] {
  const keyOf = labelsKey(matching.labels, matching.on)
  const partners = Map.groupBy(one.columns.keys(), (i) => keyOf(one.operator.labels[i]))
  const results: Side['presence'] = new Map()
  for (const [i, column] of many.columns.entries()) {
    if (column === undefined) continue
    const labels = many.operator.labels[i]
    const key = keyOf(labels)
    const known = results.get(key) ?? { labels, present: new Uint8Array(column.present.length) }
    results.set(key, known)
    for (const p of partners.get(key) ?? []) {
      const partner = one.columns[p]
      if (partner === undefined) continue
      for (let s = 0; s < column.present.length; s++) {
        if (column.present[s] === ABSENT || partner.present[s] === ABSENT) continue
        if (haveResult(column, partner, s)) known.present[s] = 1
      }
    }
  }
  return results
}

function mayHaveHistograms({ columns }: Side): boolean {
  return columns.some((column) => column?.mayHaveHistograms)
}

/** The side's own series, and those that stand in for missing ones. */
function fillSide({ operator, columns, presence }: Side, other: Side, value: number | null): Operator {
  const { context, frame } = operator
  const labels = [...operator.labels]
  const all = [...columns]
  if (value !== null) {
    for (const [key, { labels: set, present }] of other.presence) {
      const own = presence.get(key)?.present
      const column = context.newColumn(frame.count)
      column.values.fill(value)
      for (let s = 0; s < frame.count; s++) {
        const isMissing = present[s] !== ABSENT && (own === undefined || own[s] === ABSENT)
        column.present[s] = isMissing ? PRESENT_FLOAT : ABSENT
      }
      labels.push(set)
      all.push(column)
    }
  }
  const drops = new Uint8Array(labels.length)
  drops.set(operator.drops)
  return new MaterializedOperator(context, frame, labels, all, drops)
}

/** The "many" and the "one" side of an operation, filled as it says. */
export function fillSides(
  many: Operator,
  one: Operator,
  matching: VectorMatching,
  haveResult: HaveResult,
): [Operator, Operator] {
  const left = readSide(many, matching)
  const right = readSide(one, matching)
  const isMixed = mayHaveHistograms(left) || mayHaveHistograms(right)
  const presence = isMixed ? findResults(left, right, matching, haveResult) : left.presence
  const filled: [Operator, Operator] = [
    fillSide({ ...left, presence }, right, matching.fill.lhs),
    fillSide(right, left, matching.fill.rhs),
  ]
  many.release()
  one.release()
  return filled
}
