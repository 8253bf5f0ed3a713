/** Where the buckets of a histogram end. */
import { CUSTOM_SCHEMA } from '../../storage/model/histogram.ts'

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
