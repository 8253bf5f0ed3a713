/** Query responses that are errors. */
import { ApiError, type ApiErrorType, notReady } from '../api/errors.ts'
import { errorAnswer } from './json-writer.ts'
import type { QueryResponse } from './request.ts'

const NO_TIMINGS = { queueMs: 0, prepareMs: 0, evalMs: 0, sortMs: 0 }

export function apiErrorResponse(error: ApiError, queueMs = 0): QueryResponse {
  return {
    status: error.status,
    body: errorAnswer(error.type, error.message, error.hint),
    timings: { ...NO_TIMINGS, queueMs },
    samplesQueryable: 0,
    samplesRead: 0,
    peakSamples: 0,
  }
}

export function errorResponse(type: ApiErrorType, message: string, queueMs = 0): QueryResponse {
  return apiErrorResponse(new ApiError(type, message), queueMs)
}

/** A query that failed while it was run. */
export function executionFailure(message: string, queueMs = 0): QueryResponse {
  return { ...errorResponse('execution', message, queueMs), error: message }
}

/** The client went away while the request waited. */
export function canceledResponse(): QueryResponse {
  return errorResponse('canceled', 'context canceled')
}

/** The request's time ran out while it waited. Upstream's queue comes before parsing, and is taken for a bad query. */
export function queueTimeoutResponse(queueMs: number): QueryResponse {
  return errorResponse('bad_data', 'invalid parameter "query": context deadline exceeded', queueMs)
}

/** The service is closed: the server stops. */
export function closedResponse(): QueryResponse {
  return apiErrorResponse(notReady())
}
