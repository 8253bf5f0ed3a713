/**
 * Plain connections for HTTP, kept alive between requests. All read into one buffer: what arrives is taken from it
 * before the next socket has its turn, so no memory is held by a connection that waits.
 */
import net from 'node:net'
import type { HostLookup } from './host-lookup.ts'

/** As Go's transport: an idle connection is closed after this. */
const IDLE_MS = 300_000
/** A server says for how long it keeps a connection; it is not used in the last of that time. */
const SERVER_MARGIN_MS = 1000
const SWEEP_MS = 30_000
/** A page of usual size in one piece. */
const READ_BYTES = 256 * 1024

/** Who has the connection at the moment. */
export interface SocketUser {
  connected(): void
  /** The bytes are good until the call returns. */
  received(bytes: Buffer): void
  /** The other side has ended, or the connection broke. Called once; the connection is gone. */
  ended(error: Error | undefined): void
}

export class PooledSocket {
  readonly key: string
  /** Requests that it has served. */
  served = 0
  /** Size of the last body that came over it. */
  lastBodyBytes = 0
  idleUntilMs = 0
  user: SocketUser | undefined
  private readonly socket: net.Socket

  constructor(key: string, options: net.NetConnectOpts, buffer: Buffer) {
    this.key = key
    const onread = { buffer, callback: (length: number) => this.onRead(buffer, length) }
    this.socket = net.connect({ ...options, onread })
    this.socket.on('connect', () => this.user?.connected())
    this.socket.on('error', (error) => this.onGone(error))
    this.socket.on('end', () => this.onGone(undefined))
    this.socket.on('close', () => this.onGone(undefined))
  }

  get isConnecting(): boolean {
    return this.socket.connecting
  }

  get isUsable(): boolean {
    return this.socket.writable && !this.socket.destroyed && performance.now() < this.idleUntilMs
  }

  write(text: string): void {
    this.socket.write(text, 'latin1')
  }

  destroy(): void {
    this.user = undefined
    this.socket.destroy()
  }

  private onRead(buffer: Buffer, length: number): boolean {
    if (this.user === undefined) {
      // Nobody asked. What a server says by itself would be taken for the next answer.
      this.socket.destroy()
      return true
    }
    this.user.received(buffer.subarray(0, length))
    return true
  }

  private onGone(error: Error | undefined): void {
    const { user } = this
    this.user = undefined
    this.socket.destroy()
    user?.ended(error)
  }
}

export class Sockets {
  private readonly hosts: HostLookup
  private readonly buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  /** By key; the one used last is taken first. */
  private readonly idle = new Map<string, PooledSocket[]>()
  private sweeping: NodeJS.Timeout | undefined

  constructor(hosts: HostLookup) {
    this.hosts = hosts
  }

  /** An idle connection to this place, or one that is yet to connect. `unixSocket`: '' for TCP. */
  take(host: string, port: number, unixSocket: string): PooledSocket {
    const key = unixSocket === '' ? `${host}:${port}` : `unix:${unixSocket}`
    const idle = this.idle.get(key)
    for (let socket = idle?.pop(); socket !== undefined; socket = idle?.pop()) {
      if (socket.isUsable) return socket
      socket.destroy()
    }
    const options = unixSocket === '' ? { host, port, lookup: this.hosts.lookup } : { path: unixSocket }
    return new PooledSocket(key, options as net.NetConnectOpts, this.buffer)
  }

  /** `keepAlive`: the server's header of that name, '' for none. */
  giveBack(socket: PooledSocket, keepAlive: string): void {
    const seconds = /(?:^|[\s,])timeout=(\d{1,6})/i.exec(keepAlive)?.[1]
    const serverMs = seconds === undefined ? IDLE_MS : Number(seconds) * 1000 - SERVER_MARGIN_MS
    socket.user = undefined
    socket.served++
    socket.idleUntilMs = performance.now() + Math.min(IDLE_MS, serverMs)
    if (!socket.isUsable) {
      socket.destroy()
      return
    }
    const idle = this.idle.get(socket.key)
    if (idle === undefined) this.idle.set(socket.key, [socket])
    else idle.push(socket)
    this.sweeping ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  close(): void {
    clearInterval(this.sweeping)
    for (const idle of this.idle.values()) for (const socket of idle) socket.destroy()
    this.idle.clear()
  }

  private sweep(): void {
    for (const [key, idle] of this.idle) {
      const left = idle.filter((socket) => {
        if (!socket.isUsable) socket.destroy()
        return socket.isUsable
      })
      if (left.length === 0) this.idle.delete(key)
      else this.idle.set(key, left)
    }
  }
}
