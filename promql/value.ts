/**
 * What an expression evaluates to, over all steps at once.
 *
 * The steps of a query are startMs, startMs + stepMs, …, endMs; an instant query has one step. A vector is a row
 * of columns: for each output series a Float64Array with one place a step, and beside it a presence column,
 * since every float, NaN too, is a legal value.
 */
import type { Labels } from '../storage/model/labels.ts'

export interface StepRange {
  startMs: number
  endMs: number
  /** 0 for an instant query. */
  stepMs: number
  /** Number of steps, at least 1. */
  count: number
}

/** Place not taken; there is no sample of this series at this step. */
export const ABSENT = 0
export const PRESENT_FLOAT = 1
/** The value is an index into the result's pool of histograms. */
export const PRESENT_HISTOGRAM = 2

/** One place a step: `values[s]` counts where `present[s]` is not ABSENT. */
export interface Column {
  values: Float64Array
  present: Uint8Array
}

/** One series of a result. */
export interface ResultSeries extends Column {
  labels: Labels
}

/** An instant query gives 'vector', 'scalar', 'string' or 'matrix' (a range selector); a range query 'matrix'. */
export type QueryValue =
  | { type: 'scalar'; timeMs: number; value: number }
  | { type: 'string'; timeMs: number; value: string }
  /** One step; order matters (sort, topk). All times are timeMs. */
  | { type: 'vector'; timeMs: number; series: readonly ResultSeries[] }
  /** On the steps of a range query, sorted by labels; series without any sample are left out. */
  | { type: 'matrix'; steps: StepRange; series: readonly ResultSeries[] }
  /** Raw samples of a range selector or subquery in an instant query, each series at its own times. */
  | { type: 'samples'; series: readonly RawSeries[] }

export interface RawSeries {
  labels: Labels
  t: Float64Array
  v: Float64Array
}
