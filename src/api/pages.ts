/** What is not the API: health, readiness, reload, version, own metrics, and a page that says where things are. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { METRICS_CONTENT_TYPE, render } from '../telemetry/metrics.ts'
import { compressed } from './compression.ts'
import type { ApiDependencies } from './dependencies.ts'
import { toJson } from './json.ts'
import { replyUnavailable } from './readiness.ts'
import type { Router } from './router.ts'

const PLAIN_TEXT = 'text/plain; charset=utf-8'

export function registerPages(router: Router, dependencies: ApiDependencies): void {
  const text = (reply: FastifyReply, status: number, body: string) =>
    reply.code(status).type(PLAIN_TEXT).send(body)

  router.route('/-/healthy', ['GET', 'HEAD'], async (_request, reply) =>
    text(reply, 200, 'Prometheus Server is Healthy.\n'),
  )
  router.route('/-/ready', ['GET', 'HEAD'], async (_request, reply) =>
    dependencies.isReady()
      ? text(reply, 200, 'Prometheus Server is Ready.\n')
      : replyUnavailable(reply, dependencies),
  )
  router.route('/version', ['GET'], async (_request, reply) =>
    text(reply, 200, toJson({ ...dependencies.buildInfo })),
  )
  router.route('/metrics', ['GET'], (request, reply) => sendMetrics(request, reply, dependencies))
  router.route('/', ['GET'], async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(START_PAGE),
  )
  router.redirectRoot()
  registerReload(router, dependencies, text)
}

function registerReload(
  router: Router,
  { isLifecycleEnabled, reload, logger }: ApiDependencies,
  text: (reply: FastifyReply, status: number, body: string) => FastifyReply,
): void {
  router.route('/-/reload', ['GET', 'POST', 'PUT'], async (request, reply) => {
    if (request.method === 'GET') return text(reply, 405, 'Only POST or PUT requests allowed')
    if (!isLifecycleEnabled) return text(reply, 403, 'Lifecycle API is not enabled.')
    try {
      await reload()
    } catch (error) {
      logger.error({ err: error }, 'Reloading the configuration failed')
      return text(reply, 500, `failed to reload config: ${(error as Error).message}\n`)
    }
    return reply.code(200).send()
  })
}

async function sendMetrics(
  request: FastifyRequest,
  reply: FastifyReply,
  { registry }: ApiDependencies,
): Promise<FastifyReply> {
  const plain = Buffer.from(await render(registry))
  const { body, isGzip } = await compressed(plain, request.headers['accept-encoding'])
  if (isGzip) reply.header('content-encoding', 'gzip')
  return reply.type(METRICS_CONTENT_TYPE).send(body)
}

/** Links are relative, so that they hold under any prefix. */
const LINKS: readonly (readonly [href: string, what: string])[] = [
  ['api/v1/query?query=up', 'the newest value of a query'],
  ['api/v1/targets', 'what is scraped'],
  ['api/v1/label/__name__/values', 'the names of all metrics'],
  ['api/v1/metadata', 'what the metrics mean'],
  ['api/v1/status/config', 'the configuration'],
  ['api/v1/status/flags', 'the flags'],
  ['api/v1/status/runtimeinfo', 'about this process'],
  ['api/v1/status/buildinfo', 'about this version'],
  ['metrics', 'own metrics'],
  ['-/healthy', 'whether it lives'],
  ['-/ready', 'whether it answers queries'],
]

const START_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Narthex</title></head>
<body>
<h1>Narthex</h1>
<p>A time-series database server that speaks Prometheus. Point Grafana's Prometheus data source at this address, or ask:</p>
<ul>
${LINKS.map(([href, what]) => `<li><a href="${href}">/${href}</a>: ${what}</li>`).join('\n')}
</ul>
</body>
</html>
`
