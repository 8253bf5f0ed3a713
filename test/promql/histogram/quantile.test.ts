// Goal: quantiles, fractions, statistics, trims and texts of native histograms.
// Method: values worked out by hand; random histograms for what must hold of any: order, inverse, parts that make a whole.
import { describe, expect, it } from 'vitest'
import { allBuckets } from '../../../promql/histogram/buckets.ts'
import { formatHistogram } from '../../../promql/histogram/format.ts'
import { nativeFraction, nativeQuantile } from '../../../promql/histogram/quantile.ts'
import { histogramDeviation, histogramVariance } from '../../../promql/histogram/stats.ts'
import { keepAbove, keepBelow } from '../../../promql/histogram/trim.ts'
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { custom, randomHistogram } from './random-histogram.ts'

/** Schema 0: 2 in [−2, −1), 1 in the zero bucket ±0.5, 4 in (1, 2], 0 in (2, 4], 3 in (4, 8]. */
const MIXED: FloatHistogram = {
  ...EMPTY_HISTOGRAM,
  count: 10,
  sum: 20,
  zeroThreshold: 0.5,
  zeroCount: 1,
  negativeSpans: [{ offset: 1, length: 1 }],
  negativeBuckets: [2],
  positiveSpans: [{ offset: 1, length: 3 }],
  positiveBuckets: [4, 0, 3],
}
/** 2 up to 1, 3 in (1, 5], 5 above. */
const CUSTOM: FloatHistogram = {
  ...custom(0),
  count: 10,
  sum: 40,
  positiveSpans: [{ offset: 0, length: 3 }],
  positiveBuckets: [2, 3, 5],
}
const { positiveSpans: MIRRORED_SPANS, positiveBuckets: MIRRORED_BUCKETS } = MIXED
const NEGATIVE: FloatHistogram = {
  ...MIXED,
  count: 8,
  negativeSpans: MIRRORED_SPANS,
  negativeBuckets: MIRRORED_BUCKETS,
  positiveSpans: [],
  positiveBuckets: [],
}
const POSITIVE: FloatHistogram = { ...MIXED, count: 8, negativeSpans: [], negativeBuckets: [] }

describe('nativeQuantile', () => {
  it.each([
    ['the lowest bound', MIXED, 0, -2],
    ['in a negative bucket', MIXED, 0.1, -Math.SQRT2],
    ['in the zero bucket', MIXED, 0.25, 0],
    ['in a positive bucket', MIXED, 0.5, Math.SQRT2],
    ['beyond an empty bucket', MIXED, 0.85, Math.sqrt(32)],
    ['the highest bound', MIXED, 1, 8],
    ['the zero bucket of positive observations', POSITIVE, 0.0625, 0.25],
    ['the zero bucket of negative observations', NEGATIVE, 0.9375, -0.25],
    ['in the first custom bucket', CUSTOM, 0.1, 0.5],
    ['in a custom bucket', CUSTOM, 0.35, 3],
    ['in the last custom bucket', CUSTOM, 0.9, 5],
    ['below', MIXED, -0.1, -Infinity],
    ['above', MIXED, 1.1, Infinity],
    ['NaN', MIXED, Number.NaN, Number.NaN],
    ['without observations', EMPTY_HISTOGRAM, 0.5, Number.NaN],
  ])('%s', (_, histogram, phi, value) => {
    expect(nativeQuantile(phi, histogram)).toStrictEqual({
      value: Number.isFinite(value) ? expect.closeTo(value, 12) : value,
      nans: 'none',
    })
  })

  it('is the bound of a first custom bucket that ends at or below 0', () => {
    expect(nativeQuantile(0.1, { ...CUSTOM, customValues: [-3, 5] }).value).toBe(-3)
  })

  it('takes NaN for the greatest observation', () => {
    const withNans = { ...MIXED, count: 20, sum: Number.NaN }
    expect(nativeQuantile(0.6, withNans)).toStrictEqual({ value: Number.NaN, nans: 'result is NaN' })
    expect(nativeQuantile(0.1, withNans)).toStrictEqual({
      value: expect.closeTo(-1, 12),
      nans: 'skewed higher',
    })
    expect(nativeQuantile(0.1, { ...MIXED, sum: Number.NaN }).nans).toBe('none')
    const onlyNans = { ...EMPTY_HISTOGRAM, count: 3, sum: Number.NaN }
    expect(nativeQuantile(0, onlyNans)).toStrictEqual({ value: Number.NaN, nans: 'skewed higher' })
    expect(nativeQuantile(0.5, onlyNans).nans).toBe('result is NaN')
  })

  it('never falls, and is the inverse of a fraction', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 500; run++) {
      const histogram = randomHistogram(random, { custom: false })
      if (histogram.count === 0) continue
      // Buckets that lie in the zero bucket are out of order with it.
      if (histogram.zeroThreshold > 0) continue
      let previous = Number.NEGATIVE_INFINITY
      for (let phi = 0.05; phi < 1; phi += 0.09) {
        const { value } = nativeQuantile(phi, histogram)
        expect(value, `SEED=${seed} run ${run}`).toBeGreaterThanOrEqual(previous - 1e-9)
        previous = value
        const below = nativeFraction(Number.NEGATIVE_INFINITY, value, histogram).value
        const through = nativeFraction(Number.NEGATIVE_INFINITY, value + 1e-6, histogram).value
        expect(below - 1e-6, `SEED=${seed} run ${run}`).toBeLessThanOrEqual(phi)
        // In a zero bucket of no width all observations are one value.
        expect(through + 1e-4, `SEED=${seed} run ${run}`).toBeGreaterThanOrEqual(phi)
      }
    }
  })
})

describe('nativeFraction', () => {
  it.each([
    ['all', MIXED, -Infinity, Infinity, 1],
    ['half a negative bucket', MIXED, -Infinity, -Math.SQRT2, 0.1],
    ['half the zero bucket', MIXED, 0, 0.5, 0.05],
    ['half a positive bucket', MIXED, Math.SQRT2, 2, 0.2],
    ['over an empty bucket', MIXED, 2, 4, 0],
    ['the first custom bucket from 0', CUSTOM, 0, 0.5, 0.1],
    ['a custom bucket', CUSTOM, 1, 3, 0.15],
    ['nothing of the last custom bucket', CUSTOM, 5, 1000, 0],
    ['the wrong way round', MIXED, 2, 1, 0],
    ['NaN', MIXED, Number.NaN, 1, Number.NaN],
    ['without observations', EMPTY_HISTOGRAM, 0, 1, Number.NaN],
  ])('%s', (_, histogram, from, to, value) => {
    expect(nativeFraction(from, to, histogram)).toStrictEqual({
      value: Number.isFinite(value) ? expect.closeTo(value, 12) : value,
      hasNans: false,
    })
  })

  it('excludes NaN', () => {
    const withNans = { ...MIXED, count: 20, sum: Number.NaN }
    expect(nativeFraction(-Infinity, Infinity, withNans)).toStrictEqual({ value: 0.5, hasNans: true })
  })
})

describe('statistics', () => {
  it('take observations to lie in the middle of their buckets', () => {
    const middles = [
      ...Array(2).fill(-Math.SQRT2),
      0,
      ...Array(4).fill(Math.SQRT2),
      ...Array(3).fill(Math.sqrt(32)),
    ]
    const variance = middles.reduce((sum, x) => sum + (x - 2) ** 2, 0) / 10
    expect(histogramVariance(MIXED)).toBeCloseTo(variance, 12)
    expect(histogramDeviation(MIXED)).toBeCloseTo(Math.sqrt(variance), 12)
    expect(histogramVariance({ ...CUSTOM, positiveBuckets: [0, 10, 0] })).toBeCloseTo(1, 12)
    expect(histogramVariance(CUSTOM)).toBe(Infinity)
  })
})

describe('trims', () => {
  it.each([
    ['below a bound', keepBelow, MIXED, 1, '{count:3, sum:-2.8284271247461903, [-2,-1):2, [-0.5,0.5]:1}'],
    ['above a bound', keepAbove, MIXED, 4, '{count:3, sum:16.970562748477143, (4,8]:3}'],
    ['above the middle of a bucket', keepAbove, { ...MIXED, zeroCount: 0, count: 9 }, Math.SQRT2, undefined],
    [
      'half the zero bucket',
      keepBelow,
      MIXED,
      0,
      '{count:2.5, sum:-2.9534271247461903, [-2,-1):2, [-0.5,0.5]:0.5}',
    ],
    ['a custom bucket', keepBelow, CUSTOM, 3, '{count:3.5, sum:4, [-Inf,1]:2, (1,5]:1.5}'],
    [
      'the first custom bucket from 0',
      keepAbove,
      CUSTOM,
      0.5,
      '{count:9, sum:34.75, [-Inf,1]:1, (1,5]:3, (5,+Inf]:5}',
    ],
    ['the last custom bucket as a whole', keepBelow, CUSTOM, 7, '{count:5, sum:10, [-Inf,1]:2, (1,5]:3}'],
    ['the last custom bucket from the value', keepAbove, CUSTOM, 7, '{count:5, sum:35, (5,+Inf]:5}'],
    ['nothing', keepBelow, MIXED, 8, '{count:10, sum:20, [-2,-1):2, [-0.5,0.5]:1, (1,2]:4, (4,8]:3}'],
    ['all', keepBelow, MIXED, -Infinity, '{count:0, sum:0}'],
  ] as const)('%s', (_, keep, histogram, value, text) => {
    if (text !== undefined) expect(formatHistogram(keep(histogram, value))).toBe(text)
    else {
      const { count, positiveBuckets, negativeBuckets } = keep(histogram, value)
      expect([count, positiveBuckets, negativeBuckets]).toStrictEqual([
        expect.closeTo(5, 12),
        [expect.closeTo(2, 12), 3],
        [],
      ])
    }
  })

  it('make two parts of the whole', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 500; run++) {
      const histogram = randomHistogram(random, { custom: false })
      const value = random.int(-300, 300) / 10
      const below = keepBelow(histogram, value)
      const above = keepAbove(histogram, value)
      // A zero bucket without width is all at 0.
      if (histogram.zeroThreshold === 0 && value === 0) continue
      expect(below.count + above.count, `SEED=${seed} run ${run}`).toBeCloseTo(histogram.count, 9)
    }
  })
})

describe('formatHistogram', () => {
  it('has the buckets that are not empty, ascending', () => {
    expect(formatHistogram(MIXED)).toBe('{count:10, sum:20, [-2,-1):2, [-0.5,0.5]:1, (1,2]:4, (4,8]:3}')
    expect(formatHistogram(CUSTOM)).toBe('{count:10, sum:40, [-Inf,1]:2, (1,5]:3, (5,+Inf]:5}')
    expect(formatHistogram({ ...EMPTY_HISTOGRAM, count: 1234567, sum: Number.NaN, zeroCount: 1e-7 })).toBe(
      '{count:1.234567e+06, sum:NaN, [-0,0]:1e-07}',
    )
  })
})

describe('allBuckets', () => {
  it('ends buckets where the zero bucket begins', () => {
    const wide = { ...MIXED, zeroThreshold: 1.5 }
    expect(allBuckets(wide)).toStrictEqual({
      lower: [-2, -1.5, 1.5, 2, 4],
      upper: [-1.5, 1.5, 2, 4, 8],
      count: [2, 1, 4, 0, 3],
    })
  })
})
