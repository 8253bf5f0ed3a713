/** limit_ratio: a part of the series, chosen by the hash of their labels, so that it is the same at every step. */
import { QueryError } from '../errors.ts'
import { labelsHashRatio } from '../functions/xxhash64.ts'
import type { AggregateNode } from '../plan/plan.ts'
import { ABSENT, type Column } from '../value.ts'
import { Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'

/** r ≥ 0 takes what hashes below r, r < 0 what hashes from 1 + r on: r and r − 1 take each series once. */
function isTaken(hash: number, ratio: number): boolean {
  return ratio >= 0 ? hash < ratio : hash >= 1 + ratio
}

class LimitRatioOperator extends Operator {
  private readonly input: Operator
  private readonly ratios: Float64Array

  constructor(input: Operator, ratios: Float64Array) {
    super(input.context, input.frame, input.labels, input.drops)
    this.input = input
    this.ratios = ratios
  }

  protected override compute(i: number, out: Column): number {
    if (this.input.fill(i, out) === 0) return 0
    const hash = labelsHashRatio(this.labels[i])
    let found = 0
    for (let s = 0; s < out.present.length; s++) {
      if (!isTaken(hash, this.ratios[s])) out.present[s] = ABSENT
      if (out.present[s] !== ABSENT) found++
    }
    return found
  }

  protected override finish(): void {
    this.input.release()
  }
}

/** Ratios beyond −1 and 1 are capped, with a warning. Groups make no difference. */
export function limitRatio(node: AggregateNode, input: Operator, ratio: Scalar): Operator {
  const { annotations } = input.context
  const { values } = ratio
  const isAllZero = values.every((value) => value === 0)
  if (!isAllZero && values.some(Number.isNaN)) throw new QueryError('execution', 'Ratio value is NaN')
  const high = values.reduce((a, b) => Math.max(a, b))
  const low = values.reduce((a, b) => Math.min(a, b))
  if (high > 1) annotations.invalidRatio(high, 1, node.expr.param!)
  if (low < -1) annotations.invalidRatio(low, -1, node.expr.param!)
  ratio.release()
  return new LimitRatioOperator(
    input,
    values.map((value) => Math.max(-1, Math.min(1, value))),
  )
}
