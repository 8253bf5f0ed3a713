/** Sums and means of native histograms. */
import { meanOf, sumOf } from './floats.ts'
import { add, divide, type NaiveHistogram } from './histogram.ts'
import type { Notes } from './notes.ts'

export interface HistogramTotal {
  /** Undefined where exponential buckets meet custom ones. */
  readonly histogram: NaiveHistogram | undefined
  readonly conflict: boolean
  readonly reconciled: boolean
}

/** One added to the other, in their order; count and sum by `total`, which loses less. */
function totalOf(
  histograms: readonly NaiveHistogram[],
  total: (values: readonly number[]) => number,
  divisor: number,
): HistogramTotal {
  const hints = new Set(histograms.map(({ hint }) => hint))
  const conflict = hints.has('reset') && hints.has('not_reset')
  let sum = histograms[0]
  let reconciled = false
  for (const histogram of histograms.slice(1)) {
    const next = add(sum, histogram)
    if (next === undefined) return { histogram: undefined, conflict, reconciled: false }
    sum = next.histogram
    reconciled ||= next.reconciled
  }
  let hint = histograms[0].hint
  if (hints.size > 1) hint = hints.has('gauge') ? 'gauge' : 'unknown'
  const histogram: NaiveHistogram = {
    ...divide(sum, divisor),
    hint,
    count: total(histograms.map(({ count }) => count)),
    sum: total(histograms.map((one) => one.sum)),
  }
  return { histogram, conflict, reconciled }
}

export function sumHistograms(histograms: readonly NaiveHistogram[]): HistogramTotal {
  return totalOf(histograms, sumOf, 1)
}

export function averageHistograms(histograms: readonly NaiveHistogram[]): HistogramTotal {
  return totalOf(histograms, meanOf, histograms.length)
}

export function tellSum({ conflict, reconciled }: HistogramTotal, notes: Notes, start: number): void {
  if (conflict) notes.warn('conflicting counter resets during histogram aggregation', start)
  if (reconciled) notes.info('mismatched custom buckets were reconciled during aggregation', start)
}
