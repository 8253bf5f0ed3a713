// Goal: what aggregations make of native histograms, alone and beside floats, and what they say of it.
// Method: hand-worked grids over a few series, a sample a minute; every annotation with its place.
import { describe, expect, it } from 'vitest'
import type { EngineFeatures } from '../../../promql/engine.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { mixedGridOf, newEngine, series, storageOf } from './fixture.ts'

const MINUTE = 60_000
const FEATURES: EngineFeatures = { experimentalFunctions: true }

/** At minutes 0 to 4: histograms; a mix; exponential and custom buckets; custom ones with other bounds; floats. */
const STORAGE = await storageOf([
  series('m', { i: '0' }, [simple(2), simple(1), simple(1), custom(2), 1]),
  series('m', { i: '1' }, [simple(4, 6), 5, custom(3), custom(3, [1, 7]), 3]),
  series('m', { i: '2' }, [null, simple(8), 7, 'stale', 2]),
])

async function run(query: string) {
  const result = await newEngine(FEATURES).rangeQuery(STORAGE, query, 0, 4 * MINUTE, MINUTE)
  return { grid: mixedGridOf(result), notes: [...result.warnings, ...result.infos] }
}

const MIXED = 'PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)'
const INCOMPATIBLE =
  'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m" (1:5)'
const RECONCILED = 'PromQL info: mismatched custom buckets were reconciled during aggregation (1:5)'

describe('sum and avg', () => {
  it('add histograms up, and leave out steps that do not go together', async () => {
    const { grid, notes } = await run('sum(m)')
    const first = '{count:6, sum:8, (1,2]:6}'
    const reconciled = '{count:5, sum:5, [-Inf,1]:5}'
    expect(grid).toStrictEqual([['{}', [first, null, null, reconciled, 6]]])
    expect(notes.toSorted()).toStrictEqual([RECONCILED, MIXED, INCOMPATIBLE].toSorted())
  })

  it('divide by the number of histograms', async () => {
    const { grid } = await run('avg(m)')
    const reconciled = '{count:2.5, sum:2.5, [-Inf,1]:2.5}'
    expect(grid).toStrictEqual([['{}', ['{count:3, sum:4, (1,2]:3}', null, null, reconciled, 2]]])
  })

  it('take nothing more at a step that is lost, not even a float', async () => {
    // At minute 2 the float comes after the histograms that do not go together: it is no mix.
    const { notes } = await run('sum(m) and on () (vector(time()) == 120)')
    expect(notes).toContain(INCOMPATIBLE)
    const storage = await storageOf([
      series('m', { i: '0' }, [simple(1)]),
      series('m', { i: '1' }, [custom(1)]),
      series('m', { i: '2' }, [7]),
    ])
    const result = await newEngine().instantQuery(storage, 'sum(m)', 0)
    expect(result.warnings).toStrictEqual([INCOMPATIBLE])
  })

  it('tell of counters that contradict each other', async () => {
    const storage = await storageOf([
      series('m', { i: '0' }, [simple(1, 1, { counterResetHint: 'reset' })]),
      series('m', { i: '1' }, [simple(1, 1, { counterResetHint: 'not_reset' })]),
      series('m', { i: '2' }, [simple(1, 1, { counterResetHint: 'gauge' })]),
    ])
    const result = await newEngine().rangeQuery(storage, 'sum(m)', 0, 0, MINUTE)
    expect(mixedGridOf(result)).toStrictEqual([['{}', ['{count:3, sum:3, (1,2]:3} gauge']]])
    expect(result.warnings).toStrictEqual([
      'PromQL warning: conflicting counter resets during histogram aggregation (1:5)',
    ])
  })

  it('give a mean whose sum would be no float', async () => {
    const storage = await storageOf([
      series('m', { i: '0' }, [simple(1e308)]),
      series('m', { i: '1' }, [simple(1e308)]),
    ])
    const result = await newEngine().rangeQuery(storage, 'avg(m)', 0, 0, MINUTE)
    expect(mixedGridOf(result)).toStrictEqual([['{}', ['{count:1e+308, sum:1e+308, (1,2]:1e+308}']]])
  })
})

describe('other aggregations', () => {
  it.each([
    ['count(m)', [2, 3, 3, 2, 3]],
    ['group(m)', [1, 1, 1, 1, 1]],
  ])('%s counts samples of any kind', async (query, row) => {
    expect(await run(query)).toStrictEqual({ grid: [['{}', row]], notes: [] })
  })

  it.each([
    ['min(m)', [null, 5, 7, null, 1], 5],
    ['max(m)', [null, 5, 7, null, 3], 5],
    ['stdvar(m)', [null, 0, 0, null, 2 / 3], 8],
    ['quantile(0.5, m)', [null, 5, 7, null, 2], 15],
  ])('%s ignores histograms', async (query, row, column) => {
    const op = query.slice(0, query.indexOf('('))
    const { grid, notes } = await run(query)
    expect(grid).toStrictEqual([['{}', row.map((v) => (v === null ? null : expect.closeTo(v, 12)))]])
    expect(notes).toStrictEqual([`PromQL info: ignored histogram in ${op} aggregation (1:${column})`])
  })

  it.each(['topk', 'bottomk'])('%s ignores them, and points at all of itself', async (op) => {
    const { grid, notes } = await run(`1 * ${op}(1, m)`)
    const best =
      op === 'topk' ? ['{i="1"}', [null, 5, null, null, 3]] : ['{i="0"}', [null, null, null, null, 1]]
    expect(grid).toContainEqual(best)
    expect(notes).toStrictEqual([`PromQL info: ignored histogram in ${op} aggregation (1:5)`])
    expect((await run(`${op}(0, m)`)).notes).toStrictEqual([])
  })

  it('limitk and limit_ratio keep them', async () => {
    const all = (await run('m')).grid
    expect((await run('limitk(1, m)')).grid).toStrictEqual(all.slice(0, 1))
    expect((await run('limit_ratio(1, m)')).grid).toStrictEqual(all)
  })

  it('count_values has histograms in the label as Go prints them', async () => {
    const storage = await storageOf([
      series('m', { i: '0' }, [simple(2), 2]),
      series('m', { i: '1' }, [simple(2), custom(1)]),
    ])
    const result = await newEngine().rangeQuery(storage, 'count_values("v", m)', 0, MINUTE, MINUTE)
    expect(mixedGridOf(result)).toStrictEqual([
      ['{v="2"}', [null, 1]],
      ['{v="{count:1, sum:1, [-Inf,1]:1}"}', [null, 1]],
      ['{v="{count:2, sum:2, (1,2]:2}"}', [2, null]],
    ])
  })

  it('point inside of parentheses', async () => {
    expect((await run('max ((m))')).notes).toStrictEqual([
      'PromQL info: ignored histogram in max aggregation (1:7)',
    ])
  })
})
