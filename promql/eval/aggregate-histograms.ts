/**
 * sum and avg of native histograms, beside those of floats in the same group.
 *
 * A step at which a group has both, or histograms that do not go together, has no result.
 * Source: Prometheus promql/engine.go `aggregation`.
 */
import type { Annotations, Place } from '../annotations.ts'
import { compactHistogram } from '../histogram/arithmetic.ts'
import { HistogramSum } from '../histogram/sum.ts'
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'

/** Histograms of one group at one step. */
interface StepSum {
  /** Undefined where a float came first: there is nothing to add up then. */
  readonly sum: HistogramSum | undefined
  isIncompatible: boolean
}

export class HistogramGroup {
  private readonly steps: (StepSum | undefined)[]
  private readonly isMean: boolean
  private readonly annotations: Annotations
  private readonly place: Place

  constructor(count: number, isMean: boolean, annotations: Annotations, place: Place) {
    this.steps = new Array(count)
    this.isMean = isMean
    this.annotations = annotations
    this.place = place
  }

  /**
   * Adds the histograms of a series, and takes them away from its column, so that floats are left. `floats` is what the group
   * has had of these. Steps that are lost already take nothing more.
   */
  take(column: Column, floats: Column, metricName: string): number {
    const { present } = column
    let left = 0
    for (let s = 0; s < present.length; s++) {
      if (present[s] === ABSENT) continue
      const step = this.steps[s]
      if (step?.isIncompatible) {
        present[s] = ABSENT
        continue
      }
      if (present[s] === PRESENT_FLOAT) {
        left++
        continue
      }
      present[s] = ABSENT
      const histogram = column.histograms[s]!
      if (step === undefined) {
        const hasFloat = floats.present[s] === PRESENT_FLOAT
        const sum = hasFloat ? undefined : new HistogramSum(histogram, this.isMean)
        this.steps[s] = { sum, isIncompatible: false }
      } else if (step.sum !== undefined && step.sum.add(histogram) === 'incompatible') {
        step.isIncompatible = true
        this.annotations.mixedExponentialCustom(metricName, this.place)
      }
    }
    column.forgetHistograms()
    return left
  }

  /** Puts the results beside those of the floats, and takes away where there are both. */
  finish(out: Column): void {
    const { annotations, place } = this
    for (const [s, step] of this.steps.entries()) {
      if (step === undefined) continue
      const { sum, isIncompatible } = step
      if (sum?.reconciled) annotations.reconciledBuckets('aggregation', place)
      if (out.present[s] === PRESENT_FLOAT) {
        out.present[s] = ABSENT
        annotations.mixedAggregation(place)
      } else if (!isIncompatible && sum !== undefined) {
        out.setHistogram(s, compactHistogram(sum.value()))
        if (sum.resetConflict) annotations.conflictingResets('aggregation', place)
      }
    }
  }
}
