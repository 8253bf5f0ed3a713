/** Compares what a query gave with what a script expects of it. */

import { isDeepStrictEqual } from 'node:util'
import { compactHistogram } from '../../promql/histogram/arithmetic.ts'
import { formatFloatShort, quoteString } from '../../promql/syntax/go-format.ts'
import { printLabelName } from '../../promql/syntax/printer.ts'
import { ABSENT, PRESENT_HISTOGRAM, type QueryValue, type ResultSeries } from '../../promql/value.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { compareLabels, type Labels } from '../../storage/model/labels.ts'
import { almostEqual } from './almost-equal.ts'
import type { EvalCommand, ExpectedSeries } from './promql-script.ts'
import type { Point } from './series-description.ts'

/** A point of a result. */
export type ResultPoint = { readonly t: number } & (
  | { readonly value: number }
  | { readonly histogram: FloatHistogram }
)

export interface ResultRow {
  readonly labels: Labels
  readonly points: readonly ResultPoint[]
}

/** The points of a vector or matrix, series in the order of the result. */
export function resultRows(value: QueryValue): ResultRow[] {
  switch (value.type) {
    case 'scalar':
    case 'string':
      return []
    case 'vector':
      return value.series.map((series) => ({
        labels: series.labels,
        points: columnPoints(series, () => value.timeMs),
      }))
    case 'matrix':
      return value.series.map((series) => ({
        labels: series.labels,
        points: columnPoints(series, (step) => value.steps.startMs + step * value.steps.stepMs),
      }))
    case 'samples':
      return value.series.map(({ labels, t, v, histograms }) => ({
        labels,
        points: Array.from(t, (time, i) => {
          const histogram = histograms[i]
          return histogram === undefined ? { t: time, value: v[i] } : { t: time, histogram }
        }),
      }))
  }
}

function columnPoints(
  { values, present, histograms }: ResultSeries,
  timeOf: (step: number) => number,
): ResultPoint[] {
  const points: ResultPoint[] = []
  for (let step = 0; step < present.length; step++) {
    if (present[step] === ABSENT) continue
    const t = timeOf(step)
    const isHistogram = present[step] === PRESENT_HISTOGRAM
    points.push(isHistogram ? { t, histogram: histograms[step]! } : { t, value: values[step] })
  }
  return points
}

export function formatLabels(labels: Labels): string {
  const pairs: string[] = []
  for (let i = 0; i < labels.pairs.length; i += 2) {
    if (labels.pairs[i] === '__name__') continue
    pairs.push(`${printLabelName(labels.pairs[i])}=${quoteString(labels.pairs[i + 1])}`)
  }
  return `${labels.get('__name__')}{${pairs.join(', ')}}`
}

function formatPoint(point: ResultPoint): string {
  return `${'value' in point ? formatFloatShort(point.value) : formatHistogram(point.histogram)}@${point.t}`
}

function formatExpected(point: Point): string {
  if (point.type === 'float') return formatFloatShort(point.value)
  return point.type === 'histogram' ? formatHistogram(point.histogram) : point.type
}

/** Without empty buckets, which are not compared. */
function formatHistogram(histogram: FloatHistogram): string {
  const fields = Object.entries(compactHistogram(histogram))
  return `{{${fields.map(([key, value]) => `${key}:${JSON.stringify(value)}`).join(' ')}}}`
}

function isEqual(expected: Point, actual: ResultPoint): boolean {
  if (expected.type === 'float') return 'value' in actual && almostEqual(expected.value, actual.value)
  if (expected.type !== 'histogram' || 'value' in actual) return false
  if (expected.isHintGiven && expected.histogram.counterResetHint !== actual.histogram.counterResetHint) {
    return false
  }
  return areAlmostEqual(compactHistogram(expected.histogram), compactHistogram(actual.histogram))
}

function areAlmostEqual(a: FloatHistogram, b: FloatHistogram): boolean {
  const lists = ['positiveBuckets', 'negativeBuckets', 'customValues'] as const
  return (
    a.schema === b.schema &&
    (['zeroThreshold', 'zeroCount', 'count', 'sum'] as const).every((key) => almostEqual(a[key], b[key])) &&
    isDeepStrictEqual([a.positiveSpans, a.negativeSpans], [b.positiveSpans, b.negativeSpans]) &&
    lists.every((key) => a[key].length === b[key].length) &&
    lists.every((key) => a[key].every((value, i) => almostEqual(value, b[key][i])))
  )
}

/** The difference between a result and the expectation in words; undefined when there is none. */
export function compareValue(command: EvalCommand, value: QueryValue): string | undefined {
  if (value.type === 'string') {
    if (command.expectedString === value.value) return undefined
    return `expected string ${JSON.stringify(command.expectedString ?? '')} but got ${JSON.stringify(value.value)}`
  }
  if (value.type === 'scalar') {
    if (command.expectedScalar === undefined) return `expected series but got scalar ${value.value}`
    if (almostEqual(command.expectedScalar, value.value)) return undefined
    return `expected scalar ${command.expectedScalar} but got ${value.value}`
  }
  if (command.expectedString !== undefined) return `expected a string but got a ${value.type}`
  if (command.expectedScalar !== undefined) return `expected a scalar but got a ${value.type}`
  const rows = resultRows(value)
  return value.type === 'vector' ? compareVector(command, rows) : compareMatrix(command, rows)
}

function expectedByKey(command: EvalCommand): Map<string, ExpectedSeries & { position: number }> {
  return new Map(command.series.map((series, i) => [series.labels.key(), { ...series, position: i }]))
}

/** Rows of one point each; their times do not count, their order only where the script says so. */
export function compareVector(command: EvalCommand, rows: readonly ResultRow[]): string | undefined {
  const expected = expectedByKey(command)
  for (const [position, row] of rows.entries()) {
    const labels = formatLabels(row.labels)
    const series = expected.get(row.labels.key())
    const got = formatPoint(row.points[0])
    if (series === undefined) return `unexpected metric ${labels} in result, has ${got}`
    if (command.expectsOrdered && series.position !== position) {
      return `expected metric ${labels} at position ${series.position + 1} but was at ${position + 1}`
    }
    if (series.points.length === 0) return `no value is given for ${labels}, got ${got}`
    if (!isEqual(series.points[0], row.points[0])) {
      return `expected ${formatExpected(series.points[0])} for ${labels} but got ${got}`
    }
  }
  return findMissing(expected, rows)
}

/** Every step has to agree, gaps too, and the series have to be sorted. */
export function compareMatrix(command: EvalCommand, rows: readonly ResultRow[]): string | undefined {
  if (command.expectsOrdered) return 'expected an ordered result, but the query returned a matrix'
  const unsorted = describeUnsorted(rows)
  if (unsorted !== undefined) return unsorted
  const expected = expectedByKey(command)
  for (const row of rows) {
    const labels = formatLabels(row.labels)
    const got = row.points.map(formatPoint).join(' ')
    const series = expected.get(row.labels.key())
    if (series === undefined) return `unexpected metric ${labels} in result, has ${got}`
    let next = 0
    for (const [step, point] of series.points.entries()) {
      const t = command.startMs + step * command.stepMs
      if (t > command.endMs) return `${series.points.length} points are given for ${labels}: more than steps`
      if (point.type === 'missing') continue
      const actual = row.points[next++]
      if (actual === undefined || actual.t !== t || !isEqual(point, actual)) {
        return `expected ${formatExpected(point)}@${t} for ${labels} but got ${got}`
      }
    }
    if (next !== row.points.length) return `expected ${next} points for ${labels} but got ${got}`
  }
  return findMissing(expected, rows)
}

export function describeUnsorted(rows: readonly ResultRow[]): string | undefined {
  for (let i = 1; i < rows.length; i++) {
    if (compareLabels(rows[i - 1].labels, rows[i].labels) <= 0) continue
    return `the result is not sorted: ${formatLabels(rows[i].labels)} after ${formatLabels(rows[i - 1].labels)}`
  }
  return undefined
}

function findMissing(
  expected: ReadonlyMap<string, ExpectedSeries>,
  rows: readonly ResultRow[],
): string | undefined {
  const seen = new Set(rows.map((row) => row.labels.key()))
  for (const [key, series] of expected) {
    if (seen.has(key)) continue
    return `expected metric ${formatLabels(series.labels)} with ${series.points.map(formatExpected).join(' ')} not found`
  }
  return undefined
}
