// Goal: the engine's metrics move as upstream's do. Method: one answer of each sort, then the text of the registry.
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { MeteredQueryService } from '../../src/query/metrics.ts'
import type { QueryService } from '../../src/query/request.ts'
import { errorResponse } from '../../src/query/response.ts'
import { answer, instant, series } from './requests.ts'

const ANSWER = answer({ queueMs: 1000, prepareMs: 2000, evalMs: 3000, sortMs: 0 })

describe('metrics of the engine', () => {
  it('count queries, their time and their samples', async () => {
    const registry = new Registry()
    const answers = [ANSWER, errorResponse('bad_data', 'x', 500), ANSWER]
    let during = ''
    const service: QueryService = {
      run: async () => {
        during = await registry.getSingleMetricAsString('prometheus_engine_queries')
        return answers.shift()!
      },
      close: async () => {},
    }
    const metered = new MeteredQueryService(service, registry, 20)
    await metered.run(instant('a'))
    expect(during).toContain('prometheus_engine_queries 1')
    await metered.run(instant('b'))
    await metered.run(series(['c']))
    expect(during).toContain('prometheus_engine_queries 0')
    const text = await registry.metrics()
    for (const line of [
      'prometheus_engine_queries 0',
      'prometheus_engine_queries_concurrent_max 20',
      'prometheus_engine_query_duration_seconds_count{slice="queue_time"} 2',
      'prometheus_engine_query_duration_seconds_sum{slice="queue_time"} 1.5',
      'prometheus_engine_query_duration_seconds_count{slice="inner_eval"} 1',
      'prometheus_engine_query_duration_seconds_sum{slice="prepare_time"} 2',
      'prometheus_engine_query_duration_seconds{quantile="0.99",slice="inner_eval"} 3',
      'prometheus_engine_query_duration_histogram_seconds_bucket{le="1",slice="queue_time"} 2',
      'prometheus_engine_query_duration_histogram_seconds_bucket{le="0.1",slice="queue_time"} 0',
      'prometheus_engine_query_duration_histogram_seconds_sum{slice="prepare_time"} 2',
      'prometheus_engine_query_duration_histogram_seconds_count{slice="result_sort"} 0',
      'prometheus_engine_query_samples_total 30',
      'prometheus_engine_query_samples_read_total 20',
    ]) {
      expect(text).toContain(line)
    }
  })
})
