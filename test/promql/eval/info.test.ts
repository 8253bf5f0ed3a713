// Goal: info() joins labels of info series as they come and go, at the times its vector looks at.
// Method: hand-worked grids, a sample a minute; every rule of the join, and each error.
import { describe, expect, it } from 'vitest'
import type { EngineFeatures } from '../../../promql/engine.ts'
import { simple } from '../histogram/random-histogram.ts'
import { newEngine, range, series, storageOf } from './fixture.ts'

const MINUTE = 60_000
const FEATURES: EngineFeatures = { experimentalFunctions: true }

const TARGET = { instance: 'a', job: 'j' }
const STORAGE = await storageOf([
  series('m', TARGET, [1, 2, 3, 4]),
  series('m', { instance: 'b', job: 'j' }, [5, 6, 7, 8]),
  series('m', { other: 'x' }, [9, 9, 9, 9]),
  series('target_info', { ...TARGET, version: '1', zone: 'z' }, [1, 1, 'stale', null]),
  series('target_info', { ...TARGET, version: '2' }, [null, null, 1, 1]),
  series('build_info', { ...TARGET, commit: 'c' }, [1, 1, 1, 1]),
])

function run(query: string, minutes = 3, storage = STORAGE) {
  return range(storage, query, minutes * MINUTE, FEATURES)
}

const M_A = '__name__="m", '
const B = ['{__name__="m", instance="b", job="j"}', [5, 6, 7, 8]]
const OTHER = ['{__name__="m", other="x"}', [9, 9, 9, 9]]

describe('info', () => {
  it('adds the labels of target_info, which change with time', async () => {
    expect(await run('info(m)')).toStrictEqual([
      [`{${M_A}instance="a", job="j", version="1", zone="z"}`, [1, 2, null, null]],
      [`{${M_A}instance="a", job="j", version="2"}`, [null, null, 3, 4]],
      B,
      OTHER,
    ])
  })

  it('adds only what its selector names, and keeps only what passes', async () => {
    expect(await run('info(m, {zone=~".+"})')).toStrictEqual([
      [`{${M_A}instance="a", job="j", zone="z"}`, [1, 2, null, null]],
    ])
    expect(await run('info(m, {zone=~".*"})')).toStrictEqual([
      [`{${M_A}instance="a", job="j"}`, [null, null, 3, 4]],
      [`{${M_A}instance="a", job="j", zone="z"}`, [1, 2, null, null]],
      B,
      OTHER,
    ])
  })

  it('takes info metrics by name, several at once', async () => {
    const rows = await run('info(m{instance="a"}, {__name__=~".+_info"})')
    expect(rows.map(([labels]) => labels)).toStrictEqual([
      `{${M_A}commit="c", instance="a", job="j", version="1", zone="z"}`,
      `{${M_A}commit="c", instance="a", job="j", version="2"}`,
    ])
    expect(await run('info(m{instance="a"}, {__name__!="target_info"})')).toStrictEqual([
      [`{${M_A}commit="c", instance="a", job="j"}`, [1, 2, 3, 4]],
    ])
  })

  it('leaves info series themselves as they are', async () => {
    expect(await run('info(build_info, {__name__="build_info"})')).toStrictEqual([
      ['{__name__="build_info", commit="c", instance="a", job="j"}', [1, 1, 1, 1]],
    ])
  })

  it('keeps labels of the vector', async () => {
    const storage = await storageOf([
      series('m', { ...TARGET, version: 'own' }, [1]),
      series('target_info', { ...TARGET, version: '1' }, [1]),
    ])
    expect(await run('info(m)', 0, storage)).toStrictEqual([
      ['{__name__="m", instance="a", job="j", version="own"}', [1]],
    ])
  })

  it('looks at the times that its vector looks at', async () => {
    const labels = (version: string) => `{${M_A}instance="a", job="j", version="${version}"`
    expect(await run('info(m{instance="a"} @ 0)')).toStrictEqual([
      [`${labels('1')}, zone="z"}`, [1, 1, 1, 1]],
    ])
    expect(await run('info(m{instance="a"} offset 1m)')).toStrictEqual([
      [`${labels('1')}, zone="z"}`, [null, 1, 2, null]],
      [`${labels('2')}}`, [null, null, null, 3]],
    ])
    expect(await run('info(last_over_time((m{instance="a"} offset 1m)[5m:1m] @ 120))')).toStrictEqual([
      [`${labels('1')}, zone="z"}`, [2, 2, 2, 2]],
    ])
    expect(
      await run('info(sum by (instance, job) (m{instance="a"} offset -1m), {version=~".+"})', 2),
    ).toStrictEqual([
      ['{instance="a", job="j", version="1"}', [2, null, null]],
      ['{instance="a", job="j", version="2"}', [null, 3, 4]],
    ])
  })

  it('takes the newest of several info series, where they still overlap', async () => {
    const storage = await storageOf([
      series('m', TARGET, [1, 1, 1]),
      series('target_info', { ...TARGET, version: '1' }, [1, null, null]),
      series('target_info', { ...TARGET, version: '2' }, [null, 1, null]),
    ])
    expect(await run('info(m)', 2, storage)).toStrictEqual([
      [`{${M_A}instance="a", job="j", version="1"}`, [1, null, null]],
      [`{${M_A}instance="a", job="j", version="2"}`, [null, 1, 1]],
    ])
  })

  it('keeps histograms', async () => {
    const storage = await storageOf([
      series('m', TARGET, [simple(3)]),
      series('target_info', { ...TARGET, version: '1' }, [1]),
    ])
    expect(await run('histogram_count(info(m))', 0, storage)).toStrictEqual([
      ['{instance="a", job="j", version="1"}', [3]],
    ])
  })
})

describe('info refuses', () => {
  const failure = async (storage: Awaited<ReturnType<typeof storageOf>>, query: string) => {
    const run = newEngine(FEATURES).instantQuery(storage, query, 0)
    return run.then(
      () => 'no error',
      (error: Error) => error.message,
    )
  }

  it('two info series as new', async () => {
    const storage = await storageOf([
      series('m', TARGET, [1]),
      series('target_info', { ...TARGET, version: '1' }, [1]),
      series('target_info', { ...TARGET, version: '2' }, [1]),
    ])
    expect(await failure(storage, 'info(m)')).toBe(
      'found duplicate series for info metric: ' +
        'existing {__name__="target_info", instance="a", job="j", version="1"} @ 0, ' +
        'new {__name__="target_info", instance="a", job="j", version="2"} @ 0',
    )
    // Nothing to join, nothing to refuse.
    expect(await failure(storage, 'info(m offset -1h)')).toBe('no error')
  })

  it('info metrics that contradict each other', async () => {
    const storage = await storageOf([
      series('m', TARGET, [1]),
      series('a_info', { ...TARGET, version: '1' }, [1]),
      series('b_info', { ...TARGET, version: '2' }, [1]),
    ])
    expect(await failure(storage, 'info(m, {__name__=~".+_info"})')).toBe('conflicting label: version')
  })

  it('info metrics with histograms, of targets that it looks at', async () => {
    const storage = await storageOf([
      series('m', TARGET, [1]),
      series('h', TARGET, [simple(1)]),
      series('k', { ...TARGET, instance: 'b' }, [simple(1)]),
    ])
    expect(await failure(storage, 'info(m, {__name__="h"})')).toBe(
      'this should be an info metric, with float samples: {__name__="h", instance="a", job="j"}',
    )
    expect(await failure(storage, 'info(m, {__name__="k"})')).toBe('no error')
  })
})
