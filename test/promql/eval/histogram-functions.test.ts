// Goal: histogram_* functions over native histograms, beside classic ones and mixed with them, and their annotations.
// Method: hand-worked values on a few series, a sample a minute; names known (removal delayed) and not.
import { describe, expect, it } from 'vitest'
import type { EngineFeatures } from '../../../promql/engine.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { instant, newEngine, range, series, storageOf } from './fixture.ts'

const MINUTE = 60_000
const LATE: EngineFeatures = { experimentalFunctions: true, delayedNameRemoval: true }

/** 4 observations in (1, 2] and 4 in (2, 4]. */
const TWO = simple(8, 20, { positiveSpans: [{ offset: 1, length: 2 }], positiveBuckets: [4, 4] })

const STORAGE = await storageOf([
  series('h', { i: '0' }, [TWO, 3, custom(4)]),
  series('b', { i: '0', le: '1' }, [1, 1, 1]),
  series('b', { i: '0', le: '+Inf' }, [2, 2, 2]),
  series('b', { i: '0' }, [null, TWO, 7]),
  series('b', { i: '1', le: '1' }, [TWO, TWO, TWO]),
])

async function notesOf(query: string, minute: number, features = LATE): Promise<string[]> {
  const { warnings, infos } = await newEngine(features).instantQuery(STORAGE, query, minute * MINUTE)
  return [...warnings, ...infos]
}

describe('of one histogram', () => {
  it.each([
    ['histogram_count(h)', [8, null, 4]],
    ['histogram_sum(h)', [20, null, 4]],
    ['histogram_avg(h)', [2.5, null, 1]],
    // Midpoints are the geometric means: √2 and √8.
    ['histogram_stdvar(h)', [((Math.SQRT2 - 2.5) ** 2 + (Math.sqrt(8) - 2.5) ** 2) / 2, null, Infinity]],
    [
      'histogram_stddev(h)',
      [Math.sqrt(((Math.SQRT2 - 2.5) ** 2 + (Math.sqrt(8) - 2.5) ** 2) / 2), null, Infinity],
    ],
    ['histogram_quantile(0.5, h)', [2, null, 0.5]],
    ['histogram_quantile(0.75, h)', [Math.sqrt(8), null, 0.75]],
    ['histogram_fraction(2, +Inf, h)', [0.5, null, 0]],
    ['histogram_fraction(-Inf, 0.5, h)', [0, null, 0.5]],
  ])('%s', async (query, row) => {
    const near = row.map((v) => (v === null || v === Infinity ? v : expect.closeTo(v, 12)))
    const kept = query.startsWith('histogram_quantile') || query.startsWith('histogram_fraction')
    const grid = await range(STORAGE, query, 2 * MINUTE)
    expect(grid).toStrictEqual([['{i="0"}', near]])
    // A float of a series without `le` is warned of; functions of histograms only leave it out.
    const text =
      'PromQL warning: bucket label "le" is missing or has a malformed value of "" for metric name "h"'
    const place = query.indexOf('h)') + 1
    expect(await notesOf(query, 1)).toStrictEqual(kept ? [`${text} (1:${place})`] : [])
  })
})

describe('classic and native histograms', () => {
  it('are both left out where they have the same labels', async () => {
    expect(await range(STORAGE, 'histogram_quantile(0.5, b)', 2 * MINUTE)).toStrictEqual([
      ['{i="0"}', [1, null, 1]],
      // A native histogram in a series with `le` has nothing to do with buckets.
      ['{i="1", le="1"}', [2, 2, 2]],
    ])
    const text = 'PromQL warning: vector contains a mix of classic and native histograms'
    const query = 'histogram_quantile(0.5, b)'
    expect(await notesOf(query, 1)).toStrictEqual([`${text} for metric name "b" (1:25)`])
    expect(await notesOf(query, 1, {})).toStrictEqual([`${text} (1:25)`])
  })

  it('stand beside each other at different steps', async () => {
    const storage = await storageOf([
      series('b', { le: '1' }, [1, 'stale', 1]),
      series('b', { le: '+Inf' }, [2, 'stale', 2]),
      series('b', {}, [null, TWO, 'stale']),
    ])
    expect(await range(storage, 'histogram_quantile(0.5, b)', 2 * MINUTE)).toStrictEqual([['{}', [1, 2, 1]]])
    expect(await range(storage, 'histogram_fraction(0, 2, b)', 2 * MINUTE)).toStrictEqual([
      ['{}', [0.5, 0.5, 0.5]],
    ])
  })
})

describe('histogram_quantiles', () => {
  it('has a series for each quantile', async () => {
    expect(await instant(STORAGE, 'histogram_quantiles(h, "q", 0.5, 1)', 0, LATE)).toStrictEqual([
      ['{i="0", q="0.5"}', 2],
      ['{i="0", q="1.0"}', 4],
    ])
  })

  it('takes quantiles that change from step to step', async () => {
    const query = 'histogram_quantiles(h, "q", time() / 120, NaN)'
    expect(await range(STORAGE, query, 2 * MINUTE, LATE)).toStrictEqual([
      ['{i="0", q="0.0"}', [1, null, null]],
      ['{i="0", q="1.0"}', [null, null, 1]],
      ['{i="0", q="NaN"}', [Number.NaN, null, Number.NaN]],
    ])
  })

  it('refuses the same quantile twice', async () => {
    await expect(instant(STORAGE, 'histogram_quantiles(h, "q", 0.5, 0.5)', 0, LATE)).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    )
  })
})

describe('observations of NaN', async () => {
  /** 2 of 10 observations are NaN. */
  const storage = await storageOf([series('n', {}, [{ ...TWO, count: 10, sum: Number.NaN }])])
  const inBuckets = await storageOf([series('n', {}, [{ ...TWO, sum: Number.NaN }])])

  it.each([
    [
      'histogram_quantile(0.9, n)',
      Number.NaN,
      'input to histogram_quantile has NaN observations, result is NaN',
    ],
    [
      'histogram_quantile(0.4, n)',
      2,
      'input to histogram_quantile has NaN observations, result is skewed higher',
    ],
    [
      'histogram_fraction(-Inf, +Inf, n)',
      0.8,
      'input to histogram_fraction has NaN observations, which are excluded from all fractions',
    ],
  ])('%s', async (query, value, text) => {
    const place = query.indexOf('n)') + 1
    for (const [features, name] of [
      [LATE, ' for metric name "n"'],
      [{}, ''],
    ] as const) {
      const result = await newEngine(features).instantQuery(storage, query, 0)
      expect(result.infos).toStrictEqual([`PromQL info: ${text}${name} (1:${place})`])
    }
    expect(await instant(storage, query, 0)).toStrictEqual([['{}', value]])
  })

  it('are told of only where there are any: a sum of +Inf and −Inf is NaN, too', async () => {
    const { infos } = await newEngine().instantQuery(inBuckets, 'histogram_quantile(0.9, n)', 0)
    expect(infos).toStrictEqual([])
  })
})
