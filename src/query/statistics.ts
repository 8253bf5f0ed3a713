/** What `stats=true` and the query log show of a query. */
import type { QueryCost } from '../../promql/errors.ts'
import type { QueryStatistics } from './json-writer.ts'

/** `queueMs`: how long the query waited for a thread. */
export function statisticsOf({ timings, samples }: QueryCost, queueMs: number): QueryStatistics {
  const { prepareMs, evalMs, sortMs } = timings
  const evalTotalMs = prepareMs + evalMs + sortMs
  return {
    timings: {
      evalTotalTime: seconds(evalTotalMs),
      resultSortTime: seconds(sortMs),
      queryPreparationTime: seconds(prepareMs),
      innerEvalTime: seconds(evalMs),
      execQueueTime: seconds(queueMs),
      execTotalTime: seconds(queueMs + evalTotalMs),
    },
    samples: {
      totalQueryableSamples: samples.totalQueryableSamples,
      samplesRead: samples.samplesRead,
      peakSamples: samples.peakSamples,
    },
  }
}

/** To whole nanoseconds: what is beyond is noise of the clock's floats. */
function seconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e9
}
