/**
 * The windows of a range selector over one series, for all steps at once.
 *
 * Window of step s: (endMs[s] − rangeMs, endMs[s]]. Both ends only move forward, so two indices that never go
 * back find all windows in O(samples + steps).
 */
import type { SampleColumns } from '../../storage/model/sample.ts'
import type { Column } from '../value.ts'

export class Windows {
  /** Samples of the series at hand, times in Unix ms, strictly ascending; floats only, no stale markers. */
  t: Float64Array = new Float64Array(0)
  v: Float64Array = new Float64Array(0)
  length = 0

  /** Number of steps. */
  readonly count: number
  /** Evaluation time of each step, Unix ms. */
  readonly evalMs: Float64Array
  /** Closed right end of each step's window, Unix ms, never descending. */
  readonly endMs: Float64Array
  readonly rangeMs: number
  /** Samples [from[s], to[s]) lie in the window of step s; valid after `locate`. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** Told how many samples were looked at where a window is walked again; may throw to end the query. */
  readonly spend: (work: number) => void
  /** Kernels' own memory, grown to the number of samples; its contents are good within one call. */
  private integers = new Int32Array(0)
  private floats = new Float64Array(0)

  constructor(
    evalMs: Float64Array,
    endMs: Float64Array,
    rangeMs: number,
    spend: (work: number) => void = () => {},
  ) {
    this.spend = spend
    this.count = evalMs.length
    this.evalMs = evalMs
    this.endMs = endMs
    this.rangeMs = rangeMs
    this.from = new Int32Array(this.count)
    this.to = new Int32Array(this.count)
  }

  /** Looks at these samples from now on. The columns are read until the next call, never changed or kept. */
  use(samples: SampleColumns): void {
    this.t = samples.t
    this.v = samples.v
    this.length = samples.length
    this.locate()
  }

  private locate(): void {
    const { t, length, endMs, rangeMs, from, to } = this
    let first = 0
    let next = 0
    for (let s = 0; s < this.count; s++) {
      const end = endMs[s]
      const start = end - rangeMs
      while (next < length && t[next] <= end) next++
      while (first < next && t[first] <= start) first++
      from[s] = first
      to[s] = next
    }
  }

  /** Room for `length` integers, contents undefined. */
  scratchIntegers(length: number): Int32Array {
    if (this.integers.length < length) this.integers = new Int32Array(length * 2)
    return this.integers
  }

  /** Room for `length` floats, contents undefined. */
  scratchFloats(length: number): Float64Array {
    if (this.floats.length < length) this.floats = new Float64Array(length * 2)
    return this.floats
  }
}

/**
 * A range function over all windows of one series.
 *
 * Fills `out` for every step (present or absent) and returns how many are present. `args` are the scalar
 * arguments in their order, one value a step.
 */
export type RangeKernel = (windows: Windows, args: readonly Float64Array[], out: Column) => number
