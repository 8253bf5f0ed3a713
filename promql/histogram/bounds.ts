/** Where the buckets of a histogram end. */
import { CUSTOM_SCHEMA, type FloatHistogram, type Span } from '../../storage/model/histogram.ts'

export function isCustom({ schema }: { readonly schema: number }): boolean {
  return schema === CUSTOM_SCHEMA
}

/**
 * Upper bound of positive bucket `index`, 2^(index · 2^−schema); the last finite bucket ends at the largest float.
 * Requires: an exponential schema.
 */
export function exponentialBound(index: number, schema: number): number {
  const power = index * 2 ** -schema
  // 2^1024 is no float; the bucket beyond it ends at Infinity.
  return power === 1024 ? Number.MAX_VALUE : 2 ** power
}

export function haveSameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => Object.is(bound, b[i]))
}

function areSameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++)
    if (a[i].offset !== b[i].offset || a[i].length !== b[i].length) return false
  return true
}

/** Whether the buckets of both stand side by side in their lists, as those of consecutive samples mostly do. */
export function haveSameLayout(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    areSameSpans(a.positiveSpans, b.positiveSpans) &&
    areSameSpans(a.negativeSpans, b.negativeSpans) &&
    (a.customValues === b.customValues || haveSameBounds(a.customValues, b.customValues))
  )
}

/** The bounds that both have. Both ascend. */
export function commonBounds(a: readonly number[], b: readonly number[]): number[] {
  const common: number[] = []
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    if (a[i] === b[k]) {
      common.push(a[i++])
      k++
    } else if (a[i] < b[k]) i++
    else k++
  }
  return common
}
