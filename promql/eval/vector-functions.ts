/** Functions of instant vectors and scalars that give an instant vector, by their names. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'
import { DATE_FUNCTIONS } from '../functions/date.ts'
import { FLOAT_FUNCTIONS } from '../functions/math.ts'
import { histogramAverage, histogramDeviation, histogramVariance } from '../histogram/stats.ts'
import type { CallNode, Frame, PlanNode } from '../plan/plan.ts'
import { unwrapParens } from '../plan/prepare.ts'
import type { Expr } from '../syntax/ast.ts'
import { PRESENT_FLOAT } from '../value.ts'
import { absent } from './absent.ts'
import { clampBetween, evaluationTime, mapFloats, mapHistograms, roundTo } from './elementwise.ts'
import type { Evaluation } from './evaluation.ts'
import { histogramFraction, histogramQuantile, histogramQuantiles } from './histogram-quantile.ts'
import { info } from './info.ts'
import { mergeEqualLabels } from './merge.ts'
import { drain, MaterializedOperator, type Operator, RepeatOperator } from './operator.ts'
import { labelJoin, labelReplace } from './relabel.ts'
import { constantScalar, type Scalar } from './scalar.ts'
import { stepSeconds } from './scalar-functions.ts'
import { type Aspect, SelectorOperator } from './selector.ts'
import { sortByLabel, sortByValue } from './sort.ts'

type VectorFunction = (evaluation: Evaluation, node: CallNode) => Operator

function texts(evaluation: Evaluation, args: readonly PlanNode[]): string[] {
  return args.slice(1).map((arg) => evaluation.text(arg))
}

/** One series without labels. */
function fromScalar({ context }: Evaluation, frame: Frame, scalar: Scalar): Operator {
  const column = context.newColumn(frame.count)
  column.values.set(scalar.values)
  column.present.fill(PRESENT_FLOAT)
  scalar.release()
  return new MaterializedOperator(context, frame, [Labels.EMPTY], [column])
}

/** Maps each float; without an argument the evaluation time. */
function ofFloats(f: (x: number) => number): VectorFunction {
  return (evaluation, node) => {
    const { args, frame } = node
    const now = () => fromScalar(evaluation, frame, stepSeconds(evaluation, node))
    return mapFloats(args.length === 0 ? now() : evaluation.vector(args[0]), f)
  }
}

function ofHistograms(f: (histogram: FloatHistogram) => number): VectorFunction {
  return (evaluation, { args }) => mapHistograms(evaluation.vector(args[0]), f)
}

function mapTable(table: Readonly<Record<string, (x: number) => number>>): Record<string, VectorFunction> {
  return Object.fromEntries(Object.entries(table).map(([name, f]) => [name, ofFloats(f)]))
}

/** Of a bare selector's samples; undefined for all else. */
function aspectOf({ context }: Evaluation, arg: PlanNode, expr: Expr, aspect: Aspect): Operator | undefined {
  // The plan has neither parentheses nor plus signs; of these only the latter make it another expression.
  const selector = arg.kind === 'invariant' ? arg.inner : arg
  if (selector.kind !== 'selector' || unwrapParens(expr).type !== 'vectorSelector') return undefined
  const operator = mergeEqualLabels(new SelectorOperator(context, selector, aspect), 'same step')
  return arg.kind === 'invariant' ? new RepeatOperator(arg.frame, operator) : operator
}

/** The times of a bare selector's samples; of all else the evaluation time. */
const timestamp: VectorFunction = (evaluation, { args, expr }) =>
  aspectOf(evaluation, args[0], expr.args[0], 'time') ?? evaluationTime(evaluation.vector(args[0]))

/** Nothing where start timestamps are not looked at, and of all that is no bare selector. */
const startTimestamp: VectorFunction = (evaluation, { args, expr }) => {
  const { context } = evaluation
  const ofSelector = aspectOf(evaluation, args[0], expr.args[0], 'start')
  if (ofSelector !== undefined && context.settings.startTimestamps) return ofSelector
  drain(ofSelector ?? evaluation.vector(args[0]))
  return new MaterializedOperator(context, args[0].frame, [], [])
}

function sort(isByLabel: boolean, isDescending: boolean): VectorFunction {
  return (evaluation, { args, frame, expr }) => {
    const input = evaluation.vector(args[0])
    if (frame.count > 1) evaluation.context.annotations.sortInRangeQuery(expr)
    return isByLabel
      ? sortByLabel(input, texts(evaluation, args), isDescending)
      : sortByValue(input, isDescending)
  }
}

const ROUNDING: Readonly<Record<string, VectorFunction>> = {
  round: (evaluation, { args, frame }) => {
    const to = args.length > 1 ? evaluation.scalar(args[1]) : constantScalar(evaluation.context, frame, 1)
    return roundTo(evaluation.vector(args[0]), to)
  },
  clamp: (evaluation, { args }) =>
    clampBetween(evaluation.vector(args[0]), evaluation.scalar(args[1]), evaluation.scalar(args[2])),
  clamp_min: (evaluation, { args, frame }) => {
    const input = evaluation.vector(args[0])
    const high = constantScalar(evaluation.context, frame, Number.POSITIVE_INFINITY)
    return clampBetween(input, evaluation.scalar(args[1]), high)
  },
  clamp_max: (evaluation, { args, frame }) => {
    const input = evaluation.vector(args[0])
    const low = constantScalar(evaluation.context, frame, Number.NEGATIVE_INFINITY)
    return clampBetween(input, low, evaluation.scalar(args[1]))
  },
}

const HISTOGRAMS: Readonly<Record<string, VectorFunction>> = {
  histogram_count: ofHistograms(({ count }) => count),
  histogram_sum: ofHistograms(({ sum }) => sum),
  histogram_avg: ofHistograms(histogramAverage),
  histogram_stddev: ofHistograms(histogramDeviation),
  histogram_stdvar: ofHistograms(histogramVariance),
  histogram_quantile: (evaluation, { args, expr }) =>
    histogramQuantile(evaluation.scalar(args[0]), evaluation.vector(args[1]), expr.args),
  histogram_quantiles: (evaluation, { args, expr }) => {
    const input = evaluation.vector(args[0])
    const phis = args.slice(2).map((arg) => evaluation.scalar(arg))
    return histogramQuantiles(input, evaluation.text(args[1]), phis, expr.args)
  },
  histogram_fraction: (evaluation, { args, expr }) => {
    const low = evaluation.scalar(args[0])
    const high = evaluation.scalar(args[1])
    return histogramFraction(low, high, evaluation.vector(args[2]), expr.args)
  },
}

const LABELS: Readonly<Record<string, VectorFunction>> = {
  label_replace: (evaluation, { args }) =>
    labelReplace(() => evaluation.vector(args[0]), texts(evaluation, args)),
  label_join: (evaluation, { args }) => labelJoin(() => evaluation.vector(args[0]), texts(evaluation, args)),
  info: (evaluation, node) => info(node, evaluation.vector(node.args[0])),
  sort: sort(false, false),
  sort_desc: sort(false, true),
  sort_by_label: sort(true, false),
  sort_by_label_desc: sort(true, true),
}

export const VECTOR_FUNCTIONS: Readonly<Record<string, VectorFunction>> = {
  ...mapTable(FLOAT_FUNCTIONS),
  ...mapTable(DATE_FUNCTIONS),
  ...ROUNDING,
  ...HISTOGRAMS,
  ...LABELS,
  vector: (evaluation, { args, frame }) => fromScalar(evaluation, frame, evaluation.scalar(args[0])),
  absent: (evaluation, { args, expr }) => absent(evaluation.vector(args[0]), expr.args[0]),
  timestamp,
  start_timestamp: startTimestamp,
}
