/** Functions over range selectors and subqueries. */
import { type Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import type { SampleColumns } from '../../storage/model/sample.ts'
import type { Place } from '../annotations.ts'
import { type ExtendedKernel, extendedKernel } from '../functions/extended-rate.ts'
import { ExtendedWindows } from '../functions/extended-windows.ts'
import { HISTOGRAM_RATE_KERNELS } from '../functions/histogram-rate.ts'
import { MIXED_OVER_TIME_KERNELS } from '../functions/mixed-over-time.ts'
import { type MixedKernel, MixedWindows } from '../functions/mixed-windows.ts'
import { OVER_TIME_KERNELS } from '../functions/over-time.ts'
import { isInvalidQuantile } from '../functions/quantile.ts'
import { RangeNotes } from '../functions/range-notes.ts'
import { RATE_KERNELS } from '../functions/rate.ts'
import { REGRESSION_KERNELS } from '../functions/regression.ts'
import { START_KERNELS } from '../functions/start-rate.ts'
import { type RangeKernel, Windows } from '../functions/windows.ts'
import type { CallNode } from '../plan/plan.ts'
import { unwrapParens } from '../plan/prepare.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { absentLabels } from './absent.ts'
import { mergeEqualLabels } from './merge.ts'
import { MaterializedOperator, Operator } from './operator.ts'
import { countWindows, type RangeSource } from './range-source.ts'
import type { Scalar } from './scalar.ts'
import { areDistinctWithoutMetadata, dropNames } from './series-labels.ts'

/** For series of floats without start timestamps: all kernels there are, by the names of the functions. */
export const RANGE_KERNELS: Readonly<Record<string, RangeKernel>> = {
  ...RATE_KERNELS,
  ...OVER_TIME_KERNELS,
  ...REGRESSION_KERNELS,
}

/** For series with floats and histograms: as many. */
const MIXED_KERNELS: Readonly<Record<string, MixedKernel>> = {
  ...HISTOGRAM_RATE_KERNELS,
  ...MIXED_OVER_TIME_KERNELS,
}

const COUNTER_ENDING = /_(?:total|sum|count|bucket)$/

/** Where annotations point: at the first argument, whichever it is; for a subquery, as upstream, at the query's start. */
function placeOf({ args, expr }: CallNode): Place {
  return args[0].kind === 'subquery' ? { start: 0, end: 0 } : unwrapParens(expr.args[0])
}

class RangeFunctionOperator extends Operator {
  private readonly node: CallNode
  private readonly source: RangeSource
  private readonly scalars: readonly Scalar[]
  private readonly args: readonly Float64Array[]
  private readonly place: Place
  private readonly notes: RangeNotes
  private readonly windows: Windows
  /** Made for the first series that needs them. */
  private mixedWindows: MixedWindows | undefined
  private readonly extended: { kernel: ExtendedKernel; windows: ExtendedWindows } | undefined

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
    this.scalars = scalars
    this.args = scalars.map((scalar) => scalar.values)
    this.place = placeOf(node)
    this.notes = new RangeNotes(context.annotations, this.place)
    this.windows = new Windows(node.frame.times, source.refMs, source.rangeMs, this.spend)
    if (source.extension !== undefined) {
      const kernel = extendedKernel(node.expr.func.name, source.extension)
      const { lookbackMs, startTimestamps } = context.settings
      const { refMs, rangeMs } = source
      const { spend, notes } = this
      this.extended = {
        kernel,
        windows: new ExtendedWindows(
          source.extension,
          refMs,
          rangeMs,
          lookbackMs,
          spend,
          notes,
          startTimestamps,
        ),
      }
    }
  }

  private readonly spend = (work: number): void => this.context.spend(work)

  protected override compute(i: number, out: Column): number {
    const { source, context, notes } = this
    const samples = source.read(i)
    notes.metricName = source.labels[i].get(METRIC_NAME)
    const windows = this.windowsOf(samples)
    const most = countWindows(source, windows, samples)
    context.hold(most)
    const found = this.runKernel(samples, out)
    context.free(most)
    if (found > 0) this.annotate(i, out)
    return found
  }

  /** Looks at the samples; what is answered tells which of them each step holds. */
  private windowsOf(samples: SampleColumns): Windows {
    const { extended, windows } = this
    if (extended !== undefined) {
      extended.windows.use(samples)
      return extended.windows.data.all
    }
    if (!samples.allFloat) {
      this.mixed.use(samples)
      return this.mixed.all
    }
    windows.use(samples)
    return windows
  }

  private get mixed(): MixedWindows {
    const { node, source, notes, context } = this
    this.mixedWindows ??= new MixedWindows(
      node.frame.times,
      source.refMs,
      source.rangeMs,
      this.spend,
      notes,
      context.settings.startTimestamps,
    )
    return this.mixedWindows
  }

  private runKernel(samples: SampleColumns, out: Column): number {
    const { extended, windows, args, notes, context } = this
    const { name } = this.node.expr.func
    if (extended !== undefined) return extended.kernel(extended.windows, out)
    if (!samples.allFloat) return MIXED_KERNELS[name](this.mixed, args, out)
    const hasStarts = context.settings.startTimestamps && samples.st.length > 0
    if (hasStarts && name in START_KERNELS) return START_KERNELS[name](windows, out, notes)
    return RANGE_KERNELS[name](windows, args, out)
  }

  /** What is to be said of results that are floats. */
  private annotate(i: number, out: Column): void {
    const { node } = this
    const { name } = node.expr.func
    if (name === 'rate' || name === 'increase') this.noteNoCounter(i, out)
    else if (name === 'quantile_over_time') {
      const [phi] = this.args
      for (let s = 0; s < phi.length; s++) {
        if (isInvalidQuantile(phi[s]) && out.present[s] !== ABSENT) {
          this.context.annotations.invalidQuantile(phi[s], this.place)
        }
      }
    }
  }

  private noteNoCounter(i: number, { present, mayHaveHistograms }: Column): void {
    const { annotations, settings } = this.context
    const { metricName } = this.notes
    if (metricName === '' || (mayHaveHistograms && !present.includes(PRESENT_FLOAT))) return
    const { place } = this
    if (!settings.typeAndUnitLabels) {
      if (!COUNTER_ENDING.test(metricName)) annotations.possibleNonCounter(metricName, place)
      return
    }
    const type = this.source.labels[i].get('__type__')
    if (type !== 'counter' && type !== 'histogram')
      annotations.possibleNonCounterLabel(metricName, type, place)
  }

  protected override finish(): void {
    this.source.release()
    for (const scalar of this.scalars) scalar.release()
  }
}

/**
 * A call of a function with a range vector among its arguments; `scalars` are its others, in order. Throws QueryError where
 * the function has no such windows.
 */
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
  if (source.extension !== undefined) extendedKernel(node.expr.func.name, source.extension)
  const out = context.newColumn(frame.count)
  const windows = new Windows(frame.times, source.refMs, source.rangeMs, (work) => context.spend(work))
  for (let i = 0; i < source.labels.length; i++) {
    const samples = source.read(i)
    windows.use(samples)
    countWindows(source, windows, samples)
    for (let s = 0; s < frame.count; s++) if (windows.to[s] > windows.from[s]) out.values[s] = 1
  }
  source.release()
  for (let s = 0; s < frame.count; s++) {
    out.present[s] = out.values[s] === 0 ? PRESENT_FLOAT : ABSENT
    out.values[s] = 1
  }
  return new MaterializedOperator(context, frame, [absentLabels(node.expr.args[0])], [out])
}
