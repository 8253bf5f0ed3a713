/** What a range function reads: series with samples at times of their own. */
import type { SeriesSet } from '../../storage/interface.ts'
import type { Labels } from '../../storage/model/labels.ts'
import {
  isHistogramKind,
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_STALE,
  SampleColumns,
} from '../../storage/model/sample.ts'
import type { Extension } from '../functions/extended-windows.ts'
import type { Windows, WindowTimes } from '../functions/windows.ts'
import { withHint } from '../histogram/arithmetic.ts'
import type { Frame, RangeNode, SubqueryNode } from '../plan/plan.ts'
import { Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import type { EvalContext } from './context.ts'
import { reduceToStats } from './histogram-stats.ts'
import type { Operator } from './operator.ts'
import type { SampleCounts } from './sample-counts.ts'
import { labelsOf, seriesOf, weightAt } from './selector.ts'

export abstract class RangeSource {
  readonly context: EvalContext
  readonly frame: Frame
  readonly labels: readonly Labels[]
  readonly drops: Uint8Array
  /** Right ends of the windows, one a step. */
  readonly refMs: Float64Array
  readonly rangeMs: number
  /** Whether samples beyond the windows are to be looked at, up to the lookback. */
  readonly extension: Extension | undefined
  /** Of what the windows hold, and of what is read here. */
  readonly counts: SampleCounts

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
    this.extension = node.kind === 'range' ? node.extension : undefined
    this.counts = context.counts.of(node)
  }

  /** The samples of series i, without stale markers, that may lie in a window; read at most once each. */
  abstract read(i: number): SampleColumns
  /** Whether the samples come from storage, so that they count as read here. */
  abstract readonly isStorage: boolean
  abstract release(): void
}

/** Reads a range selector from storage. */
export class SelectorSource extends RangeSource {
  override readonly isStorage = true
  private readonly series: SeriesSet
  private readonly isStatsOnly: boolean
  private readonly samples = new SampleColumns()

  constructor(context: EvalContext, node: RangeNode) {
    const series = seriesOf(context, node.selection)
    super(node, context, labelsOf(series), new Uint8Array(series.count))
    this.series = series
    this.isStatsOnly = node.isStatsOnly
  }

  override read(i: number): SampleColumns {
    const { samples } = this
    this.series.read(i, samples)
    this.context.spend(samples.length)
    if (!samples.allFloat) {
      dropStale(samples)
      if (this.isStatsOnly) reduceToStats(samples)
    }
    return samples
  }

  override release(): void {}
}

/** Closes the gaps that stale markers leave. */
export function dropStale(samples: SampleColumns): void {
  const { t, v, kind, st } = samples
  let length = 0
  let allFloat = true
  for (let i = 0; i < samples.length; i++) {
    if (kind[i] === KIND_STALE) continue
    if (isHistogramKind(kind[i])) allFloat = false
    t[length] = t[i]
    v[length] = v[i]
    if (st.length > 0) st[length] = st[i]
    kind[length++] = kind[i]
  }
  samples.truncate(length)
  if (allFloat) samples.forgetHistograms()
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
      if (column.present[s] === PRESENT_FLOAT) samples.push(times[s], column.values[s], KIND_FLOAT)
      else if (column.present[s] === PRESENT_HISTOGRAM) {
        const histogram = column.histograms[s]!
        // Samples between the steps are not seen, and some are seen twice: what they said of resets holds no more.
        const isGauge = histogram.counterResetHint === 'gauge'
        const own = isGauge ? histogram : withHint(histogram, 'unknown')
        samples.pushHistogram(times[s], own, KIND_FLOAT_HISTOGRAM)
      }
    }
    return samples
  }

  override release(): void {
    this.inner.release()
  }
}

/**
 * Counts what the windows of one series hold, and tells the most of one window. A subquery's reads are counted where they
 * happen.
 */
export function countWindows(
  { counts, isStorage }: RangeSource,
  { times }: Windows,
  samples: SampleColumns,
): number {
  if (!samples.allFloat) return weighWindows(counts, isStorage, times, samples)
  const { total, distinct, most, from, to } = times
  counts.queryable += total
  if (isStorage) counts.read += distinct
  const { steps } = counts
  if (steps === undefined) return most
  let seen = 0
  for (let s = 0; s < from.length; s++) {
    steps.queryable[s] += to[s] - from[s]
    if (to[s] <= seen) continue
    if (isStorage) steps.read[s] += to[s] - Math.max(seen, from[s])
    seen = to[s]
  }
  return most
}

/** The same with histograms by their weight. */
function weighWindows(
  counts: SampleCounts,
  isStorage: boolean,
  { from, to }: WindowTimes,
  samples: SampleColumns,
): number {
  const before = new Float64Array(samples.length + 1)
  for (let i = 0; i < samples.length; i++) before[i + 1] = before[i] + weightAt(samples, i)
  let most = 0
  let seen = 0
  for (let s = 0; s < from.length; s++) {
    const held = before[to[s]] - before[from[s]]
    most = Math.max(most, held)
    let read = 0
    if (to[s] > seen) {
      if (isStorage) read = before[to[s]] - before[Math.max(seen, from[s])]
      seen = to[s]
    }
    counts.add(s, held, read)
  }
  return most
}
