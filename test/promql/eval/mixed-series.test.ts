// Goal: how selectors, ranges and subqueries read series with histograms and start timestamps, and how these are counted.
// Method: hand-worked rows on a few series, a sample a minute.
import { describe, expect, it } from 'vitest'
import type { EngineFeatures, QueryResult } from '../../../promql/engine.ts'
import { RANGE_KERNELS } from '../../../promql/eval/range.ts'
import { ABSENT, PRESENT_HISTOGRAM } from '../../../promql/value.ts'
import { MemoryStorage } from '../../../storage/memory-storage.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_STALE } from '../../../storage/model/sample.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { newEngine } from './fixture.ts'

const MINUTE = 60_000
/** Weight of `simple` as upstream counts: (168 + a span + a bucket + 8) / 16. */
const WEIGHT = 12

type Value = number | FloatHistogram | 'stale' | null

/** Start timestamps one minute before each sample where `hasStarts`. */
async function storageOf(series: Record<string, Value[]>, hasStarts = false): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ appendableWindowMs: Infinity, givesHintsBack: true })
  const appender = storage.appender()
  for (const [name, values] of Object.entries(series)) {
    const ref = appender.register(Labels.from({ __name__: name }))
    for (const [i, value] of values.entries()) {
      const t = i * MINUTE
      const st = hasStarts ? t - MINUTE / 2 : 0
      if (value === 'stale') appender.append(ref, t, 0, KIND_STALE)
      else if (typeof value === 'number') appender.append(ref, t, value, KIND_FLOAT, st)
      else if (value !== null) appender.appendHistogram(ref, t, value, KIND_FLOAT_HISTOGRAM, st)
    }
  }
  await appender.commit()
  return storage
}

const FEATURES: EngineFeatures = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  startTimestamps: true,
}

function atMinute(
  storage: MemoryStorage,
  query: string,
  minute: number,
  features = FEATURES,
): Promise<QueryResult> {
  return newEngine(features).instantQuery(storage, query, minute * MINUTE)
}

/** What the only series has at each minute: a value, or a histogram's count in brackets. */
async function minutes(storage: MemoryStorage, query: string, until: number, features = FEATURES) {
  const { value } = await newEngine(features).rangeQuery(storage, query, 0, until * MINUTE, MINUTE)
  if (value.type !== 'matrix') throw new Error(`expected a matrix, got ${value.type}`)
  if (value.series.length === 0) return []
  const [{ values, present, histograms }] = value.series
  return Array.from(values, (v, s) => {
    if (present[s] === ABSENT) return null
    return present[s] === PRESENT_HISTOGRAM ? [histograms[s]!.count] : v
  })
}

describe('an instant selector', () => {
  it('gives floats and histograms as they come, and ends at stale markers', async () => {
    const storage = await storageOf({ m: [1, simple(2), null, 'stale', 5] })
    expect(await minutes(storage, 'm', 4)).toEqual([1, [2], [2], null, 5])
    expect(await minutes(storage, 'timestamp(m)', 4)).toEqual([0, 60, 60, null, 240])
    expect(await minutes(storage, 'm offset 1m', 4)).toEqual([null, 1, [2], [2], null])
    expect(await minutes(storage, 'm @ 60', 2)).toEqual([[2], [2], [2]])
  })

  it('counts histograms by their weight', async () => {
    const storage = await storageOf({ m: [1, simple(2), null, simple(3)] })
    const { samples } = await newEngine().rangeQuery(storage, 'm', 0, 3 * MINUTE, MINUTE)
    expect(samples).toEqual({
      totalQueryableSamples: 1 + 3 * WEIGHT,
      samplesRead: 1 + 3 * WEIGHT,
      peakSamples: 1 + 3 * WEIGHT,
    })
  })
})

describe('a range selector', () => {
  it('counts the histograms of all windows, and those that are read', async () => {
    const storage = await storageOf({ m: [1, simple(2), simple(3), 4] })
    const { samples } = await newEngine().rangeQuery(storage, 'count_over_time(m[2m])', 0, 3 * MINUTE, MINUTE)
    expect(samples).toMatchObject({
      totalQueryableSamples: 1 + (1 + WEIGHT) + 2 * WEIGHT + (WEIGHT + 1),
      samplesRead: 2 + 2 * WEIGHT,
    })
  })

  it('that is the answer has all its samples, without stale markers', async () => {
    const storage = await storageOf({ m: [1, simple(2), 'stale', simple(3), 4] })
    const { value, samples } = await atMinute(storage, 'm[4m]', 4)
    if (value.type !== 'samples') throw new Error(value.type)
    const [{ t, v, histograms }] = value.series
    expect([...t]).toEqual([MINUTE, 3 * MINUTE, 4 * MINUTE])
    expect(histograms.map((histogram) => histogram?.count)).toEqual([2, 3, undefined])
    expect(v[2]).toBe(4)
    expect(samples.totalQueryableSamples).toBe(2 * WEIGHT + 1)
  })

  it('without histograms gives none', async () => {
    const storage = await storageOf({ m: [1, 'stale', 3] })
    const { value } = await atMinute(storage, 'm[5m]', 2)
    expect(value.type === 'samples' && [...value.series[0].v]).toEqual([1, 3])
    expect(value.type === 'samples' && value.series[0].histograms).toEqual([])
  })

  it('with a modifier has values at both ends', async () => {
    const storage = await storageOf({ m: [0, 60, 120, 180] })
    const at = async (query: string) => {
      const { value } = await newEngine(FEATURES).instantQuery(storage, query, 150_000)
      return (
        value.type === 'samples' && Array.from(value.series[0].t, (t, i) => [t / 1000, value.series[0].v[i]])
      )
    }
    expect(await at('m[1m] anchored')).toEqual([
      [90, 60],
      [120, 120],
      [150, 120],
    ])
    expect(await at('m[1m] smoothed')).toEqual([
      [90, 90],
      [120, 120],
      [150, 150],
    ])
    const mixed = await storageOf({ m: [1, simple(2)] })
    await expect(atMinute(mixed, 'm[1m] anchored', 1)).rejects.toThrow(
      'anchored modifier is not supported with histograms',
    )
  })
})

it.each([
  [
    'quantile_over_time((0.5), m[5m])',
    'PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m" (1:21)',
  ],
  [
    '1 + min_over_time((m[5m]))',
    'PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m" (1:20)',
  ],
  [
    '1 + min_over_time(m[5m:1m])',
    'PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m" (1:1)',
  ],
])("annotations of %s point where upstream's do", async (query, text) => {
  const { infos } = await atMinute(await storageOf({ m: [1, simple(2)] }), query, 1)
  expect(infos).toEqual([text])
})

it.each(Object.keys(RANGE_KERNELS))('%s has something to say of floats and histograms', async (name) => {
  const storage = await storageOf({ m: [1, 2, 3, simple(2), simple(3), simple(4), 4, 5] })
  const rest = { quantile_over_time: ['0.5, ', ''], predict_linear: ['', ', 60'] }[name] ?? ['', '']
  const factors = name === 'double_exponential_smoothing' ? ', 0.5, 0.5' : rest[1]
  const results = await minutes(storage, `${name}(${rest[0]}m[3m]${factors})`, 7)
  expect(results.some((result) => typeof result === 'number')).toBe(true)
})

describe('a subquery', () => {
  it('forgets what its histograms said of resets, but not that they are gauges', async () => {
    const counters = [simple(1), simple(3, 3, { counterResetHint: 'reset' }), simple(4)]
    const gauges = [1, 3, 4].map((count) => simple(count, count, { counterResetHint: 'gauge' }))
    const storage = await storageOf({ c: counters, g: gauges })
    expect(await minutes(storage, 'resets(c[10m])', 2)).toEqual([0, 1, 1])
    expect(await minutes(storage, 'resets(c[10m:1m])', 2)).toEqual([0, 0, 0])
    const { warnings } = await atMinute(storage, 'increase(g[10m:1m])', 2)
    expect(warnings).toEqual(['PromQL warning: this native histogram metric is not a counter: "g" (1:1)'])
  })

  it('counts the points of its result', async () => {
    const storage = await storageOf({ m: [1, simple(2), simple(3)] })
    const { samples } = await atMinute(storage, 'last_over_time(m[3m:1m])', 2)
    expect(samples).toMatchObject({ totalQueryableSamples: 1 + 2 * WEIGHT, samplesRead: 1 + 2 * WEIGHT })
  })
})

describe('smoothed instant selectors', () => {
  it('interpolate, carry on, and have nothing before the first sample', async () => {
    const storage = await storageOf({ m: [null, 10, null, 20, null] })
    expect(await minutes(storage, 'm smoothed', 4)).toEqual([null, 10, 15, 20, 20])
  })

  it('interpolate histograms, from 0 after a reset', async () => {
    const storage = await storageOf({ m: [simple(10), null, simple(20), null, simple(8)] })
    expect(await minutes(storage, 'm smoothed', 4)).toEqual([[10], [15], [20], [4], [8]])
  })

  it('warn of what does not go together', async () => {
    const mixed = await storageOf({ m: [1, null, simple(2)] })
    const { value, warnings } = await atMinute(mixed, 'm smoothed', 1)
    expect(value).toMatchObject({ series: [] })
    expect(warnings).toEqual([
      'PromQL warning: encountered a mix of histograms and floats for metric name "m" (1:1)',
    ])
    const schemas = await storageOf({ m: [simple(1), null, custom(2)] })
    expect((await atMinute(schemas, 'm smoothed', 1)).warnings).toHaveLength(1)
  })
})

describe('start timestamps', () => {
  it('are given by start_timestamp() of a bare selector', async () => {
    const storage = await storageOf({ m: [1, simple(2)] }, true)
    expect(await minutes(storage, 'start_timestamp(m)', 2)).toEqual([-30, 30, 30])
    expect(await minutes(storage, 'start_timestamp(m * 1)', 2)).toEqual([])
    expect(await minutes(storage, 'start_timestamp(m)', 2, { experimentalFunctions: true })).toEqual([])
    expect(await minutes(await storageOf({ m: [1] }), 'start_timestamp(m)', 0)).toEqual([0])
  })

  it('make a counter of each sample where rates look at them', async () => {
    const storage = await storageOf({ m_total: [5, 7, 9] }, true)
    // Each began anew half a minute before its time.
    expect(await minutes(storage, 'increase(m_total[1m])', 2)).toEqual([5, 7, 9])
    expect(await minutes(storage, 'increase(m_total[1m])', 2, {})).toEqual([])
    expect(await minutes(storage, 'resets(m_total[10m])', 2)).toEqual([0, 1, 2])
    expect(await minutes(storage, 'irate(m_total[2m])', 2)).toEqual([null, 7 / 60, 9 / 60])
  })
})
