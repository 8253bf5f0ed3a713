/**
 * What is to be done for a query: its tree with all times resolved, parentheses gone, and the parts that do not
 * change from step to step marked. Nodes keep the expression they come from, for positions and parameters.
 */
import type { SelectHints } from '../../storage/interface.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import type {
  Aggregate,
  Binary,
  Call,
  MatrixSelector,
  NumberLiteral,
  StringLiteral,
  Subquery,
  Unary,
  VectorSelector,
} from '../syntax/ast.ts'
import type { Sharing } from './shared.ts'

/** The steps at which a part of the tree is evaluated. */
export class Frame {
  /** Unix ms of each step, ascending. */
  readonly times: Float64Array
  readonly stepMs: number
  /** Whether samples are to be counted by steps, beside their sum. */
  readonly countsSteps: boolean

  /** `count` may be 0: a subquery whose window holds no step. */
  constructor(startMs: number, stepMs: number, count: number, countsSteps: boolean) {
    this.times = new Float64Array(count)
    for (let s = 0; s < count; s++) this.times[s] = startMs + s * stepMs
    this.stepMs = stepMs
    this.countsSteps = countsSteps
  }

  get count(): number {
    return this.times.length
  }
}

/** One read of storage: the series and the closed range of times that its samples may come from. */
export interface Selection {
  readonly matchers: readonly Matcher[]
  readonly mint: number
  readonly maxt: number
  readonly hints: SelectHints
}

interface NodeBase {
  readonly frame: Frame
}

export interface NumberNode extends NodeBase {
  readonly kind: 'number'
  readonly expr: NumberLiteral
}

export interface StringNode extends NodeBase {
  readonly kind: 'string'
  readonly expr: StringLiteral
}

/** `refMs` of a selector is, for each step, the time it looks at: the step's, or that of @, less the offset. */
export interface SelectorNode extends NodeBase {
  readonly kind: 'selector'
  readonly expr: VectorSelector
  readonly refMs: Float64Array
  /** Index into the plan's selections. */
  readonly selection: number
  /** Of histograms only count and sum are wanted. */
  readonly isStatsOnly: boolean
}

export interface RangeNode extends NodeBase {
  readonly kind: 'range'
  readonly expr: MatrixSelector
  /** Right ends of the windows (refMs − rangeMs, refMs]. */
  readonly refMs: Float64Array
  readonly rangeMs: number
  readonly selection: number
  /** As in SelectorNode. */
  readonly isStatsOnly: boolean
  /** Its samples reach beyond the windows by the lookback: before them, and if smoothed behind them, too. */
  readonly extension: 'anchored' | 'smoothed' | undefined
}

export interface SubqueryNode extends NodeBase {
  readonly kind: 'subquery'
  readonly expr: Subquery
  readonly refMs: Float64Array
  readonly rangeMs: number
  /** Its frame holds the multiples of the subquery's step in all windows together. */
  readonly inner: PlanNode
}

/** A part with the same value at all steps: evaluated at the first, repeated at the others. */
export interface InvariantNode extends NodeBase {
  readonly kind: 'invariant'
  readonly inner: PlanNode
}

export interface CallNode extends NodeBase {
  readonly kind: 'call'
  readonly expr: Call
  readonly args: readonly PlanNode[]
}

export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate'
  readonly expr: Aggregate
  readonly inner: PlanNode
  readonly param: PlanNode | null
}

export interface BinaryNode extends NodeBase {
  readonly kind: 'binary'
  readonly expr: Binary
  readonly lhs: PlanNode
  readonly rhs: PlanNode
}

/** Unary minus; a plus is left out of the plan. */
export interface NegateNode extends NodeBase {
  readonly kind: 'negate'
  readonly expr: Unary
  readonly inner: PlanNode
}

export type PlanNode =
  | AggregateNode
  | BinaryNode
  | CallNode
  | InvariantNode
  | NegateNode
  | NumberNode
  | RangeNode
  | SelectorNode
  | StringNode
  | SubqueryNode

export interface Plan {
  readonly root: PlanNode
  readonly selections: readonly Selection[]
  readonly sharing: Sharing
  /** Closed range that covers all selections; [0, 0] without any. */
  readonly mint: number
  readonly maxt: number
}
