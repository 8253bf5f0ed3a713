/**
 * The windows of a range selector with `anchored` or `smoothed`: they know samples beyond their ends, up to the lookback.
 *
 * Data of step s: anchored (start − lookback, end], smoothed (start − lookback, end + lookback], where (start, end] is the
 * window that was asked for.
 */
import type { SampleColumns } from '../../storage/model/sample.ts'
import { MixedWindows } from './mixed-windows.ts'
import type { RangeNotes } from './range-notes.ts'

export type Extension = 'anchored' | 'smoothed'

export class ExtendedWindows {
  /** All the samples that the steps may look at. */
  readonly data: MixedWindows
  readonly isSmoothed: boolean
  /** Closed ends of the windows that were asked for, Unix ms. */
  readonly endMs: Float64Array
  /** Their length. */
  readonly rangeMs: number

  constructor(
    extension: Extension,
    endMs: Float64Array,
    rangeMs: number,
    lookbackMs: number,
    spend: (work: number) => void,
    notes: RangeNotes,
    usesStarts: boolean,
  ) {
    this.isSmoothed = extension === 'smoothed'
    this.endMs = endMs
    this.rangeMs = rangeMs
    const aheadMs = this.isSmoothed ? lookbackMs : 0
    const dataEndMs = endMs.map((t) => t + aheadMs)
    const dataRangeMs = rangeMs + lookbackMs + aheadMs
    this.data = new MixedWindows(dataEndMs, dataEndMs, dataRangeMs, spend, notes, usesStarts)
  }

  get count(): number {
    return this.endMs.length
  }

  use(samples: SampleColumns): void {
    this.data.use(samples)
  }

  /** Index of the newest sample of step s at or before the start of its window, else of its first sample. */
  firstOf(s: number): number {
    const { t, from, to } = this.data.all
    return Math.max(from[s], lowerBound(t, from[s], to[s], this.endMs[s] - this.rangeMs + 1) - 1)
  }

  /** Index of the sample that the window of step s ends with: its newest, or the first at or after the window's end. */
  lastOf(s: number): number {
    const { t, from, to } = this.data.all
    const last = to[s] - 1
    return this.isSmoothed ? Math.min(last, lowerBound(t, from[s], to[s], this.endMs[s])) : last
  }
}

/** Index of the first of t[from, to) that is at least `least`; `to` where there is none. Requires: whole milliseconds. */
export function lowerBound(t: Float64Array, from: number, to: number, least: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1
    if (t[middle] < least) from = middle + 1
    else to = middle
  }
  return from
}
