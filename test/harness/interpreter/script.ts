/** Runs scripts of the PromQL test language on the interpreter, which shows that it is right where they are. */
import { parse } from '../../../promql/syntax/parser.ts'
import { compareLabels, type Labels } from '../../../storage/model/labels.ts'
import { almostEqual } from '../almost-equal.ts'
import { classicToCustom } from '../histogram-series.ts'
import {
  type EvalCommand,
  type LoadCommand,
  parseScript,
  SCRIPT_PARSE_OPTIONS,
  type TextPattern,
} from '../promql-script.ts'
import type { Point } from '../series-description.ts'
import type { DataSample, DataSet } from './data-set.ts'
import { equalBounds, fromFloatHistogram, type NaiveHistogram } from './histogram.ts'
import { type Answer, interpret, type ResultPoint, type ResultSeries } from './interpreter.ts'
import { formatLabels } from './label-text.ts'
import { InterpreterError, isHistogram, type Settings, UndefinedResult } from './model.ts'
import { withStoredHints } from './stored-hints.ts'

const SETTINGS: Settings = {
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  delayedNameRemoval: true,
  typeAndUnitLabels: false,
  useStartTimestamps: true,
}

export interface InterpretedScript {
  readonly passed: number
  readonly failures: readonly string[]
}

export function interpretScript(text: string): InterpretedScript {
  let data: DataSet = []
  let passed = 0
  const failures: string[] = []
  for (const command of parseScript(text)) {
    if (command.type === 'clear') data = []
    if (command.type === 'load') data = extended(data, command)
    if (command.type === 'invalid') failures.push(`${command.line}: ${command.message}`)
    if (command.type !== 'eval') continue
    const difference = check(command, data)
    if (difference === undefined) passed++
    else failures.push(`${command.line}: ${command.query}: ${difference}`)
  }
  return { passed, failures }
}

/** The data with what a `load` brings; a series given again has the later samples. */
function extended(data: DataSet, { series, stepMs, withNhcb }: LoadCommand): DataSet {
  const all = new Map(data.map((one) => [one.labels.key(), one]))
  const put = (labels: Labels, samples: readonly DataSample[]) => {
    const old =
      all.get(labels.key())?.samples.filter(({ t }) => !samples.some((sample) => sample.t === t)) ?? []
    const merged = [...old, ...samples].toSorted((a, b) => a.t - b.t)
    all.set(labels.key(), { labels, samples: withStoredHints(merged) })
  }
  const floats: { labels: Labels; samples: { t: number; v: number }[] }[] = []
  for (const { labels, points, startOffsets } of series) {
    const samples = points.flatMap((point, i): DataSample[] => {
      const t = i * stepMs
      const offset = startOffsets?.[i] ?? null
      const value = valueOfPoint(point)
      return value === undefined ? [] : [{ t, value, startMs: offset === null ? 0 : t + offset }]
    })
    put(labels, samples)
    floats.push({
      labels,
      samples: samples.flatMap(({ t, value }) => (typeof value === 'number' ? [{ t, v: value }] : [])),
    })
  }
  if (withNhcb) {
    for (const { labels, samples } of classicToCustom(floats)) {
      put(
        labels,
        samples.map(({ t, histogram }) => ({ t, value: histogram, startMs: 0 })),
      )
    }
  }
  return [...all.values()].toSorted((a, b) => compareLabels(a.labels, b.labels))
}

function valueOfPoint(point: Point): DataSample['value'] | undefined {
  if (point.type === 'float') return point.value
  if (point.type === 'histogram') return point.histogram
  return point.type === 'stale' ? 'stale' : undefined
}

/** What differs from the expectation; undefined when nothing does. */
function check(command: EvalCommand, data: DataSet): string | undefined {
  const { query, isRange, startMs, endMs, stepMs, expectsFail } = command
  const times = isRange ? { startMs, endMs, stepMs } : { startMs: endMs, endMs, stepMs: 0 }
  let answer: Answer
  try {
    answer = interpret(parse(query, SCRIPT_PARSE_OPTIONS), query, data, times, SETTINGS)
  } catch (error) {
    if (error instanceof UndefinedResult) return undefined
    if (!(error instanceof InterpreterError)) throw error
    if (expectsFail?.matches(error.message)) return undefined
    return `error ${error.message}, expected ${expectsFail?.description ?? 'none'}`
  }
  if (expectsFail !== undefined) return `no error, but expected ${expectsFail.description}`
  return (
    checkNotes('warning', command.warnings, command.expectsNoWarning, answer) ??
    checkNotes('info', command.infos, command.expectsNoInfo, answer) ??
    checkValues(command, answer)
  )
}

function checkNotes(
  level: 'warning' | 'info',
  expected: readonly TextPattern[],
  expectsNone: boolean,
  { notes }: Answer,
): string | undefined {
  const told = notes.filter(({ text }) => text.startsWith(`PromQL ${level}`))
  const shown = told.map(({ text, places }) => text + places.join('|')).join('; ')
  if (expectsNone && told.length > 0) return `${level}s: ${shown}`
  const isTold = (pattern: TextPattern) =>
    told.some(({ text, places }) => places.some((place) => pattern.matches(text + place)))
  const missing = expected.find((pattern) => !isTold(pattern))
  if (missing !== undefined) return `${level} ${missing.description} missing in: ${shown}`
  return undefined
}

function checkValues(command: EvalCommand, answer: Answer): string | undefined {
  if (command.expectedString !== undefined) {
    return answer.text === command.expectedString ? undefined : `string ${answer.text}`
  }
  if (command.expectedScalar !== undefined) {
    const value = answer.series[0]?.points[0].value
    const isEqual = typeof value === 'number' && almostEqual(value, command.expectedScalar)
    return isEqual ? undefined : `scalar ${value}`
  }
  const expected = command.series.map(({ labels, points }) => ({
    labels,
    points: points.flatMap((point, i) =>
      point.type === 'missing' ? [] : [{ point, t: command.startMs + i * command.stepMs }],
    ),
  }))
  const actual = new Map(answer.series.map((one) => [one.labels.key(), one]))
  const present = expected.filter(({ points }) => points.length > 0)
  if (actual.size !== present.length) {
    return `${actual.size} series, not ${present.length}: ${answer.series.map(({ labels, points }) => `${formatLabels(labels)} ${JSON.stringify(points[0])}`).join()}`
  }
  for (const [i, { labels, points }] of present.entries()) {
    if (command.expectsOrdered && answer.series[i].labels.key() !== labels.key()) {
      return `order: ${answer.series.map((one) => formatLabels(one.labels)).join()}`
    }
    const difference = checkSeries(points, actual.get(labels.key()), answer.type === 'vector')
    if (difference !== undefined) return `${formatLabels(labels)}: ${difference}`
  }
  return undefined
}

function checkSeries(
  expected: readonly { point: Point; t: number }[],
  series: ResultSeries | undefined,
  isInstant: boolean,
): string | undefined {
  if (series === undefined) return 'missing'
  const { points } = series
  if (points.length !== expected.length) return `${points.length} points, not ${expected.length}`
  for (const [i, { point, t }] of expected.entries()) {
    const isSame = (isInstant || points[i].t === t) && isExpected(point, points[i])
    if (!isSame) return `${show(points[i])} at ${points[i].t}, not ${JSON.stringify(point)} at ${t}`
  }
  return undefined
}

function show({ value }: ResultPoint): string {
  if (!isHistogram(value)) return String(value)
  return JSON.stringify({ ...value, positive: [...value.positive], negative: [...value.negative] })
}

function isExpected(point: Point, { value }: ResultPoint): boolean {
  if (point.type === 'float') return typeof value === 'number' && almostEqual(point.value, value)
  if (point.type !== 'histogram' || !isHistogram(value)) return false
  const expected = fromFloatHistogram(point.histogram)
  if (point.isHintGiven && expected.hint !== value.hint) return false
  const isClose = (a: number, b: number) => almostEqual(a, b)
  const areClose = (a: NaiveHistogram['positive'], b: NaiveHistogram['positive']) =>
    a.size === b.size && [...a].every(([index, count]) => isClose(b.get(index) ?? Number.NaN, count))
  return (
    expected.schema === value.schema &&
    isClose(expected.zeroThreshold, value.zeroThreshold) &&
    isClose(expected.zeroCount, value.zeroCount) &&
    isClose(expected.count, value.count) &&
    isClose(expected.sum, value.sum) &&
    equalBounds(expected.bounds, value.bounds) &&
    areClose(expected.positive, value.positive) &&
    areClose(expected.negative, value.negative)
  )
}
