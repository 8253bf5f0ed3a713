// Goal: the query log has upstream's lines, of the queries that upstream logs, and no trouble with it troubles a query.
// Method: a service with given answers in front of real files; /dev/full for a disk that takes nothing.
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LoggedQueryService } from '../../src/query/query-log.ts'
import type { QueryOrigin, QueryRequest, QueryResponse } from '../../src/query/request.ts'
import { canceledResponse, errorResponse, executionFailure } from '../../src/query/response.ts'
import { createLogger } from '../../src/telemetry/log.ts'
import { answer, instant, range, series } from './requests.ts'

const ANSWER = answer({ queueMs: 1, prepareMs: 2, evalMs: 3, sortMs: 4 })

const ORIGIN: QueryOrigin = {
  clientIp: '127.0.0.1',
  method: 'GET',
  path: '/api/v1/query_range',
  headers: { 'user-agent': 'x' },
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-query-log-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

class Fixture {
  readonly registry = new Registry()
  readonly logged: string[] = []
  answer: QueryResponse = ANSWER
  readonly service = new LoggedQueryService(
    { run: async () => this.answer, close: async () => {} },
    this.registry,
    createLogger({
      level: 'info',
      format: 'logfmt',
      destination: { write: (line) => this.logged.push(line) },
    }),
  )

  async metric(name: string): Promise<string> {
    return (await this.registry.getSingleMetricAsString(`prometheus_engine_query_log_${name}`)).split('\n')[2]
  }

  run(request: QueryRequest, answer: QueryResponse, origin?: QueryOrigin): Promise<QueryResponse> {
    this.answer = answer
    return this.service.run(request, undefined, origin)
  }
}

const lines = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1)
const queries = (path: string) => lines(path).map((line) => JSON.parse(line).params.query as string)

describe('the query log', () => {
  it('has a line for each query, as upstream writes it', async () => {
    const path = join(folder, 'lines')
    const fixture = new Fixture()
    await fixture.service.setFile(path)
    await fixture.run(range('rate(a["5m"])\n', { stepMs: 15_900, endMs: 3_600_000 }), ANSWER, ORIGIN)
    await fixture.run(instant('b', { timeMs: 1_767_366_245_678 }), ANSWER)
    await fixture.run(instant('c'), { ...executionFailure('too much', 1), peakSamples: 9 }, ORIGIN)
    await fixture.service.close()
    const [first, second, third] = lines(path)
    const time = /^\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(first)![1]
    const source = '"level":"INFO","source":"query/query-log.ts","msg":"promql query logged"'
    const timings =
      '{"evalTotalTime":0.009,"resultSortTime":0.004,"queryPreparationTime":0.002,"innerEvalTime":0.003,"execQueueTime":0.001,"execTotalTime":0.01}'
    const samples = '{"totalQueryableSamples":30,"samplesRead":20,"peakSamples":10}'
    const ids = '"spanID":"0000000000000000","traceID":"00000000000000000000000000000000"'
    expect(first).toBe(
      `{"time":"${time}",${source},"params":{"end":"1970-01-01T01:00:00.000Z","query":"rate(a[\\"5m\\"])\\n","start":"1970-01-01T00:00:00.000Z","step":15},"stats":{"timings":${timings},"samples":${samples}},${ids},"httpRequest":{"clientIP":"127.0.0.1","method":"GET","path":"/api/v1/query_range"}}`,
    )
    expect(JSON.parse(second)).toMatchObject({
      params: { query: 'b', start: '2026-01-02T15:04:05.678Z', end: '2026-01-02T15:04:05.678Z', step: 0 },
    })
    expect(Object.keys(JSON.parse(second))).not.toContain('httpRequest')
    expect(Object.keys(JSON.parse(third))).toEqual(
      'time level source msg params error stats spanID traceID httpRequest'.split(' '),
    )
    expect(JSON.parse(third)).toMatchObject({
      error: 'too much',
      stats: { timings: { execQueueTime: 0.001, execTotalTime: 0.001 }, samples: { peakSamples: 9 } },
    })
  })

  it('has no line for what was not run, nor for label queries', async () => {
    const path = join(folder, 'not-run')
    const fixture = new Fixture()
    await fixture.service.setFile(path)
    const parseError = errorResponse('bad_data', 'parse error')
    expect(await fixture.run(instant('a'), parseError)).toBe(parseError)
    await fixture.run(instant('b'), canceledResponse())
    await fixture.run(series(['c']), ANSWER)
    await fixture.run(instant('d'), ANSWER)
    await fixture.service.close()
    expect(queries(path)).toEqual(['d'])
  })

  it('prints times of all years that a query can name', async () => {
    const path = join(folder, 'years')
    const fixture = new Fixture()
    await fixture.service.setFile(path)
    const rows = [
      [253_402_300_799_999, '9999-12-31T23:59:59.999Z'],
      [253_402_300_800_000, '10000-01-01T00:00:00.000Z'],
      [-62_167_219_200_001, '-0001-12-31T23:59:59.999Z'],
      [Number.MAX_SAFE_INTEGER, '287396-10-12T08:59:00.991Z'],
      [Number.MIN_SAFE_INTEGER, '-283457-03-21T15:00:59.009Z'],
    ] as const
    for (const [timeMs] of rows) await fixture.run(instant('a', { timeMs }), ANSWER)
    await fixture.service.close()
    expect(lines(path).map((line) => JSON.parse(line).params.start)).toEqual(rows.map(([, text]) => text))
  })

  it('is opened anew at each setting, so that it can be rotated, and closed when it is set to none', async () => {
    const path = join(folder, 'rotated')
    const fixture = new Fixture()
    expect(await fixture.metric('enabled')).toBe('prometheus_engine_query_log_enabled 0')
    await fixture.run(instant('a'), ANSWER)
    await fixture.service.setFile(path)
    expect(await fixture.metric('enabled')).toBe('prometheus_engine_query_log_enabled 1')
    await fixture.run(instant('b'), ANSWER)
    renameSync(path, `${path}.1`)
    await fixture.run(instant('c'), ANSWER)
    await fixture.service.setFile(path)
    await fixture.run(instant('d'), ANSWER)
    await fixture.service.setFile('')
    await fixture.run(instant('e'), ANSWER)
    expect(await fixture.metric('enabled')).toBe('prometheus_engine_query_log_enabled 0')
    expect(queries(`${path}.1`)).toEqual(['b', 'c'])
    expect(queries(path)).toEqual(['d'])
    expect(await fixture.metric('failures_total')).toBe('prometheus_engine_query_log_failures_total 0')
    expect(fixture.logged).toEqual([])
  })

  it('stays what it was when another file cannot be opened', async () => {
    const path = join(folder, 'stays')
    const fixture = new Fixture()
    await fixture.service.setFile(path)
    const nowhere = fixture.service.setFile(join(folder, 'none', 'f'))
    await expect(nowhere).rejects.toThrow("can't create json log file: ENOENT")
    await fixture.run(instant('a'), ANSWER)
    await fixture.service.close()
    expect(queries(path)).toEqual(['a'])
  })

  it('counts lines that the disk does not take, and says so once', async () => {
    const fixture = new Fixture()
    await fixture.service.setFile('/dev/full')
    for (const query of ['a', 'b', 'c']) expect(await fixture.run(instant(query), ANSWER)).toBe(ANSWER)
    await fixture.service.close()
    expect(await fixture.metric('failures_total')).toBe('prometheus_engine_query_log_failures_total 3')
    expect(fixture.logged).toHaveLength(1)
    expect(fixture.logged[0]).toMatch(/level=ERROR .*can't log query.* file=\/dev\/full err="ENOSPC/)
  })
})
