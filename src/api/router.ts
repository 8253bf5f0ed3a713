/** Routes with what each of them needs around it: metrics under their pattern, and 405 for other methods. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HttpMetrics } from './http-metrics.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT'
export type Respond = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'] as const

export class Router {
  private readonly app: FastifyInstance
  private readonly metrics: HttpMetrics
  private readonly prefix: string

  /** `prefix` goes before all paths, but is not part of a handler's name in metrics. */
  constructor(app: FastifyInstance, metrics: HttpMetrics, prefix: string) {
    this.app = app
    this.metrics = metrics
    const trimmed = prefix.replace(/^\/+|\/+$/g, '')
    this.prefix = trimmed === '' ? '' : `/${trimmed}`
  }

  route(path: string, methods: readonly Method[], respond: Respond): void {
    const url = this.prefix + path
    this.app.route({ method: [...methods], url, handler: this.metered(path, respond) })
    const others = METHODS.filter((method) => !(methods as readonly string[]).includes(method))
    const allow = [...methods, 'OPTIONS'].sort().join(', ')
    this.app.route({ method: others, url, handler: (_request, reply) => replyNotAllowed(reply, allow) })
  }

  /** One answer to OPTIONS for all paths below. */
  options(path: string, handler: string, respond: Respond): void {
    this.app.route({ method: 'OPTIONS', url: this.prefix + path, handler: this.metered(handler, respond) })
  }

  /** Where there is a prefix, what lies outside of it leads to it. */
  redirectRoot(): void {
    if (this.prefix === '') return
    this.app.get('/', (_request, reply) => reply.redirect(`${this.prefix}/`, 302))
    this.app.get(this.prefix, (_request, reply) => reply.redirect(`${this.prefix}/`, 302))
  }

  private metered(handler: string, respond: Respond): Respond {
    this.metrics.announce(handler)
    return (request, reply) => {
      this.metrics.watch(handler, reply)
      return respond(request, reply)
    }
  }
}

function replyNotAllowed(reply: FastifyReply, allow: string): FastifyReply {
  reply.headers({ allow, 'x-content-type-options': 'nosniff' })
  return reply.code(405).type('text/plain; charset=utf-8').send('Method Not Allowed\n')
}
