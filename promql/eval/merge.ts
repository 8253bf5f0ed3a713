/** Series that came to have equal labels become one, or are an error. */
import type { Labels } from '../../storage/model/labels.ts'
import { duplicateLabelSet } from '../errors.ts'
import { ABSENT, Column } from '../value.ts'
import { MaterializedOperator, type Operator } from './operator.ts'

/**
 * When equal labels are an error: where two series have a sample at the same step, or already where both have any
 * sample (upstream's check after a range function).
 */
export type MergeRule = 'same step' | 'any sample'

/** Ordinal of each series' label set, in the order of their first. */
function groupByLabels(labels: readonly Labels[]): { groupOf: Int32Array; groups: Labels[] } {
  const ordinals = new Map<string, number>()
  const groups: Labels[] = []
  const groupOf = Int32Array.from(labels, (set) => {
    const key = set.key()
    let group = ordinals.get(key)
    if (group === undefined) {
      group = groups.push(set) - 1
      ordinals.set(key, group)
    }
    return group
  })
  return { groupOf, groups }
}

/** Adds the samples of `from` to `into`. Throws QueryError where both have one at a step. */
export function mergeColumn(into: Column, from: Column): void {
  for (let s = 0; s < from.present.length; s++) {
    if (from.present[s] === ABSENT) continue
    if (into.present[s] !== ABSENT) throw duplicateLabelSet()
    into.copyStep(s, from)
  }
}

/** The operator itself where its labels are distinct; else one whose labels are. */
export function mergeEqualLabels(operator: Operator, rule: MergeRule): Operator {
  if (operator.size < 2) return operator
  const { groupOf, groups } = groupByLabels(operator.labels)
  if (groups.length === operator.size) return operator
  const { context, frame } = operator
  const columns: (Column | undefined)[] = new Array(groups.length)
  const drops = new Uint8Array(groups.length)
  const firstSteps = new Int32Array(groups.length)
  const scratch = new Column(frame.count)
  for (let i = 0; i < operator.size; i++) {
    if (operator.fill(i, scratch) === 0) continue
    const g = groupOf[i]
    const isNew = columns[g] === undefined
    if (!isNew && rule === 'any sample') throw duplicateLabelSet()
    columns[g] ??= context.newColumn(frame.count)
    // Upstream goes step by step: the first sample says whether the name is to go.
    const firstStep = scratch.present.findIndex((kind) => kind !== ABSENT)
    if (isNew || firstStep < firstSteps[g]) {
      drops[g] = operator.drops[i]
      firstSteps[g] = firstStep
    }
    mergeColumn(columns[g], scratch)
  }
  operator.release()
  return new MaterializedOperator(context, frame, groups, columns, drops)
}
