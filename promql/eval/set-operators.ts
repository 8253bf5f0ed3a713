/** and, unless, or: presence of one side decides which samples of the other are kept. */

import type { BinaryNode } from '../plan/plan.ts'
import { ABSENT, Column } from '../value.ts'
import { mergeEqualLabels } from './merge.ts'
import { freeColumns, MaterializedOperator, materialize, Operator } from './operator.ts'
import { labelsKey } from './series-labels.ts'

/** Group of each series by the labels that are matched. */
class Signatures {
  private readonly ordinals = new Map<string, number>()
  private readonly key: (labels: Operator['labels'][number]) => string

  constructor(node: BinaryNode) {
    const { labels, on } = node.expr.matching!
    this.key = labelsKey(labels, on)
  }

  of(operator: Operator): Int32Array {
    return Int32Array.from(operator.labels, (labels) => {
      const key = this.key(labels)
      let ordinal = this.ordinals.get(key)
      if (ordinal === undefined) {
        ordinal = this.ordinals.size
        this.ordinals.set(key, ordinal)
      }
      return ordinal
    })
  }

  get count(): number {
    return this.ordinals.size
  }
}

function addPresence(into: Uint8Array, column: Column): void {
  for (let s = 0; s < into.length; s++) into[s] |= column.present[s]
}

/** Takes away the samples at the steps where the other side's presence is, or is not. */
function restrict(column: Column, other: Uint8Array | undefined, keepsWherePresent: boolean): number {
  const { present } = column
  let found = 0
  for (let s = 0; s < present.length; s++) {
    const isThere = other !== undefined && other[s] !== ABSENT
    if (isThere !== keepsWherePresent) present[s] = ABSENT
    if (present[s] !== ABSENT) found++
  }
  return found
}

/** `and` and `unless`: the left side where its group is, or is not, present on the right. */
class IntersectOperator extends Operator {
  private readonly lhs: Operator
  private readonly signatures: Int32Array
  private readonly presence: readonly (Uint8Array | undefined)[]
  private readonly isAnd: boolean

  constructor(
    lhs: Operator,
    signatures: Int32Array,
    presence: readonly (Uint8Array | undefined)[],
    isAnd: boolean,
  ) {
    super(lhs.context, lhs.frame, lhs.labels, lhs.drops)
    this.lhs = lhs
    this.signatures = signatures
    this.presence = presence
    this.isAnd = isAnd
  }

  protected override compute(i: number, out: Column): number {
    if (this.lhs.fill(i, out) === 0) return 0
    return restrict(out, this.presence[this.signatures[i]], this.isAnd)
  }

  protected override finish(): void {
    this.lhs.release()
  }
}

function intersect(node: BinaryNode, lhs: Operator, rhs: Operator): Operator {
  const signatures = new Signatures(node)
  const left = signatures.of(lhs)
  const leftCount = signatures.count
  const right = signatures.of(rhs)
  const presence: (Uint8Array | undefined)[] = new Array(leftCount)
  const column = new Column(lhs.frame.count)
  for (let i = 0; i < rhs.size; i++) {
    if (rhs.fill(i, column) === 0 || right[i] >= leftCount) continue
    presence[right[i]] ??= new Uint8Array(lhs.frame.count)
    addPresence(presence[right[i]]!, column)
  }
  rhs.release()
  return new IntersectOperator(lhs, left, presence, node.expr.op === 'and')
}

/** `or`: all of the left side, and of the right what has no group on the left. */
function unite(node: BinaryNode, lhs: Operator, rhs: Operator): Operator {
  const { context, frame } = lhs
  const signatures = new Signatures(node)
  const left = signatures.of(lhs)
  const presence: (Uint8Array | undefined)[] = new Array(signatures.count)
  const columns = materialize(lhs)
  for (const [i, column] of columns.entries()) {
    if (column === undefined) continue
    presence[left[i]] ??= new Uint8Array(frame.count)
    addPresence(presence[left[i]]!, column)
  }
  const right = signatures.of(rhs)
  for (const [i, column] of materialize(rhs).entries()) {
    const isEmpty = column === undefined || restrict(column, presence[right[i]], false) === 0
    if (isEmpty) freeColumns(rhs, [column])
    columns.push(isEmpty ? undefined : column)
  }
  lhs.release()
  rhs.release()
  const drops = new Uint8Array(columns.length)
  drops.set(lhs.drops)
  drops.set(rhs.drops, lhs.size)
  // Series without samples must not lend their labels to those with some.
  const kept = columns.map((_, i) => i).filter((i) => columns[i] !== undefined)
  const labels = [...lhs.labels, ...rhs.labels]
  const united = new MaterializedOperator(
    context,
    frame,
    kept.map((i) => labels[i]),
    kept.map((i) => columns[i]),
    Uint8Array.from(kept, (i) => drops[i]),
  )
  return mergeEqualLabels(united, 'same step')
}

export function setOperator(node: BinaryNode, lhs: Operator, rhs: Operator): Operator {
  return node.expr.op === 'or' ? unite(node, lhs, rhs) : intersect(node, lhs, rhs)
}
