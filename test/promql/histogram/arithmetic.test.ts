// Goal: sums, differences, multiples, means, resets and sizes of histograms. Method: hand-worked rows, one rule each; then random
// histograms against tables of buckets that know no spans.
import { describe, expect, it } from 'vitest'
import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  equalHistograms,
  reduceResolution,
  scaleHistogram,
  subtractHistograms,
} from '../../../promql/histogram/arithmetic.ts'
import { detectReset } from '../../../promql/histogram/reset.ts'
import { sampleWeight } from '../../../promql/histogram/size.ts'
import { HistogramSum } from '../../../promql/histogram/sum.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { bucketsOf, custom, randomHistogram, simple } from './random-histogram.ts'

/** Upper bound of an exponential bucket. */
const bound = (index: number, schema: number): number => 2 ** (index * 2 ** -schema)

interface Table {
  schema: number
  zeroThreshold: number
  zeroCount: number
  positive: Map<number, number>
  negative: Map<number, number>
}

function tableOf(h: FloatHistogram): Table {
  return {
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: h.zeroCount,
    positive: bucketsOf(h.positiveSpans, h.positiveBuckets),
    negative: bucketsOf(h.negativeSpans, h.negativeBuckets),
  }
}

/** Widens the zero bucket until both have one that cuts no populated bucket. */
function zeroThresholdOf(tables: readonly Table[]): number {
  let threshold = Math.max(...tables.map((table) => table.zeroThreshold))
  for (let before = -1; before !== threshold; ) {
    before = threshold
    for (const { schema, zeroThreshold, positive, negative } of tables) {
      if (zeroThreshold === threshold) continue
      for (const index of [...positive.keys(), ...negative.keys()]) {
        if (bound(index - 1, schema) < threshold) threshold = Math.max(threshold, bound(index, schema))
      }
    }
  }
  return threshold
}

function moveToZero(table: Table, threshold: number): void {
  if (table.zeroThreshold === threshold) return
  for (const side of [table.positive, table.negative]) {
    for (const [index, count] of side) {
      if (bound(index - 1, table.schema) >= threshold) continue
      table.zeroCount += count
      side.delete(index)
    }
  }
  table.zeroThreshold = threshold
}

function coarser(side: Map<number, number>, steps: number): Map<number, number> {
  const out = new Map<number, number>()
  for (const [index, count] of side) {
    const to = Math.ceil(index / 2 ** steps)
    out.set(to, (out.get(to) ?? 0) + count)
  }
  return out
}

function combined(a: FloatHistogram, b: FloatHistogram, sign: number): Table {
  const tables = [tableOf(a), tableOf(b)]
  const zeroThreshold = zeroThresholdOf(tables)
  const schema = Math.min(a.schema, b.schema)
  const result: Table = { schema, zeroThreshold, zeroCount: 0, positive: new Map(), negative: new Map() }
  for (const [i, table] of tables.entries()) {
    const weight = i === 0 ? 1 : sign
    moveToZero(table, zeroThreshold)
    result.zeroCount += weight * table.zeroCount
    for (const side of ['positive', 'negative'] as const) {
      for (const [index, count] of coarser(table[side], table.schema - schema)) {
        result[side].set(index, (result[side].get(index) ?? 0) + weight * count)
      }
    }
  }
  for (const side of [result.positive, result.negative]) {
    for (const [index, count] of side) if (count === 0) side.delete(index)
  }
  return result
}

const sortedTable = (table: Table) => ({
  ...table,
  positive: [...table.positive].sort(([a], [b]) => a - b),
  negative: [...table.negative].sort(([a], [b]) => a - b),
})

describe('a sum or difference', () => {
  const seed = testSeed()

  it(`has the buckets of both, in the coarser layout (SEED=${seed})`, () => {
    const random = prng(seed)
    for (let run = 0; run < 3000; run++) {
      const a = randomHistogram(random, { custom: false })
      const b = randomHistogram(random, { custom: false })
      const sign = random.chance(0.5) ? 1 : -1
      const before = structuredClone([a, b])
      const result = sign === 1 ? addHistograms(a, b) : subtractHistograms(a, b)
      const { histogram, reconciled } = result!
      expect(reconciled).toBe(false)
      expect(sortedTable(tableOf(histogram)), `run=${run}`).toEqual(sortedTable(combined(a, b, sign)))
      expect([histogram.count, histogram.sum]).toEqual([a.count + sign * b.count, a.sum + sign * b.sum])
      expect([a, b]).toEqual(before)
    }
  })

  it('of custom buckets has the bounds that both have', () => {
    const a = {
      ...custom(2, [1, 5, 10]),
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [1, 2, 4, 8],
    }
    const b = {
      ...custom(2, [1, 2, 10]),
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [16, 32, 64, 128],
    }
    const { histogram, reconciled } = addHistograms(a, b)!
    expect(reconciled).toBe(true)
    expect(histogram.customValues).toEqual([1, 10])
    expect(histogram.positiveBuckets).toEqual([17, 2 + 4 + 32 + 64, 8 + 128])
    expect(addHistograms(a, simple(1))).toBeUndefined()
    expect(subtractHistograms(simple(1), a)).toBeUndefined()
  })

  it.each([
    ['gauge', 'reset', 'gauge', false],
    ['unknown', 'gauge', 'gauge', false],
    ['unknown', 'reset', 'unknown', false],
    ['reset', 'reset', 'reset', false],
    ['not_reset', 'reset', 'unknown', true],
  ] as const)('of hints %s and %s says %s', (a, b, hint, conflict) => {
    const sum = addHistograms(simple(1, 1, { counterResetHint: a }), simple(1, 1, { counterResetHint: b }))!
    expect([sum.histogram.counterResetHint, sum.resetConflict]).toEqual([hint, conflict])
  })
})

describe('multiples', () => {
  it('scale all counts and the sum; a negative factor makes a gauge', () => {
    const half = scaleHistogram(simple(4, 10, { zeroCount: 2 }), 0.5)
    expect(half).toEqual(simple(2, 5, { zeroCount: 1 }))
    expect(scaleHistogram(simple(4), -1)).toEqual(
      simple(-4, -4, { counterResetHint: 'gauge', zeroCount: -0 }),
    )
    expect(divideHistogram(simple(4), -2)).toEqual(
      simple(-2, -2, { counterResetHint: 'gauge', zeroCount: -0 }),
    )
  })

  it('by 1/0 have no buckets', () => {
    const { count, sum, positiveSpans, positiveBuckets } = divideHistogram(simple(4, 0), 0)
    expect([count, sum, positiveSpans, positiveBuckets]).toEqual([Infinity, Number.NaN, [], []])
  })
})

describe('forms', () => {
  it('compact has no empty buckets', () => {
    const spread = { ...simple(3), positiveSpans: [{ offset: -1, length: 4 }], positiveBuckets: [0, 1, 0, 2] }
    const { positiveSpans, positiveBuckets } = compactHistogram(spread)
    expect(positiveSpans).toEqual([
      { offset: 0, length: 1 },
      { offset: 1, length: 1 },
    ])
    expect(positiveBuckets).toEqual([1, 2])
  })

  it('a coarser schema merges (2^k, 2^(k+1)] pairs', () => {
    const fine = {
      ...simple(10),
      schema: 1,
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [1, 2, 3, 4],
    }
    const coarse = reduceResolution(fine, 0)
    expect(bucketsOf(coarse.positiveSpans, coarse.positiveBuckets)).toEqual(
      new Map([
        [0, 1],
        [1, 5],
        [2, 4],
      ]),
    )
  })

  it('are equal bit by bit, whatever the hints say', () => {
    expect(equalHistograms(simple(1), simple(1, 1, { counterResetHint: 'gauge' }))).toBe(true)
    expect(equalHistograms(simple(1, Number.NaN), simple(1, Number.NaN))).toBe(true)
    expect(equalHistograms(simple(1), simple(2, 1))).toBe(false)
    expect(equalHistograms(simple(1), simple(1, 1, { zeroThreshold: 1 }))).toBe(false)
    expect(equalHistograms(custom(1), custom(1, [1, 6]))).toBe(false)
  })

  it('weigh by their size', () => {
    expect(sampleWeight(EMPTY_HISTOGRAM)).toBe(11)
    expect(sampleWeight(simple(1))).toBe(12)
    expect(sampleWeight(custom(1))).toBe(13)
  })
})

describe('detectReset', () => {
  const rows: [string, FloatHistogram, FloatHistogram, boolean][] = [
    ['no drop', simple(2), simple(1), false],
    ['the count drops', simple(1), simple(2), true],
    ['the hint says so', simple(2, 2, { counterResetHint: 'reset' }), simple(1), true],
    ['the hint denies it', simple(1, 1, { counterResetHint: 'not_reset' }), simple(2), false],
    ['the sum drops, which is no reset', simple(2, 1), simple(1, 5), false],
    ['the schema gets finer', simple(2, 2, { schema: 1 }), simple(1), true],
    ['the schema gets coarser', simple(3), simple(1, 1, { schema: 1 }), false],
    ['the zero bucket gets narrower', simple(2), simple(1, 1, { zeroThreshold: 1e-9 }), true],
    [
      'the zero bucket takes a bucket in',
      simple(2, 2, { zeroThreshold: 2, zeroCount: 5, positiveSpans: [], positiveBuckets: [] }),
      simple(2),
      false,
    ],
    ['the zero bucket cuts one', simple(9, 9, { zeroThreshold: 1.5, zeroCount: 5 }), simple(2), true],
    ['zero count drops', simple(5), simple(1, 1, { zeroCount: 1 }), true],
    ['a bucket is gone', simple(5, 5, { positiveSpans: [], positiveBuckets: [] }), simple(2), true],
    ['buckets become custom', custom(5), simple(1), true],
    [
      'an empty bucket is gone, and a populated one after it',
      simple(9),
      { ...simple(1), count: 5, positiveSpans: [{ offset: 1, length: 3 }], positiveBuckets: [1, 0, 4] },
      true,
    ],
    ['other bounds, no drop in common ones', custom(5, [1, 7]), custom(5), false],
    ['other bounds, with a drop', custom(5, [7]), { ...custom(9), count: 1 }, true],
  ]
  it.each(rows)('%s', (_, current, previous, want) => expect(detectReset(current, previous)).toBe(want))
})

describe('HistogramSum', () => {
  const seed = testSeed()

  function naive(histograms: readonly FloatHistogram[]): FloatHistogram {
    return histograms.reduce((sum, histogram) => addHistograms(sum, histogram)!.histogram)
  }

  it(`is what adding one by one gives (SEED=${seed})`, () => {
    const random = prng(seed)
    for (let run = 0; run < 500; run++) {
      const isCustom = random.chance(0.3)
      const histograms = Array.from({ length: random.int(1, 6) }, () =>
        randomHistogram(random, { custom: isCustom }),
      )
      const sum = new HistogramSum(histograms[0], false)
      const mean = new HistogramSum(histograms[0], true)
      for (const histogram of histograms.slice(1)) {
        expect(sum.add(histogram)).toBe('ok')
        mean.add(histogram)
      }
      const want = naive(histograms)
      expect(compactHistogram(sum.value()), `run=${run}`).toEqual(compactHistogram(want))
      const average = mean.value()
      expect(average.count).toBeCloseTo(want.count / histograms.length, 10)
      expect(average.schema).toBe(want.schema)
      const hints = new Set(histograms.map(({ counterResetHint }) => counterResetHint))
      expect(sum.resetConflict).toBe(hints.has('reset') && hints.has('not_reset'))
    }
  })

  it('keeps what rounding loses', () => {
    const sum = new HistogramSum(simple(1, 1e16), false)
    for (let i = 0; i < 4; i++) sum.add(simple(1, 1))
    expect(sum.value().sum).toBe(1e16 + 4)
  })

  it('goes on incrementally where a mean would overflow', () => {
    const mean = new HistogramSum(simple(1, 1.5e308), true)
    for (let i = 0; i < 3; i++) mean.add(simple(3, 1.5e308))
    const { sum, count, positiveBuckets } = mean.value()
    expect(sum / 1.5e308).toBeCloseTo(1, 14)
    expect([count, positiveBuckets[0]]).toEqual([2.5, 2.5])
  })

  it('does not mix exponential and custom buckets', () => {
    const sum = new HistogramSum(simple(1), false)
    expect(sum.add(custom(1))).toBe('incompatible')
    expect(custom(1).schema).toBe(CUSTOM_SCHEMA)
  })
})
