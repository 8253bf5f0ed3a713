/** Functions that give a scalar, by their names. */
import { max, min } from '../functions/math.ts'
import type { CallNode } from '../plan/plan.ts'
import type { Evaluation } from './evaluation.ts'
import { constantScalar, Scalar, scalarOf } from './scalar.ts'

type ScalarFunction = (evaluation: Evaluation, node: CallNode) => Scalar

function constant(value: (evaluation: Evaluation) => number): ScalarFunction {
  return (evaluation, { frame }) => constantScalar(evaluation.context, frame, value(evaluation))
}

function combine(f: (x: number, y: number) => number): ScalarFunction {
  return (evaluation, { args }) => {
    const lhs = evaluation.scalar(args[0])
    const rhs = evaluation.scalar(args[1])
    lhs.release()
    rhs.release()
    return new Scalar(
      evaluation.context,
      lhs.values.map((value, s) => f(value, rhs.values[s])),
    )
  }
}

/** Unix seconds of each step. */
export function stepSeconds({ context }: Evaluation, { frame }: CallNode): Scalar {
  return new Scalar(
    context,
    frame.times.map((t) => t / 1000),
  )
}

export const SCALAR_FUNCTIONS: Readonly<Record<string, ScalarFunction>> = {
  scalar: (evaluation, { args }) => scalarOf(evaluation.vector(args[0])),
  time: stepSeconds,
  pi: constant(() => Math.PI),
  start: constant(({ times }) => times.startMs / 1000),
  end: constant(({ times }) => times.endMs / 1000),
  step: constant(({ times }) => times.stepMs / 1000),
  range: constant(({ times }) => (times.endMs - times.startMs) / 1000),
  max_of: combine(max),
  min_of: combine(min),
}
