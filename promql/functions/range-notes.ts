/** What a range function has to say of the series at hand; its annotations point at the range vector. */
import type { Annotations, HistogramOperation, Place } from '../annotations.ts'

export class RangeNotes {
  /** Name of the series at hand; '' where it has none. */
  metricName = ''
  private readonly annotations: Annotations
  private readonly place: Place

  constructor(annotations: Annotations, place: Place) {
    this.annotations = annotations
    this.place = place
  }

  /** A window has floats and histograms, and so no result. */
  mixed(): void {
    this.annotations.mixedFloatsHistograms(this.metricName, this.place)
  }

  /** Exponential buckets meet custom ones, and so there is no result. */
  mixedSchemas(): void {
    this.annotations.mixedExponentialCustom(this.metricName, this.place)
  }

  notCounter(): void {
    this.annotations.histogramNotCounter(this.metricName, this.place)
  }

  notGauge(): void {
    this.annotations.histogramNotGauge(this.metricName, this.place)
  }

  conflictingResets(operation: HistogramOperation): void {
    this.annotations.conflictingResets(operation, this.place)
  }

  reconciled(operation: HistogramOperation): void {
    this.annotations.reconciledBuckets(operation, this.place)
  }

  histogramsIgnored(): void {
    this.annotations.histogramsIgnoredInRange(this.metricName, this.place)
  }

  overlappingStart(): void {
    this.annotations.overlappingStart(this.metricName, this.place)
  }
}
