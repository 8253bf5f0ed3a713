/**
 * The query log (`query_log_file`): a line of JSON for each PromQL query that was run, as upstream writes it. A query
 * that does not parse, or ended before it was run, is none of them.
 *
 *   {"time":"…","level":"INFO","source":"…","msg":"promql query logged",
 *    "params":{"end":"…","query":"…","start":"…","step":15},"error":"…","stats":{"timings":{…},"samples":{…}},
 *    "spanID":"0000000000000000","traceID":"00000000000000000000000000000000",
 *    "httpRequest":{"clientIP":"…","method":"GET","path":"/api/v1/query_range"}}
 */
import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import { LineFile } from '../telemetry/line-file.ts'
import {
  type InstantRequest,
  isEngineRequest,
  type QueryOrigin,
  type QueryRequest,
  type QueryResponse,
  type QueryService,
  type RangeRequest,
  stepsOf,
} from './request.ts'
import { statisticsOf } from './statistics.ts'

const SOURCE = 'query/query-log.ts'

/** There is no tracing, which upstream shows so. */
const NO_SPAN = '0'.repeat(16)
const NO_TRACE = '0'.repeat(32)

/** After so many years the calendar repeats itself. */
const CYCLE_YEARS = 400
const CYCLE_MS = 146_097 * 86_400_000

export class LoggedQueryService implements QueryService {
  private readonly service: QueryService
  private readonly logger: Logger
  private readonly enabled: Gauge
  private readonly failures: Counter
  private file: LineFile | undefined
  /** That this file cannot be written was said. */
  private isFailing = false

  /** Registers the metrics of the log. There is no file until `setFile`. */
  constructor(service: QueryService, registry: Registry, logger: Logger) {
    this.service = service
    this.logger = logger.child({ source: SOURCE, component: 'query engine' })
    const registers = [registry]
    this.enabled = new Gauge({
      name: 'prometheus_engine_query_log_enabled',
      help: 'State of the query log.',
      registers,
    })
    this.failures = new Counter({
      name: 'prometheus_engine_query_log_failures_total',
      help: 'The number of query log failures.',
      registers,
    })
  }

  /**
   * Logs to this file from now on, to none if empty. It is opened again where it is the same, so that logs can be rotated.
   * Rejects when it cannot be opened: then all stays as it was.
   */
  async setFile(path: string): Promise<void> {
    const file = path === '' ? undefined : await this.open(path)
    const old = this.file
    this.file = file
    this.isFailing = false
    this.enabled.set(file === undefined ? 0 : 1)
    await this.closeFile(old)
  }

  async run(request: QueryRequest, signal?: AbortSignal, origin?: QueryOrigin): Promise<QueryResponse> {
    const response = await this.service.run(request, signal, origin)
    if (this.file !== undefined && isEngineRequest(request) && wasRun(response)) {
      this.file.add(logLine(request, response, origin, Date.now()))
    }
    return response
  }

  async close(): Promise<void> {
    await this.service.close()
    const { file } = this
    this.file = undefined
    await this.closeFile(file)
  }

  private async open(path: string): Promise<LineFile> {
    try {
      return await LineFile.open(path, (error, lines) => this.countLost(path, error, lines))
    } catch (cause) {
      throw new Error(`can't create json log file: ${(cause as Error).message}`, { cause })
    }
  }

  private async closeFile(file: LineFile | undefined): Promise<void> {
    try {
      await file?.close()
    } catch (err) {
      this.logger.warn({ err }, 'Error while closing the previous query log file')
    }
  }

  private countLost(file: string, err: Error, lines: number): void {
    this.failures.inc(lines)
    if (this.isFailing) return
    this.isFailing = true
    this.logger.error({ file, err }, "can't log query; further failures are only counted")
  }
}

function wasRun({ status, error }: QueryResponse): boolean {
  return status === 200 || error !== undefined
}

function logLine(
  request: InstantRequest | RangeRequest,
  response: QueryResponse,
  origin: QueryOrigin | undefined,
  nowMs: number,
): string {
  const { timings, samplesQueryable, samplesRead, peakSamples, error } = response
  const samples = { totalQueryableSamples: samplesQueryable, samplesRead, peakSamples }
  const { startMs, endMs, stepMs } = stepsOf(request)
  return JSON.stringify({
    time: goTime(nowMs),
    level: 'INFO',
    source: SOURCE,
    msg: 'promql query logged',
    params: {
      end: goTime(endMs),
      query: request.query,
      start: goTime(startMs),
      step: Math.floor(stepMs / 1000),
    },
    error,
    stats: statisticsOf({ timings, samples }, timings.queueMs),
    spanID: NO_SPAN,
    traceID: NO_TRACE,
    httpRequest: origin && { clientIP: origin.clientIp, method: origin.method, path: origin.path },
  })
}

/** As Go prints times in UTC with milliseconds. Unlike Date it is at home in all years that a query may name. */
function goTime(ms: number): string {
  const cycle = Math.floor(ms / CYCLE_MS)
  const text = new Date(ms - cycle * CYCLE_MS).toISOString()
  const year = Number(text.slice(0, 4)) + cycle * CYCLE_YEARS
  const digits = String(Math.abs(year)).padStart(4, '0')
  return `${year < 0 ? '-' : ''}${digits}${text.slice(4)}`
}
