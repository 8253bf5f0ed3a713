/** What the tables of functions need of the evaluator: the values of their arguments. */
import type { PlanNode } from '../plan/plan.ts'
import type { EvalContext } from './context.ts'
import type { Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'

/** The query's own times, for start(), end(), step() and range(). */
export interface QueryTimes {
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
}

/** Each throws Error for a node of another type. */
export interface Evaluation {
  readonly context: EvalContext
  readonly times: QueryTimes
  vector(node: PlanNode): Operator
  scalar(node: PlanNode): Scalar
  text(node: PlanNode): string
}
