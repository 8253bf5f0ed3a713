/** The answer to whoever asks before the storage is whole, or while the server stops. */
import type { FastifyReply } from 'fastify'
import type { ApiDependencies } from './dependencies.ts'

export function replyUnavailable(reply: FastifyReply, { isStopping }: ApiDependencies): FastifyReply {
  reply.header('x-prometheus-stopping', String(isStopping()))
  return reply.code(503).type('text/plain; charset=utf-8').send('Service Unavailable')
}
