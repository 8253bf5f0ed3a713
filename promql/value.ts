/**
 * What an expression evaluates to, over all steps at once.
 *
 * The steps of a query are startMs, startMs + stepMs, …, endMs; an instant query has one step. A vector is a row
 * of columns: for each output series a Float64Array with one place a step, and beside it a presence column,
 * since every float, NaN too, is a legal value.
 */
import type { FloatHistogram } from '../storage/model/histogram.ts'
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
export const PRESENT_HISTOGRAM = 2

/**
 * One place a step: what step s has is `values[s]` where `present[s]` is PRESENT_FLOAT, and `histograms[s]` where it
 * is PRESENT_HISTOGRAM. Elsewhere both may hold anything.
 */
export class Column {
  readonly values: Float64Array
  readonly present: Uint8Array
  /** Empty as long as no step has a histogram, so that columns of floats cost nothing for it. */
  readonly histograms: (FloatHistogram | undefined)[] = []

  constructor(count: number) {
    this.values = new Float64Array(count)
    this.present = new Uint8Array(count)
  }

  /** Whether any step may have a histogram; where not, `present` knows two values only. */
  get mayHaveHistograms(): boolean {
    return this.histograms.length > 0
  }

  setHistogram(s: number, histogram: FloatHistogram): void {
    if (this.histograms.length === 0) this.histograms.length = this.present.length
    this.histograms[s] = histogram
    this.present[s] = PRESENT_HISTOGRAM
  }

  /** At how many steps it has a sample. */
  countPresent(): number {
    const { present } = this
    let found = 0
    for (let s = 0; s < present.length; s++) if (present[s] !== ABSENT) found++
    return found
  }

  /** Leaves `present` as it is. */
  forgetHistograms(): void {
    if (this.histograms.length > 0) this.histograms.length = 0
  }

  /** What `other` has at step s, which is not absent there. */
  copyStep(s: number, other: Column): void {
    if (other.present[s] === PRESENT_HISTOGRAM) this.setHistogram(s, other.histograms[s]!)
    else {
      this.values[s] = other.values[s]
      this.present[s] = PRESENT_FLOAT
    }
  }

  /** Takes away all histograms; returns how many there were. */
  dropHistograms(): number {
    const { present } = this
    let dropped = 0
    for (let s = 0; s < present.length; s++) {
      if (present[s] !== PRESENT_HISTOGRAM) continue
      present[s] = ABSENT
      dropped++
    }
    this.forgetHistograms()
    return dropped
  }

  /** Requires: as many steps. */
  copyFrom(other: Column): void {
    this.values.set(other.values)
    this.present.set(other.present)
    this.forgetHistograms()
    for (let s = 0; s < other.histograms.length; s++) this.histograms.push(other.histograms[s])
  }
}

/** One series of a result; as in Column. */
export interface ResultSeries {
  labels: Labels
  values: Float64Array
  present: Uint8Array
  histograms: readonly (FloatHistogram | undefined)[]
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
  /** Sample i is the histogram that stands here, if one does; empty where all are floats. */
  histograms: readonly (FloatHistogram | undefined)[]
}

/** Numbers of samples, one a step. */
export interface StepCounts {
  readonly queryable: Float64Array
  readonly read: Float64Array
}

/** The samples that each step of a query looks at, and those that it is the first to read. */
export interface SamplesPerStep extends StepCounts {
  readonly steps: StepRange
}
