// Goal: groups, ties, NaN and overflow in aggregations. Method: tables of queries over a few series; sums and the
// like also against a plain definition on random values, bit for bit.
import { beforeAll, describe, expect, it } from 'vitest'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { instant, instantInOrder, newEngine, range, rowsOf, series, storageOf } from './fixture.ts'

let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('m', { job: 'x', i: '1' }, [3, 3]),
    series('m', { job: 'x', i: '2' }, [Number.NaN, 5]),
    series('m', { job: 'x', i: '3' }, [1, 1]),
    series('m', { job: 'y', i: '1' }, [2, null]),
    series('only_nan', { i: '1' }, [Number.NaN]),
    series('only_nan', { i: '2' }, [Number.NaN]),
    series('infinite', { i: '1' }, [Infinity]),
    series('infinite', { i: '2' }, [-Infinity]),
  ])
})

describe('groups', () => {
  it.each<{ query: string; want: [string, number][] }>([
    {
      query: 'sum by (job) (m{i!="2"})',
      want: [
        ['{job="x"}', 4],
        ['{job="y"}', 2],
      ],
    },
    {
      query: 'sum without (i) (m{i!="2"})',
      want: [
        ['{job="x"}', 4],
        ['{job="y"}', 2],
      ],
    },
    { query: 'count(m)', want: [['{}', 4]] },
    {
      query: 'group by (job) (m)',
      want: [
        ['{job="x"}', 1],
        ['{job="y"}', 1],
      ],
    },
    { query: 'count by (__name__) (m)', want: [['{__name__="m"}', 4]] },
    { query: 'count by (nothing) (m)', want: [['{}', 4]] },
    { query: 'count without (nothing) (m{job="y"})', want: [['{i="1", job="y"}', 1]] },
    { query: 'sum(nothing)', want: [] },
  ])('$query', async ({ query, want }) => expect(await instant(storage, query, 0)).toStrictEqual(want))

  it('have a sample at the steps where a member has one', async () => {
    const longer = await storageOf([series('m', { job: 'y' }, [2, 'stale', null, 4])])
    expect(await range(longer, 'sum by (job) (m)', 180_000)).toStrictEqual([
      ['{job="y"}', [2, null, null, 4]],
    ])
  })
})

describe('NaN', () => {
  it.each<{ query: string; want: [string, number][] }>([
    { query: 'max(m)', want: [['{}', 3]] },
    { query: 'min(m)', want: [['{}', 1]] },
    { query: 'max(only_nan)', want: [['{}', Number.NaN]] },
    { query: 'sum(m)', want: [['{}', Number.NaN]] },
    {
      query: 'topk(2, m)',
      want: [
        ['{__name__="m", i="1", job="x"}', 3],
        ['{__name__="m", i="1", job="y"}', 2],
      ],
    },
    { query: 'bottomk(1, m{job="x"})', want: [['{__name__="m", i="3", job="x"}', 1]] },
    {
      query: 'topk(9, m{job="x"})',
      want: [
        ['{__name__="m", i="1", job="x"}', 3],
        ['{__name__="m", i="3", job="x"}', 1],
        ['{__name__="m", i="2", job="x"}', Number.NaN],
      ],
    },
    {
      query: 'bottomk(9, m{job="x"})',
      want: [
        ['{__name__="m", i="3", job="x"}', 1],
        ['{__name__="m", i="1", job="x"}', 3],
        ['{__name__="m", i="2", job="x"}', Number.NaN],
      ],
    },
    { query: 'quantile(0, m{job="x"})', want: [['{}', Number.NaN]] },
    { query: 'quantile(1, m{job="x"})', want: [['{}', 3]] },
    { query: 'quantile(0.75, m{job="x"})', want: [['{}', 2]] },
    { query: 'sum(infinite)', want: [['{}', Number.NaN]] },
    { query: 'stddev(infinite{i="1"})', want: [['{}', Number.NaN]] },
    {
      query: 'count_values("v", m)',
      want: [
        ['{v="3"}', 1],
        ['{v="2"}', 1],
        ['{v="NaN"}', 1],
        ['{v="1"}', 1],
      ],
    },
    {
      query: 'count_values without (i) ("v", m{i="1"})',
      want: [
        ['{job="x", v="3"}', 1],
        ['{job="y", v="2"}', 1],
      ],
    },
  ])('$query', async ({ query, want }) => expect(await instantInOrder(storage, query, 0)).toStrictEqual(want))
})

describe('parameters', () => {
  it.each([
    { query: 'topk(scalar(m{job="y"}), m)', error: undefined },
    { query: 'topk(NaN, m)', error: 'Parameter value is NaN' },
    { query: 'topk(1e30, m)', error: 'Scalar value 1e+30 overflows int64' },
    { query: 'count_values("", m)', error: 'invalid label name ""' },
  ])('$query', async ({ query, error }) => {
    if (error === undefined) expect(await instant(storage, query, 0)).toHaveLength(2)
    else await expect(instant(storage, query, 0)).rejects.toThrow(error)
  })

  it('k is looked at step by step, but NaN anywhere is an error', async () => {
    const ks = await storageOf([
      series('k', {}, [0, 1, 2]),
      series('m', { i: '1' }, [1, 1, 1]),
      series('m', { i: '2' }, [2, 2, 2]),
    ])
    const want = [
      ['{__name__="m", i="1"}', [null, null, 1]],
      ['{__name__="m", i="2"}', [null, 2, 2]],
    ]
    expect(await range(ks, 'topk(scalar(k), m)', 120_000)).toStrictEqual(want)
    expect(await range(ks, 'topk(scalar(k) - 5, m)', 120_000)).toStrictEqual([])
    await expect(range(ks, 'topk(scalar(k > 0), m)', 120_000)).rejects.toThrow('Parameter value is NaN')
    await expect(range(ks, 'topk(scalar(k > 1) - 5, m)', 120_000)).rejects.toThrow('Parameter value is NaN')
  })

  it('of quantile are warned of', async () => {
    const engine = newEngine()
    const result = await engine.instantQuery(storage, 'quantile(1.5, m)', 0)
    expect(rowsOf(result)).toStrictEqual([['{}', Infinity]])
    const text = 'PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)'
    expect(result.warnings).toStrictEqual([text])
  })

  it('of quantile that are NaN at any step leave no other to be warned of', async () => {
    const result = await newEngine().rangeQuery(
      storage,
      'quantile(time() ^ -1 * 0 + 2, m)',
      0,
      60_000,
      60_000,
    )
    expect(result.warnings).toStrictEqual([
      'PromQL warning: quantile value should be between 0 and 1, got NaN (1:10)',
    ])
  })
})

describe('topk', () => {
  it('keeps of ties the first that came', async () => {
    const ties = await storageOf(['a', 'b', 'c', 'd'].map((i) => series('m', { i }, [1])))
    const rows = await instant(ties, 'topk(2, m)', 0)
    expect(rows.map(([labels]) => labels).sort()).toStrictEqual([
      '{__name__="m", i="a"}',
      '{__name__="m", i="b"}',
    ])
  })
})

describe('sums', () => {
  /** One column's worth of upstream's Kahan–Neumaier sum, begun with the first value. */
  function kahan(values: number[]): [number, number] {
    let [sum] = values
    let c = 0
    for (const x of values.slice(1)) {
      const next = sum + x
      if (Math.abs(next) === Infinity) c = 0
      else c += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum
      sum = next
    }
    return [sum, c]
  }

  function variance(values: number[]): number {
    let [mean] = values
    let squares = 0
    for (const [i, x] of values.slice(1).entries()) {
      const delta = x - mean
      mean += delta / (i + 2)
      squares += delta * (x - mean)
    }
    return squares / values.length
  }

  it('agree in every bit with the definition', async () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 30; run++) {
      const values = Array.from(
        { length: random.int(1, 30) },
        () => (random.next() - 0.5) * 10 ** random.int(-5, 20),
      )
      const many = await storageOf(values.map((v, i) => series('m', { i: String(i).padStart(3, '0') }, [v])))
      const [sum, c] = kahan(values)
      const n = values.length
      const want = {
        sum: sum + c,
        avg: sum / n + c / n,
        stdvar: variance(values),
        stddev: Math.sqrt(variance(values)),
      }
      for (const [op, value] of Object.entries(want)) {
        expect(await instant(many, `${op}(m)`, 0), `SEED=${seed} ${op} ${values}`).toStrictEqual([
          ['{}', value],
        ])
      }
    }
  })

  it('survive what a plain sum would lose, and a mean what would overflow', async () => {
    const hard = await storageOf([1, 1e100, 1, -1e100].map((v, i) => series('m', { i: String(i) }, [v])))
    expect(await instant(hard, 'sum(m)', 0)).toStrictEqual([['{}', 2]])
    const large = await storageOf(
      [1.5e308, 1.5e308, 1.5e308].map((v, i) => series('m', { i: String(i) }, [v])),
    )
    const [[, mean]] = await instant(large, 'avg(m)', 0)
    expect(mean).toBeCloseTo(1.5e308, -300)
  })
})
