/** Where the buckets of a histogram end. */
import { CUSTOM_SCHEMA, type FloatHistogram, type Span } from '../../storage/model/histogram.ts'
import { exp2 } from '../functions/math.ts'

export function isCustom({ schema }: { readonly schema: number }): boolean {
  return schema === CUSTOM_SCHEMA
}

const SCHEMA_MAX = 8

/**
 * Bounds of schema 8 in [0.5, 1), ascending; those of a coarser schema are among them. Each odd one is the one before times the
 * schema's factor, as upstream's table was made: many are one unit off the nearest float, and answers show all digits.
 * Source: Prometheus model/histogram/generic.go exponentialBounds.
 */
const FRACTIONS = fractionTable()

function fractionTable(): Float64Array {
  let coarser = Float64Array.of(0.5)
  for (let schema = 1; schema <= SCHEMA_MAX; schema++) {
    const factor = exp2(2 ** -schema)
    const bounds = new Float64Array(1 << schema)
    for (let i = 0; i < bounds.length; i += 2) {
      bounds[i] = coarser[i >> 1]
      bounds[i + 1] = bounds[i] * factor
    }
    coarser = bounds
  }
  return coarser
}

/**
 * Upper bound of positive bucket `index`, 2^(index · 2^−schema); the last finite bucket ends at the largest float.
 * Requires: an exponential schema, at most 8.
 */
export function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) {
    const exponent = index * 2 ** -schema
    // 2^1024 is no float; the bucket beyond it ends at Infinity.
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent
  }
  const place = (index & ((1 << schema) - 1)) << (SCHEMA_MAX - schema)
  const exponent = (index >> schema) + 1
  if (place === 0 && exponent === 1025) return Number.MAX_VALUE
  // 2^1024 is no float, though a fraction of it is one.
  return exponent > 1023 ? FRACTIONS[place] * 2 * 2 ** (exponent - 1) : FRACTIONS[place] * 2 ** exponent
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
