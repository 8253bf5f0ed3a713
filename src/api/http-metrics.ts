/** Counts, times and measures the answers, by handler: the pattern of the route, without a route prefix. */
import type { FastifyReply } from 'fastify'
import { Counter, Histogram, type Registry } from 'prom-client'

/** The code counted for a client that went away before its answer. */
const CLIENT_CLOSED = '499'

export class HttpMetrics {
  private readonly requests: Counter<'code' | 'handler'>
  private readonly duration: Histogram<'handler'>
  private readonly responseSize: Histogram<'handler'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.requests = new Counter({
      name: 'prometheus_http_requests_total',
      help: 'Counter of HTTP requests.',
      labelNames: ['code', 'handler'],
      registers,
    })
    this.duration = new Histogram({
      name: 'prometheus_http_request_duration_seconds',
      help: 'Histogram of latencies for HTTP requests.',
      labelNames: ['handler'],
      buckets: [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120],
      registers,
    })
    this.responseSize = new Histogram({
      name: 'prometheus_http_response_size_bytes',
      help: 'Histogram of response size for HTTP requests.',
      labelNames: ['handler'],
      buckets: [100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
      registers,
    })
  }

  /** Shows a handler with zero requests before the first one, as upstream. */
  announce(handler: string): void {
    this.requests.inc({ code: '200', handler }, 0)
  }

  /** Observes one answer when it is sent, or its connection gone. */
  watch(handler: string, reply: FastifyReply): void {
    const response = reply.raw
    const startedMs = performance.now()
    let isCounted = false
    const count = (isSent: boolean) => {
      if (isCounted) return
      isCounted = true
      this.requests.inc({ code: isSent ? String(response.statusCode) : CLIENT_CLOSED, handler })
      this.duration.observe({ handler }, (performance.now() - startedMs) / 1000)
      this.responseSize.observe({ handler }, isSent ? Number(reply.getHeader('content-length') ?? 0) : 0)
    }
    // The connection of an answer that was sent whole closes too, but later.
    response.once('finish', () => count(true))
    response.once('close', () => count(false))
  }
}
