/** From the nodes of a plan to operators: one place that says which operator does what. */
import type { AggregateNode, BinaryNode, CallNode, PlanNode, SubqueryNode } from '../plan/plan.ts'
import type { SharedPart, Sharing } from '../plan/shared.ts'
import { valueType } from '../syntax/ast.ts'
import { aggregate } from './aggregate.ts'
import { aggregateQuantile, aggregateSelection } from './aggregate-k.ts'
import { applyToScalars } from './binary-operators.ts'
import type { EvalContext } from './context.ts'
import { countValues } from './count-values.ts'
import { negate, vectorScalar } from './elementwise.ts'
import type { Evaluation, QueryTimes } from './evaluation.ts'
import { limitRatio } from './limit-ratio.ts'
import { matchVectors } from './matching.ts'
import { MaterializedOperator, type Operator, RepeatOperator } from './operator.ts'
import { RANGE_KERNELS, rangeFunction } from './range.ts'
import { type RangeSource, SelectorSource, SubquerySource } from './range-source.ts'
import { dropMarkedNames } from './relabel.ts'
import { constantScalar, Scalar } from './scalar.ts'
import { SCALAR_FUNCTIONS } from './scalar-functions.ts'
import { SelectorOperator } from './selector.ts'
import { setOperator } from './set-operators.ts'
import { SharedVector } from './shared-vector.ts'
import { SmoothedSelectorOperator } from './smoothed-selector.ts'
import { TracedOperator } from './traced.ts'
import { VECTOR_FUNCTIONS } from './vector-functions.ts'

export class Evaluator implements Evaluation {
  readonly context: EvalContext
  readonly times: QueryTimes
  private readonly sharing: Sharing
  private readonly shared = new Map<SharedPart, SharedVector>()
  /** Results of aggregations that were worked out together with another one. */
  private readonly waiting = new Map<AggregateNode, Operator>()

  constructor(context: EvalContext, times: QueryTimes, sharing: Sharing) {
    this.context = context
    this.times = times
    this.sharing = sharing
  }

  /** The operator of a node that is an instant vector. Throws QueryError. */
  vector(node: PlanNode): Operator {
    const part = this.sharing.parts.get(node)
    if (part === undefined) return this.traced(node)
    let vector = this.shared.get(part)
    if (vector === undefined) {
      vector = new SharedVector(this.context, part.uses)
      this.shared.set(part, vector)
    }
    return vector.take(node, () => this.traced(node))
  }

  private traced(node: PlanNode): Operator {
    const { costs } = this.context
    if (costs === undefined) return this.operator(node)
    const startedAt = performance.now()
    const operator = this.operator(node)
    const cost = { series: 0, samples: 0, ms: performance.now() - startedAt }
    costs.set(node, cost)
    return new TracedOperator(operator, cost)
  }

  private operator(node: PlanNode): Operator {
    switch (node.kind) {
      case 'selector':
        return node.expr.smoothed
          ? new SmoothedSelectorOperator(this.context, node)
          : new SelectorOperator(this.context, node, 'sample')
      case 'invariant':
        return new RepeatOperator(node.frame, this.vector(node.inner))
      case 'negate':
        return negate(this.vector(node.inner))
      case 'aggregate':
        return this.aggregation(node)
      case 'binary':
        return this.binary(node)
      case 'call':
        return this.call(node)
      case 'number':
      case 'string':
      case 'range':
      case 'subquery':
        throw new Error(`${node.kind} is no vector`)
    }
  }

  /** The values of a node that is a scalar. */
  scalar(node: PlanNode): Scalar {
    switch (node.kind) {
      case 'number':
        return constantScalar(this.context, node.frame, node.expr.value)
      case 'invariant': {
        const once = this.scalar(node.inner)
        once.release()
        return constantScalar(this.context, node.frame, once.values[0])
      }
      case 'negate': {
        const inner = this.scalar(node.inner)
        inner.release()
        return new Scalar(
          this.context,
          inner.values.map((value) => -value),
        )
      }
      case 'binary': {
        const lhs = this.scalar(node.lhs)
        const rhs = this.scalar(node.rhs)
        lhs.release()
        rhs.release()
        return new Scalar(this.context, applyToScalars(node.expr.op, lhs.values, rhs.values))
      }
      case 'call':
        return SCALAR_FUNCTIONS[node.expr.func.name](this, node)
      default:
        throw new Error(`${node.kind} is no scalar`)
    }
  }

  /** What a node that is a range vector reads. */
  range(node: PlanNode): RangeSource {
    if (node.kind === 'range') return new SelectorSource(this.context, node)
    if (node.kind === 'subquery') return new SubquerySource(this.context, node, this.steps(node))
    throw new Error(`${node.kind} is no range vector`)
  }

  /** As `range`, for a range vector that is the answer itself: marked names are dropped. */
  topRange(node: PlanNode): RangeSource {
    if (node.kind !== 'subquery') return this.range(node)
    return new SubquerySource(this.context, node, dropMarkedNames(this.steps(node)))
  }

  /** The inner vector of a subquery at its own steps. */
  private steps({ inner }: SubqueryNode): Operator {
    if (inner.frame.count > 0) return this.vector(inner)
    return new MaterializedOperator(this.context, inner.frame, [], [])
  }

  private isScalar(node: PlanNode): boolean {
    while (node.kind === 'invariant') node = node.inner
    return (
      node.kind === 'number' ||
      (node.kind !== 'string' && node.kind !== 'range' && valueType(node.expr) === 'scalar')
    )
  }

  private binary(node: BinaryNode): Operator {
    const { op } = node.expr
    const isLeftScalar = this.isScalar(node.lhs)
    if (isLeftScalar || this.isScalar(node.rhs)) {
      const scalar = this.scalar(isLeftScalar ? node.lhs : node.rhs)
      const vector = this.vector(isLeftScalar ? node.rhs : node.lhs)
      return vectorScalar(node.expr, vector, scalar, isLeftScalar)
    }
    const lhs = this.vector(node.lhs)
    const rhs = this.vector(node.rhs)
    if (op === 'and' || op === 'or' || op === 'unless') return setOperator(node, lhs, rhs)
    return matchVectors(node, lhs, rhs)
  }

  private aggregation(node: AggregateNode): Operator {
    const { op } = node.expr
    switch (op) {
      case 'quantile': {
        const phi = this.scalar(node.param!)
        return aggregateQuantile(node, this.vector(node.inner), phi)
      }
      case 'topk':
      case 'bottomk':
      case 'limitk': {
        const k = this.scalar(node.param!)
        return aggregateSelection(node, this.vector(node.inner), k)
      }
      case 'count_values':
        return countValues(node, this.vector(node.inner), this.text(node.param!))
      case 'limit_ratio': {
        const ratio = this.scalar(node.param!)
        return limitRatio(node, this.vector(node.inner), ratio)
      }
      default:
        return this.onePass(node)
    }
  }

  /** An aggregation, together with others over the same vector. */
  private onePass(node: AggregateNode): Operator {
    const siblings = this.sharing.siblings.get(node)
    if (siblings === undefined) return aggregate([node], this.vector(node.inner))[0]
    const { context, waiting } = this
    const known = waiting.get(node)
    if (known !== undefined) {
      waiting.delete(node)
      return known
    }
    const { inner } = siblings[siblings.length - 1]
    const operators = aggregate(siblings, this.vector(inner))
    for (const [i, sibling] of siblings.entries()) {
      context.counts.take(sibling.inner, inner)
      if (sibling !== node) waiting.set(sibling, operators[i])
    }
    return operators[siblings.indexOf(node)]
  }

  /** The text of a node that is a string. */
  text(node: PlanNode): string {
    if (node.kind !== 'string') throw new Error(`${node.kind} is no string`)
    return node.expr.value
  }

  private call(node: CallNode): Operator {
    const { name } = node.expr.func
    const { args } = node
    const rangeArg = args.findIndex((arg) => arg.kind === 'range' || arg.kind === 'subquery')
    if (rangeArg >= 0 && (name in RANGE_KERNELS || name === 'absent_over_time')) {
      const source = this.range(args[rangeArg])
      const scalars = args.filter((_, i) => i !== rangeArg).map((arg) => this.scalar(arg))
      return rangeFunction(node, source, scalars)
    }
    return VECTOR_FUNCTIONS[name](this, node)
  }
}
