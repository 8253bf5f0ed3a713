// Goal: bounds of exponential buckets have upstream's bits. Method: values of its table, written out; then the ends of the range.
import { describe, expect, it } from 'vitest'
import { exp2 } from '../../../promql/functions/math.ts'
import { commonBounds, exponentialBound } from '../../../promql/histogram/bounds.ts'

/** Prometheus model/histogram/generic.go, schema 4. */
const SCHEMA_4 = [
  0.5, 0.5221368912137069, 0.5452538663326288, 0.5693943173783458, 0.5946035575013605, 0.620928906036742,
  0.6484197773255048, 0.6771277734684463, 0.7071067811865475, 0.7384130729697496, 0.7711054127039704,
  0.805245165974627, 0.8408964152537144, 0.8781260801866495, 0.9170040432046711, 0.9576032806985735,
]

describe('exponentialBound', () => {
  it('has the digits of the table in each octave, and in coarser schemas', () => {
    for (const octave of [-1000, -3, 0, 1, 700]) {
      const got = SCHEMA_4.map((_, i) => exponentialBound(16 * (octave - 1) + i, 4))
      expect(got).toEqual(SCHEMA_4.map((fraction) => fraction * 2 ** octave))
      expect(exponentialBound(4 * (octave - 1) + 3, 2)).toBe(SCHEMA_4[12] * 2 ** octave)
    }
    expect(exponentialBound(-1, 8)).toBe(0.9972960560854698)
    expect(exponentialBound(-250, 8)).toBe(0.5081891574554764)
  })

  it('ends at the largest float, then at Infinity; below at 0', () => {
    const rows: [number, number, number][] = [
      [1024, 0, Number.MAX_VALUE],
      [1025, 0, Number.POSITIVE_INFINITY],
      [64, -4, Number.MAX_VALUE],
      [1024 * 256, 8, Number.MAX_VALUE],
      [1024 * 256 + 1, 8, Number.POSITIVE_INFINITY],
      [-1074, 0, Number.MIN_VALUE],
      [-1200 * 16, 4, 0],
      [-67, -4, Number.MIN_VALUE * 4],
      [3, -2, 4096],
    ]
    for (const [index, schema, want] of rows) expect(exponentialBound(index, schema)).toBe(want)
    expect(exponentialBound(1024 * 2 - 1, 1)).toBe(0.7071067811865475 * 2 * 2 ** 1023)
  })

  it('ascends', () => {
    for (let i = -2000; i < 2000; i++) expect(exponentialBound(i, 8)).toBeLessThan(exponentialBound(i + 1, 8))
  })
})

describe('exp2', () => {
  it('has the bits of Go’s', () => {
    const rows: [number, number][] = [
      [0.5, SCHEMA_4[8] * 2],
      [0, 1],
      [10, 1024],
      [-1074, Number.MIN_VALUE],
      [-1075, 0],
      [1024, Number.POSITIVE_INFINITY],
      [Number.NaN, Number.NaN],
    ]
    for (const [x, want] of rows) expect(exp2(x)).toBe(want)
    expect(exp2(1023.5) / 2 ** 1023).toBe(SCHEMA_4[8] * 2)
  })
})

it('commonBounds are those in both lists', () => {
  expect(commonBounds([1, 2, 5, 9], [0, 2, 3, 9, 10])).toEqual([2, 9])
  expect(commonBounds([1], [2])).toEqual([])
})
