/**
 * What crosses to a query thread and what comes back. Requests are plain data (they are cloned between threads);
 * the parameters are checked by the API before, only expression texts are still texts. Answers are finished
 * bytes of an API response.
 */

interface QueryLimits {
  /** 0: no limit. */
  limit: number
}

export interface InstantRequest extends QueryLimits {
  kind: 'instant'
  query: string
  timeMs: number
  timeoutMs: number
  lookbackMs: number
  /** Step of subqueries that give none: the evaluation interval in force. */
  subqueryStepMs: number
  /** '' = none, 'true', 'all', or any other text (deprecated, works with a warning). */
  stats: string
  /** Whether the plan and its costs are to be told. */
  explain?: boolean
}

export interface RangeRequest extends QueryLimits {
  kind: 'range'
  query: string
  startMs: number
  endMs: number
  stepMs: number
  timeoutMs: number
  lookbackMs: number
  /** Step of subqueries that give none: the evaluation interval in force. */
  subqueryStepMs: number
  stats: string
  explain?: boolean
}

/** Each selector text is one `match[]`; they are united. */
export interface SeriesRequest extends QueryLimits {
  kind: 'series'
  selectors: readonly string[]
  startMs: number
  endMs: number
}

export interface LabelNamesRequest extends QueryLimits {
  kind: 'labelNames'
  selectors: readonly string[]
  startMs: number
  endMs: number
}

export interface LabelValuesRequest extends QueryLimits {
  kind: 'labelValues'
  name: string
  selectors: readonly string[]
  startMs: number
  endMs: number
}

/** What is in memory, and its largest labels. */
export interface HeadStatusRequest {
  kind: 'headStatus'
  /** Entries of each list, at least 1. */
  limit: number
}

export type QueryRequest =
  | InstantRequest
  | RangeRequest
  | SeriesRequest
  | LabelNamesRequest
  | LabelValuesRequest
  | HeadStatusRequest

/** Whether it is PromQL: label queries don't go through the engine. */
export function isEngineRequest(request: QueryRequest): request is InstantRequest | RangeRequest {
  return request.kind === 'instant' || request.kind === 'range'
}

/** First and last time, and the step between: 0 for an instant query, both times of which are the same. */
export function stepsOf(request: InstantRequest | RangeRequest): {
  startMs: number
  endMs: number
  stepMs: number
} {
  if (request.kind === 'instant') return { startMs: request.timeMs, endMs: request.timeMs, stepMs: 0 }
  const { startMs, endMs, stepMs } = request
  return { startMs, endMs, stepMs }
}

/** An API answer, envelope and all, ready to be sent. */
export interface QueryResponse {
  /** HTTP status. */
  status: number
  /** application/json, UTF-8. Owns its buffer, so that it can be transferred. */
  body: Uint8Array<ArrayBuffer>
  /** For the engine's metrics, milliseconds; what does not apply is 0. */
  timings: { queueMs: number; prepareMs: number; evalMs: number; sortMs: number }
  /** For the engine's metrics: samples that the steps' windows cover together, and samples read from storage. */
  samplesQueryable: number
  samplesRead: number
  /** Most samples that the evaluation held at once. */
  peakSamples: number
  /** What ended a query that was being run, for the query log. One that never came so far has none. */
  error?: string
  /** A bug of ours met on the way, with its stack, for the log. */
  fault?: string
}

/** Who asked. It stays in the main thread. */
export interface QueryOrigin {
  clientIp: string
  method: string
  /** Of the URL, without its parameters. */
  path: string
  /** Of the HTTP request, names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Runs requests: in this thread (tests, embedding) or in query threads (the server). */
export interface QueryService {
  /** Never rejects for what the request asks; an aborted signal cancels the query and answers 499. */
  run(request: QueryRequest, signal?: AbortSignal, origin?: QueryOrigin): Promise<QueryResponse>
  close(): Promise<void>
}
