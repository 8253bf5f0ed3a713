/**
 * Kinds of points. A point is (time, value, kind); what `value` means depends on the kind. A stale marker is a
 * kind and not a NaN: JavaScript arithmetic loses NaN payloads.
 */
import type { FloatHistogram } from './histogram.ts'

export const KIND_FLOAT = 0
/** Ends a series. The value is not looked at. On the wire and in text it is the NaN with the bits below. */
export const KIND_STALE = 1
/** A native histogram with integer counts; the value is an index into the histograms that go with the column. */
export const KIND_HISTOGRAM = 2
/** The same with float counts. */
export const KIND_FLOAT_HISTOGRAM = 3

export type Kind = typeof KIND_FLOAT | typeof KIND_STALE | typeof KIND_HISTOGRAM | typeof KIND_FLOAT_HISTOGRAM

export type PlainKind = typeof KIND_FLOAT | typeof KIND_STALE

export type HistogramKind = typeof KIND_HISTOGRAM | typeof KIND_FLOAT_HISTOGRAM

export function isHistogramKind(kind: number): kind is HistogramKind {
  return kind >= KIND_HISTOGRAM
}

/** Upper and lower half of the stale marker's bit pattern, 0x7ff0000000000002. */
export const STALE_NAN_HIGH = 0x7ff00000
export const STALE_NAN_LOW = 0x00000002

const NO_STARTS = new Float64Array(0)

/**
 * Samples of one series as parallel columns, t strictly ascending. Reused between series by whoever owns it:
 * what is read from it is valid until the next read into it.
 */
export class SampleColumns {
  length = 0
  /** Unix milliseconds. */
  t: Float64Array
  v: Float64Array
  kind: Uint8Array
  /** What `v` of a histogram is an index of. */
  readonly histograms: FloatHistogram[] = []
  /** Whether every sample is KIND_FLOAT, so that the loop over them need not look at `kind`. */
  allFloat = true
  /**
   * Start timestamps, Unix ms, 0 = unknown; 0 beyond `length`, too. Empty as long as no sample has one, so that it costs
   * nothing then.
   */
  st: Float64Array = NO_STARTS
  /** The array behind `st`, kept for the next series that has any. */
  private starts: Float64Array = NO_STARTS

  constructor(capacity = 1024) {
    this.t = new Float64Array(capacity)
    this.v = new Float64Array(capacity)
    this.kind = new Uint8Array(capacity)
  }

  clear(): void {
    this.length = 0
    this.st = NO_STARTS
    if (!this.allFloat) this.forgetHistograms()
  }

  /** Requires: every sample is KIND_FLOAT. */
  forgetHistograms(): void {
    this.histograms.length = 0
    this.allFloat = true
  }

  /** Makes room for `capacity` samples in all; what is there stays. */
  reserve(capacity: number): void {
    if (capacity <= this.t.length) return
    const size = Math.max(capacity, this.t.length * 2)
    const t = new Float64Array(size)
    const v = new Float64Array(size)
    const kind = new Uint8Array(size)
    t.set(this.t.subarray(0, this.length))
    v.set(this.v.subarray(0, this.length))
    kind.set(this.kind.subarray(0, this.length))
    this.t = t
    this.v = v
    this.kind = kind
    if (this.st.length > 0) {
      const st = new Float64Array(size)
      st.set(this.st.subarray(0, this.length))
      this.st = this.starts = st
    }
  }

  pushHistogram(t: number, histogram: FloatHistogram, kind: HistogramKind): void {
    this.push(t, this.histograms.push(histogram) - 1, kind)
  }

  push(t: number, v: number, kind: Kind): void {
    if (this.length === this.t.length) this.reserve(this.length + 1)
    const i = this.length++
    this.t[i] = t
    this.v[i] = v
    this.kind[i] = kind
    if (kind !== KIND_FLOAT) this.allFloat = false
  }

  /** Leaves samples [0, length). Requires: there are as many. */
  truncate(length: number): void {
    if (this.st.length > 0) this.st.fill(0, length, this.length)
    this.length = length
  }

  /** Gives sample i, for which there is room, its start timestamp. */
  setStart(i: number, st: number): void {
    if (this.st.length === 0) {
      if (st === 0) return
      if (this.starts.length < this.t.length) this.starts = new Float64Array(this.t.length)
      else this.starts.fill(0)
      this.st = this.starts
    }
    this.st[i] = st
  }
}
