/** Instant selectors: at each step the newest sample that is not too old. */
import type { SeriesSet } from '../../storage/interface.ts'
import { isHistogramKind, KIND_FLOAT, SampleColumns } from '../../storage/model/sample.ts'
import { unsupported } from '../errors.ts'
import type { SelectorNode } from '../plan/plan.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import type { EvalContext } from './context.ts'
import { Operator } from './operator.ts'
import { dropNames } from './series-labels.ts'

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

export function histogramsUnsupported() {
  return unsupported('native histogram samples are')
}

/**
 * Sample at a step: the newest with a time in (refMs − lookback, refMs]; none if that is a stale marker. The value
 * of series i is the sample's own, or its time in seconds where `isTimestamp`.
 */
export class SelectorOperator extends Operator {
  private readonly series: SeriesSet
  private readonly refMs: Float64Array
  private readonly isTimestamp: boolean
  private readonly samples = new SampleColumns()

  constructor(context: EvalContext, node: SelectorNode, isTimestamp: boolean) {
    const series = seriesOf(context, node.selection)
    const own = { labels: labelsOf(series), drops: undefined }
    const { labels, drops } = isTimestamp ? dropNames(context, own.labels) : own
    super(context, node.frame, labels, drops)
    this.series = series
    this.refMs = node.refMs
    this.isTimestamp = isTimestamp
  }

  protected override compute(i: number, out: Column): number {
    const { samples, refMs, context } = this
    this.series.read(i, samples)
    context.spend(samples.length)
    const { t, v, kind, length, allFloat } = samples
    const { values, present } = out
    const { lookbackMs } = context.settings
    let next = 0
    let found = 0
    let read = 0
    let previous = -1
    for (let s = 0; s < refMs.length; s++) {
      const ref = refMs[s]
      while (next < length && t[next] <= ref) next++
      const newest = next - 1
      if (newest < 0 || t[newest] <= ref - lookbackMs || (!allFloat && kind[newest] !== KIND_FLOAT)) {
        if (newest >= 0 && isHistogramKind(kind[newest]) && t[newest] > ref - lookbackMs) {
          throw histogramsUnsupported()
        }
        present[s] = ABSENT
        continue
      }
      values[s] = this.isTimestamp ? t[newest] / 1000 : v[newest]
      present[s] = PRESENT_FLOAT
      found++
      if (newest !== previous) read++
      previous = newest
    }
    context.totalQueryableSamples += found * this.frame.weight
    context.samplesRead += read
    return found
  }
}
