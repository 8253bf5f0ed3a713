// Goal: what differs between Go's math and JavaScript's, and dates outside of what Date knows. Method: rows; for
// dates a comparison with Date where that can go.
import { describe, expect, it } from 'vitest'
import { DATE_FUNCTIONS } from '../../../promql/functions/date.ts'
import { clamp, FLOAT_FUNCTIONS, log2, max, min, pow, round } from '../../../promql/functions/math.ts'
import { compareNatural } from '../../../promql/functions/natural-order.ts'
import { prng, testSeed } from '../../harness/prng.ts'

describe('floats as in Go', () => {
  it.each([
    [1, Number.NaN, 1],
    [-1, Infinity, 1],
    [-1, -Infinity, 1],
    [Number.NaN, 0, 1],
    [2, 3, 8],
    [Number.NaN, 1, Number.NaN],
  ])('pow(%d, %d) = %d', (x, y, want) => expect(pow(x, y)).toBe(want))

  it('max and min let an infinity win over NaN', () => {
    expect(max(Number.NaN, Infinity)).toBe(Infinity)
    expect(max(Number.NaN, 1)).toBe(Number.NaN)
    expect(min(-Infinity, Number.NaN)).toBe(-Infinity)
    expect(min(Number.NaN, Infinity)).toBe(Number.NaN)
    expect(clamp(Number.NaN, -Infinity, 3)).toBe(Number.NaN)
  })

  it('log2 is exact for every power of two, subnormal ones too', () => {
    for (let power = -1074; power < 1024; power++) expect(log2(2 ** power)).toBe(power)
    expect(log2(0)).toBe(-Infinity)
    expect(log2(-1)).toBe(Number.NaN)
    expect(log2(Infinity)).toBe(Infinity)
    expect(FLOAT_FUNCTIONS.log10(1000)).toBeCloseTo(3, 14)
  })

  it('rounds ties up, to multiples', () => {
    expect(round(2.5, 1)).toBe(3)
    expect(round(-2.5, 1)).toBe(-2)
    expect(round(0.123, 0.05)).toBeCloseTo(0.1, 12)
    expect(round(5, 0)).toBe(Number.NaN)
  })

  it('keeps the sign of zero and NaN in sgn', () => {
    expect([-3, 4, Number.NaN].map(FLOAT_FUNCTIONS.sgn)).toStrictEqual([-1, 1, Number.NaN])
    expect(Object.is(FLOAT_FUNCTIONS.sgn(-0), -0)).toBe(true)
  })
})

describe('dates', () => {
  const { year, month, day_of_month, day_of_week, day_of_year, days_in_month, hour, minute } = DATE_FUNCTIONS

  it('agree with Date where that can go', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 2000; run++) {
      const seconds = random.int(-8.6e12, 8.6e12)
      const date = new Date(seconds * 1000)
      const want = [
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCDay(),
        Math.floor((seconds * 1000 - new Date(date).setUTCMonth(0, 1)) / 864e5) + 1,
        date.getUTCHours(),
        date.getUTCMinutes(),
      ]
      const parts = [year, month, day_of_month, day_of_week, day_of_year, hour, minute]
      expect(
        parts.map((part) => part(seconds)),
        `SEED=${seed} seconds=${seconds}`,
      ).toStrictEqual(want)
    }
  })

  it.each([
    ['1900-02-01', 28],
    ['2000-02-01', 29],
    ['2023-02-28', 28],
    ['2024-02-29', 29],
    ['2024-04-30', 30],
    ['2024-12-31', 31],
  ])('the month of %s has %d days', (date, want) => {
    expect(days_in_month(Date.parse(date) / 1000)).toBe(want)
  })

  it('cut parts of a second towards zero', () => {
    expect(minute(-0.9)).toBe(0)
    expect(year(-0.9)).toBe(1970)
    expect(year(-1)).toBe(1969)
  })

  it('go beyond the years of Date', () => {
    expect(year(1e15)).toBe(31690708)
  })
})

describe('natural order', () => {
  it.each([
    ['a2', 'a10', -1],
    ['a10', 'a2', 1],
    ['a', 'a', 0],
    ['', 'a', -1],
    ['a1b', 'a1', 1],
    ['cpu9x', 'cpu09x', 0],
    ['x0', 'x00', 0],
    ['10', 'b', -1],
    ['4.10', '4.9', 1],
  ])('%s, %s: %d', (a, b, want) => expect(Math.sign(compareNatural(a, b))).toBe(want))
})
