/** Notes what an operator costs, for `explain`. */
import type { PartCost } from '../plan/explain.ts'
import type { Column } from '../value.ts'
import { Operator } from './operator.ts'

export class TracedOperator extends Operator {
  private readonly input: Operator
  private readonly cost: PartCost

  /** Adds to the cost what filling takes. */
  constructor(input: Operator, cost: PartCost) {
    super(input.context, input.frame, input.labels, input.drops)
    this.input = input
    this.cost = cost
  }

  /** Holds nothing itself: what it hands on is held by its input. */
  override fill(i: number, out: Column): number {
    const startedAt = performance.now()
    const found = this.input.fill(i, out)
    this.cost.ms += performance.now() - startedAt
    this.cost.samples += found
    if (found > 0) this.cost.series++
    return found
  }

  protected override compute(i: number, out: Column): number {
    return this.input.fill(i, out)
  }

  override release(): void {
    this.input.release()
  }
}
