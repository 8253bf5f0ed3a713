/**
 * Outgoing HTTP: one GET with all that a scrape asks of it, over connections that are kept alive.
 *
 * Stands on undici's `dispatch`, its lowest level: 0.30 ms of CPU for a body of 190 KB against 0.42 with node:http
 * (measured on Node 26, loopback); for small bodies both take 0.09.
 *
 * A target that never answers costs one socket while its request lasts, and nobody else anything: each request
 * has a connection of its own, and its end by timeout destroys it.
 */
import type { Dispatcher } from 'undici'
import { quoteGo } from '../telemetry/quote.ts'
import { Connections } from './connections.ts'
import { bodySizeLimitError, gunzip } from './gunzip.ts'
import type { HostLookup } from './host-lookup.ts'
import { CANCELED, DEADLINE_EXCEEDED, getError, HttpError, transportText } from './http-error.ts'

export interface GetRequest {
  /** `http` or `https`. */
  scheme: string
  /** Host, and port where it is not the scheme's own; IPv6 in brackets. Sent as the Host header as it is. */
  authority: string
  /** With its query, escaped, beginning with `/`. */
  path: string
  headers: Readonly<Record<string, string>>
  /** For everything: lookup, connection, redirects, and the body to its last byte. */
  timeoutMs: number
  /** A body of as many bytes or more, uncompressed, is refused; 0 means that only BODY_BYTES_MAX holds. */
  bodySizeLimit: number
  followRedirects: boolean
  /** Path of a socket to connect to in place of the host; '' for TCP. */
  unixSocket: string
}

export interface GetResponse {
  /** Uncompressed. */
  body: Buffer
  /** '' when the answer had none. */
  contentType: string
}

/** Where there is no limit: rather an error than all of the memory. */
export const BODY_BYTES_MAX = 1024 * 1024 * 1024

const REDIRECTS_MAX = 10
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** What is asked of one server; a redirect makes a new one. */
interface Hop {
  /** Normalized: scheme, host, and port unless it is the scheme's own. */
  origin: string
  host: string
  path: string
  url: string
  unixSocket: string
}

/** The head of an answer, and its body as it came over the wire. */
interface Answer {
  status: number
  statusText: string
  contentType: string
  isGzip: boolean
  location: string
  body: Buffer
}

export class HttpClient {
  private readonly hosts: HostLookup
  /** By path of the Unix socket, '' for TCP. */
  private readonly connections = new Map<string, Connections>()
  private readonly exchanges = new Set<Exchange>()
  private isClosed = false

  constructor(hosts: HostLookup) {
    this.hosts = hosts
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
      const connections = this.connectionsTo(hop.unixSocket)
      const exchange = new Exchange(hop, request, timeoutMs, {
        resolve,
        reject,
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
    })
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

/** A connection that had served before broke off without a byte of the answer. */
class IdleConnectionError extends Error {
  readonly reported: HttpError

  constructor(reported: HttpError) {
    super(reported.message)
    this.reported = reported
  }
}

interface ExchangeOutcome {
  resolve(answer: Answer): void
  reject(error: Error): void
  /** There is a connection, and the request goes over it. */
  started(): void
  /** Nothing more happens: the connection is free or gone, or there was none yet. */
  ended(hasStarted: boolean): void
}

/** One request on one connection, and what came back. Settles once; may then still drain its body. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly hop: Hop
  private readonly outcome: ExchangeOutcome
  private readonly timer: NodeJS.Timeout
  /** The first number of bytes on the wire that is too many. */
  private readonly wireBytesLimit: number
  private readonly bodySizeLimit: number
  private controller: Dispatcher.DispatchController | undefined
  private answer: Answer | undefined
  private chunks: Buffer[] = []
  private bytes = 0
  private isSettled = false
  private isEnded = false

  constructor(hop: Hop, request: GetRequest, timeoutMs: number, outcome: ExchangeOutcome) {
    this.hop = hop
    this.outcome = outcome
    this.bodySizeLimit = bodyLimit(request.bodySizeLimit)
    // Deflate adds 5 bytes to 16 KiB that do not compress, and gzip its frame.
    this.wireBytesLimit = this.bodySizeLimit + this.bodySizeLimit / 1024 + 4096
    this.timer = setTimeout(() => this.giveUp('DEADLINE', DEADLINE_EXCEEDED), Math.max(0, timeoutMs))
  }

  cancel(): void {
    this.giveUp('CANCELED', CANCELED)
  }

  fail(error: Error): void {
    this.settle(() => this.outcome.reject(error))
    this.end()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.isEnded) {
      controller.abort(new Error(CANCELED))
      return
    }
    this.controller = controller
    this.outcome.started()
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    statusText = '',
  ): void {
    // 1xx only announce the answer.
    if (status < 200) return
    this.answer = {
      status,
      statusText,
      contentType: firstOf(headers['content-type']),
      isGzip: firstOf(headers['content-encoding']) === 'gzip',
      location: firstOf(headers.location),
      body: NO_BYTES,
    }
    // Nothing of such a body is wanted, but to read it keeps the connection.
    if (status !== 200) {
      const { answer } = this
      this.settle(() => this.outcome.resolve(answer))
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    const limit = this.answer!.isGzip ? this.wireBytesLimit : this.bodySizeLimit
    if (this.bytes >= limit) {
      this.fail(bodySizeLimitError())
      controller.abort(new Error('body size limit exceeded'))
    } else if (!this.isSettled) this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    const answer = this.answer!
    answer.body = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks, this.bytes)
    this.settle(() => this.outcome.resolve(answer))
    this.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(this.answer === undefined ? this.headError(error) : new HttpError('BODY', bodyText(error)))
  }

  private headError(error: Error): Error {
    const code = (error as NodeJS.ErrnoException).code
    const reported = getError('TRANSPORT', this.hop.url, transportText(error, peerOf(this.hop)), error)
    const isBroken = this.controller !== undefined && (code === 'ECONNRESET' || code === 'EPIPE')
    const bytesRead = (error as { socket?: { bytesRead?: number } }).socket?.bytesRead ?? 0
    const isReused = code === 'UND_ERR_SOCKET' && bytesRead > 0
    return isBroken || isReused ? new IdleConnectionError(reported) : reported
  }

  private giveUp(code: 'DEADLINE' | 'CANCELED', text: string): void {
    const error = this.answer === undefined ? getError(code, this.hop.url, text) : new HttpError(code, text)
    this.fail(error)
    this.controller?.abort(error)
  }

  private settle(how: () => void): void {
    if (this.isSettled) return
    this.isSettled = true
    how()
  }

  private end(): void {
    if (this.isEnded) return
    this.isEnded = true
    clearTimeout(this.timer)
    this.chunks = []
    this.outcome.ended(this.controller !== undefined)
  }
}

const NO_BYTES = Buffer.alloc(0)

async function readAnswer(answer: Answer, limit: number): Promise<GetResponse> {
  if (answer.status !== 200) {
    const status = answer.statusText === '' ? `${answer.status}` : `${answer.status} ${answer.statusText}`
    throw new HttpError('STATUS', `server returned HTTP status ${status}`)
  }
  const body = answer.isGzip ? await gunzip(answer.body, bodyLimit(limit)) : answer.body
  return { body, contentType: answer.contentType }
}

function bodyLimit(limit: number): number {
  return limit > 0 ? limit : BODY_BYTES_MAX
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
  return { origin: parsed.origin, host: authority, path, url, unixSocket }
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
  return { origin: url.origin, host: url.host, path, url: url.origin + path, unixSocket: hop.unixSocket }
}

/** Where Go would say that it dialed, for errors of Node that do not name it. */
function peerOf(hop: Hop): string {
  if (hop.unixSocket !== '') return hop.unixSocket
  if (/:\d+$/.test(hop.host)) return hop.host
  return `${hop.host}:${hop.origin.startsWith('https:') ? 443 : 80}`
}

/** The head was fine, so what breaks now is the body. */
function bodyText(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return 'unexpected EOF'
  if (error.name === 'HTTPParserError')
    return code === 'HPE_INVALID_EOF_STATE' ? 'unexpected EOF' : 'invalid byte in chunk length'
  return transportText(error, 'peer')
}

function firstOf(header: string | string[] | undefined): string {
  if (header === undefined) return ''
  return typeof header === 'string' ? header : header[0]
}
