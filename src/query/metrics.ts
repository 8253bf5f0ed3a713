/** The engine's metrics, around whatever runs the queries. */
import { Counter, Gauge, type Registry, Summary } from 'prom-client'
import type { QueryRequest, QueryResponse, QueryService } from './request.ts'

/** Quantiles are over the last ten minutes. */
const MAX_AGE_SECONDS = 600
const AGE_BUCKETS = 5

export class MeteredQueryService implements QueryService {
  private readonly service: QueryService
  private readonly current: Gauge
  private readonly duration: Summary<'slice'>
  private readonly samples: Counter
  private readonly samplesRead: Counter

  /** Registers the metrics. `maxConcurrency` is only shown. */
  constructor(service: QueryService, registry: Registry, maxConcurrency: number) {
    this.service = service
    const registers = [registry]
    this.current = new Gauge({
      name: 'prometheus_engine_queries',
      help: 'The current number of queries being executed or waiting.',
      registers,
    })
    new Gauge({
      name: 'prometheus_engine_queries_concurrent_max',
      help: 'The max number of concurrent queries.',
      registers,
    }).set(maxConcurrency)
    new Gauge({
      name: 'prometheus_engine_query_log_enabled',
      help: 'State of the query log.',
      registers,
    }).set(0)
    this.duration = new Summary({
      name: 'prometheus_engine_query_duration_seconds',
      help: 'Query timings',
      labelNames: ['slice'],
      percentiles: [0.5, 0.9, 0.99],
      maxAgeSeconds: MAX_AGE_SECONDS,
      ageBuckets: AGE_BUCKETS,
      registers,
    })
    this.samples = new Counter({
      name: 'prometheus_engine_query_samples_total',
      help: 'The total number of samples loaded by all queries.',
      registers,
    })
    this.samplesRead = new Counter({
      name: 'prometheus_engine_query_samples_read_total',
      help: 'The total number of samples read from storage by all queries.',
      registers,
    })
  }

  async run(request: QueryRequest, signal?: AbortSignal): Promise<QueryResponse> {
    // The metrics are about PromQL; label queries don't go through the engine.
    if (request.kind !== 'instant' && request.kind !== 'range') return this.service.run(request, signal)
    this.current.inc()
    try {
      const response = await this.service.run(request, signal)
      this.observe(response)
      return response
    } finally {
      this.current.dec()
    }
  }

  close(): Promise<void> {
    return this.service.close()
  }

  private observe({ timings, samplesQueryable, samplesRead }: QueryResponse): void {
    this.duration.observe({ slice: 'queue_time' }, timings.queueMs / 1000)
    // A query that failed before its evaluation, in parsing or in the queue, has the first slice only.
    if (timings.evalMs > 0) {
      this.duration.observe({ slice: 'prepare_time' }, timings.prepareMs / 1000)
      this.duration.observe({ slice: 'inner_eval' }, timings.evalMs / 1000)
      this.duration.observe({ slice: 'result_sort' }, timings.sortMs / 1000)
    }
    this.samples.inc(samplesQueryable)
    this.samplesRead.inc(samplesRead)
  }
}
