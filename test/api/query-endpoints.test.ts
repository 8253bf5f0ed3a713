// Goal: the query endpoints take and refuse parameters as upstream does. Method: each call through the whole front,
// with the whole answer.
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { QueryRequest, QueryService } from '../../src/query/request.ts'
import { errorResponse } from '../../src/query/response.ts'
import { startApi } from './fixture.ts'

const API = '/api/v1'
let app: FastifyInstance

beforeAll(async () => {
  app = await startApi()
})
afterAll(() => app.close())

const get = (url: string) => app.inject({ url: API + url })
const post = (url: string, payload: string, type = 'application/x-www-form-urlencoded') =>
  app.inject({ method: 'POST', url: API + url, payload, headers: { 'content-type': type } })

describe('answers', () => {
  // The answer to one path, however the parameters get there.
  it.each<[string, string, string]>([
    ['/query', 'query=1', '{"resultType":"scalar","result":[60,"1"]}'],
    [
      '/query',
      'query=fixture%7Bi%3D%221%22%7D&time=31.5',
      '{"resultType":"vector","result":[{"metric":{"__name__":"fixture","i":"1"},"value":[31.500,"1"]}]}',
    ],
    [
      '/query',
      'query=fixture%7Bi%3D%221%22%7D&time=90&lookback_delta=20s',
      '{"resultType":"vector","result":[]}',
    ],
    [
      '/query_range',
      'query=sum(fixture)&start=0&end=1970-01-01T00:00:30Z&step=15s',
      '{"resultType":"matrix","result":[{"metric":{},"values":[[0,"10"],[15,"10"],[30,"10"]]}]}',
    ],
    [
      '/series',
      'match[]=fixture{i="1"}&match[]=fixture{i="0"}&start=0&end=60',
      '[{"__name__":"fixture","i":"0"},{"__name__":"fixture","i":"1"}]',
    ],
    ['/series', 'match%5B%5D=nothing', '[]'],
    ['/format_query', 'query=sum(fixture)by(i)', '"sum by (i) (fixture)"'],
    ['/labels', '', '["__name__","i"]'],
    ['/labels', 'match[]=nothing', '[]'],
    ['/labels', 'start=100&end=200', '[]'],
    ['/label/i/values', 'match[]=fixture{i=~"[13]"}', '["1","3"]'],
    ['/label/U______name____/values', '', '["fixture"]'],
  ])('%s?%s', async (path, parameters, data) => {
    for (const response of [await get(`${path}?${parameters}`), await post(path, parameters)]) {
      expect(response.body).toBe(`{"status":"success","data":${data}}`)
      expect(response.statusCode).toBe(200)
      expect(response.headers['content-type']).toBe('application/json')
      expect(response.headers['content-length']).toBe(String(response.body.length))
      expect(response.headers.vary).toBe('Accept-Encoding, Origin')
    }
  })

  it('a limit, with its warning', async () => {
    expect((await get('/label/i/values?limit=2')).body).toBe(
      '{"status":"success","data":["0","1"],"warnings":["results truncated due to limit"]}',
    )
  })

  it('the health check of Grafana', async () => {
    expect((await get('/query?query=1%2B1&time=4')).json().data.result).toEqual([4, '2'])
  })
})

describe('where parameters come from', () => {
  it('the body goes before the URL, lists are joined', async () => {
    const one = await post(
      '/query?query=2&time=5',
      'query=1',
      'application/x-www-form-urlencoded; charset=UTF-8',
    )
    expect(one.json().data.result).toEqual([5, '1'])
    const both = await post('/series?match[]=fixture{i="4"}', 'match[]=fixture{i="3"}')
    expect(both.json().data).toHaveLength(2)
  })

  it('a form of several parts', async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n1+1\r\n--b--\r\n'
    expect((await post('/query', body, 'multipart/form-data; boundary=b')).json().data.result).toEqual([
      60,
      '2',
    ])
    const broken = await post('/query', 'nonsense', 'multipart/form-data; boundary=b')
    expect(broken.statusCode).toBe(400)
    expect(broken.json().errorType).toBe('bad_data')
  })

  it('a body of another type is not looked at', async () => {
    const response = await post('/query?query=1', '{"query":"2"}', 'application/json')
    expect(response.json().data.result).toEqual([60, '1'])
    const empty = await app.inject({ method: 'POST', url: `${API}/query?query=1` })
    expect(empty.json().data.result).toEqual([60, '1'])
  })

  it('a body that is too large is refused in a way that Grafana shows', async () => {
    const response = await post('/query', `query=${'1'.repeat(11 * 2 ** 20)}`)
    expect(response.body).toBe(
      '{"status":"error","errorType":"bad_data","error":"error parsing form values: http: POST too large"}',
    )
    expect(response.statusCode).toBe(400)
  })

  it('a query of megabytes is none of it', async () => {
    const text = 'x'.repeat(5 * 2 ** 20)
    expect((await post('/query', `query="${text}"`)).json().data.result).toEqual([60, text])
  })

  it('a query nested too deeply for the stack is answered', async () => {
    const response = await post('/query', `query=${'('.repeat(1e6)}`)
    expect([400, 422]).toContain(response.statusCode)
    expect(response.json().status).toBe('error')
    expect((await get('/query?query=1')).statusCode).toBe(200)
  })
})

describe('what is refused', () => {
  const STEP = 'zero or negative query resolution step widths are not accepted. Try a positive integer'
  it.each([
    ['/query', 'invalid parameter "query": unknown position: parse error: no expression found in input'],
    ['/query?query=sum(', 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'],
    [
      '/query?query=1&time=x',
      `invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp`,
    ],
    ['/query?query=1&limit=x', 'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax'],
    ['/query?query=1&limit=-1&time=x', 'invalid parameter "limit": limit must be non-negative'],
    ['/query?query=1&timeout=x', 'invalid parameter "timeout": cannot parse "x" to a valid duration'],
    [
      '/query?query=1&timeout=1e10',
      'invalid parameter "timeout": cannot parse "1e10" to a valid duration. It overflows int64',
    ],
    [
      '/query?query=1&lookback_delta=x',
      'error parsing lookback delta duration: cannot parse "x" to a valid duration',
    ],
    ['/query_range?query=1', 'invalid parameter "start": cannot parse "" to a valid timestamp'],
    ['/query_range?query=1&start=1&end=<', 'invalid parameter "end": cannot parse "<" to a valid timestamp'],
    [
      '/query_range?query=1&start=2&end=1&step=1',
      'invalid parameter "end": end timestamp must not be before start time',
    ],
    ['/query_range?query=1&start=1&end=2&step=0', `invalid parameter "step": ${STEP}`],
    [
      '/query_range?query=1&start=1&end=2&step=x',
      'invalid parameter "step": cannot parse "x" to a valid duration',
    ],
    [
      '/query_range?query=1&start=0&end=11001&step=1',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ],
    ['/series', 'no match[] parameter provided'],
    ['/series?match[]=%zz', 'error parsing form values: invalid URL escape "%zz"'],
    ['/series?match[]=up;a=b', 'error parsing form values: invalid semicolon separator in query'],
    [
      '/series?match[]={',
      'invalid parameter "match[]": 1:2: parse error: unexpected end of input inside braces',
    ],
    [
      '/series?match[]={a=""}',
      'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    ],
    ['/labels?match[]={', '1:2: parse error: unexpected end of input inside braces'],
    [
      '/labels?start=x',
      `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`,
    ],
    [
      '/label/i/values?end=x',
      `invalid parameter "end": invalid time value for 'end': cannot parse "x" to a valid timestamp`,
    ],
    ['/label/U__/values', 'invalid label name: ""'],
  ])('%s', async (url, error) => {
    const response = await get(url)
    expect(response.json()).toMatchObject({ status: 'error', errorType: 'bad_data', error })
    expect(response.statusCode).toBe(400)
    expect(response.headers['content-type']).toBe('application/json')
  })

  it('with what HTML would read escaped', async () => {
    expect((await get('/query?query=1&time=<')).body).toContain('cannot parse \\"\\u003c\\" to')
  })
})

describe('a call that ends early', () => {
  it('cancels its query when the client goes away, and counts it', async () => {
    const started = Promise.withResolvers<QueryRequest>()
    const aborted = Promise.withResolvers<void>()
    const queryService: QueryService = {
      run: (request, signal) => {
        started.resolve(request)
        return new Promise((resolve) =>
          signal!.addEventListener('abort', () => {
            aborted.resolve()
            resolve(errorResponse('canceled', 'query was canceled in expression evaluation'))
          }),
        )
      },
      close: async () => {},
    }
    const waiting = await startApi({ queryService })
    const address = await waiting.listen({ host: '127.0.0.1', port: 0 })
    const client = new AbortController()
    const call = fetch(`${address}${API}/query?query=x`, { signal: client.signal })
    expect((await started.promise).kind).toBe('instant')
    client.abort()
    await expect(call).rejects.toThrow()
    await aborted.promise
    const metrics = await waiting.inject({ url: '/metrics' })
    expect(metrics.body).toContain('prometheus_http_requests_total{code="499",handler="/api/v1/query"} 1')
    await waiting.close()
  })
})

describe('who asked', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['fe80::1', 'fe80::1'],
  ])('from %s goes with the query as %s', async (remoteAddress, clientIp) => {
    const seen: unknown[] = []
    const queryService: QueryService = {
      run: async (_request, _signal, origin) => {
        seen.push(origin)
        return errorResponse('execution', 'x')
      },
      close: async () => {},
    }
    const prefixed = await startApi({ queryService, routePrefix: '/prom' })
    const headers = { 'x-dashboard-uid': 'd' }
    await prefixed.inject({ method: 'POST', url: '/prom/api/v1/query?query=x', headers, remoteAddress })
    await prefixed.close()
    expect(seen).toEqual([
      { clientIp, method: 'POST', path: '/prom/api/v1/query', headers: expect.objectContaining(headers) },
    ])
  })
})

describe('around the answers', () => {
  const inject = (options: InjectOptions) => app.inject(options)

  it('gzip for who asks for exactly that, above a kilobyte', async () => {
    const url = `${API}/query_range?query=fixture&start=0&end=60&step=1`
    const plain = await inject({ url })
    expect(plain.headers['content-encoding']).toBeUndefined()
    for (const encoding of ['gzip', 'br, gzip', 'deflate,gzip ,zstd']) {
      const response = await inject({ url, headers: { 'accept-encoding': encoding } })
      expect(response.headers['content-encoding']).toBe('gzip')
      expect(response.headers['content-length']).toBe(String(response.rawPayload.length))
      expect(response.rawPayload.length).toBeLessThan(plain.rawPayload.length)
      const text = await new Response(
        new Blob([new Uint8Array(response.rawPayload)]).stream().pipeThrough(new DecompressionStream('gzip')),
      ).text()
      expect(text).toBe(plain.body)
    }
    for (const encoding of ['deflate', 'gzip;q=1', 'zstd', '*']) {
      const response = await inject({ url, headers: { 'accept-encoding': encoding } })
      expect(response.headers['content-encoding']).toBeUndefined()
    }
    const small = await inject({ url: `${API}/query?query=1`, headers: { 'accept-encoding': 'gzip' } })
    expect(small.headers['content-encoding']).toBeUndefined()
  })

  it('OPTIONS on every API path', async () => {
    for (const path of ['/query', '/status/flags', '/label/a/values']) {
      const response = await inject({ method: 'OPTIONS', url: API + path, headers: { origin: 'http://x' } })
      expect(response.statusCode).toBe(204)
      expect(response.body).toBe('')
      expect(response.headers['access-control-allow-origin']).toBe('*')
    }
  })

  it('CORS headers by origin', async () => {
    const all = await inject({ url: `${API}/query?query=1`, headers: { origin: 'http://x' } })
    expect(all.headers).toMatchObject({
      'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Date',
    })
    const none = await inject({ url: `${API}/query?query=1` })
    expect(none.headers['access-control-allow-origin']).toBeUndefined()
    expect(none.headers['access-control-allow-methods']).toBeUndefined()
    const strict = await startApi({ corsOrigin: 'https?://(a|b)\\.example' })
    const origin = async (value: string) =>
      (await strict.inject({ url: `${API}/query?query=1`, headers: { origin: value } })).headers
    expect((await origin('http://a.example'))['access-control-allow-origin']).toBe('http://a.example')
    expect((await origin('http://a.example.evil'))['access-control-allow-origin']).toBeUndefined()
    expect((await origin('http://a.example.evil'))['access-control-expose-headers']).toBe('Date')
    await strict.close()
  })

  it('other methods are told which ones there are', async () => {
    for (const method of ['DELETE', 'HEAD', 'PUT', 'PATCH'] as const) {
      const response = await inject({ method, url: `${API}/query` })
      expect(response.statusCode).toBe(405)
      expect(response.headers.allow).toBe('GET, OPTIONS, POST')
      expect(response.headers['x-content-type-options']).toBe('nosniff')
    }
    expect((await inject({ method: 'PUT', url: `${API}/query` })).body).toBe('Method Not Allowed\n')
  })

  it('unknown paths, and paths that do not decode', async () => {
    for (const url of [`${API}/nope`, `${API}/query/`, `${API}/`, '/nope']) {
      const response = await inject({ url })
      expect(response.statusCode).toBe(404)
      expect(response.body).toBe('404 page not found\n')
      expect(response.headers['content-type']).toBe('text/plain; charset=utf-8')
    }
    const response = await inject({ url: `${API}/label/%zz/values` })
    expect(response.statusCode).toBe(400)
    expect(response.body).toBe('400 Bad Request')
  })

  it('a label name as long as a path may be', async () => {
    expect((await get(`/label/${'a'.repeat(5000)}/values`)).json().data).toEqual([])
  })
})
