/** Scalars: one float at every step. */
import type { Frame } from '../plan/plan.ts'
import { Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import type { Operator } from './operator.ts'

export class Scalar {
  readonly values: Float64Array
  private readonly context: EvalContext
  private isReleased = false

  /** Takes the values as they are; they count as held until `release`. */
  constructor(context: EvalContext, values: Float64Array) {
    this.context = context
    this.values = values
    context.hold(values.length)
  }

  release(): void {
    if (this.isReleased) return
    this.isReleased = true
    this.context.free(this.values.length)
  }
}

export function constantScalar(context: EvalContext, frame: Frame, value: number): Scalar {
  return new Scalar(context, new Float64Array(frame.count).fill(value))
}

/** The value of the only float of a step; NaN where there is none or more than one. Histograms do not count. */
export function scalarOf(input: Operator): Scalar {
  const { frame } = input
  const column = new Column(frame.count)
  const values = new Float64Array(frame.count)
  const seen = new Float64Array(frame.count)
  for (let i = 0; i < input.size; i++) {
    input.fill(i, column)
    for (let s = 0; s < frame.count; s++) {
      if (column.present[s] !== PRESENT_FLOAT) continue
      values[s] = column.values[s]
      seen[s]++
    }
  }
  input.release()
  for (let s = 0; s < frame.count; s++) if (seen[s] !== 1) values[s] = Number.NaN
  return new Scalar(input.context, values)
}
