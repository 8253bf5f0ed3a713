/**
 * The HTTP front: the API under /api/v1, health and readiness, reload, own metrics.
 *
 * An API request passes readiness, then CORS, then the parameters are read and checked, and what is left is handed
 * to the query service or answered from memory. Query answers are bytes already; they are compressed if wanted
 * and sent.
 */
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { collectGarbage } from '../collect-garbage.ts'
import { errorAnswer } from '../query/json-writer.ts'
import { adminEndpoints } from './admin-endpoints.ts'
import type { ApiAnswer, ApiCall, ApiEndpoint, ApiHandler } from './call.ts'
import { compressed } from './compression.ts'
import { corsPolicy } from './cors.ts'
import type { ApiDependencies } from './dependencies.ts'
import { ApiError, badData } from './errors.ts'
import { Form } from './form.ts'
import { HttpMetrics } from './http-metrics.ts'
import { registerPages } from './pages.ts'
import { inPieces, WHOLE_BYTES } from './pieces.ts'
import { queryEndpoints } from './query-endpoints.ts'
import { replyUnavailable } from './readiness.ts'
import { Router } from './router.ts'
import { statusEndpoints } from './status-endpoints.ts'
import { storageEndpoints } from './storage-endpoints.ts'
import { targetEndpoints } from './target-endpoints.ts'

const API_PREFIX = '/api/v1'

/** Of a form in a body; queries of this size come from machines. */
const BODY_BYTES_MAX = 10 * 2 ** 20

/** A label name in a path may be as long as node allows the whole head of a request to be. */
const PATH_PARAMETER_LENGTH_MAX = 16 * 2 ** 10

/** The server, wired but not listening. Throws RegexError when the CORS origin is no pattern. */
export function createApi(dependencies: ApiDependencies): FastifyInstance {
  const { readTimeoutMs } = dependencies
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: readTimeoutMs,
    keepAliveTimeout: readTimeoutMs,
    exposeHeadRoutes: false,
    routerOptions: {
      maxParamLength: PATH_PARAMETER_LENGTH_MAX,
      // Parameters are decoded by Form, which follows Go.
      querystringParser: () => ({}),
    },
    // A path that does not decode is refused before there is a route.
    frameworkErrors: (_error, _request, reply: FastifyReply) => {
      void reply.code(400).type('text/plain; charset=utf-8').send('400 Bad Request')
    },
  })
  app.server.maxConnections = dependencies.maxConnections
  parseBodies(app)
  handleFailures(app, dependencies)

  const metrics = new HttpMetrics(dependencies.registry)
  const router = new Router(app, metrics, dependencies.routePrefix ?? '')
  const now = dependencies.now ?? Date.now
  const endpoints = [
    ...queryEndpoints({ ...dependencies, now }),
    ...targetEndpoints(dependencies),
    ...statusEndpoints({ ...dependencies, now }),
    ...storageEndpoints(dependencies),
    ...adminEndpoints({ ...dependencies, now }),
  ]
  registerEndpoints(router, endpoints, dependencies)
  registerPages(router, dependencies)
  return app
}

function registerEndpoints(
  router: Router,
  endpoints: readonly ApiEndpoint[],
  dependencies: ApiDependencies,
): void {
  const corsHeaders = corsPolicy(dependencies.corsOrigin)
  const withReadiness = (answer: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>) => {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      if (!dependencies.isReady()) return replyUnavailable(reply, dependencies)
      reply.headers(corsHeaders(request.headers.origin))
      reply.header('vary', 'Accept-Encoding, Origin')
      return answer(request, reply)
    }
  }
  for (const { path, methods, handle } of endpoints) {
    const respond = withReadiness(async (request, reply) => {
      const { status, body } = await call(handle, request, reply)
      if (status === 204) return reply.code(status).send()
      return sendJson(reply.code(status), request, body)
    })
    router.route(API_PREFIX + path, methods ?? ['GET', 'POST'], respond)
  }
  const noContent = withReadiness(async (_request, reply) => reply.code(204).send())
  router.options(`${API_PREFIX}/*`, `${API_PREFIX}/*path`, noContent)
}

async function call(handle: ApiHandler, request: FastifyRequest, reply: FastifyReply): Promise<ApiAnswer> {
  const gone = new AbortController()
  const onClose = () => gone.abort()
  reply.raw.once('close', onClose)
  try {
    return await handle(readCall(request, gone.signal))
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { status: error.status, body: errorAnswer(error.type, error.message, error.hint) }
  } finally {
    reply.raw.off('close', onClose)
  }
}

function readCall(request: FastifyRequest, signal: AbortSignal): ApiCall {
  const url = request.raw.url ?? ''
  const mark = url.indexOf('?')
  const encoded = mark < 0 ? '' : url.slice(mark + 1)
  const urlForm = new Form()
  urlForm.addEncoded(encoded)
  // A body's parameters go before those of the URL.
  const form = request.body instanceof Form ? request.body : new Form()
  form.addEncoded(encoded)
  const { name = '' } = request.params as { name?: string }
  const origin = {
    clientIp: clientIp(request),
    method: request.method,
    path: mark < 0 ? url : url.slice(0, mark),
    headers: request.headers,
  }
  return { form, urlForm, name, signal, origin }
}

/** A socket that takes both families shows addresses of IPv4 as mapped ones. */
function clientIp(request: FastifyRequest): string {
  const address = request.raw.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}

/** The memory of a larger body is given back when it was sent. */
const LARGE_BYTES = 64 * 2 ** 20
const COLLECT_AFTER_MS = 50

/** Sends JSON, compressed where that is wanted. */
async function sendJson(
  reply: FastifyReply,
  request: FastifyRequest,
  json: Uint8Array | string,
): Promise<FastifyReply> {
  const plain = typeof json === 'string' ? Buffer.from(json) : json
  const { body, isGzip } = await compressed(plain, request.headers['accept-encoding'])
  if (isGzip) reply.header('content-encoding', 'gzip')
  reply.type('application/json')
  if (body.length <= WHOLE_BYTES) return reply.send(body)
  reply.header('content-length', body.length)
  // A little later: at its close the reply still holds the body.
  if (body.length > LARGE_BYTES) reply.raw.once('close', () => setTimeout(collectGarbage, COLLECT_AFTER_MS))
  return reply.send(inPieces(body))
}

/** Forms become a Form; a body of any other type is read and not looked at, as upstream. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => {
      const form = new Form()
      form.addEncoded(body as string)
      done(null, form)
    },
  )
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => parseMultipart(request.headers['content-type']!, body),
  )
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
}

/** As `curl -F` sends; files in it are not looked at. */
async function parseMultipart(contentType: string, body: Buffer): Promise<Form> {
  const form = new Form()
  try {
    const parts = await new Response(new Uint8Array(body), {
      headers: { 'content-type': contentType },
    }).formData()
    for (const [name, value] of parts) if (typeof value === 'string') form.add(name, value)
  } catch {
    throw badData('error parsing form values: malformed multipart form')
  }
  return form
}

/** What happens outside of handlers: unknown paths, bodies that are too large, bugs. */
function handleFailures(app: FastifyInstance, { logger }: ApiDependencies): void {
  app.setNotFoundHandler((_request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
    return reply.code(404).type('text/plain; charset=utf-8').send('404 page not found\n')
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const apiError = requestError(error)
    if (apiError.status >= 500)
      logger.error({ err: error, stack: error.stack, url: request.url }, 'A request failed')
    const body = errorAnswer(apiError.type, apiError.message)
    return reply.code(apiError.status).type('application/json').send(body)
  })
}

function requestError(error: FastifyError | ApiError): ApiError {
  if (error instanceof ApiError) return error
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return badData('error parsing form values: http: POST too large')
  const status = error.statusCode ?? 500
  return status < 500 ? badData(error.message) : new ApiError('internal', error.message)
}
