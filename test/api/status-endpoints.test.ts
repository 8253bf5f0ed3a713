// Goal: all that is not a query has upstream's bytes, and is there when it should be. Method: each path through the
// whole front.
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { globalUrl } from '../../src/api/target-endpoints.ts'
import type { QueryService } from '../../src/query/request.ts'
import { logged, NOW_MS, startApi } from './fixture.ts'

const API = '/api/v1'
let app: FastifyInstance

beforeAll(async () => {
  app = await startApi()
})
afterAll(() => app.close())

const get = (url: string) => app.inject({ url })
const data = async (path: string) => {
  const { body } = await get(API + path)
  expect(body.startsWith('{"status":"success","data":')).toBe(true)
  return body.slice('{"status":"success","data":'.length, -1)
}

const FIRST_TARGET =
  '{"discoveredLabels":{"__address__":"127.0.0.1:9090","job":"self"},' +
  '"labels":{"instance":"127.0.0.1:9090","job":"self","odd":"a<b"},' +
  '"scrapePool":"self","scrapeUrl":"http://127.0.0.1:9090/metrics","globalUrl":"http://outside:9091/metrics",' +
  '"lastError":"","lastScrape":"2015-07-01T20:10:51.781Z","lastScrapeDuration":0.0125,"health":"up",' +
  '"scrapeInterval":"15s","scrapeTimeout":"1m30s"}'
const SECOND_TARGET =
  '{"discoveredLabels":{"__address__":"127.0.0.1:9090","job":"self"},' +
  '"labels":{"instance":"other:80","job":"zoo"},' +
  '"scrapePool":"zoo","scrapeUrl":"http://other:80/metrics","globalUrl":"http://other:80/metrics",' +
  '"lastError":"status \\u003c500\\u003e","lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,' +
  '"health":"unknown","scrapeInterval":"15s","scrapeTimeout":"1m30s"}'
const DROPPED = '{"discoveredLabels":{"__address__":"gone","job":"zoo"},"scrapePool":"zoo"}'

describe('targets', () => {
  const all = '{"self":0,"zoo":3}'
  it.each([
    ['', [FIRST_TARGET, SECOND_TARGET], [DROPPED], all],
    ['?state=ANY', [FIRST_TARGET, SECOND_TARGET], [DROPPED], all],
    ['?state=active', [FIRST_TARGET, SECOND_TARGET], [], 'null'],
    ['?state=dropped', [], [DROPPED], all],
    ['?state=other', [], [], 'null'],
    ['?scrapePool=self', [FIRST_TARGET], [], all],
  ])('%s', async (parameters, active, dropped, counts) => {
    expect(await data(`/targets${parameters}`)).toBe(
      `{"activeTargets":[${active}],"droppedTargets":[${dropped}],"droppedTargetCounts":${counts}}`,
    )
  })

  it('a filter in the body is not looked at', async () => {
    const response = await app.inject({
      method: 'POST',
      url: `${API}/targets`,
      payload: 'state=dropped',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(response.json().data.activeTargets).toHaveLength(2)
  })

  it('pools', async () => {
    expect(await data('/scrape_pools')).toBe('{"scrapePools":["self","zoo"]}')
  })

  // Where the target is, the port that this server listens on, and the link for people elsewhere.
  it.each([
    ['http://localhost:9090/a?b#c', 9090, 'https://outside/a?b#c'],
    ['http://[::1]:9100/metrics', 9090, 'http://outside:9100/metrics'],
    ['https://127.0.0.1:443/', undefined, 'https://outside:443/'],
    ['http://127.0.0.2:9090/', 9090, 'http://127.0.0.2:9090/'],
    ['http://localhost/metrics', 9090, 'http://localhost/metrics'],
  ])('link to %s', (url, port, link) => expect(globalUrl(url, 'https://outside/prometheus', port)).toBe(link))
})

describe('metadata', () => {
  const UP = '{"type":"counter","unit":"","help":"Ups \\u0026 downs."}'
  const SIZES = [
    '{"type":"gauge","unit":"bytes","help":"Size."}',
    '{"type":"unknown","unit":"","help":"Another size."}',
  ]
  const ALONE = '"alone":[{"type":"gauge","unit":"","help":""}]'
  it.each([
    ['', `{${ALONE},"size_bytes":[${SIZES}],"up_total":[${UP}]}`],
    ['?limit=1', `{"up_total":[${UP}]}`],
    ['?limit=0', '{}'],
    ['?limit=-1&metric=up_total', `{"up_total":[${UP}]}`],
    ['?limit_per_metric=1', `{${ALONE},"size_bytes":[${SIZES[0]}],"up_total":[${UP}]}`],
    ['?metric=nothing', '{}'],
  ])('%s', async (parameters, json) => expect(await data(`/metadata${parameters}`)).toBe(json))

  it('of targets', async () => {
    const first = '"target":{"instance":"127.0.0.1:9090","job":"self","odd":"a<b"}'
    const second = '"target":{"instance":"other:80","job":"zoo"}'
    expect(await data('/targets/metadata?metric=up_total')).toBe(
      `[${[first, second].map((t) => `{${t},"type":"counter","help":"Ups \\u0026 downs.","unit":""}`)}]`,
    )
    expect(await data('/targets/metadata?match_target={job="zoo"}&metric=alone')).toBe(
      `[{${second},"type":"gauge","help":"","unit":""}]`,
    )
    expect(JSON.parse(await data('/targets/metadata'))).toHaveLength(5)
    expect(JSON.parse(await data('/targets/metadata'))[0]).toMatchObject({ metric: 'up_total' })
    expect(JSON.parse(await data('/targets/metadata?limit=1'))).toHaveLength(2)
    expect(await data('/targets/metadata?metric=nothing')).toBe('[]')
  })

  it.each([
    ['/metadata?limit=x', 'limit must be a number'],
    ['/metadata?limit_per_metric=1.5', 'limit_per_metric must be a number'],
    ['/targets/metadata?limit=x', 'limit must be a number'],
    [
      '/targets/metadata?match_target={',
      'invalid parameter "match_target": 1:2: parse error: unexpected end of input inside braces',
    ],
  ])('refuses %s', async (path, error) => {
    const response = await get(API + path)
    expect(response.statusCode).toBe(400)
    expect(response.json()).toEqual({ status: 'error', errorType: 'bad_data', error })
  })
})

describe('status', () => {
  it('config, flags, build', async () => {
    expect(await data('/status/config')).toBe('{"yaml":"global:\\n  scrape_interval: \\u003c15s\\u003e\\n"}')
    expect(await data('/status/flags')).toBe('{"config.file":"a.yml","web.enable-lifecycle":"false"}')
    const build =
      '{"version":"3.14.0","revision":"r","branch":"main","buildUser":"u","buildDate":"d","goVersion":"node26"}'
    expect(await data('/status/buildinfo')).toBe(build)
    const version = await get('/version')
    expect(version.body).toBe(build)
  })

  it('runtime', async () => {
    expect(JSON.parse(await data('/status/runtimeinfo'))).toEqual({
      startTime: '1970-01-01T00:00:01Z',
      CWD: '/data',
      hostname: 'host',
      serverTime: new Date(NOW_MS).toISOString().replace('.000', ''),
      reloadConfigSuccess: true,
      lastConfigTime: '1970-01-01T00:00:02.5Z',
      corruptionCount: 0,
      goroutineCount: 4,
      GOMAXPROCS: expect.any(Number),
      GOMEMLIMIT: expect.any(Number),
      GOGC: '',
      GODEBUG: '',
      storageRetention: '15d',
    })
  })
})

describe('pages', () => {
  it('healthy and ready, also by HEAD', async () => {
    expect((await get('/-/healthy')).body).toBe('Prometheus Server is Healthy.\n')
    expect((await get('/-/ready')).body).toBe('Prometheus Server is Ready.\n')
    for (const url of ['/-/healthy', '/-/ready']) {
      const head = await app.inject({ method: 'HEAD', url })
      expect([head.statusCode, head.body]).toEqual([200, ''])
    }
  })

  it('the start page links to paths that work', async () => {
    const page = await get('/')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const links = [...page.body.matchAll(/href="([^"]+)"/g)].map((match) => match[1])
    expect(links.length).toBeGreaterThan(5)
    for (const link of links) expect((await get(`/${link}`)).statusCode, link).toBe(200)
  })

  it('own metrics, plain or compressed', async () => {
    const plain = await get('/metrics')
    expect(plain.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(plain.body).toContain('prometheus_build_info{')
    const gzip = await app.inject({ url: '/metrics', headers: { 'accept-encoding': 'gzip' } })
    expect(gzip.headers['content-encoding']).toBe('gzip')
  })
})

describe('reload', () => {
  const reload = (api: FastifyInstance, method: 'GET' | 'POST' | 'PUT' = 'POST') =>
    api.inject({ method, url: '/-/reload' })

  it('is forbidden unless enabled', async () => {
    const response = await reload(app)
    expect([response.statusCode, response.body]).toEqual([403, 'Lifecycle API is not enabled.'])
    const read = await reload(app, 'GET')
    expect([read.statusCode, read.body]).toEqual([405, 'Only POST or PUT requests allowed'])
  })

  it('reloads, or says why not', async () => {
    let reloads = 0
    let fault: Error | undefined
    const enabled = await startApi({
      isLifecycleEnabled: true,
      reload: async () => {
        reloads++
        if (fault !== undefined) throw fault
      },
    })
    for (const method of ['POST', 'PUT'] as const) {
      const response = await reload(enabled, method)
      expect([response.statusCode, response.body]).toEqual([200, ''])
    }
    expect((await reload(enabled, 'GET')).statusCode).toBe(405)
    expect(reloads).toBe(2)
    fault = new Error('a.yml:1:2: no such key')
    const response = await reload(enabled)
    expect([response.statusCode, response.body]).toEqual([
      500,
      'failed to reload config: a.yml:1:2: no such key\n',
    ])
    expect(logged.at(-1)).toContain('a.yml:1:2: no such key')
    await enabled.close()
  })
})

describe('before the storage is whole', () => {
  it('the API and readiness answer 503, the rest answers', async () => {
    let isStopping = false
    const early = await startApi({ isReady: () => false, isStopping: () => isStopping })
    for (const path of ['/api/v1/query?query=1', '/api/v1/status/flags', '/api/v1/targets', '/-/ready']) {
      const response = await early.inject({ url: path })
      expect([response.statusCode, response.body]).toEqual([503, 'Service Unavailable'])
      expect(response.headers['x-prometheus-stopping']).toBe('false')
    }
    isStopping = true
    const stopping = await early.inject({ method: 'OPTIONS', url: '/api/v1/query' })
    expect([stopping.statusCode, stopping.headers['x-prometheus-stopping']]).toEqual([503, 'true'])
    for (const path of ['/-/healthy', '/metrics', '/', '/version']) {
      expect((await early.inject({ url: path })).statusCode, path).toBe(200)
    }
    await early.close()
  })
})

describe('a route prefix', () => {
  it.each(['/prom', 'prom/', '/prom/'])('%s goes before all paths', async (routePrefix) => {
    const prefixed = await startApi({ routePrefix })
    const status = async (url: string) => (await prefixed.inject({ url })).statusCode
    expect(await status('/prom/api/v1/query?query=1')).toBe(200)
    expect(await status('/prom/-/healthy')).toBe(200)
    expect(await status('/prom/')).toBe(200)
    expect(await status('/api/v1/query?query=1')).toBe(404)
    for (const url of ['/', '/prom']) {
      const response = await prefixed.inject({ url })
      expect([response.statusCode, response.headers.location]).toEqual([302, '/prom/'])
    }
    const metrics = (await prefixed.inject({ url: '/prom/metrics' })).body
    expect(metrics).toContain('prometheus_http_requests_total{code="200",handler="/api/v1/query"} 1')
    await prefixed.close()
  })
})

describe('what is counted', () => {
  it('requests by code and handler, their time and size', async () => {
    const api = await startApi()
    await api.inject({ url: '/api/v1/label/a/values' })
    await api.inject({ url: '/api/v1/label/b/values' })
    await api.inject({ url: '/api/v1/label/b/values?limit=x' })
    await api.inject({ url: '/nowhere' })
    const { body } = await api.inject({ url: '/metrics' })
    for (const line of [
      'prometheus_http_requests_total{code="200",handler="/api/v1/label/:name/values"} 2',
      'prometheus_http_requests_total{code="400",handler="/api/v1/label/:name/values"} 1',
      'prometheus_http_requests_total{code="200",handler="/api/v1/series"} 0',
      'prometheus_http_request_duration_seconds_count{handler="/api/v1/label/:name/values"} 3',
      'prometheus_http_request_duration_seconds_bucket{le="0.1",handler="/api/v1/label/:name/values"} 3',
      'prometheus_http_response_size_bytes_bucket{le="100",handler="/api/v1/label/:name/values"} 2',
    ]) {
      expect(body).toContain(line)
    }
    expect(body).not.toContain('nowhere')
    await api.close()
  })

  it('the size of answers that go over a socket', async () => {
    const api = await startApi()
    const url = await api.listen({ host: '127.0.0.1', port: 0 })
    const { length } = await (await fetch(`${url}/-/healthy`)).text()
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toContain(`prometheus_http_response_size_bytes_sum{handler="/-/healthy"} ${length}\n`)
    await api.close()
  })
})

describe('a bug', () => {
  const failing = (run: QueryService['run']): QueryService => ({ run, close: async () => {} })

  it('of a handler is answered with 500 and logged', async () => {
    const api = await startApi({
      queryService: failing(() => Promise.reject(new TypeError('broken <part>'))),
    })
    const response = await api.inject({ url: '/api/v1/query?query=1' })
    expect(response.statusCode).toBe(500)
    expect(response.body).toBe(
      '{"status":"error","errorType":"internal","error":"broken \\u003cpart\\u003e"}',
    )
    expect(logged.at(-1)).toContain('broken <part>')
    await api.close()
  })

  it('met by a query is logged', async () => {
    const body = new Uint8Array(Buffer.from('{}'))
    const timings = { queueMs: 0, prepareMs: 0, evalMs: 0, sortMs: 0 }
    const response = {
      status: 422,
      body,
      timings,
      samplesQueryable: 0,
      samplesRead: 0,
      peakSamples: 0,
      fault: 'the stack of it',
    }
    const api = await startApi({ queryService: failing(async () => response) })
    expect((await api.inject({ url: '/api/v1/query?query=1' })).statusCode).toBe(422)
    expect(logged.at(-1)).toContain('the stack of it')
    await api.close()
  })
})
