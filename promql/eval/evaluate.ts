/** From the nodes of a plan to operators: one place that says which operator does what. */
import { Labels } from '../../storage/model/labels.ts'
import { unsupported } from '../errors.ts'
import { max, min } from '../functions/math.ts'
import type { AggregateNode, BinaryNode, CallNode, Frame, PlanNode, SubqueryNode } from '../plan/plan.ts'
import { valueType } from '../syntax/ast.ts'
import { PRESENT_FLOAT } from '../value.ts'
import { absent } from './absent.ts'
import { aggregate } from './aggregate.ts'
import { aggregateQuantile, aggregateSelection } from './aggregate-k.ts'
import { applyToScalars } from './binary-operators.ts'
import { histogramFraction, histogramQuantile, histogramQuantiles } from './classic-histogram.ts'
import type { EvalContext } from './context.ts'
import { countValues } from './count-values.ts'
import {
  clampBetween,
  evaluationTime,
  floatFunction,
  mapFloats,
  negate,
  roundTo,
  vectorScalar,
} from './elementwise.ts'
import { limitRatio } from './limit-ratio.ts'
import { matchVectors } from './matching.ts'
import { MaterializedOperator, type Operator, RepeatOperator } from './operator.ts'
import { RANGE_KERNELS, rangeFunction } from './range.ts'
import { type RangeSource, SelectorSource, SubquerySource } from './range-source.ts'
import { dropMarkedNames, labelJoin, labelReplace } from './relabel.ts'
import { constantScalar, Scalar, scalarOf } from './scalar.ts'
import { type Aspect, SelectorOperator } from './selector.ts'
import { setOperator } from './set-operators.ts'
import { SmoothedSelectorOperator } from './smoothed-selector.ts'
import { sortByLabel, sortByValue } from './sort.ts'

/** The query's own times, for start(), end(), step() and range(). */
export interface QueryTimes {
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
}

export class Evaluator {
  private readonly context: EvalContext
  private readonly times: QueryTimes

  constructor(context: EvalContext, times: QueryTimes) {
    this.context = context
    this.times = times
  }

  /** The operator of a node that is an instant vector. Throws QueryError. */
  vector(node: PlanNode): Operator {
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
        return this.scalarCall(node)
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
        return aggregate(node, this.vector(node.inner))
    }
  }

  /** The text of a node that is a string. */
  text(node: PlanNode): string {
    if (node.kind !== 'string') throw new Error(`${node.kind} is no string`)
    return node.expr.value
  }

  private scalarCall(node: CallNode): Scalar {
    const { frame, args } = node
    const { startMs, endMs, stepMs } = this.times
    switch (node.expr.func.name) {
      case 'scalar':
        return scalarOf(this.vector(args[0]))
      case 'time':
        return new Scalar(
          this.context,
          frame.times.map((t) => t / 1000),
        )
      case 'pi':
        return constantScalar(this.context, frame, Math.PI)
      case 'start':
        return constantScalar(this.context, frame, startMs / 1000)
      case 'end':
        return constantScalar(this.context, frame, endMs / 1000)
      case 'step':
        return constantScalar(this.context, frame, stepMs / 1000)
      case 'range':
        return constantScalar(this.context, frame, (endMs - startMs) / 1000)
      case 'max_of':
        return this.combineScalars(args, max)
      case 'min_of':
        return this.combineScalars(args, min)
      default:
        throw unsupported(`${node.expr.func.name}() is`)
    }
  }

  private combineScalars(args: readonly PlanNode[], f: (x: number, y: number) => number): Scalar {
    const lhs = this.scalar(args[0])
    const rhs = this.scalar(args[1])
    lhs.release()
    rhs.release()
    return new Scalar(
      this.context,
      lhs.values.map((value, s) => f(value, rhs.values[s])),
    )
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
    const f = floatFunction(name)
    if (f !== undefined) return mapFloats(args.length === 0 ? this.now(node.frame) : this.vector(args[0]), f)
    return this.vectorCall(node)
  }

  private vectorCall(node: CallNode): Operator {
    const { args, frame, expr } = node
    const { context } = this
    switch (expr.func.name) {
      case 'vector':
        return this.fromScalar(frame, this.scalar(args[0]))
      case 'absent':
        return absent(this.vector(args[0]), expr.args[0])
      case 'timestamp':
        return this.timestamp(args[0])
      case 'start_timestamp':
        return this.startTimestamp(args[0])
      case 'round': {
        const to = args.length > 1 ? this.scalar(args[1]) : constantScalar(context, frame, 1)
        return roundTo(this.vector(args[0]), to)
      }
      case 'clamp':
        return clampBetween(this.vector(args[0]), this.scalar(args[1]), this.scalar(args[2]))
      case 'clamp_min': {
        const input = this.vector(args[0])
        return clampBetween(input, this.scalar(args[1]), constantScalar(context, frame, Infinity))
      }
      case 'clamp_max': {
        const input = this.vector(args[0])
        return clampBetween(input, constantScalar(context, frame, -Infinity), this.scalar(args[1]))
      }
      case 'label_replace':
        return labelReplace(() => this.vector(args[0]), this.texts(args))
      case 'label_join':
        return labelJoin(() => this.vector(args[0]), this.texts(args))
      case 'histogram_quantile':
        return histogramQuantile(this.scalar(args[0]), this.vector(args[1]), expr.args)
      case 'histogram_quantiles':
        return histogramQuantiles(
          this.vector(args[0]),
          this.text(args[1]),
          args.slice(2).map((arg) => this.scalar(arg)),
          expr.args,
        )
      case 'histogram_fraction':
        return histogramFraction(this.scalar(args[0]), this.scalar(args[1]), this.vector(args[2]), expr.args)
      case 'sort':
      case 'sort_desc':
      case 'sort_by_label':
      case 'sort_by_label_desc':
        return this.sort(node)
      default:
        throw unsupported(`${expr.func.name}() is`)
    }
  }

  private texts(args: readonly PlanNode[]): string[] {
    return args.slice(1).map((arg) => this.text(arg))
  }

  private sort(node: CallNode): Operator {
    const { name } = node.expr.func
    const input = this.vector(node.args[0])
    if (node.frame.count > 1) this.context.annotations.sortInRangeQuery(node.expr)
    const isDescending = name.endsWith('_desc')
    return name.startsWith('sort_by_label')
      ? sortByLabel(input, this.texts(node.args), isDescending)
      : sortByValue(input, isDescending)
  }

  /** The times of a bare selector's samples; of all else the evaluation time. */
  private timestamp(arg: PlanNode): Operator {
    return this.aspect(arg, 'time') ?? evaluationTime(this.vector(arg))
  }

  /** Of a bare selector's samples; undefined for all else. */
  private aspect(arg: PlanNode, aspect: Aspect): Operator | undefined {
    if (arg.kind === 'selector') return new SelectorOperator(this.context, arg, aspect)
    if (arg.kind !== 'invariant' || arg.inner.kind !== 'selector') return undefined
    return new RepeatOperator(arg.frame, new SelectorOperator(this.context, arg.inner, aspect))
  }

  /** Nothing where start timestamps are not looked at, and of all that is no bare selector. */
  private startTimestamp(arg: PlanNode): Operator {
    const ofSelector = this.context.settings.startTimestamps ? this.aspect(arg, 'start') : undefined
    if (ofSelector !== undefined) return ofSelector
    this.vector(arg).release()
    return new MaterializedOperator(this.context, arg.frame, [], [])
  }

  /** One series without labels. */
  private fromScalar(frame: Frame, scalar: Scalar): Operator {
    const column = this.context.newColumn(frame.count)
    column.values.set(scalar.values)
    column.present.fill(PRESENT_FLOAT)
    scalar.release()
    return new MaterializedOperator(this.context, frame, [Labels.EMPTY], [column])
  }

  private now(frame: Frame): Operator {
    const seconds = frame.times.map((t) => t / 1000)
    return this.fromScalar(frame, new Scalar(this.context, seconds))
  }
}
