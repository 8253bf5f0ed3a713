// Goal: a response means the same however its bytes are cut, and what is no HTTP is refused. Method: tables; each
// response whole, byte by byte, and cut once at every place.
import { describe, expect, it } from 'vitest'
import { ResponseError, ResponseReader } from '../../src/http/response-reader.ts'

interface Read {
  status: number
  body: string
  keepsAlive: boolean
}

/** Pushes the pieces through one buffer that is used again, as sockets do, and then ends. */
function read(pieces: readonly Buffer[]): Read {
  const reader = new ResponseReader()
  const buffer = Buffer.alloc(64 * 1024)
  for (const piece of pieces) {
    piece.copy(buffer)
    reader.push(buffer.subarray(0, piece.length))
    buffer.fill(0x21, 0, piece.length)
  }
  if (!reader.isDone) reader.end()
  return { status: reader.head!.status, body: reader.body.toString(), keepsAlive: reader.keepsAlive }
}

function outcome(pieces: readonly Buffer[]): Read | string {
  try {
    return read(pieces)
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error
    return `${error.part}: ${error.message}`
  }
}

/** The response whole; then in two pieces, cut everywhere; then byte by byte. All must have the same outcome. */
function outcomes(text: string): Read | string {
  const bytes = Buffer.from(text, 'latin1')
  const whole = outcome([bytes])
  for (let cut = 1; cut < bytes.length; cut++) {
    expect(outcome([bytes.subarray(0, cut), bytes.subarray(cut)]), `cut at ${cut}`).toEqual(whole)
  }
  expect(outcome(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole)
  return whole
}

const good: [rule: string, text: string, want: Partial<Read>][] = [
  [
    'a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
    { status: 200, body: 'abc', keepsAlive: true },
  ],
  ['a length of 0', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', { body: '', keepsAlive: true }],
  [
    'the same length twice',
    'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
    { body: 'a' },
  ],
  ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length:1\n\na', { body: 'a' }],
  ['no words behind the status', 'HTTP/1.1 404\r\ncontent-length: 0\r\n\r\n', { status: 404 }],
  ['a body up to the end', 'HTTP/1.1 200 OK\r\n\r\nabc', { body: 'abc', keepsAlive: false }],
  ['close', 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\ncontent-length: 1\r\n\r\na', { keepsAlive: false }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na', { body: 'a', keepsAlive: false }],
  [
    'HTTP/1.0 that is kept',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na',
    { keepsAlive: true },
  ],
  [
    'chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x="y"\r\n0123456789\r\n0\r\n\r\n',
    { body: 'abc0123456789', keepsAlive: true },
  ],
  [
    'chunks with a trailer',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n',
    { body: '' },
  ],
  [
    'an announcement before',
    'HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na',
    { body: 'a' },
  ],
  ['204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '', keepsAlive: true }],
]

const bad: [rule: string, text: string, want: string][] = [
  ['another protocol', 'SSH-2.0-x\r\n\r\n', 'head: Expected HTTP/1.x'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n', 'head: Expected HTTP/1.x'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'head: Expected HTTP/1.x'],
  ['nothing', 'HTTP/1.1 200 OK\r\n', 'head: unexpected EOF'],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nabc\r\n\r\n', 'head: Invalid header token'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\na : b\r\n\r\n', 'head: Invalid header token'],
  ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n', 'head: Invalid header token'],
  ['a null byte', 'HTTP/1.1 200 OK\r\na: \0\r\n\r\n', 'head: Invalid header token'],
  ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', 'head: Invalid Content-Length'],
  [
    'two lengths',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na',
    'head: Content-Length twice',
  ],
  [
    'length and chunks',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    "head: Content-Length can't be present with Transfer-Encoding",
  ],
  [
    'another encoding',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
    'head: Unknown Transfer-Encoding',
  ],
  ['101', 'HTTP/1.1 101 Switching\r\n\r\n', 'head: Unexpected upgrade'],
  ['a body too short', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc', 'body: unexpected EOF'],
  [
    'a chunk that breaks off',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab',
    'body: unexpected EOF',
  ],
  [
    'no last chunk',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n',
    'body: unexpected EOF',
  ],
  [
    'a size that is none',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
    'body: invalid byte in chunk length',
  ],
  [
    'a chunk longer than said',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
    'body: malformed chunked encoding',
  ],
]

describe('ResponseReader', () => {
  it.each(good)('takes %s', (_, text, want) => expect(outcomes(text)).toMatchObject(want))

  it.each(bad)('refuses %s', (_, text, want) => expect(outcomes(text)).toBe(want))

  it('does not keep a connection on which more comes than was asked for', () => {
    const reader = new ResponseReader()
    reader.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\n'))
    expect([reader.isDone, reader.keepsAlive, reader.body.toString()]).toEqual([true, false, 'a'])
  })

  it('refuses a head without end', () => {
    const reader = new ResponseReader()
    const push = () => reader.push(Buffer.from('HTTP/1.1 200 OK\r\n'.padEnd(4000, 'a: b\r\n')))
    expect(() => {
      for (let n = 0; n < 10; n++) push()
    }).toThrow('Headers Overflow')
  })

  it('makes no room for what is only announced', () => {
    const reader = new ResponseReader()
    reader.push(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\na'))
    expect(reader.body.buffer.byteLength).toBeLessThan(2 ** 21)
  })
})
