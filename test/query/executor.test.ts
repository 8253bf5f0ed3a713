// Goal: a request becomes an answer, and every kind of failure its own status. Method: requests against plain
// storage in one thread, with the whole answer where it is short.
import { beforeAll, describe, expect, it } from 'vitest'
import { QueryExecutor } from '../../src/query/executor.ts'
import type { QueryRequest } from '../../src/query/request.ts'
import { InThreadQueryService } from '../../src/query/service.ts'
import { StorageError, type StorageErrorCode } from '../../storage/errors.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { Labels } from '../../storage/model/labels.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { attachStorage, FIXTURE_HANDLE } from './fixture-storage.ts'
import { bodyJson, bodyText, ENGINE, instant, range, series } from './requests.ts'

const executor = new QueryExecutor(ENGINE, attachStorage(FIXTURE_HANDLE, 0))
const notCanceled = new Int32Array(new SharedArrayBuffer(4))
const run = (request: QueryRequest) => executor.execute(request, { cancel: notCanceled, queueMs: 0 })

describe('queries', () => {
  it('instant', async () => {
    const response = await run(instant('fixture{i="1"} * 0.5'))
    expect(response.status).toBe(200)
    expect(bodyText(response)).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"i":"1"},"value":[60,"0.5"]}]}}',
    )
  })

  it('that are mistaken, with a hint', async () => {
    const response = await run(instant('rate(fixture)'))
    expect(response.status).toBe(400)
    expect(bodyJson(response)).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error:
        'invalid parameter "query": 1:6: parse error: expected type range vector in call to function "rate", got instant vector',
      hint: 'rate() needs a range: write rate(fixture[5m])',
    })
  })

  it('over what is lost say so, and others do not', async () => {
    const damage = [
      {
        place: 'wal',
        what: 'page 7 is damaged',
        series: ['a{}', 'b{}', 'c{}', 'd{}'],
        mint: 50_000,
        maxt: 60_000,
      },
      { place: 'state', what: 'the folder is gone' },
    ]
    const warningsOf = async (request: QueryRequest) =>
      bodyJson(await executor.execute(request, { cancel: notCanceled, queueMs: 0, damage })).warnings
    const lost =
      'wal: page 7 is damaged: samples from 1970-01-01T00:00:50.000Z to 1970-01-01T00:01:00.000Z ' +
      'of a{}, b{}, c{} and 1 more may be missing'
    const state = 'state: the folder is gone: samples from the beginning to the end may be missing'
    expect(await warningsOf(instant('fixture'))).toEqual([lost, state])
    expect(await warningsOf(range('max_over_time(fixture[1m] offset 1m)'))).toEqual([state])
    expect(await warningsOf(series(['fixture']))).toEqual([lost, state])
    expect(await warningsOf(series(['fixture'], { startMs: 0, endMs: 49_999 }))).toEqual([state])
    expect(bodyJson(await run(instant('fixture'))).warnings).toBeUndefined()
  })

  it('scalar and string', async () => {
    expect(bodyJson(await run(instant('1e21'))).data).toEqual({
      resultType: 'scalar',
      result: [60, '1000000000000000000000'],
    })
    expect(bodyJson(await run(instant('"x"'))).data).toEqual({ resultType: 'string', result: [60, 'x'] })
  })

  it('the samples of a range selector', async () => {
    expect(bodyJson(await run(instant('fixture{i="2"}[30s]'))).data).toEqual({
      resultType: 'matrix',
      result: [
        {
          metric: { __name__: 'fixture', i: '2' },
          values: [
            [45, '2'],
            [60, '2'],
          ],
        },
      ],
    })
  })

  it('range', async () => {
    expect(bodyText(await run(range('sum(fixture)')))).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":' +
        '[{"metric":{},"values":[[0,"10"],[30,"10"],[60,"10"]]}]}}',
    )
    expect(bodyJson(await run(range('1.5'))).data.result).toEqual([
      {
        metric: {},
        values: [
          [0, '1.5'],
          [30, '1.5'],
          [60, '1.5'],
        ],
      },
    ])
  })

  it('takes the step of a subquery that has none from the request', async () => {
    const counts = [10_000, 30_000].map(async (subqueryStepMs) => {
      const response = await run(instant('count_over_time(vector(1)[1m:])', { subqueryStepMs }))
      return bodyJson(response).data.result[0].value[1]
    })
    expect(await Promise.all(counts)).toEqual(['6', '2'])
  })

  it('a limit cuts series, with a warning', async () => {
    for (const request of [
      instant('fixture', { limit: 2 }),
      range('fixture', { limit: 2 }),
      instant('fixture[1m]', { limit: 2 }),
    ]) {
      const { data, warnings } = bodyJson(await run(request))
      expect(data.result).toHaveLength(2)
      expect(warnings).toEqual(['results truncated due to limit'])
    }
    const { data, warnings } = bodyJson(await run(instant('fixture', { limit: 5 })))
    expect(data.result).toHaveLength(5)
    expect(warnings).toBeUndefined()
    expect(bodyJson(await run(instant('1', { limit: 1 }))).warnings).toBeUndefined()
  })

  it('statistics', async () => {
    const { data, warnings } = bodyJson(
      await executor.execute(instant('fixture', { stats: 'true' }), { cancel: notCanceled, queueMs: 250 }),
    )
    expect(warnings).toBeUndefined()
    expect(Object.keys(data)).toEqual(['resultType', 'result', 'stats'])
    expect(Object.keys(data.stats.timings)).toEqual([
      'evalTotalTime',
      'resultSortTime',
      'queryPreparationTime',
      'innerEvalTime',
      'execQueueTime',
      'execTotalTime',
    ])
    expect(data.stats.timings.execQueueTime).toBe(0.25)
    expect(data.stats.timings.execTotalTime).toBeGreaterThan(0.25)
    expect(Object.keys(data.stats.samples)).toEqual(['totalQueryableSamples', 'samplesRead', 'peakSamples'])
    expect(data.stats.samples).toEqual({
      totalQueryableSamples: 5,
      samplesRead: 5,
      peakSamples: expect.any(Number),
    })
    expect(bodyJson(await run(instant('1', { stats: 'yes' }))).warnings).toEqual([
      'value "yes" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"',
    ])
  })

  it('statistics of each step, where the engine has them and all are asked for', async () => {
    const features = { ...ENGINE.features, perStepStats: true }
    const perStep = new QueryExecutor({ ...ENGINE, features }, attachStorage(FIXTURE_HANDLE, 0))
    const times = { startMs: 59_500, endMs: 60_500, stepMs: 500 }
    const samplesOf = async (by: QueryExecutor, stats: string) => {
      const request = range('fixture{i="2"} @ 60', { ...times, stats })
      return bodyJson(await by.execute(request, { cancel: notCanceled, queueMs: 0 })).data.stats.samples
    }
    const samples = await samplesOf(perStep, 'all')
    expect(Object.entries(samples)).toEqual([
      [
        'totalQueryableSamplesPerStep',
        [
          [59.5, 1],
          [60, 1],
          [60.5, 1],
        ],
      ],
      ['totalQueryableSamples', 3],
      [
        'samplesReadPerStep',
        [
          [59.5, 1],
          [60, 0],
          [60.5, 0],
        ],
      ],
      ['samplesRead', 1],
      ['peakSamples', expect.any(Number)],
    ])
    const sums = ['totalQueryableSamples', 'samplesRead', 'peakSamples']
    expect(Object.keys(await samplesOf(perStep, 'true'))).toEqual(sums)
    expect(Object.keys(await samplesOf(executor, 'all'))).toEqual(sums)
  })

  it('measures', async () => {
    const response = await executor.execute(range('fixture'), { cancel: notCanceled, queueMs: 5 })
    expect(response.timings.queueMs).toBe(5)
    expect(response.timings.evalMs).toBeGreaterThan(0)
    expect(response.samplesQueryable).toBe(15)
    expect(response.samplesRead).toBe(15)
  })
})

describe('labels', () => {
  it('series, united over selectors and sorted', async () => {
    expect(bodyText(await run(series(['fixture{i="3"}', 'fixture{i=~"[13]"}'])))).toBe(
      '{"status":"success","data":[{"__name__":"fixture","i":"1"},{"__name__":"fixture","i":"3"}]}',
    )
    expect(bodyText(await run(series(['{x="nothing"}'])))).toBe('{"status":"success","data":[]}')
    expect(bodyJson(await run(series(['fixture'], { startMs: 61_000, endMs: 70_000 }))).data).toEqual([])
  })

  it('a limit, with a warning', async () => {
    const all = [0, 1, 2, 3, 4].map((i) => ({ __name__: 'fixture', i: String(i) }))
    expect(bodyJson(await run(series(['fixture'], { limit: 2 })))).toEqual({
      status: 'success',
      data: all.slice(0, 2),
      warnings: ['results truncated due to limit'],
    })
    expect(bodyJson(await run(series(['fixture{i="4"}', 'fixture{i!="4"}'], { limit: 5 })))).toEqual({
      status: 'success',
      data: all,
    })
    expect(bodyJson(await run(series(['fixture{i="4"}', 'fixture{i!="4"}'], { limit: 4 }))).data).toEqual(
      all.slice(0, 4),
    )
  })

  it('names and values', async () => {
    const window = { startMs: 0, endMs: 60_000, limit: 0 }
    expect(bodyText(await run({ kind: 'labelNames', selectors: [], ...window }))).toBe(
      '{"status":"success","data":["__name__","i"]}',
    )
    const values: QueryRequest = { kind: 'labelValues', name: 'i', selectors: [], ...window }
    expect(bodyJson(await run(values)).data).toEqual(['0', '1', '2', '3', '4'])
    const selectors = ['fixture{i="4"}', '{i=~"[24]"}']
    expect(bodyJson(await run({ ...values, selectors })).data).toEqual(['2', '4'])
    expect(bodyJson(await run({ ...values, limit: 3 }))).toEqual({
      status: 'success',
      data: ['0', '1', '2'],
      warnings: ['results truncated due to limit'],
    })
    expect(bodyJson(await run({ ...values, name: 'absent' })).data).toEqual([])
  })
})

describe('failures', () => {
  const names: QueryRequest = { kind: 'labelNames', selectors: ['{'], startMs: 0, endMs: 1, limit: 0 }
  it.each<[QueryRequest, number, string, string]>([
    [
      instant('sum('),
      400,
      'bad_data',
      'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
    ],
    [
      instant(''),
      400,
      'bad_data',
      'invalid parameter "query": unknown position: parse error: no expression found in input',
    ],
    [
      range('fixture[1m]'),
      400,
      'bad_data',
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    ],
    [
      series(['{']),
      400,
      'bad_data',
      'invalid parameter "match[]": 1:2: parse error: unexpected end of input inside braces',
    ],
    [names, 400, 'bad_data', '1:2: parse error: unexpected end of input inside braces'],
    [
      { ...names, selectors: ['{a=""}'] },
      400,
      'bad_data',
      'match[] must contain at least one non-empty matcher',
    ],
    [
      series(['fixture', '{a=~".*"}']),
      400,
      'bad_data',
      'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    ],
    [instant('fixture', { timeoutMs: 0 }), 503, 'timeout', 'query timed out in query execution'],
  ])('%j', async (request, status, errorType, error) => {
    const response = await run(request)
    expect(bodyJson(response)).toMatchObject({ status: 'error', errorType, error })
    expect(response.status).toBe(status)
    expect(response.fault).toBeUndefined()
  })

  it('tells what a query had taken until it failed, and nothing where it was not run', async () => {
    const small = new QueryExecutor({ ...ENGINE, maxSamples: 3 }, attachStorage(FIXTURE_HANDLE, 0))
    const failed = await small.execute(range('rate(fixture[1m])'), { cancel: notCanceled, queueMs: 7 })
    expect(failed.error).toBe('query processing would load too many samples into memory in query execution')
    expect(failed.timings.queueMs).toBe(7)
    expect(failed.timings.prepareMs).toBeGreaterThan(0)
    expect(failed.timings.evalMs).toBeGreaterThan(0)
    const bug = await run(instant('bug'))
    expect(bug.error).toBe('unexpected error: nobody expects this')
    for (const request of [instant('sum('), range('fixture[1m]'), instant('fixture[1m] offset (0 / 0)')]) {
      const response = await run(request)
      expect(response.status, request.query).toBe(400)
      expect(response.error, request.query).toBeUndefined()
    }
  })

  it('too many samples', async () => {
    const small = new QueryExecutor({ ...ENGINE, maxSamples: 3 }, attachStorage(FIXTURE_HANDLE, 0))
    const response = await small.execute(instant('fixture'), { cancel: notCanceled, queueMs: 0 })
    expect(response.status).toBe(422)
    expect(bodyJson(response)).toMatchObject({
      status: 'error',
      errorType: 'execution',
      error: 'query processing would load too many samples into memory in query execution',
    })
  })

  it('time used up in the queue', async () => {
    const response = await executor.execute(instant('fixture', { timeoutMs: 100 }), {
      cancel: notCanceled,
      queueMs: 101,
    })
    expect(response.status).toBe(503)
  })

  it('a canceled query', async () => {
    const canceled = new Int32Array(new SharedArrayBuffer(4)).fill(1)
    for (const request of [instant('fixture'), range('rate(fixture[1m])'), series(['fixture'])]) {
      const response = await executor.execute(request, { cancel: canceled, queueMs: 0 })
      expect(response.status).toBe(499)
      expect(bodyJson(response).errorType).toBe('canceled')
    }
  })

  it('a bug is answered, and handed over with its stack', async () => {
    const response = await run(instant('bug'))
    expect(response.status).toBe(422)
    expect(bodyJson(response).error).toBe('unexpected error: nobody expects this')
    expect(response.fault).toContain('fixture-storage.ts')
  })

  it.each<[StorageErrorCode, number, string]>([
    ['NOT_READY', 503, 'unavailable'],
    ['CLOSED', 503, 'unavailable'],
    ['CORRUPTION', 422, 'execution'],
  ])('storage that is %s', async (code, status, errorType) => {
    const fail = () => {
      throw new StorageError(code, 'of storage')
    }
    const broken = new QueryExecutor(ENGINE, { querier: fail, headStatus: fail })
    for (const request of [
      instant('fixture'),
      series(['fixture']),
      { kind: 'headStatus', limit: 1 } as const,
    ]) {
      const response = await broken.execute(request, { cancel: notCanceled, queueMs: 0 })
      expect(response.status).toBe(status)
      expect(bodyJson(response).errorType).toBe(errorType)
    }
  })
})

describe('a service in the same thread', () => {
  let storage: MemoryStorage
  beforeAll(async () => {
    storage = new MemoryStorage()
    const appender = storage.appender()
    appender.append(appender.register(Labels.from({ __name__: 'a' })), 60_000, 1, KIND_FLOAT)
    await appender.commit()
  })

  it('answers, and cancels by signal', async () => {
    const service = new InThreadQueryService(executor)
    expect((await service.run(instant('fixture'))).status).toBe(200)
    expect((await service.run(instant('fixture'), AbortSignal.abort())).status).toBe(499)
    const controller = new AbortController()
    const slow = service.run(instant('sleepy'), controller.signal)
    controller.abort()
    expect((await slow).status).toBe(499)
  })

  it('sees what is written meanwhile, and nothing once it is closed', async () => {
    const service = new InThreadQueryService(new QueryExecutor(ENGINE, storage))
    expect(bodyJson(await service.run(instant('a'))).data.result).toHaveLength(1)
    await service.close()
    expect((await service.run(instant('a'))).status).toBe(503)
  })
})
