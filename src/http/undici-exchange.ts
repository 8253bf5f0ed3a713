/** A request over undici's `dispatch`, its lowest level: for TLS. */
import type { Dispatcher } from 'undici'
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

const NO_BYTES = Buffer.alloc(0)

/** One request on one connection, and what came back. Settles once; may then still drain its body. */
export interface UndiciOutcome extends ExchangeOutcome {
  /** There is a connection, and the request goes over it. */
  started(): void
}

export class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
  private readonly hop: Hop
  private readonly outcome: UndiciOutcome
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

  constructor(hop: Hop, request: GetRequest, timeoutMs: number, outcome: UndiciOutcome) {
    this.hop = hop
    this.outcome = outcome
    this.bodySizeLimit = bodyLimit(request.bodySizeLimit)
    this.wireBytesLimit = wireLimit(this.bodySizeLimit)
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
