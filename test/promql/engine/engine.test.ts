// Goal: what a caller of the engine sees: kinds of results, times, limits, errors, counts, annotations. Method:
// queries over a few series; what the language means is mostly in the scripts of the test language.
import { beforeAll, describe, expect, it } from 'vitest'
import { QueryError } from '../../../promql/errors.ts'
import { StorageError } from '../../../storage/errors.ts'
import type { Queryable } from '../../../storage/interface.ts'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { gridOf, instant, newEngine, range, rowsOf, series, storageOf } from '../eval/fixture.ts'

const MINUTE = 60_000
let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('m', { i: '1' }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    series('m', { i: '2' }, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
    series('m_total', { i: '1' }, [0, 60, 120, 180, 240, 300]),
    series('gone', {}, [1, 2, 'stale', null, null, 5]),
  ])
})

/** The error of a query: kind and text. */
async function failure(run: Promise<unknown>): Promise<[string, string]> {
  try {
    await run
  } catch (error) {
    if (error instanceof QueryError) return [error.type, error.message]
    throw error
  }
  throw new Error('expected a failure')
}

describe('results', () => {
  it('of an instant query are of the kind of the expression', async () => {
    const engine = newEngine()
    const value = async (query: string) => (await engine.instantQuery(storage, query, 2 * MINUTE)).value
    expect(await value('1 + 1')).toStrictEqual({ type: 'scalar', timeMs: 2 * MINUTE, value: 2 })
    expect(await value('"text"')).toStrictEqual({ type: 'string', timeMs: 2 * MINUTE, value: 'text' })
    expect(await value('m{i="1"}')).toMatchObject({ type: 'vector', timeMs: 2 * MINUTE })
    const raw = await value('m{i="1"}[2m]')
    if (raw.type !== 'samples') throw new Error(raw.type)
    expect(raw.series).toHaveLength(1)
    expect([...raw.series[0].t]).toStrictEqual([MINUTE, 2 * MINUTE])
    expect([...raw.series[0].v]).toStrictEqual([1, 2])
  })

  it('of a range query are at all steps, sorted, without empty series', async () => {
    const { value } = await newEngine().rangeQuery(storage, '-gone or 7 - m', 0, 3 * MINUTE, MINUTE)
    expect(value).toMatchObject({
      type: 'matrix',
      steps: { startMs: 0, endMs: 3 * MINUTE, stepMs: MINUTE, count: 4 },
    })
    const { warnings, infos } = await newEngine().rangeQuery(storage, 'm', 0, 0, MINUTE)
    expect({ warnings, infos }).toStrictEqual({ warnings: [], infos: [] })
    expect(await range(storage, '-gone or 7 - m', 3 * MINUTE)).toStrictEqual([
      ['{}', [-1, -2, null, null]],
      ['{i="1"}', [7, 6, 5, 4]],
      ['{i="2"}', [7, 5, 3, 1]],
    ])
    expect(await range(storage, '1 + 1', MINUTE)).toStrictEqual([['{}', [2, 2]]])
  })

  it('end at the last step that is not after the end', async () => {
    const { value } = await newEngine().rangeQuery(storage, 'time()', 0, 100_000, MINUTE)
    expect(gridOf({ value } as never)).toStrictEqual([['{}', [0, 60]]])
  })
})

describe('selectors', () => {
  it.each<{ query: string; atMin: number; want: [string, number][] }>([
    // The newest sample is that of minute 10.
    { query: 'm{i="1"}', atMin: 14.99, want: [['{__name__="m", i="1"}', 10]] },
    { query: 'm{i="1"}', atMin: 15, want: [] },
    { query: 'gone', atMin: 1.99, want: [['{__name__="gone"}', 2]] },
    { query: 'gone', atMin: 2, want: [] },
    { query: 'count_over_time(gone[10m])', atMin: 5, want: [['{}', 3]] },
    { query: 'm{i="1"} offset 3m', atMin: 5, want: [['{__name__="m", i="1"}', 2]] },
    { query: 'm{i="1"} offset -3m', atMin: 5, want: [['{__name__="m", i="1"}', 8]] },
    { query: 'm{i="1"} @ 120', atMin: 9, want: [['{__name__="m", i="1"}', 2]] },
    { query: 'm{i="1"} @ 120 offset 1m', atMin: 9, want: [['{__name__="m", i="1"}', 1]] },
    { query: 'm{i="1"} @ start()', atMin: 3, want: [['{__name__="m", i="1"}', 3]] },
    { query: 'timestamp(m{i="1"})', atMin: 1.5, want: [['{i="1"}', 60]] },
    { query: 'timestamp((m{i="1"}))', atMin: 1.5, want: [['{i="1"}', 60]] },
    { query: 'timestamp(-m{i="1"})', atMin: 1.5, want: [['{i="1"}', 90]] },
    { query: 'timestamp(m{i="1"} @ 130)', atMin: 9, want: [['{i="1"}', 120]] },
    { query: 'sum_over_time(m{i="1"}[2m])', atMin: 2, want: [['{i="1"}', 3]] },
    { query: 'sum_over_time(m{i="1"}[1m + 1m])', atMin: 2, want: [['{i="1"}', 3]] },
    { query: 'sum_over_time(m{i="1"}[3m:90s])', atMin: 4, want: [['{i="1"}', 4]] },
    { query: 'sum_over_time(m{i="1"}[2m:])', atMin: 3.5, want: [['{i="1"}', 5]] },
    { query: 'sum_over_time(m{i="1"}[2m:] @ 120)', atMin: 9, want: [['{i="1"}', 3]] },
    { query: 'max_over_time((m{i="1"} @ 180)[2m:])', atMin: 9, want: [['{i="1"}', 3]] },
    { query: 'absent(m{i="3", j!="1", k="x", k="y"})', atMin: 3, want: [['{i="3"}', 1]] },
    { query: 'absent(m)', atMin: 3, want: [] },
    { query: 'absent(sum(nothing))', atMin: 3, want: [['{}', 1]] },
    { query: 'absent_over_time(gone{x="y"}[1m])', atMin: 3, want: [['{x="y"}', 1]] },
  ])('$query at minute $atMin', async ({ query, atMin, want }) => {
    expect(await instant(storage, query, atMin * MINUTE)).toStrictEqual(want)
  })

  it('fixed by @ are read once and stand at all steps', async () => {
    const query = 'm{i="1"} @ end() + m{i="1"} @ 60 + time() / 60'
    expect(await range(storage, query, 3 * MINUTE)).toStrictEqual([['{i="1"}', [4, 5, 6, 7]]])
    const times = [['{i="1"}', [120, 120, 120]]]
    expect(await range(storage, 'timestamp(m{i="1"} @ 130)', 2 * MINUTE)).toStrictEqual(times)
    const line = [['{i="1"}', [0, 1, 2]]]
    const prediction = 'predict_linear(m{i="1"}[5m] @ 300, 0)'
    expect(await range(storage, prediction, 2 * MINUTE)).toStrictEqual(line)
  })

  it('take the lookback of the query before that of the engine', async () => {
    const options = { lookbackMs: 30_000 }
    const { value } = await newEngine().instantQuery(storage, 'gone', 5.5 * MINUTE, options)
    expect(rowsOf({ value } as never)).toStrictEqual([])
    const wide = await newEngine().instantQuery(storage, 'm{i="1"}', 19 * MINUTE, { lookbackMs: 10 * MINUTE })
    expect(rowsOf(wide)).toStrictEqual([['{__name__="m", i="1"}', 10]])
  })
})

describe('errors', () => {
  it.each([
    { query: 'sum(', error: ['bad_data', '1:5: parse error: unclosed left parenthesis'] },
    {
      query: 'm[5m]',
      error: [
        'bad_data',
        'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
      ],
    },
    {
      query: '"x"',
      error: [
        'bad_data',
        'invalid expression type "string" for range query, must be Scalar or instant Vector',
      ],
    },
    { query: 'rate(m[step() - 1m])', error: ['bad_data', '7:18: duration must be greater than 0'] },
    { query: 'm offset (1m / (step() - 1m))', error: ['bad_data', '10:27: division by zero'] },
    {
      query: '{__name__=~"m.*"} * 2',
      error: ['execution', 'vector cannot contain metrics with the same labelset'],
    },
    {
      query: 'rate({__name__=~"m.*"}[5m])',
      error: ['execution', 'vector cannot contain metrics with the same labelset'],
    },
    {
      query: '-{__name__=~"m.*"}',
      error: ['execution', 'vector cannot contain metrics with the same labelset'],
    },
    {
      query: 'label_replace(m, "i", "", "i", ".*")',
      error: ['execution', 'vector cannot contain metrics with the same labelset'],
    },
    {
      query: 'label_replace(m, "i", "", "i", "(")',
      error: ['execution', 'invalid regular expression in label_replace(): ('],
    },
    {
      query: 'label_replace(m, "", "", "i", "x")',
      error: ['execution', 'invalid destination label name in label_replace(): '],
    },
    {
      query: 'label_join(m, "a", "-", "")',
      error: ['execution', 'invalid source label name in label_join(): '],
    },
    {
      query: 'sum_over_time(m[5m] anchored)',
      error: [
        'execution',
        'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with sum_over_time',
      ],
    },
    {
      query: 'absent_over_time(m[5m] smoothed)',
      error: [
        'execution',
        'smoothed modifier can only be used with: delta, increase, rate - not with absent_over_time',
      ],
    },
  ])('$query', async ({ query, error }) => {
    const engine = newEngine({ experimentalFunctions: true, extendedRangeSelectors: true, binopFill: true })
    expect(await failure(engine.rangeQuery(storage, query, 0, 10 * MINUTE, MINUTE))).toStrictEqual(error)
  })

  it('only where samples meet, for operators that look at steps one by one', async () => {
    const apart = await storageOf([series('a', {}, [1, 'stale', null]), series('b', {}, [null, null, 3])])
    const query = '{__name__=~"a|b"} * 2'
    expect(await range(apart, query, 2 * MINUTE)).toStrictEqual([['{}', [2, null, 6]]])
    expect(
      await failure(range(apart, 'last_over_time({__name__=~"a|b"}[5m]) * 2', 2 * MINUTE)),
    ).toStrictEqual(['execution', 'vector cannot contain metrics with the same labelset'])
    expect(await range(apart, 'rate({__name__=~"a|b"}[5m])', 2 * MINUTE)).toStrictEqual([])
    // After a range function already the labels must differ.
    const sums = 'sum_over_time({__name__=~"a|b"}[1m])'
    expect(await failure(range(apart, sums, 2 * MINUTE))).toStrictEqual([
      'execution',
      'vector cannot contain metrics with the same labelset',
    ])
  })

  it('of storage: a failed read is told as one, and no storage is passed on', async () => {
    const broken = (error: Error): Queryable => ({
      querier: (mint, maxt) => ({ ...storage.querier(mint, maxt), select: () => Promise.reject(error) }),
    })
    const corrupt = broken(new StorageError('CORRUPTION', 'page 7: checksum mismatch'))
    const text = 'expanding series: page 7: checksum mismatch'
    expect(await failure(newEngine().instantQuery(corrupt, 'm', 0))).toStrictEqual(['execution', text])
    const notReady = new StorageError('NOT_READY', 'replaying')
    await expect(newEngine().instantQuery(broken(notReady), 'm', 0)).rejects.toBe(notReady)
  })

  it('close the querier', async () => {
    let open = 0
    const counting: Queryable = {
      querier: (mint, maxt) => {
        open++
        return { ...storage.querier(mint, maxt), close: () => void open-- }
      },
    }
    await newEngine().instantQuery(counting, 'm', 0)
    await failure(newEngine().instantQuery(counting, 'label_join(m, "a", "-", "")', MINUTE))
    expect(open).toBe(0)
  })
})

describe('limits', () => {
  const tooMany = 'query processing would load too many samples into memory in query execution'

  it.each([
    { query: 'm', samples: 22 },
    { query: 'm{i="1"} @ 60', samples: 11 },
    { query: 'sum(m)', samples: 22 },
  ])('$query over 11 steps holds $samples samples', async ({ query, samples }) => {
    const run = (max: number) => newEngine({}, max).rangeQuery(storage, query, 0, 10 * MINUTE, MINUTE)
    expect((await run(samples + 11)).samples.peakSamples).toBeGreaterThanOrEqual(samples)
    expect(await failure(run(samples - 1))).toStrictEqual(['execution', tooMany])
  })

  it('of steps and places refuse what would be much memory for few samples', async () => {
    const steps = newEngine().instantQuery(storage, 'count_over_time(m[10y:1s])', 0)
    expect(await failure(steps)).toStrictEqual(['execution', tooMany])
    const sparse = newEngine({}, 5_000).rangeQuery(storage, '{__name__=~".+"} offset 1s', 0, 4e9, 1000)
    expect(await failure(sparse)).toStrictEqual(['execution', tooMany])
  })

  it('counts a window while it is looked at', async () => {
    const query = 'count_over_time(m{i="1"}[10m])'
    expect(await failure(newEngine({}, 9).instantQuery(storage, query, 10 * MINUTE))).toStrictEqual([
      'execution',
      tooMany,
    ])
    expect((await newEngine({}, 10).instantQuery(storage, query, 10 * MINUTE)).samples.peakSamples).toBe(10)
  })

  it('of time end a query before and during its evaluation', async () => {
    const run = (query: string, timeoutMs: number) =>
      newEngine().rangeQuery(storage, query, 0, 1e9, 1000, { timeoutMs })
    expect(await failure(run('m', -1))).toStrictEqual(['timeout', 'query timed out in query execution'])
    const long = Array.from({ length: 40 }, () => 'sum(m @ 60 + time())').join(' + ')
    const text = 'query timed out in expression evaluation'
    expect(await failure(run(long, 150))).toStrictEqual(['timeout', text])
  })

  it('a cancelled query ends before and during its evaluation', async () => {
    const cancel = new Int32Array(new SharedArrayBuffer(4))
    cancel[0] = 1
    const before = newEngine().instantQuery(storage, 'm', 0, { cancel })
    expect(await failure(before)).toStrictEqual(['canceled', 'query was canceled in query execution'])
    cancel[0] = 0
    const during: Queryable = {
      querier: (mint, maxt) => {
        const querier = storage.querier(mint, maxt)
        const select: typeof querier.select = async (matchers, hints) => {
          const set = await querier.select(matchers, hints)
          return {
            ...set,
            read: (i, into) => {
              cancel[0] = 1
              set.read(i, into)
            },
          }
        }
        return { ...querier, select }
      },
    }
    const run = newEngine().rangeQuery(during, 'm', 0, 1e9, 1000, { cancel })
    expect(await failure(run)).toStrictEqual(['canceled', 'query was canceled in expression evaluation'])
  })
})

describe('annotations', () => {
  const counter = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m"'

  it.each<{ query: string; warnings?: string[]; infos?: string[] }>([
    { query: 'rate(m[5m])', infos: [`PromQL info: ${counter} (1:6)`] },
    {
      query: 'rate(m[5m]) + rate(m[5m])',
      infos: [`PromQL info: ${counter} (1:20)`],
    },
    { query: 'sum(\n  increase(m[5m])\n)', infos: [`PromQL info: ${counter} (2:12)`] },
    { query: 'rate(m_total[5m])' },
    { query: 'irate(m[5m])' },
    {
      query: 'sort(m)',
      warnings: [
        'PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)',
      ],
    },
    {
      query: 'quantile_over_time(-1, m[5m])',
      warnings: ['PromQL warning: quantile value should be between 0 and 1, got -1 (1:20)'],
    },
    {
      query: 'histogram_quantile(0.5, m)',
      warnings: ['PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:25)'],
    },
  ])('$query', async ({ query, warnings = [], infos = [] }) => {
    const result = await newEngine().rangeQuery(storage, query, 0, 10 * MINUTE, MINUTE)
    expect({ warnings: result.warnings, infos: result.infos }).toStrictEqual({ warnings, infos })
  })

  it('look at the type where labels tell it', async () => {
    const typed = await storageOf([
      series('a', { __type__: 'counter' }, [1, 2]),
      series('b', { __type__: 'gauge' }, [1, 2]),
    ])
    const engine = newEngine({ typeAndUnitLabels: true })
    const { infos, value } = await engine.instantQuery(
      typed,
      'rate({__name__=~"a|b", __type__="gauge"}[5m])',
      MINUTE,
    )
    const text =
      'metric might not be a counter, __type__ label is not set to "counter" or "histogram", got "gauge": "b"'
    expect(infos).toStrictEqual([`PromQL info: ${text} (1:6)`])
    expect(rowsOf({ value } as never).map(([labels]) => labels)).toStrictEqual(['{}'])
    expect((await engine.instantQuery(typed, 'rate(a[5m])', MINUTE)).infos).toStrictEqual([])
  })

  it('tell all repairs of falling buckets as one', async () => {
    const buckets = await storageOf([
      series('h_bucket', { le: '1' }, [5, 5]),
      series('h_bucket', { le: '2' }, [3, 4]),
      series('h_bucket', { le: '+Inf' }, [6, 6]),
    ])
    const result = await newEngine().rangeQuery(
      buckets,
      'histogram_quantile(0.5, h_bucket)',
      0,
      MINUTE,
      MINUTE,
    )
    expect(result.infos).toStrictEqual([
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity ' +
        '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), ' +
        'from buckets 2 to 2, with a max diff of 2, over 2 samples from 1970-01-01T00:00:00Z to ' +
        '1970-01-01T00:01:00Z (1:25)',
    ])
    expect(gridOf(result)).toStrictEqual([['{}', [0.6, 0.6]]])
  })
})

describe('delayed name removal', () => {
  const features = { delayedNameRemoval: true }

  it('drops names at the end, unless a label function gave a new one', async () => {
    const at = 5 * MINUTE
    expect(await instant(storage, 'rate(m_total[5m])', at, features)).toStrictEqual([['{i="1"}', 1]])
    const renamed = 'label_replace(rate(m_total[5m]), "__name__", "r_$1", "__name__", "(.+)")'
    expect(await instant(storage, renamed, at, features)).toStrictEqual([
      ['{__name__="r_m_total", i="1"}', 1],
    ])
    expect(await instant(storage, renamed, at)).toStrictEqual([['{i="1"}', 1]])
    const both = 'sum by (i) ({__name__=~"m.*", i="1"} * 2)'
    expect(await instant(storage, both, at, features)).toStrictEqual([['{i="1"}', 610]])
    await expect(instant(storage, both, at)).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    )
    await expect(instant(storage, '{__name__=~"m.*", i="1"} * 2', at, features)).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    )
  })
})
