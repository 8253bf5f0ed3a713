/**
 * Reads one HTTP/1.1 response from bytes as they come (RFC 9112), up to the end of its body.
 *
 * Strict where leniency could take a wrong body for a right one; a bare line feed is taken as the end of a line, as Go
 * takes it.
 */

/** Larger heads are refused, as undici does. */
const HEAD_BYTES_MAX = 16 * 1024
const CHUNK_LINE_BYTES_MAX = 4096
/** First room for a body, whatever length is announced. */
const ROOM_MAX = 1024 * 1024
const ROOM_MIN = 4096

export interface ResponseHead {
  status: number
  statusText: string
  /** By lower-case name; of several with one name the first. */
  headers: ReadonlyMap<string, string>
}

/** What was sent is no HTTP; `head`: whether it broke before the body. */
export class ResponseError extends Error {
  readonly part: 'head' | 'body'

  constructor(part: 'head' | 'body', message: string) {
    super(message)
    this.name = 'ResponseError'
    this.part = part
  }
}

const IN_HEAD = 0
const IN_SIZED_BODY = 1
const IN_BODY_TO_END = 2
const IN_CHUNK_SIZE = 3
const IN_CHUNK = 4
const IN_CHUNK_END = 5
const IN_TRAILER = 6
const DONE = 7

const NEWLINE = 10
const RETURN = 13
const NO_BYTES = Buffer.alloc(0)

const BEGINNING = 'HTTP/1.'
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([^\0\r\n]*))?$/
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\0\r\n]*?)[ \t]*$/

export class ResponseReader {
  /** Of the answer itself; heads of 1xx only announce it. */
  head: ResponseHead | undefined
  /** Whether the connection may serve again. Only when `isDone`. */
  keepsAlive = false
  /** Bytes of the body so far, without the framing. */
  bodyBytes = 0
  /** Size that the head announced for the body; 0 where it did not. */
  announcedBytes = 0
  /** Whether the body is kept, or only passed. */
  keepsBody = true

  private state = IN_HEAD
  /** The beginning of a head, a chunk's size or a trailer whose end has not come. */
  private partial: Buffer = NO_BYTES
  private room: Buffer = NO_BYTES
  /** Bytes to come of the body, or of the chunk. */
  private left = 0
  private readonly expectedBytes: number

  /** `expectedBytes`: a guess at the body's size, to make room. */
  constructor(expectedBytes = 0) {
    this.expectedBytes = expectedBytes
  }

  get isDone(): boolean {
    return this.state === DONE
  }

  /** The body so far; not to be asked before `isDone`. */
  get body(): Buffer {
    return this.room.subarray(0, this.bodyBytes)
  }

  /** Takes the next bytes, of which none are kept. Throws ResponseError; then the response is of no further use. */
  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      switch (this.state) {
        case IN_SIZED_BODY:
        case IN_CHUNK:
          at = this.takeBody(bytes, at, Math.min(bytes.length, at + this.left))
          break
        case IN_BODY_TO_END:
          at = this.takeBody(bytes, at, bytes.length)
          break
        case DONE:
          // More than was asked for: whatever it is, the connection can't be trusted.
          this.keepsAlive = false
          return
        default:
          at = this.takeLines(bytes, at)
      }
    }
  }

  /** The other side has closed. Throws ResponseError when something is missing. */
  end(): void {
    if (this.state === IN_BODY_TO_END) this.state = DONE
    if (this.state === DONE) return
    throw new ResponseError(this.head === undefined ? 'head' : 'body', 'unexpected EOF')
  }

  private takeBody(bytes: Buffer, from: number, to: number): number {
    const length = to - from
    if (this.keepsBody) {
      this.reserve(this.bodyBytes + length)
      bytes.copy(this.room, this.bodyBytes, from, to)
    }
    this.bodyBytes += length
    if (this.state === IN_BODY_TO_END) return to
    this.left -= length
    if (this.left === 0) this.state = this.state === IN_CHUNK ? IN_CHUNK_END : DONE
    return to
  }

  private reserve(bytes: number): void {
    if (bytes <= this.room.length) return
    const guess = this.state === IN_SIZED_BODY ? this.left : this.expectedBytes
    const room = Math.max(bytes, 2 * this.room.length, Math.min(guess, ROOM_MAX), ROOM_MIN)
    const larger = Buffer.allocUnsafeSlow(room)
    this.room.copy(larger, 0, 0, this.bodyBytes)
    this.room = larger
  }

  /** Takes a whole head, or a line of the chunked framing; or keeps what there is of it. */
  private takeLines(bytes: Buffer, from: number): number {
    const isHead = this.state === IN_HEAD
    const held = this.partial.length
    const text = held === 0 ? bytes.subarray(from) : Buffer.concat([this.partial, bytes.subarray(from)])
    const end = isHead ? headEnd(text) : text.indexOf(NEWLINE) + 1
    if (isHead && !BEGINNING.startsWith(text.toString('latin1', 0, BEGINNING.length))) {
      throw new ResponseError('head', 'Expected HTTP/1.x')
    }
    if ((end === 0 ? text.length : end) > (isHead ? HEAD_BYTES_MAX : CHUNK_LINE_BYTES_MAX)) {
      throw new ResponseError(isHead ? 'head' : 'body', isHead ? 'Headers Overflow' : 'line too long')
    }
    if (end === 0) {
      // The caller's buffer is used again.
      this.partial = Buffer.from(text)
      return bytes.length
    }
    this.partial = NO_BYTES
    if (isHead) this.takeHead(text.toString('latin1', 0, end))
    else this.takeChunkLine(text.toString('latin1', 0, text[end - 2] === RETURN ? end - 2 : end - 1))
    return from + end - held
  }

  private takeChunkLine(line: string): void {
    switch (this.state) {
      case IN_CHUNK_END:
        if (line !== '') throw new ResponseError('body', 'malformed chunked encoding')
        this.state = IN_CHUNK_SIZE
        break
      case IN_TRAILER:
        if (line === '') this.state = DONE
        break
      default: {
        const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)
        if (size === null) throw new ResponseError('body', 'invalid byte in chunk length')
        this.left = Number.parseInt(size[1], 16)
        this.state = this.left === 0 ? IN_TRAILER : IN_CHUNK
      }
    }
  }

  private takeHead(text: string): void {
    const [first, ...lines] = text.trimEnd().split('\n')
    const status = STATUS_LINE.exec(withoutReturn(first))
    if (status === null) throw new ResponseError('head', 'Expected HTTP/1.x')
    const headers = new Map<string, string>()
    for (const line of lines) this.takeHeader(withoutReturn(line), headers)
    const code = Number(status[2])
    if (code < 200) {
      if (code === 101) throw new ResponseError('head', 'Unexpected upgrade')
      return
    }
    this.head = { status: code, statusText: status[3] ?? '', headers }
    const connection = (headers.get('connection') ?? '').toLowerCase()
    this.keepsAlive = status[1] === '1' ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive')
    this.startBody(code, headers)
  }

  private takeHeader(line: string, headers: Map<string, string>): void {
    const header = HEADER.exec(line)
    if (header === null) throw new ResponseError('head', 'Invalid header token')
    const name = header[1].toLowerCase()
    const before = headers.get(name)
    if (before === undefined) headers.set(name, header[2])
    else if (name === 'content-length' && before !== header[2]) {
      throw new ResponseError('head', 'Content-Length twice')
    } else if (name === 'transfer-encoding') {
      throw new ResponseError('head', 'Transfer-Encoding twice')
    }
  }

  private startBody(status: number, headers: ReadonlyMap<string, string>): void {
    const encoding = headers.get('transfer-encoding')
    const length = headers.get('content-length')
    if (status === 204 || status === 304) {
      this.state = DONE
    } else if (encoding !== undefined) {
      if (length !== undefined) {
        throw new ResponseError('head', "Content-Length can't be present with Transfer-Encoding")
      }
      if (encoding.toLowerCase() !== 'chunked') throw new ResponseError('head', 'Unknown Transfer-Encoding')
      this.state = IN_CHUNK_SIZE
    } else if (length !== undefined) {
      if (!/^[0-9]{1,15}$/.test(length)) throw new ResponseError('head', 'Invalid Content-Length')
      this.left = Number(length)
      this.announcedBytes = this.left
      this.state = this.left === 0 ? DONE : IN_SIZED_BODY
    } else {
      this.keepsAlive = false
      this.state = IN_BODY_TO_END
    }
  }
}

/** Behind the empty line that ends a head; 0 while there is none. */
function headEnd(text: Buffer): number {
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) {
    if (text[at + 1] === NEWLINE) return at + 2
    if (text[at + 1] === RETURN && text[at + 2] === NEWLINE) return at + 3
  }
  return 0
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function hasToken(header: string, token: string): boolean {
  return header.split(',').some((part) => part.trim() === token)
}
