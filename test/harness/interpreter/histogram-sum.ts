/** Sums and means of native histograms. */
import { meanOf, sumOf } from './floats.ts'
import {
  type Buckets,
  commonBounds,
  equalBounds,
  isCustom,
  type NaiveHistogram,
  reduceSchema,
  toBounds,
  widenZero,
} from './histogram.ts'
import type { Notes } from './notes.ts'

export interface HistogramTotal {
  /** Undefined where exponential buckets meet custom ones. */
  readonly histogram: NaiveHistogram | undefined
  readonly conflict: boolean
  readonly reconciled: boolean
}

/** All with the same bounds, schema and zero threshold. */
function alike(histograms: readonly NaiveHistogram[]): { alike: NaiveHistogram[]; reconciled: boolean } {
  if (isCustom(histograms[0])) {
    const bounds = histograms.map((one) => one.bounds).reduce(commonBounds)
    const reconciled = histograms.some((one) => !equalBounds(one.bounds, histograms[0].bounds))
    return { alike: histograms.map((one) => toBounds(one, bounds)), reconciled }
  }
  let widened = histograms.slice()
  for (;;) {
    const threshold = Math.max(...widened.map(({ zeroThreshold }) => zeroThreshold))
    if (widened.every(({ zeroThreshold }) => zeroThreshold === threshold)) break
    widened = widened.map((one) => (one.zeroThreshold === threshold ? one : widenZero(one, threshold)))
  }
  const schema = Math.min(...widened.map((one) => one.schema))
  return { alike: widened.map((one) => reduceSchema(one, schema)), reconciled: false }
}

function totalBuckets(all: readonly Buckets[], total: (values: readonly number[]) => number): Buckets {
  const indexes = new Set(all.flatMap((buckets) => [...buckets.keys()]))
  const result = new Map<number, number>()
  for (const index of indexes) {
    const count = total(all.map((buckets) => buckets.get(index) ?? 0))
    if (count !== 0) result.set(index, count)
  }
  return result
}

function totalOf(
  histograms: readonly NaiveHistogram[],
  total: (values: readonly number[]) => number,
): HistogramTotal {
  const hints = new Set(histograms.map(({ hint }) => hint))
  const conflict = hints.has('reset') && hints.has('not_reset')
  if (histograms.some((one) => isCustom(one) !== isCustom(histograms[0]))) {
    return { histogram: undefined, conflict, reconciled: false }
  }
  const { alike: all, reconciled } = alike(histograms)
  let hint = histograms[0].hint
  if (hints.size > 1) hint = hints.has('gauge') ? 'gauge' : 'unknown'
  const histogram: NaiveHistogram = {
    ...all[0],
    hint,
    zeroCount: total(all.map(({ zeroCount }) => zeroCount)),
    count: total(all.map(({ count }) => count)),
    sum: total(all.map(({ sum }) => sum)),
    positive: totalBuckets(
      all.map(({ positive }) => positive),
      total,
    ),
    negative: totalBuckets(
      all.map(({ negative }) => negative),
      total,
    ),
  }
  return { histogram, conflict, reconciled }
}

export function sumHistograms(histograms: readonly NaiveHistogram[]): HistogramTotal {
  return totalOf(histograms, sumOf)
}

export function averageHistograms(histograms: readonly NaiveHistogram[]): HistogramTotal {
  return totalOf(histograms, meanOf)
}

export function tellSum({ conflict, reconciled }: HistogramTotal, notes: Notes, start: number): void {
  if (conflict) notes.warn('conflicting counter resets during histogram aggregation', start)
  if (reconciled) notes.info('mismatched custom buckets were reconciled during aggregation', start)
}
