/**
 * Runs one request to its answer: parse, evaluate, write. The work of a query thread, and of tests in their own.
 * Every failure becomes an answer; a bug becomes one too, and is handed over to be logged.
 */
import {
  Engine,
  type EngineOptions,
  HeavyQuery,
  type QueryOptions,
  type QueryResult,
} from '../../promql/engine.ts'
import { canceled, QueryError } from '../../promql/errors.ts'
import { hintFor } from '../../promql/hints.ts'
import { QueryMemory } from '../../promql/memory.ts'
import { quoteString } from '../../promql/syntax/go-format.ts'
import type { QueryValue } from '../../promql/value.ts'
import { type DamageNote, warningOf } from '../../storage/damage.ts'
import { StorageError } from '../../storage/errors.ts'
import type { HeadStatistics, Querier, Queryable } from '../../storage/interface.ts'
import { compareLabels, compareUtf8, type Labels } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { ApiError, invalidParameter, notReady } from '../api/errors.ts'
import { headStatusAnswer } from './head-status.ts'
import { labelSetsAnswer, type Notices, queryAnswer, stringsAnswer } from './json-writer.ts'
import type {
  InstantRequest,
  LabelNamesRequest,
  LabelValuesRequest,
  QueryRequest,
  QueryResponse,
  RangeRequest,
  SeriesRequest,
} from './request.ts'
import { apiErrorResponse, executionFailure } from './response.ts'
import { parseSelectors } from './selectors.ts'
import { statisticsOf } from './statistics.ts'

const TRUNCATED = 'results truncated due to limit'

/** The circumstances of one request. */
export interface Run {
  /** One word of shared memory; the request is given up soon after it is not 0. */
  readonly cancel: Int32Array
  /** How long the request has waited, which counts against its timeout. */
  readonly queueMs: number
  /** What is lost of all but the blocks; answers that it may concern say so. */
  readonly damage?: readonly DamageNote[]
  /** Closed here at the end; without it a query may have any. */
  readonly memory?: QueryMemory
  /** Queries that cost more are not run but handed back; by the engine's estimate. */
  readonly workMax?: number
}

export class QueryExecutor {
  private readonly engine: Engine
  private readonly queryable: Queryable & HeadStatistics

  constructor(options: EngineOptions, queryable: Queryable & HeadStatistics) {
    this.engine = new Engine(options)
    this.queryable = queryable
  }

  /** Rejects with HeavyQuery where `run` has a `workMax`, else never. */
  async execute(request: QueryRequest, run: Run): Promise<QueryResponse> {
    const { queueMs } = run
    try {
      switch (request.kind) {
        case 'instant':
        case 'range':
          return await this.query(request, run)
        case 'series':
          return labelResponse(await this.series(request, run), queueMs)
        case 'labelNames':
        case 'labelValues':
          return labelResponse(await this.labels(request, run), queueMs)
        case 'headStatus':
          return labelResponse(headStatusAnswer(this.queryable.headStatus(request.limit)), queueMs)
      }
    } catch (error) {
      if (error instanceof HeavyQuery) throw error
      return failure(error, queueMs, 'query' in request ? request.query : '')
    }
  }

  private async query(request: InstantRequest | RangeRequest, run: Run): Promise<QueryResponse> {
    const memory = run.memory ?? QueryMemory.unlimited()
    try {
      return await this.answer(request, run, memory)
    } finally {
      memory.close()
    }
  }

  private async answer(
    request: InstantRequest | RangeRequest,
    { cancel, queueMs, workMax, damage }: Run,
    memory: QueryMemory,
  ): Promise<QueryResponse> {
    // A timeout of 0 is over at once, however fast the clock.
    const timeoutMs = Math.max(request.timeoutMs - queueMs, 0) || -1
    const { lookbackMs, subqueryStepMs, explain } = request
    const perStepStats = request.stats === 'all'
    const options: QueryOptions = {
      lookbackMs,
      subqueryStepMs,
      timeoutMs,
      cancel,
      memory,
      workMax,
      explain,
      perStepStats,
    }
    const tracked = new TrackedQueryable(this.queryable, damage)
    const result = await this.evaluate(tracked, request, options)
    const { value, isTruncated } = truncate(result.value, request.limit)
    const { warnings, infos } = result
    const notices = {
      warnings: [...requestWarnings(request, isTruncated), ...tracked.warnings(), ...warnings],
      infos,
    }
    const statistics = request.stats === '' ? undefined : statisticsOf(result, queueMs)
    const { timings, samples } = result
    return {
      status: 200,
      body: queryAnswer(value, statistics, notices, result.explain),
      timings: { ...timings, queueMs },
      samplesQueryable: samples.totalQueryableSamples,
      samplesRead: samples.samplesRead,
      peakSamples: samples.peakSamples,
    }
  }

  private evaluate(
    queryable: Queryable,
    request: InstantRequest | RangeRequest,
    options: QueryOptions,
  ): Promise<QueryResult> {
    if (request.kind === 'instant') {
      return this.engine.instantQuery(queryable, request.query, request.timeMs, options)
    }
    const { query, startMs, endMs, stepMs } = request
    return this.engine.rangeQuery(queryable, query, startMs, endMs, stepMs, options)
  }

  private async series(request: SeriesRequest, { cancel, damage }: Run): Promise<Uint8Array<ArrayBuffer>> {
    let selectors: (readonly Matcher[])[]
    try {
      selectors = parseSelectors(request.selectors)
    } catch (error) {
      throw error instanceof ApiError ? invalidParameter('match[]', error.message) : error
    }
    const found = await this.withQuerier(request, damage, async (querier) => {
      const sets: Labels[][] = []
      for (const matchers of selectors) {
        throwIfCanceled(cancel)
        const set = await querier.select(matchers, {
          func: 'series',
          stepMs: 0,
          rangeMs: 0,
          labelsOnly: true,
        })
        // A selector's series are sorted: what lies beyond the limit (and the one that shows it) can't be first.
        const count = request.limit > 0 ? Math.min(set.count, request.limit + 1) : set.count
        sets.push(Array.from({ length: count }, (_, i) => set.labels(i)))
      }
      return sets.length === 1 ? sets[0] : uniteLabels(sets)
    })
    const { items, notices } = limited(found.items, request.limit, found.warnings)
    return labelSetsAnswer(items, notices)
  }

  private async labels(
    request: LabelNamesRequest | LabelValuesRequest,
    { cancel, damage }: Run,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const selectors = parseSelectors(request.selectors)
    // Without a selector all series count, as under one matcher set that is empty.
    const matcherSets = selectors.length === 0 ? [[]] : selectors
    const found = await this.withQuerier(request, damage, async (querier) => {
      const lists: string[][] = []
      for (const matchers of matcherSets) {
        throwIfCanceled(cancel)
        const list =
          request.kind === 'labelNames'
            ? await querier.labelNames(matchers)
            : await querier.labelValues(request.name, matchers)
        lists.push(list)
      }
      return lists.length === 1 ? lists[0] : [...new Set(lists.flat())].sort(compareUtf8)
    })
    const { items, notices } = limited(found.items, request.limit, found.warnings)
    return stringsAnswer(items, notices)
  }

  private async withQuerier<T>(
    { startMs, endMs }: { startMs: number; endMs: number },
    damage: readonly DamageNote[] | undefined,
    read: (querier: Querier) => Promise<T[]>,
  ): Promise<{ items: T[]; warnings: string[] }> {
    const tracked = new TrackedQueryable(this.queryable, damage)
    const querier = tracked.querier(startMs, endMs)
    try {
      const items = await read(querier)
      return { items, warnings: tracked.warnings() }
    } finally {
      querier.close()
    }
  }
}

function throwIfCanceled(cancel: Int32Array): void {
  if (Atomics.load(cancel, 0) !== 0) throw canceled('query execution')
}

function uniteLabels(sets: readonly Labels[][]): Labels[] {
  const united = new Map<string, Labels>()
  for (const labels of sets.flat()) united.set(labels.key(), labels)
  return [...united.values()].sort(compareLabels)
}

function limited<T>(
  items: readonly T[],
  limit: number,
  warnings: readonly string[],
): { items: readonly T[]; notices: Notices } {
  if (limit === 0 || items.length <= limit) return { items, notices: { warnings, infos: [] } }
  return { items: items.slice(0, limit), notices: { warnings: [TRUNCATED, ...warnings], infos: [] } }
}

/** Keeps the queriers that an evaluation makes, for what they have to say of missing data. */
class TrackedQueryable implements Queryable {
  private readonly queryable: Queryable
  private readonly damage: readonly DamageNote[]
  private readonly made: Querier[] = []
  private readonly lost = new Set<string>()

  /** `damage`: what is lost and no querier tells. */
  constructor(queryable: Queryable, damage: readonly DamageNote[] = []) {
    this.queryable = queryable
    this.damage = damage
  }

  querier(mint: number, maxt: number): Querier {
    const querier = this.queryable.querier(mint, maxt)
    this.made.push(querier)
    for (const note of this.damage) {
      const warning = warningOf(note, mint, maxt)
      if (warning !== undefined) this.lost.add(warning)
    }
    return querier
  }

  warnings(): string[] {
    return [...new Set([...this.lost, ...this.made.flatMap((querier) => querier.warnings())])]
  }
}

/** Leaves the first `limit` series; scalars and strings are not touched. */
function truncate(value: QueryValue, limit: number): { value: QueryValue; isTruncated: boolean } {
  if (limit === 0 || value.type === 'scalar' || value.type === 'string' || value.series.length <= limit) {
    return { value, isTruncated: false }
  }
  // One branch a type keeps the series' type apart for the compiler.
  if (value.type === 'samples')
    return { value: { ...value, series: value.series.slice(0, limit) }, isTruncated: true }
  return { value: { ...value, series: value.series.slice(0, limit) }, isTruncated: true }
}

/** First, so that they are not among those omitted when there are many. */
function requestWarnings({ stats }: InstantRequest | RangeRequest, isTruncated: boolean): string[] {
  const warnings: string[] = isTruncated ? [TRUNCATED] : []
  if (stats !== '' && stats !== 'true' && stats !== 'all') {
    warnings.push(
      `value ${quoteString(stats)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
    )
  }
  return warnings
}

function labelResponse(body: Uint8Array<ArrayBuffer>, queueMs: number): QueryResponse {
  const timings = { queueMs, prepareMs: 0, evalMs: 0, sortMs: 0 }
  return { status: 200, body, timings, samplesQueryable: 0, samplesRead: 0, peakSamples: 0 }
}

/** The answer to an error, by its class. */
function failure(error: unknown, queueMs: number, query: string): QueryResponse {
  if (error instanceof ApiError) return apiErrorResponse(error, queueMs)
  const storageError = error instanceof StorageError ? error : (error as Error).cause
  if (
    storageError instanceof StorageError &&
    (storageError.code === 'NOT_READY' || storageError.code === 'CLOSED')
  ) {
    return apiErrorResponse(notReady(), queueMs)
  }
  if (error instanceof QueryError) return queryFailure(error, queueMs, query)
  const { message, stack } = error as Error
  if (error instanceof StorageError) return executionFailure(message, queueMs)
  return { ...executionFailure(`unexpected error: ${message}`, queueMs), fault: stack }
}

function queryFailure(error: QueryError, queueMs: number, query: string): QueryResponse {
  const { type, message, cost } = error
  const apiError = type === 'bad_data' ? invalidParameter('query', message) : new ApiError(type, message)
  apiError.hint = hintFor(message, query)
  const response = apiErrorResponse(apiError, queueMs)
  if (cost === undefined) return response
  const { totalQueryableSamples, samplesRead, peakSamples } = cost.samples
  return {
    ...response,
    timings: { ...cost.timings, queueMs },
    samplesQueryable: totalQueryableSamples,
    samplesRead,
    peakSamples,
    error: message,
  }
}
