/**
 * Outgoing HTTP: one GET with all that a scrape asks of it, over connections that are kept alive.
 *
 * Plain HTTP goes over sockets of our own, TLS over undici.
 *
 * A target that never answers costs one socket while its request lasts, and nobody else anything: each request
 * has a connection of its own, and its end by timeout destroys it.
 */
import { quoteGo } from '../telemetry/quote.ts'
import { giveBodyBuffer } from './body-buffers.ts'
import { Connections } from './connections.ts'
import {
  type Answer,
  bodyLimit,
  type Exchange,
  type ExchangeOutcome,
  type GetRequest,
  type Hop,
  IdleConnectionError,
} from './exchange.ts'
import { gunzip } from './gunzip.ts'
import type { HostLookup } from './host-lookup.ts'
import { CANCELED, getError, HttpError } from './http-error.ts'
import { SocketExchange } from './socket-exchange.ts'
import { Sockets } from './sockets.ts'
import { UndiciExchange } from './undici-exchange.ts'

export type { GetRequest } from './exchange.ts'

export interface GetResponse {
  /** Uncompressed. */
  body: Buffer
  /** '' when the answer had none. */
  contentType: string
  /** To be called when the body is not read any more, so that its memory can be used again; or never. */
  release?(): void
}

const REDIRECTS_MAX = 10
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

type Settled = Pick<ExchangeOutcome, 'resolve' | 'reject'>

export class HttpClient {
  private readonly hosts: HostLookup
  private readonly sockets: Sockets
  /** For TLS. By path of the Unix socket, '' for TCP. */
  private readonly connections = new Map<string, Connections>()
  private readonly exchanges = new Set<Exchange>()
  private isClosed = false

  constructor(hosts: HostLookup) {
    this.hosts = hosts
    this.sockets = new Sockets(hosts)
  }

  /**
   * The body of a 200. Throws HttpError with the text of Go's client: what happens before the head of the answer
   * is there begins with `Get "URL": `.
   */
  async get(request: GetRequest): Promise<GetResponse> {
    let hop = firstHop(request)
    const deadlineMs = performance.now() + request.timeoutMs
    for (let redirects = 0; ; redirects++) {
      const answer = await this.exchange(hop, request, deadlineMs - performance.now())
      const isRedirect = REDIRECT_STATUS.has(answer.status) && answer.location !== ''
      if (!isRedirect || !request.followRedirects) return await readAnswer(answer, request.bodySizeLimit)
      if (redirects + 1 >= REDIRECTS_MAX) {
        throw getError('TRANSPORT', answer.location, `stopped after ${REDIRECTS_MAX} redirects`)
      }
      hop = nextHop(hop, answer.location)
    }
  }

  /** Ends everything: requests that are under way fail with CANCELED. */
  async close(): Promise<void> {
    this.isClosed = true
    for (const exchange of [...this.exchanges]) exchange.cancel()
    this.sockets.close()
    await Promise.all([...this.connections.values()].map((connections) => connections.close()))
  }

  private async exchange(hop: Hop, request: GetRequest, timeoutMs: number): Promise<Answer> {
    if (this.isClosed) throw getError('CANCELED', hop.url, CANCELED)
    const startedMs = performance.now()
    try {
      return await this.dispatch(hop, request, timeoutMs)
    } catch (error) {
      if (!(error instanceof IdleConnectionError)) throw error
      // The server closed an idle connection just when it was used again. Asking once more is safe for a GET.
      return await this.dispatch(hop, request, timeoutMs - (performance.now() - startedMs)).catch((again) => {
        throw again instanceof IdleConnectionError ? again.reported : again
      })
    }
  }

  private dispatch(hop: Hop, request: GetRequest, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const start = hop.isTls ? this.startOverTls : this.startPlain
      start.call(this, hop, request, timeoutMs, { resolve, reject })
    })
  }

  /** Throws HttpError when the request can't be sent. */
  private startPlain(hop: Hop, request: GetRequest, timeoutMs: number, settled: Settled): void {
    const exchange: Exchange = new SocketExchange(hop, request, timeoutMs, this.sockets, {
      ...settled,
      ended: () => this.exchanges.delete(exchange),
    })
    this.exchanges.add(exchange)
  }

  private startOverTls(hop: Hop, request: GetRequest, timeoutMs: number, settled: Settled): void {
    const connections = this.connectionsTo(hop.unixSocket)
    const exchange = new UndiciExchange(hop, request, timeoutMs, {
      ...settled,
      started: () => connections.started(hop.origin),
      ended: (hasStarted) => {
        this.exchanges.delete(exchange)
        if (!hasStarted) connections.abandoned(hop.origin)
      },
    })
    this.exchanges.add(exchange)
    try {
      connections.dispatch(hop.origin, hop.path, { host: hop.host, ...request.headers }, exchange)
    } catch (error) {
      // What undici refuses to send, such as a path with control characters.
      exchange.fail(getError('TRANSPORT', hop.url, (error as Error).message, error))
    }
  }

  private connectionsTo(unixSocket: string): Connections {
    let connections = this.connections.get(unixSocket)
    if (connections === undefined) {
      connections = new Connections(unixSocket, this.hosts)
      this.connections.set(unixSocket, connections)
    }
    return connections
  }
}

async function readAnswer(answer: Answer, limit: number): Promise<GetResponse> {
  if (answer.status !== 200) {
    const status = answer.statusText === '' ? `${answer.status}` : `${answer.status} ${answer.statusText}`
    throw new HttpError('STATUS', `server returned HTTP status ${status}`)
  }
  const { contentType } = answer
  if (!answer.isGzip) return { body: answer.body, contentType }
  const body = await gunzip(answer.body, bodyLimit(limit))
  const release = () => giveBodyBuffer(Buffer.from(body.buffer))
  return { body, contentType, release }
}

function firstHop({ scheme, authority, path, unixSocket }: GetRequest): Hop {
  const url = `${scheme}://${authority}${path}`
  if (scheme !== 'http' && scheme !== 'https') {
    throw getError('TRANSPORT', url, `unsupported protocol scheme ${quoteGo(scheme)}`)
  }
  let parsed: URL
  try {
    parsed = new URL(`${scheme}://${authority}`)
  } catch (error) {
    throw new HttpError('TRANSPORT', `parse ${quoteGo(url)}: ${authorityFault(authority)}`, { cause: error })
  }
  return hopTo(parsed, authority, path, url, unixSocket)
}

function authorityFault(authority: string): string {
  const port = /:[^:\]]*$/.exec(authority)?.[0]
  if (port !== undefined && !/^:\d*$/.test(port)) return `invalid port ${quoteGo(port)} after host`
  return `invalid host ${quoteGo(authority)}`
}

function nextHop(hop: Hop, location: string): Hop {
  let url: URL
  try {
    url = new URL(location, hop.url)
  } catch (error) {
    const text = `failed to parse Location header ${quoteGo(location)}: ${(error as Error).message}`
    throw getError('TRANSPORT', hop.url, text, error)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const scheme = quoteGo(url.protocol.slice(0, -1))
    throw getError('TRANSPORT', location, `unsupported protocol scheme ${scheme}`)
  }
  const path = url.pathname + url.search
  return hopTo(url, url.host, path, url.origin + path, hop.unixSocket)
}

function hopTo(server: URL, host: string, path: string, url: string, unixSocket: string): Hop {
  const isTls = server.protocol === 'https:'
  const hostname = server.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = server.port === '' ? (isTls ? 443 : 80) : Number(server.port)
  return { origin: server.origin, isTls, hostname, port, host, path, url, unixSocket }
}
