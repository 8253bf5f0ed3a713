/** What neighbouring samples of a series say of each other, where both are histograms: resets and the like. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { detectReset } from '../histogram/reset.ts'
import { isStartReset, overlapsPrevious } from './start-times.ts'

export class HistogramPairs {
  /** Start timestamps; empty where none are looked at. */
  readonly st: Float64Array
  private readonly t: Float64Array
  private readonly histograms: readonly (FloatHistogram | undefined)[]
  /** 1 where the counter began anew before sample i, also by what its buckets say. */
  private readonly resets: Uint8Array
  /** How many of the samples [0, i] differ in schema from the one before. */
  private readonly schemaChanges: Int32Array
  /** How many of the samples [0, i] are gauges. */
  private readonly gauges: Int32Array

  constructor(t: Float64Array, st: Float64Array, histograms: readonly (FloatHistogram | undefined)[]) {
    const count = histograms.length
    this.t = t
    this.st = st
    this.histograms = histograms
    this.resets = new Uint8Array(count)
    this.schemaChanges = new Int32Array(count)
    this.gauges = new Int32Array(count)
    let schemaChanges = 0
    let gauges = 0
    for (let i = 0; i < count; i++) {
      const histogram = histograms[i]
      const previous = i > 0 ? histograms[i - 1] : undefined
      if (histogram !== undefined) {
        if (histogram.counterResetHint === 'gauge') gauges++
        if (previous !== undefined) {
          if (this.isResetByStart(i) || detectReset(histogram, previous)) this.resets[i] = 1
          if (histogram.schema !== previous.schema) schemaChanges++
        }
      }
      this.schemaChanges[i] = schemaChanges
      this.gauges[i] = gauges
    }
  }

  /** Requires: i > 0. */
  isResetByStart(i: number): boolean {
    const { t, st } = this
    return st.length > 0 && isStartReset(st[i - 1], t[i - 1], st[i], t[i])
  }

  /** Requires: samples i − 1 and i are histograms. */
  isReset(i: number): boolean {
    return this.resets[i] === 1
  }

  /** Whether there is a gauge among the samples [first, last]. */
  hasGauge(first: number, last: number): boolean {
    return this.gauges[last] > (first === 0 ? 0 : this.gauges[first - 1])
  }

  /** Whether the histograms [first, last] are not all of one schema. */
  hasSchemaChange(first: number, last: number): boolean {
    return this.schemaChanges[last] > this.schemaChanges[first]
  }

  /** The least schema among the histograms [first, last]. */
  minSchema(first: number, last: number): number {
    let schema = this.histograms[first]!.schema
    if (!this.hasSchemaChange(first, last)) return schema
    for (let i = first + 1; i <= last; i++) schema = Math.min(schema, this.histograms[i]!.schema)
    return schema
  }

  hasOverlap(first: number, last: number): boolean {
    const { t, st } = this
    if (st.length === 0) return false
    for (let i = first + 1; i <= last; i++) if (overlapsPrevious(st[i - 1], t[i - 1], st[i])) return true
    return false
  }
}
