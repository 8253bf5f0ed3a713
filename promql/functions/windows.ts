/**
 * The windows of a range selector over one series, for all steps at once.
 *
 * Window of step s: (endMs[s] − rangeMs, endMs[s]]. Both ends only move forward, so two indices that never go
 * back find all windows in O(samples + steps).
 */
import type { SampleColumns } from '../../storage/model/sample.ts'
import type { Column } from '../value.ts'

/** What the windows over series with certain times are: worked out once for all series that have these times. */
export class WindowTimes {
  readonly t: Float64Array
  /** Samples [from[s], to[s]) lie in the window of step s. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** Samples that the windows hold, each counted in each. */
  total = 0
  /** Samples that any window holds. */
  distinct = 0
  /** Samples of the largest window. */
  most = 0
  /** Whatever a kernel works out from times alone, in a form of its own. */
  memo: Float64Array | undefined

  constructor(t: Float64Array, endMs: Float64Array, rangeMs: number) {
    this.t = t
    this.from = new Int32Array(endMs.length)
    this.to = new Int32Array(endMs.length)
    this.locate(endMs, rangeMs)
    this.countHeld()
  }

  private locate(endMs: Float64Array, rangeMs: number): void {
    const { t, from, to } = this
    const { length } = t
    let first = 0
    let next = 0
    for (let s = 0; s < from.length; s++) {
      const end = endMs[s]
      const start = end - rangeMs
      while (next < length && t[next] <= end) next++
      while (first < next && t[first] <= start) first++
      from[s] = first
      to[s] = next
    }
  }

  private countHeld(): void {
    const { from, to } = this
    let seen = 0
    for (let s = 0; s < from.length; s++) {
      const held = to[s] - from[s]
      this.total += held
      if (held > this.most) this.most = held
      if (to[s] > seen) {
        this.distinct += to[s] - Math.max(seen, from[s])
        seen = to[s]
      }
    }
  }

  /** Whether these are the first `length` of the times. */
  isOf(t: Float64Array, length: number): boolean {
    const own = this.t
    if (own.length !== length) return false
    let i = length - 1
    while (i >= 0 && t[i] === own[i]) i--
    return i < 0
  }

  get bytes(): number {
    return 8 * this.t.length + 8 * this.from.length + (this.memo?.byteLength ?? 0)
  }
}

/** Bytes of times that are remembered. */
const TIMES_BYTES = 4 * 2 ** 20

export class Windows {
  /** Samples of the series at hand, times in Unix ms, strictly ascending; floats only, no stale markers. */
  t: Float64Array = new Float64Array(0)
  v: Float64Array = new Float64Array(0)
  /** Start timestamps, Unix ms, 0 = unknown; empty where no sample has one. */
  st: Float64Array = new Float64Array(0)
  length = 0

  /** Number of steps. */
  readonly count: number
  /** Evaluation time of each step, Unix ms. */
  readonly evalMs: Float64Array
  /** Closed right end of each step's window, Unix ms, never descending. */
  readonly endMs: Float64Array
  readonly rangeMs: number
  times: WindowTimes
  /** Those of `times`. */
  from: Int32Array
  to: Int32Array
  /** Told how many samples were looked at where a window is walked again; may throw to end the query. */
  readonly spend: (work: number) => void
  /** Series of one target mostly have the same times; by the first one. */
  private readonly known = new Map<number, WindowTimes>()
  private knownBytes = 0
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
    this.times = new WindowTimes(new Float64Array(0), endMs, rangeMs)
    this.from = this.times.from
    this.to = this.times.to
  }

  /** Looks at these samples from now on. The columns are read until the next call, never changed or kept. */
  use(samples: SampleColumns): void {
    this.t = samples.t
    this.v = samples.v
    this.st = samples.st
    this.length = samples.length
    if (this.times.isOf(samples.t, samples.length)) return
    this.times = this.timesOf(samples)
    this.from = this.times.from
    this.to = this.times.to
  }

  private timesOf({ t, length }: SampleColumns): WindowTimes {
    const key = length === 0 ? Number.NaN : t[0]
    const known = this.known.get(key)
    if (known?.isOf(t, length)) return known
    const times = new WindowTimes(t.slice(0, length), this.endMs, this.rangeMs)
    this.knownBytes += times.bytes
    if (this.knownBytes > TIMES_BYTES) {
      this.known.clear()
      this.knownBytes = times.bytes
    }
    this.known.set(key, times)
    return times
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
