/** Errors of a query, by the kinds of the HTTP API, with upstream's texts. */
import type { SamplesPerStep } from './value.ts'

/** What a query took. */
export interface QueryCost {
  /** Milliseconds. Preparation is planning and the read of series, without parsing. */
  readonly timings: { readonly prepareMs: number; readonly evalMs: number; readonly sortMs: number }
  readonly samples: {
    readonly totalQueryableSamples: number
    readonly samplesRead: number
    readonly peakSamples: number
    /** Only where it was asked for. */
    readonly perStep?: SamplesPerStep
  }
}

export type QueryErrorType = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

export class QueryError extends Error {
  readonly type: QueryErrorType
  /** What the query had taken until then; undefined where it was not run at all. */
  cost?: QueryCost

  constructor(type: QueryErrorType, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'QueryError'
    this.type = type
  }
}

/** In which part of a query's run the time ran out or it was cancelled. */
export type QueryPhase = 'query execution' | 'expression evaluation'

/** When a query is to end. */
export interface EndConditions {
  /** On the clock of performance.now(). */
  readonly deadlineMs: number
  /** Shared with other threads: cell 0 is not 0 once the query is cancelled. */
  readonly cancel?: Int32Array
}

/** Throws QueryError once the query was cancelled or its time is up. */
export function checkRunning({ deadlineMs, cancel }: EndConditions, phase: QueryPhase): void {
  if (cancel !== undefined && Atomics.load(cancel, 0) !== 0) throw canceled(phase)
  if (performance.now() > deadlineMs) throw new QueryError('timeout', `query timed out in ${phase}`)
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
