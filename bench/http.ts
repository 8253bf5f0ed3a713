/**
 * What it costs to fetch a page: CPU milliseconds of this process a scrape, over our client and over undici's dispatch, with
 * gzip and without, one page after the other from an exporter in a process of its own.
 *
 *   npm run bench -- http [--kilobytes 190] [--scrapes 1000]
 */
import { spawn } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import zlib from 'node:zlib'
import { Agent } from 'undici'
import { HttpClient } from '../src/http/client.ts'
import { gunzip } from '../src/http/gunzip.ts'
import { HostLookup } from '../src/http/host-lookup.ts'

export async function run(args: string[]): Promise<void> {
  if (args[0] === 'exporter') {
    await runExporter(Number(args[1]))
    return
  }
  const { values } = parseArgs({
    args,
    options: {
      kilobytes: { type: 'string', default: '190' },
      scrapes: { type: 'string', default: '1000' },
    },
  })
  const exporter = spawn(process.execPath, [import.meta.filename, 'exporter', values.kilobytes], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const port: number = await new Promise((resolve) =>
      exporter.stdout.once('data', (text) => resolve(Number(text))),
    )
    const authority = `127.0.0.1:${port}`
    const scrapes = Number(values.scrapes)
    for (const encoding of ['identity', 'gzip']) {
      const client = new HttpClient(new HostLookup())
      await measure(`sockets, ${encoding}`, scrapes, () => fetchOverSockets(client, authority, encoding))
      await client.close()
      const agent = new Agent({ pipelining: 1 })
      await measure(`undici, ${encoding}`, scrapes, () => fetchOverUndici(agent, authority, encoding))
      await agent.destroy()
    }
  } finally {
    exporter.kill('SIGKILL')
  }
}

async function measure(name: string, scrapes: number, fetch: () => Promise<number>): Promise<void> {
  for (let n = 0; n < scrapes / 5; n++) await fetch()
  const before = process.cpuUsage()
  let bytes = 0
  for (let n = 0; n < scrapes; n++) bytes += await fetch()
  const { user, system } = process.cpuUsage(before)
  const milliseconds = (user + system) / 1000 / scrapes
  process.stdout.write(
    `${name.padEnd(20)} ${milliseconds.toFixed(3)} ms a scrape of ${(bytes / scrapes / 1024).toFixed(0)} KiB\n`,
  )
}

async function fetchOverSockets(client: HttpClient, authority: string, encoding: string): Promise<number> {
  const { body } = await client.get({
    scheme: 'http',
    authority,
    path: '/metrics',
    headers: headersOf(encoding),
    timeoutMs: 10_000,
    bodySizeLimit: 0,
    followRedirects: true,
    unixSocket: '',
  })
  return body.length
}

async function fetchOverUndici(agent: Agent, authority: string, encoding: string): Promise<number> {
  const chunks: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    agent.dispatch(
      { origin: `http://${authority}`, path: '/metrics', method: 'GET', headers: headersOf(encoding) },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error),
      },
    )
  })
  const whole = Buffer.concat(chunks)
  return (encoding === 'gzip' ? await gunzip(whole, 2 ** 30) : whole).length
}

function headersOf(encoding: string): Record<string, string> {
  return { accept: 'text/plain', 'accept-encoding': encoding, 'user-agent': 'bench' }
}

/** Answers with one page, as most exporters do it: with its length, or compressed. Prints its port. */
async function runExporter(kilobytes: number): Promise<void> {
  const lines: string[] = []
  for (let n = 0, bytes = 0; bytes < kilobytes * 1024; n++) {
    const line = `http_request_duration_seconds_bucket{handler="/api/v${n % 7}",method="GET",le="${n}"} ${n * n}\n`
    lines.push(line)
    bytes += line.length
  }
  const plain = Buffer.from(lines.join(''))
  const compressed = zlib.gzipSync(plain)
  const server = http.createServer((request, response) => {
    const isGzip = request.headers['accept-encoding'] === 'gzip'
    const body = isGzip ? compressed : plain
    const encoding: http.OutgoingHttpHeaders = isGzip ? { 'content-encoding': 'gzip' } : {}
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length, ...encoding })
    response.end(body)
  })
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
}

if (process.argv[1] === import.meta.filename) await run(process.argv.slice(2))
