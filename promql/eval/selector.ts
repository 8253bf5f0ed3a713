/** Instant selectors: at each step the newest sample that is not too old. */
import type { SeriesSet } from '../../storage/interface.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { isHistogramKind, KIND_STALE, SampleColumns } from '../../storage/model/sample.ts'
import { QueryError } from '../errors.ts'
import { sampleWeight } from '../histogram/size.ts'
import type { SelectorNode } from '../plan/plan.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import { reduceToStats } from './histogram-stats.ts'
import { Operator } from './operator.ts'
import type { SampleCounts } from './sample-counts.ts'
import { dropNames, formatLabels } from './series-labels.ts'

const NO_SERIES: SeriesSet = {
  count: 0,
  samplesEstimate: 0,
  labels: () => {
    throw new Error('there are no series')
  },
  read: () => {},
}

/** The series of a selection; a selector without steps has none. */
export function seriesOf(context: EvalContext, selection: number): SeriesSet {
  return selection < 0 ? NO_SERIES : context.series[selection]
}

export function labelsOf(series: SeriesSet) {
  return Array.from({ length: series.count }, (_, i) => series.labels(i))
}

/**
 * What a selector gives of each sample: itself, or in seconds its time, or its start timestamp, or for info() its time in ms,
 * where histograms are an error.
 */
export type Aspect = 'sample' | 'time' | 'start' | 'info'

/** Sample at a step: the newest with a time in (refMs − lookback, refMs]; none if that is a stale marker. */
export class SelectorOperator extends Operator {
  private readonly series: SeriesSet
  private readonly refMs: Float64Array
  private readonly isStatsOnly: boolean
  private readonly aspect: Aspect
  private readonly samples = new SampleColumns()
  private readonly counts: SampleCounts
  private current = 0

  constructor(context: EvalContext, node: SelectorNode, aspect: Aspect) {
    const series = seriesOf(context, node.selection)
    const own = { labels: labelsOf(series), drops: undefined }
    const { labels, drops } = aspect === 'sample' || aspect === 'info' ? own : dropNames(context, own.labels)
    super(context, node.frame, labels, drops)
    this.series = series
    this.refMs = node.refMs
    this.isStatsOnly = node.isStatsOnly
    this.aspect = aspect
    this.counts = context.counts.of(node)
  }

  protected override compute(i: number, out: Column): number {
    const { samples, context } = this
    this.series.read(i, samples)
    context.spend(samples.length)
    if (!samples.allFloat && this.isStatsOnly) reduceToStats(samples)
    const mayBePlain = this.aspect === 'sample' || this.aspect === 'time'
    if (samples.allFloat && mayBePlain) return this.pickFloats(out)
    this.current = i
    return this.pickAny(out)
  }

  /** Requires: floats and stale markers only. */
  private pickFloats(out: Column): number {
    const { refMs, context } = this
    const { t, v, kind, length, allFloat } = this.samples
    const { values, present } = out
    const { lookbackMs } = context.settings
    const isTime = this.aspect === 'time'
    let next = 0
    let found = 0
    for (let s = 0; s < refMs.length; s++) {
      const ref = refMs[s]
      while (next < length && t[next] <= ref) next++
      const newest = next - 1
      if (newest < 0 || t[newest] <= ref - lookbackMs || (!allFloat && kind[newest] === KIND_STALE)) {
        present[s] = ABSENT
        continue
      }
      values[s] = isTime ? t[newest] / 1000 : v[newest]
      present[s] = PRESENT_FLOAT
      found++
    }
    this.counts.addFloats(found, present)
    return found
  }

  /** The same with histograms, and for start timestamps. */
  private pickAny(out: Column): number {
    const { refMs, context, samples, counts } = this
    const { t, kind, length } = samples
    const { lookbackMs } = context.settings
    let next = 0
    let found = 0
    let weight = 1
    let previous = -1
    for (let s = 0; s < refMs.length; s++) {
      const ref = refMs[s]
      while (next < length && t[next] <= ref) next++
      const newest = next - 1
      out.present[s] = ABSENT
      if (newest < 0 || t[newest] <= ref - lookbackMs || kind[newest] === KIND_STALE) continue
      this.put(s, newest, out)
      found++
      if (this.aspect === 'sample' && newest !== previous) weight = weightAt(samples, newest)
      previous = newest
      counts.add(s, weight, weight)
    }
    return found
  }

  /** Puts sample i at step s. */
  private put(s: number, i: number, out: Column): void {
    const { aspect, samples } = this
    const { t, v, kind, st } = samples
    if (isHistogramKind(kind[i])) {
      if (aspect === 'sample') {
        out.setHistogram(s, samples.histograms[v[i]])
        return
      }
      if (aspect === 'info') throw noInfoMetric(this.labels[this.current])
    }
    if (aspect === 'sample') out.values[s] = v[i]
    else if (aspect === 'time') out.values[s] = t[i] / 1000
    else if (aspect === 'info') out.values[s] = t[i]
    else out.values[s] = st.length > 0 ? st[i] / 1000 : 0
    out.present[s] = PRESENT_FLOAT
  }
}

function noInfoMetric(labels: Labels): QueryError {
  const text = 'this should be an info metric, with float samples'
  return new QueryError('execution', `${text}: ${formatLabels(labels)}`)
}

/** How many samples sample i counts as. */
export function weightAt({ kind, v, histograms }: SampleColumns, i: number): number {
  return isHistogramKind(kind[i]) ? sampleWeight(histograms[v[i]]) : 1
}
