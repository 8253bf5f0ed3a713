/** histogram_quantile, histogram_quantiles and histogram_fraction over buckets that are series with `le`. */
import { type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { unsupported } from '../errors.ts'
import { Buckets } from '../functions/classic-buckets.ts'
import { isInvalidQuantile } from '../functions/quantile.ts'
import type { Expr } from '../syntax/ast.ts'
import { parseGoFloat } from '../syntax/go-float.ts'
import { formatFloatShort } from '../syntax/go-format.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import { mergeEqualLabels } from './merge.ts'
import { Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'
import { dropNames } from './series-labels.ts'

const BUCKET_LABEL: ReadonlySet<string> = new Set(['le'])

/** One histogram: its buckets' bounds, ascending, and the series that count them. */
interface Histogram {
  labels: Labels
  members: { bound: number; series: number }[]
}

/** Groups bucket series by all their labels but `le`. Series with a bad `le` are warned of where they have samples. */
function findHistograms(input: Operator, place: Expr): Histogram[] {
  const histograms = new Map<string, Histogram>()
  const { annotations, settings } = input.context
  let scratch: Column | undefined
  for (const [series, labels] of input.labels.entries()) {
    const bound = parseGoFloat(labels.get('le'))
    if (bound === undefined) {
      scratch ??= new Column(input.frame.count)
      if (input.fill(series, scratch) > 0) {
        const metricName = settings.delayedNameRemoval ? labels.get(METRIC_NAME) : ''
        annotations.badBucketLabel(labels.get('le'), metricName, place)
      }
      continue
    }
    const rest = labels.without(BUCKET_LABEL)
    const key = rest.key()
    const histogram = histograms.get(key)
    if (histogram === undefined) histograms.set(key, { labels: rest, members: [{ bound, series }] })
    else histogram.members.push({ bound, series })
  }
  const found = [...histograms.values()]
  // A bound of NaN is not in any order; it stays where it is.
  for (const { members } of found)
    members.sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0))
  return found
}

/** What is worked out from the buckets at step s, for output k of a histogram. */
type BucketFunction = (buckets: Buckets, s: number, k: number) => number

/** Output i is number k = i mod `outputs` of histogram i div `outputs`. */
class BucketOperator extends Operator {
  private readonly input: Operator
  private readonly histograms: readonly Histogram[]
  private readonly outputs: number
  private readonly place: Expr
  private readonly result: BucketFunction
  private readonly scalars: readonly Scalar[]
  private current = -1
  private columns: Column[] = []

  constructor(
    input: Operator,
    histograms: readonly Histogram[],
    labels: readonly Labels[],
    place: Expr,
    result: BucketFunction,
    scalars: readonly Scalar[],
  ) {
    const dropped = dropNames(input.context, labels)
    super(input.context, input.frame, dropped.labels, dropped.drops)
    this.input = input
    this.histograms = histograms
    this.outputs = histograms.length === 0 ? 1 : labels.length / histograms.length
    this.place = place
    this.result = result
    this.scalars = scalars
  }

  protected override compute(i: number, out: Column): number {
    const h = Math.floor(i / this.outputs)
    const { members, labels } = this.histograms[h]
    const columns = this.readBuckets(h)
    const buckets = new Buckets(members.length)
    let found = 0
    for (let s = 0; s < out.present.length; s++) {
      buckets.clear()
      for (let m = 0; m < columns.length; m++) {
        if (columns[m].present[s] !== ABSENT) buckets.push(members[m].bound, columns[m].values[s])
      }
      if (buckets.length === 0) {
        out.present[s] = ABSENT
        continue
      }
      out.values[s] = this.result(buckets, s, i % this.outputs)
      out.present[s] = PRESENT_FLOAT
      found++
      if (buckets.maxDifference > 0) this.tellForced(labels, buckets, s)
    }
    return found
  }

  /** Outputs of one histogram are asked for one after the other, and share its columns. */
  private readBuckets(h: number): readonly Column[] {
    if (this.current === h) return this.columns
    if (this.current > h) throw new Error('histograms are read in order')
    this.current = h
    this.columns = this.histograms[h].members.map(({ series }) => {
      const column = new Column(this.frame.count)
      this.input.fill(series, column)
      return column
    })
    return this.columns
  }

  private tellForced(labels: Labels, buckets: Buckets, s: number): void {
    const { annotations, settings } = this.context
    const { minBound, maxBound, maxDifference } = buckets
    const metricName = settings.delayedNameRemoval ? labels.get(METRIC_NAME) : ''
    const time = this.frame.times[s]
    annotations.forcedMonotonicity(metricName, time, minBound, maxBound, maxDifference, this.place)
  }

  protected override finish(): void {
    this.columns = []
    this.input.release()
    for (const scalar of this.scalars) scalar.release()
  }
}

function checkQuantile(context: EvalContext, phi: Scalar, place: Expr): void {
  for (const value of new Set(phi.values)) {
    if (isInvalidQuantile(value)) context.annotations.invalidQuantile(value, place)
  }
}

export function histogramQuantile(phi: Scalar, input: Operator, args: readonly Expr[]): Operator {
  checkQuantile(input.context, phi, args[0])
  const histograms = findHistograms(input, args[1])
  const labels = histograms.map((histogram) => histogram.labels)
  const result: BucketFunction = (buckets, s) => buckets.quantile(phi.values[s])
  return mergeEqualLabels(new BucketOperator(input, histograms, labels, args[1], result, [phi]), 'same step')
}

export function histogramFraction(
  low: Scalar,
  high: Scalar,
  input: Operator,
  args: readonly Expr[],
): Operator {
  const histograms = findHistograms(input, args[2])
  const labels = histograms.map((histogram) => histogram.labels)
  const result: BucketFunction = (buckets, s) => buckets.fraction(low.values[s], high.values[s])
  return mergeEqualLabels(
    new BucketOperator(input, histograms, labels, args[2], result, [low, high]),
    'same step',
  )
}

/** As OpenMetrics writes a float in a label: whole numbers with `.0`. */
function formatQuantile(phi: number): string {
  const text = formatFloatShort(phi)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

/**
 * One output for each histogram and φ, with φ in a label. Throws QueryError where φ changes from step to step, since
 * then the label would.
 */
export function histogramQuantiles(
  input: Operator,
  label: string,
  phis: readonly Scalar[],
  args: readonly Expr[],
): Operator {
  for (const [k, phi] of phis.entries()) {
    checkQuantile(input.context, phi, args[k + 2])
    if (!phi.values.every((value) => Object.is(value, phi.values[0]))) {
      throw unsupported('histogram_quantiles() with a quantile that changes from step to step is')
    }
  }
  const histograms = findHistograms(input, args[0])
  const builder = new LabelsBuilder()
  const labels: Labels[] = []
  for (const histogram of histograms) {
    for (const phi of phis) {
      builder.reset(histogram.labels)
      labels.push(builder.set(label, formatQuantile(phi.values[0])).labels())
    }
  }
  const result: BucketFunction = (buckets, s, k) => buckets.quantile(phis[k].values[s])
  return mergeEqualLabels(new BucketOperator(input, histograms, labels, args[0], result, phis), 'same step')
}
