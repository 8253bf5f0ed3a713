/** Native histograms as plain data, with float counts. */

/** What a histogram says of the counter it continues. */
export type CounterResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge'

/** Schema of histograms with bounds of their own; 0 … 8 and below halve or double the resolution per step. */
export const CUSTOM_SCHEMA = -53

/** A run of consecutive buckets. */
export interface Span {
  /** Index of the first bucket: in the first span absolute, later counted from the end of the span before. */
  readonly offset: number
  readonly length: number
}

export interface FloatHistogram {
  readonly counterResetHint: CounterResetHint
  /** Bucket i of schema s ends at 2^(i · 2^−s); CUSTOM_SCHEMA takes its bounds from `customValues`. */
  readonly schema: number
  /** The zero bucket is [−zeroThreshold, zeroThreshold]. */
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly count: number
  readonly sum: number
  readonly positiveSpans: readonly Span[]
  readonly negativeSpans: readonly Span[]
  /** Absolute counts, one a bucket of the spans, in their order. */
  readonly positiveBuckets: readonly number[]
  readonly negativeBuckets: readonly number[]
  /** Upper bounds without +Inf, ascending; empty unless the schema is CUSTOM_SCHEMA. */
  readonly customValues: readonly number[]
}

export const EMPTY_HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: [],
  negativeBuckets: [],
  customValues: [],
}
