/** The engine's metrics, around whatever runs the queries. */
import { Counter, Gauge, Histogram, type Registry, Summary } from 'prom-client'
import {
  isEngineRequest,
  type QueryOrigin,
  type QueryRequest,
  type QueryResponse,
  type QueryService,
} from './request.ts'

/** Quantiles are over the last ten minutes. */
const MAX_AGE_SECONDS = 600
const AGE_BUCKETS = 5

/** Parts of a query's time. */
const SLICES = ['queue_time', 'prepare_time', 'inner_eval', 'result_sort'] as const
type Slice = (typeof SLICES)[number]

export class MeteredQueryService implements QueryService {
  private readonly service: QueryService
  private readonly current: Gauge
  private readonly duration: Summary<'slice'>
  private readonly durationHistogram: Histogram<'slice'>
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
    this.duration = new Summary({
      name: 'prometheus_engine_query_duration_seconds',
      help: 'Query timings',
      labelNames: ['slice'],
      percentiles: [0.5, 0.9, 0.99],
      maxAgeSeconds: MAX_AGE_SECONDS,
      ageBuckets: AGE_BUCKETS,
      registers,
    })
    this.durationHistogram = new Histogram({
      name: 'prometheus_engine_query_duration_histogram_seconds',
      help: 'The duration of various parts of PromQL query execution.',
      labelNames: ['slice'],
      buckets: [0.01, 0.1, 1, 10],
      registers,
    })
    for (const slice of SLICES) this.durationHistogram.zero({ slice })
    this.samples = new Counter({
      name: 'prometheus_engine_query_samples_total',
      help: 'The total number of samples loaded by all queries (full window per step for range-vector).',
      registers,
    })
    this.samplesRead = new Counter({
      name: 'prometheus_engine_query_samples_read_total',
      help: 'The total number of samples read by all queries (only new points per step for range-vector).',
      registers,
    })
  }

  async run(request: QueryRequest, signal?: AbortSignal, origin?: QueryOrigin): Promise<QueryResponse> {
    if (!isEngineRequest(request)) return this.service.run(request, signal, origin)
    this.current.inc()
    try {
      const response = await this.service.run(request, signal, origin)
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
    this.observeSlice('queue_time', timings.queueMs)
    // Only what the query came to: one with an error may lack all, and most results are not sorted.
    if (timings.prepareMs > 0) this.observeSlice('prepare_time', timings.prepareMs)
    if (timings.evalMs > 0) this.observeSlice('inner_eval', timings.evalMs)
    if (timings.sortMs > 0) this.observeSlice('result_sort', timings.sortMs)
    this.samples.inc(samplesQueryable)
    this.samplesRead.inc(samplesRead)
  }

  private observeSlice(slice: Slice, ms: number): void {
    this.duration.observe({ slice }, ms / 1000)
    this.durationHistogram.observe({ slice }, ms / 1000)
  }
}
