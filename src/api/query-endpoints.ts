/** Endpoints that read samples and labels: they check parameters and hand the rest to the query service. */

import type { EngineFeatures } from '../../promql/engine.ts'
import { hintFor } from '../../promql/hints.ts'
import { quoteString } from '../../promql/syntax/go-format.ts'
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parse } from '../../promql/syntax/parser.ts'
import { prettyPrint } from '../../promql/syntax/pretty.ts'
import { isUtf8Name } from '../../storage/model/labels.ts'
import type { QueryRequest } from '../query/request.ts'
import type { ApiAnswer, ApiCall, ApiEndpoint } from './call.ts'
import type { ApiDependencies } from './dependencies.ts'
import { badData, invalidParameter } from './errors.ts'
import type { Form } from './form.ts'
import { successJson } from './json.ts'
import { unescapeLabelName } from './label-name.ts'
import {
  limitParameter,
  lookbackParameter,
  MAX_TIME_MS,
  MIN_TIME_MS,
  stepParameters,
  timeoutParameter,
  timeParameter,
} from './parameters.ts'

type Dependencies = Pick<ApiDependencies, 'queryService' | 'engine' | 'getConfig' | 'logger'> & {
  now(): number
}

// Parameters are read in upstream's order: the first that is wrong is the one reported.

function instantRequest(form: Form, dependencies: Dependencies): QueryRequest {
  const limit = limitParameter(form)
  const timeMs = timeParameter(form, 'time', dependencies.now())
  return {
    kind: 'instant',
    query: form.get('query'),
    limit,
    timeMs,
    ...evaluationParameters(form, dependencies),
  }
}

function rangeRequest(form: Form, dependencies: Dependencies): QueryRequest {
  const limit = limitParameter(form)
  const { startMs, endMs, stepMs } = stepParameters(form)
  const query = form.get('query')
  return { kind: 'range', query, limit, startMs, endMs, stepMs, ...evaluationParameters(form, dependencies) }
}

function evaluationParameters(form: Form, { engine, getConfig }: Dependencies) {
  return {
    subqueryStepMs: getConfig().global.evaluationIntervalMs,
    timeoutMs: timeoutParameter(form, engine.timeoutMs),
    lookbackMs: lookbackParameter(form, engine.lookbackMs),
    stats: form.get('stats'),
    explain: form.get('explain') === 'true',
  }
}

function seriesRequest(form: Form): QueryRequest {
  if (form.fault !== undefined) throw badData(`error parsing form values: ${form.fault}`)
  if (form.getAll('match[]').length === 0) throw badData('no match[] parameter provided')
  return { kind: 'series', ...labelParameters(form) }
}

function labelParameters(form: Form) {
  return {
    limit: limitParameter(form),
    startMs: timeParameter(form, 'start', MIN_TIME_MS),
    endMs: timeParameter(form, 'end', MAX_TIME_MS),
    selectors: form.getAll('match[]'),
  }
}

function labelValuesRequest(form: Form, escapedName: string): QueryRequest {
  const name = unescapeLabelName(escapedName)
  if (!isUtf8Name(name)) throw badData(`invalid label name: ${quoteString(name)}`)
  return { kind: 'labelValues', name, ...labelParameters(form) }
}

export function queryEndpoints(dependencies: Dependencies): ApiEndpoint[] {
  const endpoint = (path: string, request: (call: ApiCall) => QueryRequest): ApiEndpoint => ({
    path,
    handle: (call) => run(dependencies, request(call), call),
  })
  return [
    endpoint('/query', ({ form }) => instantRequest(form, dependencies)),
    endpoint('/query_range', ({ form }) => rangeRequest(form, dependencies)),
    {
      path: '/format_query',
      handle: ({ form }) => formatQuery(form.get('query'), dependencies.engine.features),
    },
    endpoint('/series', ({ form }) => seriesRequest(form)),
    endpoint('/labels', ({ form }) => ({ kind: 'labelNames', ...labelParameters(form) })),
    endpoint('/label/:name/values', ({ form, name }) => labelValuesRequest(form, name)),
  ]
}

function formatQuery(query: string, features: EngineFeatures): ApiAnswer {
  try {
    return { status: 200, body: successJson(prettyPrint(parse(query, features))) }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    const apiError = invalidParameter('query', error.message)
    apiError.hint = hintFor(error.message, query)
    throw apiError
  }
}

async function run(
  { queryService, logger }: Dependencies,
  request: QueryRequest,
  { signal, origin }: ApiCall,
): Promise<ApiAnswer> {
  const { status, body, fault } = await queryService.run(request, signal, origin)
  if (fault !== undefined) logger.error({ err: fault, request: JSON.stringify(request) }, 'A query met a bug')
  return { status, body }
}
