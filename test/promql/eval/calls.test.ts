// Goal: what each function does with labels, order and steps; the arithmetic is tested by itself. Method: tables.
import { beforeAll, describe, expect, it } from 'vitest'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { instant, instantInOrder, newEngine, range, series, storageOf } from './fixture.ts'

let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('m', { cpu: 'cpu2' }, [3, 1]),
    series('m', { cpu: 'cpu10' }, [Number.NaN, 2]),
    series('m', { cpu: 'cpu1' }, [1, 3]),
    series('one', { host: 'web-12', zone: 'eu' }, [10, 'stale']),
    series('h_bucket', { le: '1', j: 'x' }, [10]),
    series('h_bucket', { le: '2', j: 'x' }, [20]),
    series('h_bucket', { le: '+Inf', j: 'x' }, [20]),
    series('h_bucket', { le: '+Inf', j: 'y' }, [5]),
  ])
})

describe('order', () => {
  it.each([
    { query: 'sort(m)', want: ['cpu1', 'cpu2', 'cpu10'] },
    { query: 'sort_desc(m)', want: ['cpu2', 'cpu1', 'cpu10'] },
    { query: 'sort_by_label(m, "cpu")', want: ['cpu1', 'cpu2', 'cpu10'] },
    { query: 'sort_by_label_desc(m, "cpu")', want: ['cpu10', 'cpu2', 'cpu1'] },
    { query: 'sort_by_label(m, "nothing")', want: ['cpu1', 'cpu10', 'cpu2'] },
  ])('$query', async ({ query, want }) => {
    const rows = await instantInOrder(storage, query, 0, { experimentalFunctions: true })
    expect(rows.map(([labels]) => /cpu="(\w+)"/.exec(labels)![1])).toStrictEqual(want)
  })
})

describe('labels', () => {
  it.each<{ query: string; want: string }>([
    {
      query: 'label_replace(one, "n", "$1", "host", "web-(.*)")',
      want: '{__name__="one", host="web-12", n="12", zone="eu"}',
    },
    {
      query: 'label_replace(one, "n", "${num}x", "host", "(?P<kind>\\\\w+)-(?P<num>.*)")',
      want: '{__name__="one", host="web-12", n="12x", zone="eu"}',
    },
    // A name is as long as can be: there is no group 1x.
    {
      query: 'label_replace(one, "n", "$1x", "host", "web-(.*)")',
      want: '{__name__="one", host="web-12", zone="eu"}',
    },
    {
      query: 'label_replace(one, "n", "$1", "host", "eb-(.*)")',
      want: '{__name__="one", host="web-12", zone="eu"}',
    },
    { query: 'label_replace(one, "zone", "", "host", ".*")', want: '{__name__="one", host="web-12"}' },
    {
      query: 'label_replace(one, "__name__", "two", "nothing", "")',
      want: '{__name__="two", host="web-12", zone="eu"}',
    },
    {
      query: 'label_join(one, "both", "/", "host", "nothing", "zone")',
      want: '{__name__="one", both="web-12//eu", host="web-12", zone="eu"}',
    },
    { query: 'label_join(one, "zone", "")', want: '{__name__="one", host="web-12"}' },
    { query: 'abs(one)', want: '{host="web-12", zone="eu"}' },
    { query: 'last_over_time(one[1m])', want: '{__name__="one", host="web-12", zone="eu"}' },
    { query: 'max_over_time(one[1m])', want: '{host="web-12", zone="eu"}' },
    { query: 'one > 3', want: '{__name__="one", host="web-12", zone="eu"}' },
    { query: '3 < one', want: '{__name__="one", host="web-12", zone="eu"}' },
    { query: 'one > bool 3', want: '{host="web-12", zone="eu"}' },
    { query: '+one', want: '{__name__="one", host="web-12", zone="eu"}' },
    { query: '-one', want: '{host="web-12", zone="eu"}' },
    { query: 'vector(1)', want: '{}' },
    { query: 'hour()', want: '{}' },
  ])('$query', async ({ query, want }) => {
    expect((await instant(storage, query, 0)).map(([labels]) => labels)).toStrictEqual([want])
  })
})

describe('values', () => {
  it.each<{ query: string; want: [string, (number | null)[]][] }>([
    { query: '20 > one', want: [['{__name__="one", host="web-12", zone="eu"}', [10, null]]] },
    { query: 'one / 4 - 1', want: [['{host="web-12", zone="eu"}', [1.5, null]]] },
    { query: '4 ^ (one / 20)', want: [['{host="web-12", zone="eu"}', [2, null]]] },
    { query: 'vector(scalar(one))', want: [['{}', [10, Number.NaN]]] },
    { query: 'vector(scalar(m))', want: [['{}', [Number.NaN, Number.NaN]]] },
    { query: 'vector(time())', want: [['{}', [0, 60]]] },
    { query: 'vector(-(1 + 2) * 3 % 4)', want: [['{}', [-1, -1]]] },
    { query: 'vector(1 > bool 2) or vector(9)', want: [['{}', [0, 0]]] },
    { query: 'absent(one)', want: [['{}', [null, 1]]] },
    { query: 'clamp(one, 0, 7)', want: [['{host="web-12", zone="eu"}', [7, null]]] },
    { query: 'clamp(one, 7, 0)', want: [] },
    { query: 'clamp_min(one, time() + 11)', want: [['{host="web-12", zone="eu"}', [11, null]]] },
    { query: 'clamp_max(one, 3)', want: [['{host="web-12", zone="eu"}', [3, null]]] },
    { query: 'round(one, 7)', want: [['{host="web-12", zone="eu"}', [7, null]]] },
    { query: 'round(one / 4)', want: [['{host="web-12", zone="eu"}', [3, null]]] },
    { query: 'minute(vector(3661))', want: [['{}', [1, 1]]] },
    { query: 'histogram_quantile(0.75, h_bucket{j="x"})', want: [['{j="x"}', [1.5, 1.5]]] },
    { query: 'histogram_quantile(0.75, h_bucket{j="y"})', want: [['{j="y"}', [Number.NaN, Number.NaN]]] },
    { query: 'histogram_fraction(0, 1, h_bucket{j="x"})', want: [['{j="x"}', [0.5, 0.5]]] },
    {
      query: 'histogram_quantiles(h_bucket{j="x"}, "q", 0.5, 1)',
      want: [
        ['{j="x", q="0.5"}', [1, 1]],
        ['{j="x", q="1.0"}', [2, 2]],
      ],
    },
    { query: 'vector(start() + end() + step() + range())', want: [['{}', [180, 180]]] },
    { query: 'vector(max_of(NaN, 1)) + vector(min_of(-Inf, NaN))', want: [['{}', [Number.NaN, Number.NaN]]] },
    { query: 'limitk(1, m)', want: [['{__name__="m", cpu="cpu1"}', [1, 3]]] },
    { query: 'limit_ratio(1, one)', want: [['{__name__="one", host="web-12", zone="eu"}', [10, null]]] },
    { query: 'limit_ratio(0, one)', want: [] },
  ])('$query', async ({ query, want }) => {
    expect(await range(storage, query, 60_000, { experimentalFunctions: true })).toStrictEqual(want)
  })

  it('of complementary ratios are all series, once each', async () => {
    const many = await storageOf(Array.from({ length: 200 }, (_, i) => series('m', { i: `${i}` }, [i])))
    const features = { experimentalFunctions: true }
    const low = await instant(many, 'limit_ratio(0.3, m)', 0, features)
    const high = await instant(many, 'limit_ratio(-0.7, m)', 0, features)
    expect(low.length).toBeGreaterThan(30)
    expect(low.length).toBeLessThan(90)
    expect(new Set([...low, ...high].map(([labels]) => labels)).size).toBe(200)
    expect(low.length + high.length).toBe(200)
    const { warnings } = await newEngine(features).instantQuery(many, 'limit_ratio(1.1, m)', 0)
    const text = 'PromQL warning: ratio value should be between -1 and 1, got 1.1, capping to 1 (1:13)'
    expect(warnings).toStrictEqual([text])
  })
})
