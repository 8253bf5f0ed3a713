/** A request over a plain connection. */
import {
  type Answer,
  bodyLimit,
  type Exchange,
  type ExchangeOutcome,
  type GetRequest,
  type Hop,
  IdleConnectionError,
  peerOf,
  wireLimit,
} from './exchange.ts'
import { bodySizeLimitError } from './gunzip.ts'
import { CANCELED, DEADLINE_EXCEEDED, getError, HttpError, transportText } from './http-error.ts'
import { ResponseError, ResponseReader } from './response-reader.ts'
import type { PooledSocket, Sockets, SocketUser } from './sockets.ts'

const NO_BYTES = Buffer.alloc(0)
const BROKEN = 'net/http: HTTP/1.x transport connection broken: malformed HTTP response'

/** Settles once; may then still drain its body. */
export class SocketExchange implements Exchange, SocketUser {
  private readonly hop: Hop
  private readonly request: GetRequest
  private readonly sockets: Sockets
  private readonly outcome: ExchangeOutcome
  private readonly timer: NodeJS.Timeout
  private readonly socket: PooledSocket
  private readonly reader: ResponseReader
  private answer: Answer | undefined
  /** The first number of bytes on the wire that is too many. */
  private bytesLimit = 0
  private isSent = false
  private hasReceived = false
  private isSettled = false
  private isEnded = false

  /** Throws HttpError when the request can't be written in HTTP. */
  constructor(hop: Hop, request: GetRequest, timeoutMs: number, sockets: Sockets, outcome: ExchangeOutcome) {
    checkRequest(hop, request)
    this.hop = hop
    this.request = request
    this.sockets = sockets
    this.outcome = outcome
    this.timer = setTimeout(() => this.giveUp('DEADLINE', DEADLINE_EXCEEDED), Math.max(0, timeoutMs))
    this.socket = sockets.take(hop.hostname, hop.port, hop.unixSocket)
    this.reader = new ResponseReader(this.socket.lastBodyBytes)
    this.socket.user = this
    if (!this.socket.isConnecting) this.connected()
  }

  cancel(): void {
    this.giveUp('CANCELED', CANCELED)
  }

  connected(): void {
    this.isSent = true
    this.socket.write(requestText(this.hop, this.request))
  }

  received(bytes: Buffer): void {
    const { reader } = this
    this.hasReceived = true
    try {
      reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error
      this.fail(
        error.part === 'head'
          ? getError('TRANSPORT', this.hop.url, `${BROKEN} (${error.message})`, error)
          : new HttpError('BODY', error.message, { cause: error }),
      )
      return
    }
    if (this.answer === undefined && reader.head !== undefined) this.startAnswer()
    if (this.answer === undefined) return
    if (Math.max(reader.bodyBytes, reader.announcedBytes) >= this.bytesLimit) {
      this.fail(bodySizeLimitError())
    } else if (reader.isDone) this.finish()
  }

  ended(error: Error | undefined): void {
    if (this.answer === undefined) {
      this.fail(this.headError(error))
      return
    }
    try {
      if (error !== undefined) throw new HttpError('BODY', transportText(error, 'peer'), { cause: error })
      this.reader.end()
      this.finish()
    } catch (broken) {
      this.fail(broken instanceof ResponseError ? new HttpError('BODY', broken.message) : (broken as Error))
    }
  }

  private startAnswer(): void {
    const { status, statusText, headers } = this.reader.head!
    const isGzip = headers.get('content-encoding') === 'gzip'
    const limit = bodyLimit(this.request.bodySizeLimit)
    this.bytesLimit = isGzip ? wireLimit(limit) : limit
    this.answer = {
      status,
      statusText,
      contentType: headers.get('content-type') ?? '',
      isGzip,
      location: headers.get('location') ?? '',
      body: NO_BYTES,
    }
    if (status === 200) return
    // Nothing of such a body is wanted, but to read it keeps the connection.
    this.reader.keepsBody = false
    const { answer } = this
    this.settle(() => this.outcome.resolve(answer))
  }

  private finish(): void {
    const { reader, answer, socket } = this
    if (this.isEnded || answer === undefined) return
    answer.body = reader.body
    socket.lastBodyBytes = reader.bodyBytes
    // Before the next request of whoever waits for the answer.
    if (reader.keepsAlive) this.sockets.giveBack(socket, reader.head!.headers.get('keep-alive') ?? '')
    else socket.destroy()
    this.settle(() => this.outcome.resolve(answer))
    this.end()
  }

  private headError(error: Error | undefined): Error {
    const text = error === undefined ? 'EOF' : transportText(error, peerOf(this.hop))
    const reported = getError('TRANSPORT', this.hop.url, text, error)
    if (!this.isSent || this.hasReceived) return reported
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    const isIdle = error === undefined ? this.socket.served > 0 : code === 'ECONNRESET' || code === 'EPIPE'
    return isIdle ? new IdleConnectionError(reported) : reported
  }

  private giveUp(code: 'DEADLINE' | 'CANCELED', text: string): void {
    const { answer, hop } = this
    this.fail(answer === undefined ? getError(code, hop.url, text) : new HttpError(code, text))
  }

  private fail(error: Error): void {
    if (this.isEnded) return
    this.socket.destroy()
    this.settle(() => this.outcome.reject(error))
    this.end()
  }

  private settle(how: () => void): void {
    if (this.isSettled) return
    this.isSettled = true
    how()
  }

  private end(): void {
    this.isEnded = true
    clearTimeout(this.timer)
    this.outcome.ended(this.isSent)
  }
}

/** What can't stand in a request without changing what it asks. */
function checkRequest(hop: Hop, request: GetRequest): void {
  if (/[^\x21-\xff]/.test(hop.path)) throw getError('TRANSPORT', hop.url, 'invalid request path')
  for (const value of [hop.host, ...Object.values(request.headers)]) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw getError('TRANSPORT', hop.url, 'invalid header value')
  }
}

function requestText(hop: Hop, { headers }: GetRequest): string {
  let text = `GET ${hop.path} HTTP/1.1\r\nhost: ${hop.host}\r\nconnection: keep-alive\r\n`
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`
  return `${text}\r\n`
}
