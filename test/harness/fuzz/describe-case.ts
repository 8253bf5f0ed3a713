/** A case as a script of the PromQL test language. */
import { formatDuration } from '../../../promql/syntax/duration.ts'
import { formatFloat } from '../../../promql/syntax/go-format.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import type { DataSample, DataSet } from '../interpreter/data-set.ts'
import { type Buckets, fromFloatHistogram } from '../interpreter/histogram.ts'
import { formatLabels } from '../interpreter/label-text.ts'
import type { Case } from './shrink.ts'

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}

function formatHistogram(histogram: FloatHistogram): string {
  const parts = [`schema:${histogram.schema}`]
  const list = (key: string, values: readonly number[]) => {
    if (values.length > 0) parts.push(`${key}:[${values.map(formatFloat).join(' ')}]`)
  }
  const number = (key: string, value: number) => {
    if (value !== 0) parts.push(`${key}:${formatFloat(value)}`)
  }
  number('count', histogram.count)
  number('sum', histogram.sum)
  number('z_bucket', histogram.zeroCount)
  number('z_bucket_w', histogram.zeroThreshold)
  const { positive, negative } = fromFloatHistogram(histogram)
  const buckets = (prefix: string, counts: Buckets) => {
    const indexes = [...counts.keys()]
    if (indexes.length === 0) return
    const first = Math.min(...indexes)
    number(`${prefix}offset`, first)
    const length = Math.max(...indexes) - first + 1
    list(
      `${prefix}buckets`,
      Array.from({ length }, (_, i) => counts.get(first + i) ?? 0),
    )
  }
  buckets('', positive)
  buckets('n_', negative)
  list('custom_values', histogram.customValues)
  if (histogram.counterResetHint !== 'unknown') parts.push(`counter_reset_hint:${histogram.counterResetHint}`)
  return `{{${parts.join(' ')}}}`
}

function formatPoint({ value }: DataSample): string {
  if (value === 'stale') return 'stale'
  return typeof value === 'number' ? formatFloat(value) : formatHistogram(value)
}

/** Points at steps from the begin of the data, with gaps where no sample is. */
function formatPoints(
  samples: readonly DataSample[],
  baseMs: number,
  stepMs: number,
  format: (sample: DataSample) => string,
): string {
  const points: string[] = []
  let next = baseMs
  for (const sample of samples) {
    const gap = (sample.t - next) / stepMs
    if (gap > 0) points.push(gap === 1 ? '_' : `_x${gap}`)
    points.push(format(sample))
    next = sample.t + stepMs
  }
  return points.join(' ')
}

function formatStart({ t, startMs }: DataSample): string {
  if (startMs === 0) return '_'
  const offset = startMs - t
  return offset === 0 ? '0' : formatDuration(offset)
}

export function formatLoad(data: DataSet, baseMs: number): string {
  const times = data.flatMap(({ samples }) => samples.map(({ t }) => t - baseMs))
  const stepMs = times.reduce(greatestDivisor, 0) || 1000
  const lines = data.flatMap(({ labels, samples }) => {
    const line = `  ${formatLabels(labels)} ${formatPoints(samples, baseMs, stepMs, formatPoint)}`
    if (samples.every(({ startMs }) => startMs === 0)) return [line]
    return [`  ${formatLabels(labels)}@st ${formatPoints(samples, baseMs, stepMs, formatStart)}`, line]
  })
  return [`load ${formatDuration(stepMs)}`, ...lines].join('\n')
}

/** The script: data that begin at `baseMs`, which stands as time 0, and the query. */
export function formatCase({ data, query }: Case, baseMs: number): string {
  const { text, startMs, endMs, stepMs } = query
  const time = (ms: number) => (ms === baseMs ? '0' : formatDuration(ms - baseMs))
  const when =
    stepMs === 0
      ? `eval instant at ${time(startMs)}`
      : `eval range from ${time(startMs)} to ${time(endMs)} step ${formatDuration(stepMs)}`
  return `${formatLoad(data, baseMs)}\n\n${when} ${text}`
}
