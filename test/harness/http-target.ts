/** A target on loopback whose answers a test decides, and which records what it was asked. */
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => void

export class HttpTarget {
  /** Of each request, in order. */
  readonly requests: { url: string; headers: http.IncomingHttpHeaders; atMs: number }[] = []
  /** Sockets that were accepted, closed ones too. */
  connections = 0
  private readonly server: http.Server
  private readonly sockets = new Set<Socket>()
  private answer: Answer

  private constructor(answer: Answer) {
    this.answer = answer
    this.server = http.createServer((request, response) => {
      this.requests.push({ url: request.url ?? '', headers: request.headers, atMs: Date.now() })
      this.answer(request, response)
    })
    this.server.on('connection', (socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  /** Listens on a free port of 127.0.0.1, or on a socket in the file system. */
  static async start(answer: Answer, socketPath?: string): Promise<HttpTarget> {
    const target = new HttpTarget(answer)
    await new Promise<void>((resolve) => {
      if (socketPath === undefined) target.server.listen(0, '127.0.0.1', resolve)
      else target.server.listen(socketPath, resolve)
    })
    return target
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  get openSockets(): number {
    return this.sockets.size
  }

  respond(answer: Answer): void {
    this.answer = answer
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

/** Answers 200 with this text. */
export function page(text: string, headers: http.OutgoingHttpHeaders = {}): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', ...headers })
    response.end(text)
  }
}

/** Accepts the request and says nothing. */
export const silence: Answer = () => {}
