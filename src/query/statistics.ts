/** What `stats=true` and the query log show of a query, and `stats=all` where there are counts a step. */
import type { QueryCost } from '../../promql/errors.ts'
import type { StepRange } from '../../promql/value.ts'
import type { QueryStatistics, StepSamples } from './json-writer.ts'

/** `queueMs`: how long the query waited for a thread. */
export function statisticsOf({ timings, samples }: QueryCost, queueMs: number): QueryStatistics {
  const { prepareMs, evalMs, sortMs } = timings
  const evalTotalMs = prepareMs + evalMs + sortMs
  const { perStep, totalQueryableSamples, samplesRead, peakSamples } = samples
  return {
    timings: {
      evalTotalTime: seconds(evalTotalMs),
      resultSortTime: seconds(sortMs),
      queryPreparationTime: seconds(prepareMs),
      innerEvalTime: seconds(evalMs),
      execQueueTime: seconds(queueMs),
      execTotalTime: seconds(queueMs + evalTotalMs),
    },
    // In the order of the answer's keys.
    samples:
      perStep === undefined
        ? { totalQueryableSamples, samplesRead, peakSamples }
        : {
            totalQueryableSamplesPerStep: pairs(perStep.steps, perStep.queryable),
            totalQueryableSamples,
            samplesReadPerStep: pairs(perStep.steps, perStep.read),
            samplesRead,
            peakSamples,
          },
  }
}

function pairs({ startMs, stepMs }: StepRange, counts: Float64Array): StepSamples {
  return Array.from(counts, (count, s) => [(startMs + s * stepMs) / 1000, count])
}

/** To whole nanoseconds: what is beyond is noise of the clock's floats. */
function seconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e9
}
