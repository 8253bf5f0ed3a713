/** What the engine says to a query, in the form that answers are compared in. */
import type { Engine, QueryResult } from '../../../promql/engine.ts'
import { QueryError } from '../../../promql/errors.ts'
import {
  ABSENT,
  type ResultSeries as EngineSeries,
  PRESENT_HISTOGRAM,
  type QueryValue,
} from '../../../promql/value.ts'
import type { Queryable } from '../../../storage/interface.ts'
import { MemoryStorage } from '../../../storage/memory-storage.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_STALE } from '../../../storage/model/sample.ts'
import type { DataSet } from '../interpreter/data-set.ts'
import { fromFloatHistogram } from '../interpreter/histogram.ts'
import type { ResultPoint, ResultSeries } from '../interpreter/interpreter.ts'
import type { RandomQuery } from './random-query.ts'

/** An answer with its annotations as texts, or an error. */
export type Answered =
  | {
      readonly type: QueryValue['type']
      readonly text: string
      readonly series: readonly ResultSeries[]
      readonly annotations: readonly string[]
    }
  | { readonly error: string }

export async function storeData(data: DataSet): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ appendableWindowMs: Number.POSITIVE_INFINITY })
  const appender = storage.appender()
  for (const { labels, samples } of data) {
    const ref = appender.register(labels)
    for (const { t, value, startMs } of samples) {
      let outcome: number
      if (value === 'stale') outcome = appender.append(ref, t, 0, KIND_STALE)
      else if (typeof value === 'number') outcome = appender.append(ref, t, value, KIND_FLOAT, startMs)
      else outcome = appender.appendHistogram(ref, t, value, KIND_FLOAT_HISTOGRAM, startMs)
      if (outcome < 0) throw new Error(`sample at ${t} refused (${outcome})`)
    }
  }
  await appender.commit()
  return storage
}

export async function askEngine(engine: Engine, storage: Queryable, query: RandomQuery): Promise<Answered> {
  const { text, startMs, endMs, stepMs } = query
  let result: QueryResult
  try {
    result =
      stepMs === 0
        ? await engine.instantQuery(storage, text, startMs)
        : await engine.rangeQuery(storage, text, startMs, endMs, stepMs)
  } catch (error) {
    if (error instanceof QueryError) return { error: error.message }
    return { error: `crash: ${(error as Error).stack}` }
  }
  const { value, warnings, infos } = result
  const shown = value.type === 'string' ? value.value : ''
  return { type: value.type, text: shown, series: seriesOf(value), annotations: [...warnings, ...infos] }
}

function seriesOf(value: QueryValue): ResultSeries[] {
  switch (value.type) {
    case 'string':
      return []
    case 'scalar':
      return [{ labels: Labels.EMPTY, points: [{ t: value.timeMs, value: value.value }] }]
    case 'vector':
      return value.series.map((series) => ofSteps(series, () => value.timeMs))
    case 'matrix':
      return value.series.map((series) =>
        ofSteps(series, (s) => value.steps.startMs + s * value.steps.stepMs),
      )
    case 'samples':
      return value.series.map(({ labels, t, v, histograms }) => ({
        labels,
        points: Array.from(t, (time, i) => point(time, v[i], histograms[i])),
      }))
  }
}

function ofSteps(
  { labels, values, present, histograms }: EngineSeries,
  timeOf: (s: number) => number,
): ResultSeries {
  const points: ResultPoint[] = []
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const histogram = present[s] === PRESENT_HISTOGRAM ? histograms[s] : undefined
    points.push(point(timeOf(s), values[s], histogram))
  }
  return { labels, points }
}

function point(t: number, value: number, histogram: FloatHistogram | undefined): ResultPoint {
  return { t, value: histogram === undefined ? value : fromFloatHistogram(histogram) }
}
