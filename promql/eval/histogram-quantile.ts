/**
 * histogram_quantile, histogram_quantiles and histogram_fraction, over native histograms and over classic ones, whose buckets
 * are series with the label `le`.
 *
 * Source: Prometheus promql/functions.go funcHistogramQuantile and engine.go resetHistograms.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { duplicateLabelSet } from '../errors.ts'
import { Buckets } from '../functions/classic-buckets.ts'
import { isInvalidQuantile } from '../functions/quantile.ts'
import { nativeFraction, nativeQuantile } from '../histogram/quantile.ts'
import type { Expr } from '../syntax/ast.ts'
import { parseGoFloat } from '../syntax/go-float.ts'
import { formatFloatShort } from '../syntax/go-format.ts'
import { ABSENT, Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import type { EvalContext } from './context.ts'
import { mergeEqualLabels } from './merge.ts'
import { MaterializedOperator, type Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'
import { dropNames } from './series-labels.ts'

const BUCKET_LABEL: ReadonlySet<string> = new Set(['le'])

/** The series with the same labels but for `le`. */
interface Family {
  readonly labels: Labels
  /** Buckets of a classic histogram, ascending by bound. */
  readonly buckets: { bound: number; series: number }[]
  /** Series without a good `le`: only native histograms in it mean anything. */
  readonly plain: number[]
}

/** What a function makes of one histogram at step s, for its output k. */
interface HistogramFunction {
  readonly outputs: number
  classic(buckets: Buckets, s: number, k: number): number
  native(histogram: FloatHistogram, s: number, k: number, metricName: string): number
  /** Labels of the output of a histogram with these labels; the same object for the same labels and step values. */
  labels(labels: Labels, s: number, k: number): Labels
}

class HistogramEvaluation {
  private readonly input: Operator
  private readonly context: EvalContext
  private readonly fn: HistogramFunction
  /** The vector's expression: annotations point at it. */
  private readonly place: Expr
  private readonly labels: Labels[] = []
  private readonly columns: Column[] = []
  private readonly scratch: Column[] = []

  constructor(input: Operator, fn: HistogramFunction, place: Expr) {
    this.input = input
    this.context = input.context
    this.fn = fn
    this.place = place
  }

  run(): Operator {
    const { input, context } = this
    for (const family of this.findFamilies()) this.evaluateFamily(family)
    input.release()
    const { labels, drops } = dropNames(context, this.labels)
    return mergeEqualLabels(
      new MaterializedOperator(context, input.frame, labels, this.columns, drops),
      'same step',
    )
  }

  private findFamilies(): Iterable<Family> {
    const families = new Map<string, Family>()
    for (const [series, full] of this.input.labels.entries()) {
      const bound = parseGoFloat(full.get('le'))
      const labels = bound === undefined ? full : full.without(BUCKET_LABEL)
      const key = labels.key()
      let family = families.get(key)
      if (family === undefined) {
        family = { labels, buckets: [], plain: [] }
        families.set(key, family)
      }
      if (bound === undefined) family.plain.push(series)
      else family.buckets.push({ bound, series })
    }
    // A bound of NaN is not in any order; it stays where it is.
    for (const { buckets } of families.values()) {
      buckets.sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0))
    }
    return families.values()
  }

  /** The samples of a series, in a column that the next family uses again. */
  private read(series: number, slot: number): Column {
    this.scratch[slot] ??= new Column(this.input.frame.count)
    const column = this.scratch[slot]
    if (this.input.fill(series, column) === 0) column.present.fill(ABSENT)
    return column
  }

  /** The name that annotations may tell: known only as long as it is not dropped. */
  private nameOf(labels: Labels): string {
    return this.context.settings.delayedNameRemoval ? labels.get(METRIC_NAME) : ''
  }

  private evaluateFamily({ labels, buckets, plain }: Family): void {
    const columns = buckets.map(({ series }, slot) => this.read(series, slot))
    for (const [m, column] of columns.entries()) {
      if (!column.mayHaveHistograms) continue
      // A histogram in a series with `le` is just that, and has the label.
      this.evaluateNative(this.input.labels[buckets[m].series], column, undefined)
      column.dropHistograms()
    }
    const classic = plain.length === 0 ? undefined : presenceOf(columns, this.input.frame.count)
    for (const series of plain) {
      const column = this.read(series, columns.length)
      this.tellBadLabel(labels, column)
      this.evaluateNative(labels, column, classic)
    }
    if (columns.length === 0) return
    const bounds = Float64Array.from(buckets, ({ bound }) => bound)
    this.evaluateClassic(labels, bounds, columns, classic)
  }

  /** A float is the count of a bucket, and needs a bound. */
  private tellBadLabel(labels: Labels, { present }: Column): void {
    if (!present.includes(PRESENT_FLOAT)) return
    this.context.annotations.badBucketLabel(labels.get('le'), this.nameOf(labels), this.place)
  }

  /** Where `classic` has the same histogram too, neither is taken. */
  private evaluateNative(labels: Labels, column: Column, classic: Uint8Array | undefined): void {
    if (!column.mayHaveHistograms) return
    const outputs = new StepOutputs(this, labels)
    const metricName = this.nameOf(labels)
    for (let s = 0; s < column.present.length; s++) {
      if (column.present[s] !== PRESENT_HISTOGRAM) continue
      if (classic !== undefined && classic[s] !== ABSENT) {
        classic[s] = ABSENT
        this.context.annotations.mixedClassicNative(metricName, this.place)
        continue
      }
      for (let k = 0; k < this.fn.outputs; k++) {
        outputs.put(s, k, this.fn.native(column.histograms[s]!, s, k, metricName))
      }
    }
  }

  /** `classic` says where it is to be left out. */
  private evaluateClassic(
    labels: Labels,
    bounds: Float64Array,
    columns: readonly Column[],
    classic: Uint8Array | undefined,
  ): void {
    const { fn } = this
    const { count } = this.input.frame
    const outputs = new StepOutputs(this, labels)
    const buckets = new Buckets(bounds.length)
    for (let s = 0; s < count; s++) {
      if (classic !== undefined && classic[s] === ABSENT) continue
      for (let k = 0; k < fn.outputs; k++) {
        buckets.clear()
        for (let m = 0; m < columns.length; m++) {
          const column = columns[m]
          if (column.present[s] !== ABSENT) buckets.push(bounds[m], column.values[s])
        }
        if (buckets.length === 0) break
        outputs.put(s, k, fn.classic(buckets, s, k))
        if (buckets.maxDifference > 0) this.tellForced(labels, buckets, s)
      }
    }
  }

  private tellForced(labels: Labels, { minBound, maxBound, maxDifference }: Buckets, s: number): void {
    const metricName = this.nameOf(labels)
    const time = this.input.frame.times[s]
    const { annotations } = this.context
    annotations.forcedMonotonicity(metricName, time, minBound, maxBound, maxDifference, this.place)
  }

  labelsAt(labels: Labels, s: number, k: number): Labels {
    return this.fn.labels(labels, s, k)
  }

  newOutput(labels: Labels): Column {
    const column = this.context.newColumn(this.input.frame.count)
    this.labels.push(labels)
    this.columns.push(column)
    return column
  }
}

/** Not 0 at the steps where any column has a sample. */
function presenceOf(columns: readonly Column[], count: number): Uint8Array {
  const presence = new Uint8Array(count)
  for (const { present } of columns) for (let s = 0; s < count; s++) presence[s] |= present[s]
  return presence
}

/** The output columns of one histogram. */
class StepOutputs {
  private readonly evaluation: HistogramEvaluation
  private readonly labels: Labels
  private readonly columns = new Map<Labels, Column>()
  private last: Labels | undefined
  private lastColumn: Column | undefined

  constructor(evaluation: HistogramEvaluation, labels: Labels) {
    this.evaluation = evaluation
    this.labels = labels
  }

  put(s: number, k: number, value: number): void {
    const labels = this.evaluation.labelsAt(this.labels, s, k)
    if (labels !== this.last) {
      this.last = labels
      this.lastColumn = this.columns.get(labels) ?? this.evaluation.newOutput(labels)
      this.columns.set(labels, this.lastColumn)
    }
    const column = this.lastColumn!
    // The same quantile twice.
    if (column.present[s] !== ABSENT) throw duplicateLabelSet()
    column.values[s] = value
    column.present[s] = PRESENT_FLOAT
  }
}

function checkQuantile(context: EvalContext, phi: Scalar, place: Expr): void {
  for (const value of new Set(phi.values)) {
    if (isInvalidQuantile(value)) context.annotations.invalidQuantile(value, place)
  }
}

/** The φ-quantile of a native histogram, with what NaN did to it told at `place`. */
function quantileOf(
  { annotations }: EvalContext,
  phi: number,
  histogram: FloatHistogram,
  metricName: string,
  place: Expr,
): number {
  const { value, nans } = nativeQuantile(phi, histogram)
  if (nans !== 'none') annotations.quantileOfNans(nans === 'result is NaN', metricName, place)
  return value
}

export function histogramQuantile(phi: Scalar, input: Operator, args: readonly Expr[]): Operator {
  const { context } = input
  checkQuantile(context, phi, args[0])
  const evaluation = new HistogramEvaluation(
    input,
    {
      outputs: 1,
      classic: (buckets, s) => buckets.quantile(phi.values[s]),
      native: (histogram, s, _, name) => quantileOf(context, phi.values[s], histogram, name, args[1]),
      labels: (labels) => labels,
    },
    args[1],
  )
  const result = evaluation.run()
  phi.release()
  return result
}

export function histogramFraction(
  low: Scalar,
  high: Scalar,
  input: Operator,
  args: readonly Expr[],
): Operator {
  const { annotations } = input.context
  const evaluation = new HistogramEvaluation(
    input,
    {
      outputs: 1,
      classic: (buckets, s) => buckets.fraction(low.values[s], high.values[s]),
      native: (histogram, s, _, metricName) => {
        const { value, hasNans } = nativeFraction(low.values[s], high.values[s], histogram)
        if (hasNans) annotations.fractionOfNans(metricName, args[2])
        return value
      },
      labels: (labels) => labels,
    },
    args[2],
  )
  const result = evaluation.run()
  low.release()
  high.release()
  return result
}

/** As OpenMetrics writes a float in a label: whole numbers with `.0`. */
function formatQuantile(phi: number): string {
  const text = formatFloatShort(phi)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/** Labels with φ in a label, made once for each histogram and φ. */
class QuantileLabels {
  private readonly label: string
  private readonly builder = new LabelsBuilder()
  private readonly known = new Map<Labels, Map<string, Labels>>()
  private readonly texts = new Map<number, string>()

  constructor(label: string) {
    this.label = label
  }

  of(labels: Labels, phi: number): Labels {
    let text = this.texts.get(phi)
    if (text === undefined) {
      text = formatQuantile(phi)
      this.texts.set(phi, text)
    }
    let byText = this.known.get(labels)
    if (byText === undefined) {
      byText = new Map()
      this.known.set(labels, byText)
    }
    let result = byText.get(text)
    if (result === undefined) {
      this.builder.reset(labels)
      result = this.builder.set(this.label, text).labels()
      byText.set(text, result)
    }
    return result
  }
}

/** One output for each histogram and φ, with φ in a label. */
export function histogramQuantiles(
  input: Operator,
  label: string,
  phis: readonly Scalar[],
  args: readonly Expr[],
): Operator {
  const { context } = input
  for (const [k, phi] of phis.entries()) checkQuantile(context, phi, args[k + 2])
  const names = new QuantileLabels(label)
  const evaluation = new HistogramEvaluation(
    input,
    {
      outputs: phis.length,
      classic: (buckets, s, k) => buckets.quantile(phis[k].values[s]),
      native: (histogram, s, k, name) => quantileOf(context, phis[k].values[s], histogram, name, args[0]),
      labels: (labels, s, k) => names.of(labels, phis[k].values[s]),
    },
    args[0],
  )
  const result = evaluation.run()
  for (const phi of phis) phi.release()
  return result
}
