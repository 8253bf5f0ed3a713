// Goal: quantiles and fractions of classic buckets, and the repair of counts that fall. Method: hand-worked rows.
import { describe, expect, it } from 'vitest'
import { Buckets } from '../../../promql/functions/classic-buckets.ts'

function bucketsOf(...pairs: [number, number][]): Buckets {
  const buckets = new Buckets(pairs.length)
  for (const [bound, count] of pairs) buckets.push(bound, count)
  return buckets
}

const inf = Infinity

describe('quantile of buckets', () => {
  it.each<{ rule: string; phi: number; of: [number, number][]; want: number }>([
    {
      rule: 'linear inside a bucket',
      phi: 0.5,
      of: [
        [1, 10],
        [2, 20],
        [inf, 20],
      ],
      want: 1,
    },
    {
      rule: 'the first bucket begins at 0',
      phi: 0.25,
      of: [
        [1, 10],
        [2, 20],
        [inf, 20],
      ],
      want: 0.5,
    },
    {
      rule: 'a first bound below 0 is its own answer',
      phi: 0.1,
      of: [
        [-1, 10],
        [inf, 20],
      ],
      want: -1,
    },
    {
      rule: 'in the last bucket the bound before',
      phi: 0.9,
      of: [
        [1, 10],
        [inf, 20],
      ],
      want: 1,
    },
    {
      rule: 'φ below 0',
      phi: -0.1,
      of: [
        [1, 1],
        [inf, 1],
      ],
      want: -inf,
    },
    {
      rule: 'φ above 1',
      phi: 1.1,
      of: [
        [1, 1],
        [inf, 1],
      ],
      want: inf,
    },
    {
      rule: 'φ NaN',
      phi: Number.NaN,
      of: [
        [1, 1],
        [inf, 1],
      ],
      want: Number.NaN,
    },
    {
      rule: 'no bucket for +Inf',
      phi: 0.5,
      of: [
        [1, 1],
        [2, 2],
      ],
      want: Number.NaN,
    },
    { rule: 'only a bucket for +Inf', phi: 0.5, of: [[inf, 2]], want: Number.NaN },
    {
      rule: 'no observations',
      phi: 0.5,
      of: [
        [1, 0],
        [inf, 0],
      ],
      want: Number.NaN,
    },
    {
      rule: 'equal bounds are added up',
      phi: 0.5,
      of: [
        [1, 5],
        [1, 5],
        [inf, 10],
      ],
      want: 0.5,
    },
  ])('$rule', ({ phi, of, want }) => expect(bucketsOf(...of).quantile(phi)).toBe(want))

  it('raises counts that fall, and says where', () => {
    const buckets = bucketsOf([1, 10], [2, 7], [3, 20], [4, 19], [inf, 20])
    expect(buckets.quantile(0.5)).toBe(1)
    expect(buckets).toMatchObject({ minBound: 2, maxBound: 4, maxDifference: 3 })
  })

  it('does not speak of rounding', () => {
    const buckets = bucketsOf([1, 1], [2, 1 - 1e-15], [inf, 2])
    expect(buckets.quantile(0.5)).toBe(1)
    expect(buckets.maxDifference).toBe(0)
  })
})

describe('fraction of buckets', () => {
  it.each<{ low: number; high: number; of: [number, number][]; want: number }>([
    {
      low: 0,
      high: 1,
      of: [
        [1, 10],
        [2, 20],
        [inf, 20],
      ],
      want: 0.5,
    },
    {
      low: 0.5,
      high: 1.5,
      of: [
        [1, 10],
        [2, 20],
        [inf, 20],
      ],
      want: 0.5,
    },
    {
      low: -inf,
      high: inf,
      of: [
        [1, 10],
        [2, 20],
        [inf, 25],
      ],
      want: 1,
    },
    {
      low: 2,
      high: 1,
      of: [
        [1, 10],
        [inf, 20],
      ],
      want: 0,
    },
    {
      low: Number.NaN,
      high: 1,
      of: [
        [1, 10],
        [inf, 20],
      ],
      want: Number.NaN,
    },
    {
      low: 0,
      high: 1,
      of: [
        [1, 0],
        [inf, 0],
      ],
      want: Number.NaN,
    },
    {
      low: 3,
      high: inf,
      of: [
        [1, 10],
        [2, 20],
        [inf, 25],
      ],
      want: 0.2,
    },
  ])('from $low to $high', ({ low, high, of, want }) => {
    expect(bucketsOf(...of).fraction(low, high)).toBe(want)
  })
})
