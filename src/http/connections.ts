/**
 * Connections to servers, kept alive; undici's Agent, and what it lacks: that a request which gives up before it has
 * a connection takes the attempt to connect with it. Else hosts that swallow packets would collect sockets.
 */
import type { Socket } from 'node:net'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { HostLookup } from './host-lookup.ts'

/** As Go's transport: an idle connection is closed after this. */
const IDLE_MS = 300_000

export class Connections {
  private readonly agent: Agent
  /** By origin: attempts to connect, oldest first. */
  private readonly connecting = new Map<string, Set<Socket>>()
  /** By origin: requests without a connection. */
  private readonly waiting = new Map<string, number>()

  /** `unixSocket`: path of a socket to which all connections go, '' for TCP. */
  constructor(unixSocket: string, hosts: HostLookup) {
    const socketPath = unixSocket === '' ? undefined : unixSocket
    // No timeouts here: the request's own rules, over all phases.
    const connect = buildConnector({ allowH2: false, timeout: 0, socketPath, lookup: hosts.lookup })
    this.agent = new Agent({
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        const origin = `${options.protocol}//${options.host}`
        // undici's connector gives back its socket, though its types do not say so.
        const socket = connect(options, (...result) => {
          this.forget(origin, socket)
          callback(...result)
        }) as unknown as Socket
        this.remember(origin, socket)
      },
    })
  }

  dispatch(
    origin: string,
    path: string,
    headers: Record<string, string>,
    handler: Dispatcher.DispatchHandler,
  ): void {
    this.waiting.set(origin, (this.waiting.get(origin) ?? 0) + 1)
    this.agent.dispatch({ origin, path, method: 'GET', headers }, handler)
  }

  /** A request to this origin got its connection. */
  started(origin: string): void {
    const waiting = this.waiting.get(origin)! - 1
    if (waiting === 0) this.waiting.delete(origin)
    else this.waiting.set(origin, waiting)
  }

  /** A request to this origin ended before it got its connection. */
  abandoned(origin: string): void {
    this.started(origin)
    const sockets = this.connecting.get(origin)
    if (sockets === undefined || sockets.size <= (this.waiting.get(origin) ?? 0)) return
    for (const oldest of sockets) {
      oldest.destroy(new Error('nobody waits for this connection any more'))
      return
    }
  }

  /** Destroys all connections. */
  close(): Promise<void> {
    return this.agent.destroy()
  }

  private remember(origin: string, socket: Socket): void {
    let sockets = this.connecting.get(origin)
    if (sockets === undefined) {
      sockets = new Set()
      this.connecting.set(origin, sockets)
    }
    sockets.add(socket)
  }

  private forget(origin: string, socket: Socket): void {
    const sockets = this.connecting.get(origin)
    sockets?.delete(socket)
    if (sockets?.size === 0) this.connecting.delete(origin)
  }
}
