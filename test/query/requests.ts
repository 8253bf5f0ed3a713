/** Requests and answers of query services, and an engine's options, for tests. */
import type { EngineOptions } from '../../promql/engine.ts'
import type { InstantRequest, QueryResponse, RangeRequest, SeriesRequest } from '../../src/query/request.ts'

export const ENGINE: EngineOptions = {
  lookbackMs: 300_000,
  maxSamples: 1_000_000,
  defaultSubqueryStepMs: 60_000,
  features: {},
}

export function instant(query: string, overrides: Partial<InstantRequest> = {}): InstantRequest {
  const defaults = {
    timeMs: 60_000,
    timeoutMs: 10_000,
    lookbackMs: 300_000,
    subqueryStepMs: 60_000,
    stats: '',
    limit: 0,
  }
  return { kind: 'instant', query, ...defaults, ...overrides }
}

export function range(query: string, overrides: Partial<RangeRequest> = {}): RangeRequest {
  const defaults = { timeoutMs: 10_000, lookbackMs: 300_000, subqueryStepMs: 60_000, stats: '', limit: 0 }
  return { kind: 'range', query, startMs: 0, endMs: 60_000, stepMs: 30_000, ...defaults, ...overrides }
}

export function series(selectors: readonly string[], overrides: Partial<SeriesRequest> = {}): SeriesRequest {
  return { kind: 'series', selectors, startMs: 0, endMs: 60_000, limit: 0, ...overrides }
}

/** One that was worked out, without a body. */
export function answer(timings: QueryResponse['timings']): QueryResponse {
  const samples = { samplesQueryable: 30, samplesRead: 20, peakSamples: 10 }
  return { status: 200, body: new Uint8Array(0), timings, ...samples }
}

export const bodyText = ({ body }: QueryResponse) => Buffer.from(body).toString('utf8')
export const bodyJson = (response: QueryResponse) => JSON.parse(bodyText(response))
