/**
 * Instant selectors with `smoothed`: the value at a step is interpolated between the samples around it.
 *
 * The newest sample in (refMs − lookback, refMs] and the first in (refMs, refMs + lookback]; without the latter the former
 * stays as it is, without the former there is none. Stale markers are not looked at. A window with floats and histograms has no
 * result. Source: Prometheus promql/engine.go smoothSeries.
 */
import type { SeriesSet } from '../../storage/interface.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { METRIC_NAME } from '../../storage/model/labels.ts'
import { SampleColumns } from '../../storage/model/sample.ts'
import { lowerBound } from '../functions/extended-windows.ts'
import { interpolate, interpolateHistograms } from '../functions/interpolate.ts'
import { MixedWindows } from '../functions/mixed-windows.ts'
import { RangeNotes } from '../functions/range-notes.ts'
import { withHint } from '../histogram/arithmetic.ts'
import { isCustom } from '../histogram/bounds.ts'
import type { SelectorNode } from '../plan/plan.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import { reduceToStats } from './histogram-stats.ts'
import { Operator } from './operator.ts'
import { dropStale } from './range-source.ts'
import { labelsOf, seriesOf } from './selector.ts'

export class SmoothedSelectorOperator extends Operator {
  private readonly series: SeriesSet
  private readonly refMs: Float64Array
  private readonly isStatsOnly: boolean
  private readonly samples = new SampleColumns()
  private readonly windows: MixedWindows
  private readonly notes: RangeNotes

  constructor(context: EvalContext, node: SelectorNode) {
    const series = seriesOf(context, node.selection)
    super(context, node.frame, labelsOf(series))
    const { lookbackMs } = context.settings
    this.series = series
    this.refMs = node.refMs
    this.isStatsOnly = node.isStatsOnly
    this.notes = new RangeNotes(context.annotations, node.expr)
    const endMs = node.refMs.map((t) => t + lookbackMs)
    const spend = (work: number): void => context.spend(work)
    this.windows = new MixedWindows(endMs, endMs, 2 * lookbackMs, spend, this.notes, false)
  }

  protected override compute(i: number, out: Column): number {
    const { samples, windows, context } = this
    this.series.read(i, samples)
    context.spend(samples.length)
    if (!samples.allFloat) dropStale(samples)
    if (!samples.allFloat && this.isStatsOnly) reduceToStats(samples)
    windows.use(samples)
    this.notes.metricName = this.labels[i].get(METRIC_NAME)
    let found = 0
    for (let s = 0; s < windows.count; s++) {
      out.present[s] = ABSENT
      this.fillStep(s, out)
      if (out.present[s] !== ABSENT) found++
    }
    return found
  }

  private fillStep(s: number, out: Column): void {
    const { windows, refMs, notes } = this
    const { t, v, from, to } = windows.all
    if (to[s] === from[s]) return
    const hasHistograms = windows.histogramsIn(s) > 0
    if (hasHistograms && windows.floatsIn(s) > 0) {
      notes.mixed()
      return
    }
    const ref = refMs[s]
    const next = lowerBound(t, from[s], to[s], ref)
    const isHit = next < to[s] && t[next] === ref
    if (!isHit && next === from[s]) return
    if (hasHistograms) {
      const histogram = isHit ? windows.histograms[next] : this.histogramBefore(s, next)
      if (histogram !== undefined) out.setHistogram(s, histogram)
      return
    }
    if (isHit) out.values[s] = v[next]
    else if (next === to[s]) out.values[s] = v[next - 1]
    else out.values[s] = interpolate(t[next - 1], v[next - 1], t[next], v[next], ref, false)
    out.present[s] = PRESENT_FLOAT
  }

  /** At step s, which lies before sample `next` and after the one before it. */
  private histogramBefore(s: number, next: number): FloatHistogram | undefined {
    const { windows, refMs, notes } = this
    const { all, histograms } = windows
    const { t, to } = all
    const previous = histograms[next - 1]!
    // The hint tells how consecutive samples relate, and this one is not consecutive.
    if (next === to[s]) return withHint(previous, 'unknown')
    const following = histograms[next]!
    if (isCustom(previous) !== isCustom(following)) {
      notes.mixedSchemas()
      return undefined
    }
    const isGauge = previous.counterResetHint === 'gauge' && following.counterResetHint === 'gauge'
    return interpolateHistograms(t[next - 1], previous, t[next], following, refMs[s], !isGauge, notes)
  }
}
