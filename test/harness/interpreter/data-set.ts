/** What queries are asked about, in its plainest form. */
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import type { Labels } from '../../../storage/model/labels.ts'

export interface DataSample {
  /** Unix milliseconds. */
  readonly t: number
  /** A float, a native histogram, or the marker that ends the series. */
  readonly value: number | FloatHistogram | 'stale'
  /** Start timestamp in Unix milliseconds; 0 where it is not known. */
  readonly startMs: number
}

/** Samples by ascending time. */
export interface DataSeries {
  readonly labels: Labels
  readonly samples: readonly DataSample[]
}

/** Sorted by labels. */
export type DataSet = readonly DataSeries[]
