/**
 * A vector that several places of a query ask for: evaluated at the first, kept, and given to the others.
 *
 * A large one is not kept but evaluated each time, since it would be held whole where a place may need a series at a
 * time; and one that has something to tell is evaluated each time, so that its annotations come in upstream's order.
 */
import type { PlanNode } from '../plan/plan.ts'
import type { Column } from '../value.ts'
import type { EvalContext } from './context.ts'
import { freeColumns, MaterializedOperator, materialize, type Operator } from './operator.ts'

/** Places of the columns that are kept, at most. */
const KEPT_CELLS = 4_000_000

interface Kept {
  /** The place that it was evaluated for. */
  readonly node: PlanNode
  readonly source: Operator
  readonly columns: readonly (Column | undefined)[]
}

export class SharedVector {
  private readonly context: EvalContext
  private left: number
  /** Places that have it and are not done with it. */
  private holders = 0
  private kept: Kept | undefined
  private isKept = true

  /** `uses`: how often it will be taken. */
  constructor(context: EvalContext, uses: number) {
    this.context = context
    this.left = uses
  }

  /** `evaluate` is the vector evaluated for the place that takes it, `node`. */
  take(node: PlanNode, evaluate: () => Operator): Operator {
    this.left--
    const { context, kept } = this
    if (kept !== undefined) {
      context.counts.take(node, kept.node)
      return this.copyOf(kept)
    }
    if (!this.isKept || this.left === 0) return evaluate()
    return this.keep(node, evaluate)
  }

  private keep(node: PlanNode, evaluate: () => Operator): Operator {
    const { context } = this
    const { told } = context.annotations
    const source = evaluate()
    if (source.size * source.frame.count > KEPT_CELLS) {
      this.isKept = false
      return source
    }
    const columns = materialize(source)
    source.release()
    const kept = { node, source, columns }
    this.isKept = context.annotations.told === told
    if (this.isKept) this.kept = kept
    return this.copyOf(kept)
  }

  private copyOf({ source, columns }: Kept): Operator {
    this.holders++
    return new KeptOperator(source, columns, () => {
      // The last one gives the columns up.
      if (--this.holders === 0 && (this.left === 0 || !this.isKept)) freeColumns(source, columns)
    })
  }
}

class KeptOperator extends MaterializedOperator {
  private readonly onDone: () => void

  constructor(source: Operator, columns: readonly (Column | undefined)[], onDone: () => void) {
    super(source.context, source.frame, source.labels, columns, source.drops)
    this.onDone = onDone
  }

  /** The columns are not its own to give up. */
  protected override finish(): void {
    this.onDone()
  }
}
