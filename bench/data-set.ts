/** Series with all their samples in memory, made from a seed: any process can make the same ones. */
import { mixedSeries } from './mixed-data.ts'
import { pageSeries } from './page-data.ts'

export interface SeriesData {
  /** Name and value of each label, `__name__` among them; no empty values. Targets lie one after the other. */
  readonly labels: readonly (readonly [string, string])[][]
  /** Index of each series' target: its series have their samples at the same times. */
  readonly target: Uint32Array
  /** `values[series × steps + step]`. All finite. */
  readonly values: Float64Array
}

export interface DataSet extends SeriesData {
  /** Unix ms of each target's first sample. */
  readonly startMs: Float64Array
  readonly intervalMs: number
  /** Samples of each series. */
  readonly steps: number
}

export interface DataSpec {
  kind: 'mixed' | 'pages'
  /** Folder of the pages. */
  pages: string
  /** Of mixed data. */
  series: number
  firstMs: number
  intervalMs: number
  steps: number
}

export function makeDataSet(spec: DataSpec): DataSet {
  const { firstMs, intervalMs, steps } = spec
  const data = spec.kind === 'pages' ? pageSeries(spec.pages, steps) : mixedSeries(spec.series, steps)
  const targets = data.target[data.target.length - 1] + 1
  // Each target has its own place in the interval, none of them at its edge: steps of queries mostly are at such.
  const startMs = Float64Array.from(
    { length: targets },
    (_, i) => firstMs + 7 + ((i * 7919) % (intervalMs - 14)),
  )
  return { ...data, startMs, intervalMs, steps }
}
