/** How many samples a histogram counts as, by the bytes it takes upstream. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'

/** Bytes of upstream's struct, of a span, bucket or bound, and of a float sample with its time. */
const STRUCT_BYTES = 168
const ITEM_BYTES = 8
const TIME_BYTES = 8
const FLOAT_SAMPLE_BYTES = 16

export function sampleWeight(histogram: FloatHistogram): number {
  const { positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues } = histogram
  const items =
    positiveSpans.length +
    negativeSpans.length +
    positiveBuckets.length +
    negativeBuckets.length +
    customValues.length
  return Math.floor((STRUCT_BYTES + ITEM_BYTES * items + TIME_BYTES) / FLOAT_SAMPLE_BYTES)
}
