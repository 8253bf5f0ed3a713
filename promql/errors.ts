/** Errors of a query, by the kinds of the HTTP API, with upstream's texts. */

export type QueryErrorType = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

export class QueryError extends Error {
  readonly type: QueryErrorType

  constructor(type: QueryErrorType, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'QueryError'
    this.type = type
  }
}

/** In which part of a query's run the time ran out or it was cancelled. */
export type QueryPhase = 'query execution' | 'expression evaluation'

export function timedOut(phase: QueryPhase): QueryError {
  return new QueryError('timeout', `query timed out in ${phase}`)
}

export function canceled(phase: QueryPhase): QueryError {
  return new QueryError('canceled', `query was canceled in ${phase}`)
}

export function tooManySamples(): QueryError {
  const text = 'query processing would load too many samples into memory in query execution'
  return new QueryError('execution', text)
}

export function duplicateLabelSet(): QueryError {
  return new QueryError('execution', 'vector cannot contain metrics with the same labelset')
}
