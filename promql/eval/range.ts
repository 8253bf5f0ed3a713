/** Functions over range selectors and subqueries. */
import type { SeriesSet } from '../../storage/interface.ts'
import { type Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import { isHistogramKind, KIND_FLOAT, SampleColumns } from '../../storage/model/sample.ts'
import { OVER_TIME_KERNELS } from '../functions/over-time.ts'
import { isInvalidQuantile } from '../functions/quantile.ts'
import { RATE_KERNELS } from '../functions/rate.ts'
import { REGRESSION_KERNELS } from '../functions/regression.ts'
import { type RangeKernel, Windows } from '../functions/windows.ts'
import type { CallNode, Frame, RangeNode, SubqueryNode } from '../plan/plan.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../value.ts'
import { absentLabels } from './absent.ts'
import type { EvalContext } from './context.ts'
import { mergeEqualLabels } from './merge.ts'
import { MaterializedOperator, Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'
import { histogramsUnsupported, labelsOf, seriesOf } from './selector.ts'
import { areDistinctWithoutMetadata, dropNames } from './series-labels.ts'

export const RANGE_KERNELS: Readonly<Record<string, RangeKernel>> = {
  ...RATE_KERNELS,
  ...OVER_TIME_KERNELS,
  ...REGRESSION_KERNELS,
}

/** What a range function reads: series with samples at times of their own. */
export abstract class RangeSource {
  readonly context: EvalContext
  readonly frame: Frame
  readonly labels: readonly Labels[]
  readonly drops: Uint8Array
  /** Right ends of the windows, one a step. */
  readonly refMs: Float64Array
  readonly rangeMs: number

  constructor(
    node: RangeNode | SubqueryNode,
    context: EvalContext,
    labels: readonly Labels[],
    drops: Uint8Array,
  ) {
    this.context = context
    this.frame = node.frame
    this.labels = labels
    this.drops = drops
    this.refMs = node.refMs
    this.rangeMs = node.rangeMs
  }

  /** The floats of series i, without stale markers, that may lie in a window; read at most once each. */
  abstract read(i: number): SampleColumns
  /** Whether the samples come from storage, so that they count as read here. */
  abstract readonly isStorage: boolean
  abstract release(): void
}

/** Reads a range selector from storage. */
export class SelectorSource extends RangeSource {
  override readonly isStorage = true
  private readonly series: SeriesSet
  private readonly samples = new SampleColumns()

  constructor(context: EvalContext, node: RangeNode) {
    const series = seriesOf(context, node.selection)
    super(node, context, labelsOf(series), new Uint8Array(series.count))
    this.series = series
  }

  override read(i: number): SampleColumns {
    this.series.read(i, this.samples)
    this.context.spend(this.samples.length)
    if (!this.samples.allFloat) this.dropStale()
    return this.samples
  }

  /** Closes the gaps that stale markers leave. Histograms count only where a window may hold them. */
  private dropStale(): void {
    const { samples, refMs, rangeMs } = this
    const { t, v, kind } = samples
    const start = refMs[0] - rangeMs
    const end = refMs[refMs.length - 1]
    let length = 0
    for (let i = 0; i < samples.length; i++) {
      if (isHistogramKind(kind[i]) && t[i] > start && t[i] <= end) throw histogramsUnsupported()
      if (kind[i] !== KIND_FLOAT) continue
      t[length] = t[i]
      v[length] = v[i]
      kind[length++] = KIND_FLOAT
    }
    samples.length = length
    samples.allFloat = true
  }

  override release(): void {}
}

/** The results of a subquery's steps, as samples. */
export class SubquerySource extends RangeSource {
  override readonly isStorage = false
  private readonly inner: Operator
  private readonly column: Column
  private readonly samples: SampleColumns

  constructor(context: EvalContext, node: SubqueryNode, inner: Operator) {
    super(node, context, inner.labels, inner.drops)
    this.inner = inner
    this.column = new Column(inner.frame.count)
    this.samples = new SampleColumns(inner.frame.count)
  }

  override read(i: number): SampleColumns {
    const { samples, column } = this
    const { times } = this.inner.frame
    this.inner.fill(i, column)
    samples.clear()
    for (let s = 0; s < times.length; s++) {
      if (column.present[s] !== ABSENT) samples.push(times[s], column.values[s], KIND_FLOAT)
    }
    return samples
  }

  override release(): void {
    this.inner.release()
  }
}

/** Counts what the windows of one series hold, as query statistics have it, and tells the most of one window. */
function countSamples(source: RangeSource, { times }: Windows): number {
  const { total, distinct, most } = times
  // A subquery's own reads are counted where they happen.
  if (source.isStorage) source.context.samplesRead += distinct
  source.context.totalQueryableSamples += total * source.frame.weight
  return most
}

const COUNTER_ENDING = /_(?:total|sum|count|bucket)$/

class RangeFunctionOperator extends Operator {
  private readonly node: CallNode
  private readonly source: RangeSource
  private readonly kernel: RangeKernel
  private readonly scalars: readonly Scalar[]
  private readonly args: readonly Float64Array[]
  private readonly windows: Windows

  constructor(
    node: CallNode,
    source: RangeSource,
    scalars: readonly Scalar[],
    labels: readonly Labels[],
    drops: Uint8Array,
  ) {
    const { context } = source
    super(context, node.frame, labels, drops)
    this.node = node
    this.source = source
    this.kernel = RANGE_KERNELS[node.expr.func.name]
    this.scalars = scalars
    this.args = scalars.map((scalar) => scalar.values)
    this.windows = new Windows(node.frame.times, source.refMs, source.rangeMs, (work) => context.spend(work))
  }

  protected override compute(i: number, out: Column): number {
    const { windows, context } = this
    windows.use(this.source.read(i))
    const most = countSamples(this.source, windows)
    context.hold(most)
    const found = this.kernel(windows, this.args, out)
    context.free(most)
    if (found > 0) this.annotate(i, out)
    return found
  }

  private annotate(i: number, out: Column): void {
    const { name } = this.node.expr.func
    const { annotations, settings } = this.context
    if (name === 'rate' || name === 'increase') {
      const labels = this.source.labels[i]
      const metricName = labels.get(METRIC_NAME)
      if (metricName === '') return
      const place = this.node.expr.args[0]
      if (settings.typeAndUnitLabels) {
        const type = labels.get('__type__')
        if (type !== 'counter' && type !== 'histogram') {
          annotations.possibleNonCounterLabel(metricName, type, place)
        }
      } else if (!COUNTER_ENDING.test(metricName)) annotations.possibleNonCounter(metricName, place)
    } else if (name === 'quantile_over_time') {
      const [phi] = this.args
      for (let s = 0; s < phi.length; s++) {
        if (isInvalidQuantile(phi[s]) && out.present[s] !== ABSENT) {
          annotations.invalidQuantile(phi[s], this.node.expr.args[0])
        }
      }
    }
  }

  protected override finish(): void {
    this.source.release()
    for (const scalar of this.scalars) scalar.release()
  }
}

/** A call of a function with a range vector among its arguments; `scalars` are its others, in order. */
export function rangeFunction(node: CallNode, source: RangeSource, scalars: readonly Scalar[]): Operator {
  const { name } = node.expr.func
  if (name === 'absent_over_time') return absentOverTime(node, source)
  // These two act like an offset: the samples are still the metric's.
  if (name === 'last_over_time' || name === 'first_over_time') {
    return new RangeFunctionOperator(node, source, scalars, source.labels, source.drops)
  }
  const { labels, drops } = dropNames(source.context, source.labels)
  const operator = new RangeFunctionOperator(node, source, scalars, labels, drops)
  if (labels === source.labels || areDistinctWithoutMetadata(source.labels)) return operator
  return mergeEqualLabels(operator, 'any sample')
}

/** One series that is 1 at the steps where no series has a sample in its window. */
function absentOverTime(node: CallNode, source: RangeSource): Operator {
  const { context, frame } = source
  const out = context.newColumn(frame.count)
  const windows = new Windows(frame.times, source.refMs, source.rangeMs, (work) => context.spend(work))
  for (let i = 0; i < source.labels.length; i++) {
    windows.use(source.read(i))
    countSamples(source, windows)
    for (let s = 0; s < frame.count; s++) if (windows.to[s] > windows.from[s]) out.values[s] = 1
  }
  source.release()
  for (let s = 0; s < frame.count; s++) {
    out.present[s] = out.values[s] === 0 ? PRESENT_FLOAT : ABSENT
    out.values[s] = 1
  }
  return new MaterializedOperator(context, frame, [absentLabels(node.expr.args[0])], [out])
}
