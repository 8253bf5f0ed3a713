/** Queries on a few series that a test writes down. */
import { Engine, type EngineFeatures, type QueryOptions, type QueryResult } from '../../../promql/engine.ts'
import { formatLabels } from '../../../promql/eval/series-labels.ts'
import { formatHistogram } from '../../../promql/histogram/format.ts'
import { ABSENT, PRESENT_HISTOGRAM } from '../../../promql/value.ts'
import { MemoryStorage } from '../../../storage/memory-storage.ts'
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import {
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
} from '../../../storage/model/sample.ts'

/** A value, no sample, a stale marker, an empty histogram or another one. */
export type Point = number | null | 'stale' | 'histogram' | FloatHistogram

export interface TestSeries {
  /** Labels, `__name__` among them. */
  labels: Record<string, string>
  /** Samples at 0, everyMs, 2·everyMs, … */
  points: readonly Point[]
}

export async function storageOf(series: readonly TestSeries[], everyMs = 60_000): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ appendableWindowMs: Infinity, givesHintsBack: true })
  const appender = storage.appender()
  for (const { labels, points } of series) {
    const ref = appender.register(Labels.from(labels))
    for (const [i, point] of points.entries()) {
      if (point === null) continue
      const t = i * everyMs
      if (point === 'stale') appender.append(ref, t, 0, KIND_STALE)
      else if (point === 'histogram') appender.appendHistogram(ref, t, EMPTY_HISTOGRAM, KIND_HISTOGRAM)
      else if (typeof point === 'number') appender.append(ref, t, point, KIND_FLOAT)
      else appender.appendHistogram(ref, t, point, KIND_FLOAT_HISTOGRAM)
    }
  }
  await appender.commit()
  return storage
}

/** `m{a="1"}` in short: name, then labels. */
export function series(name: string, labels: Record<string, string>, points: readonly Point[]): TestSeries {
  return { labels: { __name__: name, ...labels }, points }
}

export function newEngine(features: EngineFeatures = {}, maxSamples = 50_000_000): Engine {
  return new Engine({ lookbackMs: 300_000, maxSamples, defaultSubqueryStepMs: 60_000, features })
}

/** Labels as Go prints them → value, in the order of the result. */
export function rowsOf({ value }: QueryResult): [string, number][] {
  if (value.type !== 'vector') throw new Error(`expected a vector, got ${value.type}`)
  return value.series.map(({ labels, values }) => [formatLabels(labels), values[0]])
}

/** Labels → value at each step, null where there is none. */
export function gridOf({ value }: QueryResult): [string, (number | null)[]][] {
  if (value.type !== 'matrix') throw new Error(`expected a matrix, got ${value.type}`)
  return value.series.map(({ labels, values, present }) => [
    formatLabels(labels),
    Array.from(values, (v, s) => (present[s] === ABSENT ? null : v)),
  ])
}

/** As gridOf, with histograms as Go prints them, and behind them a hint that is known. */
export function mixedGridOf({ value }: QueryResult): [string, (number | string | null)[]][] {
  if (value.type !== 'matrix') throw new Error(`expected a matrix, got ${value.type}`)
  return value.series.map(({ labels, values, present, histograms }) => [
    formatLabels(labels),
    Array.from(values, (v, s) => {
      if (present[s] === ABSENT) return null
      if (present[s] !== PRESENT_HISTOGRAM) return v
      const { counterResetHint } = histograms[s]!
      const hint = counterResetHint === 'unknown' ? '' : ` ${counterResetHint}`
      return formatHistogram(histograms[s]!) + hint
    }),
  ])
}

/** Rows by their labels: the order of an instant vector mostly means nothing. */
export async function instant(
  storage: MemoryStorage,
  query: string,
  timeMs: number,
  features: EngineFeatures = {},
): Promise<[string, number][]> {
  const rows = await instantInOrder(storage, query, timeMs, features)
  return rows.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Rows in the order of the result, for sort and topk. */
export async function instantInOrder(
  storage: MemoryStorage,
  query: string,
  timeMs: number,
  features: EngineFeatures = {},
): Promise<[string, number][]> {
  return rowsOf(await newEngine(features).instantQuery(storage, query, timeMs))
}

/** Every minute from 0 to endMs. */
export async function range(
  storage: MemoryStorage,
  query: string,
  endMs: number,
  features: EngineFeatures = {},
  options: QueryOptions = {},
): Promise<[string, (number | null)[]][]> {
  return gridOf(await newEngine(features).rangeQuery(storage, query, 0, endMs, 60_000, options))
}
