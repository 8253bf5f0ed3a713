// Goal: the client does to a target what upstream's does, and says what went wrong in Go's words. Method: a server on
// loopback that misbehaves in one way a row.
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type GetRequest, HttpClient } from '../../src/http/client.ts'
import { HostLookup } from '../../src/http/host-lookup.ts'
import type { HttpError } from '../../src/http/http-error.ts'
import { type Answer, HttpTarget, page, silence } from '../harness/http-target.ts'

let target: HttpTarget
let client: HttpClient

beforeEach(async () => {
  target = await HttpTarget.start(page('a 1\n'))
  client = new HttpClient(new HostLookup())
})

afterEach(async () => {
  await client.close()
  await target.stop()
})

function request(overrides: Partial<GetRequest> = {}): GetRequest {
  return {
    scheme: 'http',
    authority: target.address,
    path: '/metrics',
    headers: { accept: 'text/plain', 'accept-encoding': 'gzip', 'user-agent': 'Narthex/test' },
    timeoutMs: 2000,
    bodySizeLimit: 0,
    followRedirects: true,
    unixSocket: '',
    ...overrides,
  }
}

async function failure(overrides: Partial<GetRequest> = {}): Promise<HttpError> {
  try {
    await client.get(request(overrides))
  } catch (error) {
    return error as HttpError
  }
  throw new Error('the request succeeded')
}

/** A connection is free again only in the turn after its answer. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}

const gzipped =
  (bytes: Buffer, headers = {}): Answer =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', ...headers })
    response.end(bytes)
  }

describe('a good answer', () => {
  it('gives the body and its type, and sends the headers asked for', async () => {
    const { body, contentType } = await client.get(request({ path: '/metrics?x=1' }))
    expect(body.toString()).toBe('a 1\n')
    expect(contentType).toBe('text/plain; version=0.0.4')
    const [{ url, headers }] = target.requests
    expect(url).toBe('/metrics?x=1')
    expect(headers).toMatchObject({
      host: target.address,
      accept: 'text/plain',
      'accept-encoding': 'gzip',
      'user-agent': 'Narthex/test',
    })
  })

  it('reuses the connection, and a new one where two requests overlap', async () => {
    await client.get(request())
    await nextTurn()
    await client.get(request())
    await nextTurn()
    expect(target.connections).toBe(1)
    await Promise.all([client.get(request()), client.get(request())])
    expect(target.connections).toBe(2)
  })

  it.each([
    { size: 'small, in this thread', text: 'a 1\n' },
    { size: 'small compressed, large uncompressed', text: 'a 1\n'.repeat(1_000_000) },
    { size: 'large', text: Array.from({ length: 40_000 }, (_, i) => `m${i} ${Math.sin(i)}\n`).join('') },
    { size: 'empty', text: '' },
  ])('unpacks gzip: $size', async ({ text }) => {
    target.respond(gzipped(zlib.gzipSync(text)))
    const { body } = await client.get(request())
    expect(body.toString() === text).toBe(true)
  })

  it('asks once more when the server closed an idle connection', async () => {
    await client.get(request())
    await nextTurn()
    target.respond((incoming, response) => {
      if (target.requests.length === 2) incoming.socket.destroy()
      else page('a 2\n')(incoming, response)
    })
    const { body } = await client.get(request())
    expect(body.toString()).toBe('a 2\n')
    expect(target.requests.length).toBe(3)
  })

  it('goes over a Unix socket, with the host of the address', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'narthex-client-'))
    const path = join(folder, 's')
    const local = await HttpTarget.start(page('a 1\n'), path)
    try {
      const { body } = await client.get(request({ authority: 'exporter:9100', unixSocket: path }))
      expect(body.toString()).toBe('a 1\n')
      expect(local.requests[0].headers.host).toBe('exporter:9100')
    } finally {
      await local.stop()
      rmSync(folder, { recursive: true })
    }
  })
})

describe('redirects', () => {
  const redirect =
    (location: string, status = 302): Answer =>
    (_request, response) => {
      response.writeHead(status, { location })
      response.end('moved')
    }

  it.each([301, 302, 303, 307, 308])('follows %d', async (status) => {
    target.respond((incoming, response) =>
      incoming.url === '/metrics'
        ? redirect('/there?x=1', status)(incoming, response)
        : page('a 1\n')(incoming, response),
    )
    expect((await client.get(request())).body.toString()).toBe('a 1\n')
    expect(target.requests.map(({ url }) => url)).toEqual(['/metrics', '/there?x=1'])
  })

  it('stops after 10', async () => {
    target.respond(redirect('/again'))
    expect((await failure()).message).toBe('Get "/again": stopped after 10 redirects')
    expect(target.requests.length).toBe(10)
  })

  it('does not follow where that is switched off', async () => {
    target.respond(redirect('/there'))
    const { code, message } = await failure({ followRedirects: false })
    expect({ code, message }).toEqual({ code: 'STATUS', message: 'server returned HTTP status 302 Found' })
  })

  it('refuses other schemes', async () => {
    target.respond(redirect('ftp://there/x'))
    expect((await failure()).message).toBe('Get "ftp://there/x": unsupported protocol scheme "ftp"')
  })
})

describe('a bad answer', () => {
  const text = 'a 1\n'.repeat(2000)
  const compressed = zlib.gzipSync(text)
  const wrongChecksum = Buffer.from(compressed)
  wrongChecksum[wrongChecksum.length - 8] ^= 1

  const rows: { rule: string; answer: Answer; code: string; message: string }[] = [
    {
      rule: 'a status that is not 200',
      answer: (_request, response) => void response.writeHead(500).end('no'),
      code: 'STATUS',
      message: 'server returned HTTP status 500 Internal Server Error',
    },
    {
      rule: 'a status with the words of the server',
      answer: (_request, response) => void response.writeHead(418, "I'm small and stout").end(),
      code: 'STATUS',
      message: "server returned HTTP status 418 I'm small and stout",
    },
    {
      rule: 'gzip that breaks off',
      answer: gzipped(compressed.subarray(0, 30)),
      code: 'BODY',
      message: 'unexpected EOF',
    },
    {
      rule: 'gzip that is none',
      answer: gzipped(Buffer.from('a 1\n')),
      code: 'BODY',
      message: 'gzip: invalid header',
    },
    {
      rule: 'gzip with a wrong checksum',
      answer: gzipped(wrongChecksum),
      code: 'BODY',
      message: 'gzip: invalid checksum',
    },
    { rule: 'gzip of no bytes', answer: gzipped(Buffer.alloc(0)), code: 'BODY', message: 'EOF' },
    {
      rule: 'a body shorter than announced',
      answer: (incoming, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('a 1\n')
        setTimeout(() => incoming.socket.destroy(), 20)
      },
      code: 'BODY',
      message: 'unexpected EOF',
    },
    {
      rule: 'a chunked body that breaks off',
      answer: (incoming, response) => {
        response.writeHead(200)
        response.write('a 1\n')
        setTimeout(() => incoming.socket.destroy(), 20)
      },
      code: 'BODY',
      message: 'unexpected EOF',
    },
  ]
  it.each(rows)('$rule', async ({ answer, code, message }) => {
    target.respond(answer)
    const error = await failure()
    expect({ code: error.code, message: error.message }).toEqual({ code, message })
  })

  it('closed before the answer', async () => {
    target.respond((incoming) => void incoming.socket.end())
    expect((await failure()).message).toBe(`Get "http://${target.address}/metrics": EOF`)
  })

  it('no HTTP', async () => {
    const server = net.createServer((socket) => void socket.resume().end('SSH-2.0-x\r\n\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const authority = `127.0.0.1:${(server.address() as net.AddressInfo).port}`
    const { message } = await failure({ authority })
    expect(message).toContain(
      `Get "http://${authority}/metrics": net/http: HTTP/1.x transport connection broken: malformed`,
    )
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('body_size_limit, on uncompressed bytes', () => {
  const text = 'a 1\n'.repeat(256)
  const rows = [
    { rule: 'as many bytes are too many', answer: page(text), limit: 1024, fails: true },
    { rule: 'one less is fine', answer: page(text), limit: 1025, fails: false },
    {
      rule: 'gzip: as many bytes are too many',
      answer: gzipped(zlib.gzipSync(text)),
      limit: 1024,
      fails: true,
    },
    { rule: 'gzip: one less is fine', answer: gzipped(zlib.gzipSync(text)), limit: 1025, fails: false },
    { rule: 'a limit of one byte', answer: gzipped(zlib.gzipSync('a')), limit: 1, fails: true },
    {
      rule: 'stored, not compressed, and far too long',
      answer: gzipped(zlib.gzipSync(text, { level: 0 })),
      limit: 10,
      fails: true,
    },
  ]
  it.each(rows)('$rule', async ({ answer, limit, fails }) => {
    target.respond(answer)
    if (!fails) expect((await client.get(request({ bodySizeLimit: limit }))).body.length).toBe(1024)
    else {
      const { code, message } = await failure({ bodySizeLimit: limit })
      expect({ code, message }).toEqual({ code: 'BODY_SIZE_LIMIT', message: 'body size limit exceeded' })
    }
  })

  it('does not read on for ever', async () => {
    target.respond((_incoming, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('a'.repeat(1000)), 1)
      response.on('close', () => clearInterval(timer))
    })
    expect((await failure({ bodySizeLimit: 5000 })).code).toBe('BODY_SIZE_LIMIT')
  })
})

describe('time', () => {
  it('is up before the head of the answer', async () => {
    target.respond(silence)
    const startedMs = performance.now()
    const { code, message } = await failure({ timeoutMs: 100 })
    expect({ code, message }).toEqual({
      code: 'DEADLINE',
      message: `Get "http://${target.address}/metrics": context deadline exceeded`,
    })
    expect(performance.now() - startedMs).toBeLessThan(1000)
  })

  it('is up within the body', async () => {
    target.respond((_incoming, response) => {
      response.writeHead(200)
      response.write('a 1\n')
    })
    expect((await failure({ timeoutMs: 100 })).message).toBe('context deadline exceeded')
  })

  it('covers all redirects together', async () => {
    target.respond((_incoming, response) => {
      setTimeout(() => response.writeHead(302, { location: '/x' }).end(), 60)
    })
    expect((await failure({ timeoutMs: 100 })).code).toBe('DEADLINE')
    expect(target.requests.length).toBe(2)
  })

  it('leaves no connections behind, however many targets are silent', async () => {
    target.respond(silence)
    const codes = await Promise.all(
      Array.from({ length: 300 }, async () => (await failure({ timeoutMs: 300 })).code),
    )
    expect(new Set(codes)).toEqual(new Set(['DEADLINE']))
    target.respond(page('a 1\n'))
    expect((await client.get(request())).body.toString()).toBe('a 1\n')
    await expect.poll(() => target.openSockets).toBeLessThanOrEqual(1)
  })
})

describe('hosts that are slow to connect to', () => {
  it('collect no attempts: each ends with the request that made it', async () => {
    const answers: (() => void)[] = []
    const slow = new HttpClient(
      new HostLookup((_hostname, done) =>
        answers.push(() => done(null, [{ address: '127.0.0.1', family: 4 }])),
      ),
    )
    const port = target.address.split(':')[1]
    const get = (timeoutMs: number) => slow.get(request({ authority: `slow.invalid:${port}`, timeoutMs }))
    for (let i = 0; i < 10; i++) await expect(get(10)).rejects.toThrow('context deadline exceeded')
    const last = get(2000)
    await nextTurn()
    expect(answers.length).toBe(1)
    answers[0]()
    expect((await last).body.toString()).toBe('a 1\n')
    expect(target.connections).toBe(1)
    await slow.close()
  })

  it('reaches IPv6 addresses in brackets', async () => {
    const { message } = await failure({ authority: '[::1]:9' })
    expect(message).toMatch(/^Get "http:\/\/\[::1\]:9\/metrics": dial tcp \[::1\]:9: connect: /)
  })
})

describe('no connection', () => {
  it('refused', async () => {
    const server = net.createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const authority = `127.0.0.1:${(server.address() as net.AddressInfo).port}`
    await new Promise((resolve) => server.close(resolve))
    const { code, message } = await failure({ authority })
    expect(code).toBe('TRANSPORT')
    expect(message).toBe(
      `Get "http://${authority}/metrics": dial tcp ${authority}: connect: connection refused`,
    )
  })

  it('no such host', async () => {
    const { message } = await failure({ authority: 'nosuch.invalid:80' })
    expect(message).toBe(
      'Get "http://nosuch.invalid:80/metrics": dial tcp: lookup nosuch.invalid: no such host',
    )
  })

  it('no such socket', async () => {
    const { message } = await failure({ unixSocket: '/nonexistent/socket' })
    expect(message).toMatch(/: dial unix \/nonexistent\/socket: connect: no such file or directory$/)
  })

  it('an address that is none', async () => {
    expect((await failure({ authority: 'host:port' })).message).toBe(
      'parse "http://host:port/metrics": invalid port ":port" after host',
    )
  })

  it('a scheme that is none', async () => {
    expect((await failure({ scheme: 'gopher' })).message).toBe(
      `Get "gopher://${target.address}/metrics": unsupported protocol scheme "gopher"`,
    )
  })

  it('closed: what is under way is cancelled, and nothing more is sent', async () => {
    target.respond(silence)
    const underWay = failure()
    await expect.poll(() => target.requests.length).toBe(1)
    await client.close()
    expect((await underWay).message).toBe(`Get "http://${target.address}/metrics": context canceled`)
    expect((await failure()).code).toBe('CANCELED')
    expect(target.requests.length).toBe(1)
  })
})
