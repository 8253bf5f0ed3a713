/**
 * Series lines of test scripts: labels, then points in a notation that abbreviates runs.
 * `up{job="x"} 1 _ 2x3 0+5x2 stale {{schema:1 count:2 sum:3 buckets:[1 1]}}`
 */

import { parseDuration } from '../../promql/syntax/duration.ts'
import { unquoteString } from '../../promql/syntax/literal.ts'
import { isMetricName, STRING } from '../../promql/syntax/token.ts'
import { TokenStream } from '../../promql/syntax/token-stream.ts'
import type { CounterResetHint } from '../../storage/model/histogram.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'
import { addHistograms } from './histogram-series.ts'

export type Point =
  | { readonly type: 'missing' }
  | { readonly type: 'stale' }
  | { readonly type: 'float'; readonly value: number }
  | {
      readonly type: 'histogram'
      readonly histogram: FloatHistogram
      /** Whether the counter reset hint was written, and so is to be compared. */
      readonly isHintGiven: boolean
    }

export interface SeriesDescription {
  readonly labels: Labels
  readonly points: readonly Point[]
}

/** Throws Error that says what is wrong with the line. */
export function parseSeries(line: string): SeriesDescription {
  const { labels, rest } = splitLabels(line.trim())
  return { labels, points: parsePoints(rest) }
}

/** The labels at the beginning of a line: `name`, `name{…}` or `{…}`, and what stands behind them. */
function splitLabels(line: string): { labels: Labels; rest: string } {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? ''
  let end = name.length
  if (line[end] === '{' && line[end + 1] !== '{') end = closingBrace(line, end) + 1
  if (end === 0) throw new Error(`expected a metric name or labels: ${line}`)
  const rest = line.slice(end)
  if (rest !== '' && !/^\s/.test(rest)) throw new Error(`expected a space after the labels: ${line}`)
  return { labels: parseLabels(line.slice(0, end)), rest }
}

/** Index of the brace that closes the one at `open`, outside of strings. */
function closingBrace(line: string, open: number): number {
  let quote = ''
  for (let i = open + 1; i < line.length; i++) {
    const c = line[i]
    if (quote === '') {
      if (c === '}') return i
      if (c === '"' || c === "'" || c === '`') quote = c
    } else if (c === '\\' && quote !== '`') i++
    else if (c === quote) quote = ''
  }
  throw new Error(`unexpected end of input inside braces: ${line}`)
}

/** `name{a="b","utf8 name",…}`. A label given twice takes the last value; an empty one is none. */
export function parseLabels(text: string): Labels {
  const tokens = new TokenStream(text)
  const labels: Record<string, string> = {}
  if (isMetricName(tokens.peek().type)) labels.__name__ = tokens.next().text
  if (tokens.accept('{') !== undefined) {
    while (tokens.accept('}') === undefined) {
      const label = tokens.next()
      const isString = label.type === STRING
      if (!isString && label.type !== 'identifier') throw new Error(`expected a label: ${text}`)
      const name = isString ? unquoteString(label.text) : label.text
      if (tokens.accept('=') === undefined) {
        if (!isString) throw new Error(`expected "=" after label ${name}: ${text}`)
        labels.__name__ = name
      } else {
        const value = tokens.accept(STRING)
        if (value === undefined) throw new Error(`expected a string after label ${name}: ${text}`)
        labels[name] = unquoteString(value.text)
      }
      if (tokens.accept(',') === undefined && !tokens.is('}')) {
        throw new Error(`expected "," or "}" after label ${name}: ${text}`)
      }
    }
  }
  if (!tokens.is('end of input')) tokens.unexpected('label set', '')
  return Labels.from(labels)
}

/** Points cut at spaces, those in the braces and brackets of histograms left whole. */
function splitItems(text: string): string[] {
  return text.match(/(?:\{\{.*?\}\}|\S)+/g) ?? []
}

const NUMBER = String.raw`(?:[0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI][nN][fF]|[nN][aA][nN])`
const FLOAT_ITEM = new RegExp(`^([+-]?${NUMBER})(?:([+-]${NUMBER})?x([0-9]+))?$`)
const MISSING_ITEM = /^_(?:x([0-9]+))?$/
const HISTOGRAM_ITEM = /^\{\{(.*?)\}\}(?:(?:([+-])\{\{(.*?)\}\})?x([0-9]+))?$/

/** Throws Error that names the point. */
export function parsePoints(text: string): Point[] {
  return splitItems(text).flatMap(parseItem)
}

function parseItem(item: string): Point[] {
  const missing = MISSING_ITEM.exec(item)
  if (missing !== null) return repeat({ type: 'missing' }, missing[1] === undefined ? 1 : Number(missing[1]))
  if (item === 'stale') return [{ type: 'stale' }]
  const float = FLOAT_ITEM.exec(item)
  if (float !== null) return floatRun(float)
  const histogram = HISTOGRAM_ITEM.exec(item)
  if (histogram !== null) return histogramRun(histogram)
  throw new Error(`not a point: ${item}`)
}

function repeat(point: Point, times: number): Point[] {
  return Array.from({ length: times }, () => point)
}

function parseFloatValue(text: string): number {
  const plain = text.replaceAll('_', '')
  if (/nan$/i.test(plain)) return Number.NaN
  if (/inf$/i.test(plain)) return plain[0] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const octal = /^([+-]?)(0[0-7]+)$/.exec(plain)
  if (octal !== null) return (octal[1] === '-' ? -1 : 1) * Number.parseInt(octal[2], 8)
  return Number(plain)
}

/** The values are worked out by repeated addition, since n·b differs from it in the last bits. */
function floatRun([, first, increment, times]: RegExpExecArray): Point[] {
  let value = parseFloatValue(first)
  if (times === undefined) return [{ type: 'float', value }]
  const step = increment === undefined ? undefined : parseFloatValue(increment)
  const points: Point[] = []
  for (let i = 0; i <= Number(times); i++) {
    points.push({ type: 'float', value })
    if (step !== undefined) value += step
  }
  return points
}

function histogramRun([, first, sign, increment, times]: RegExpExecArray): Point[] {
  const base = parseHistogram(first)
  if (times === undefined) return [base]
  if (increment === undefined) return repeat(base, Number(times) + 1)
  const step = parseHistogram(increment)
  const points: Point[] = []
  let { histogram } = base
  for (let i = 0; i <= Number(times); i++) {
    if (i > 0) histogram = addHistograms(histogram, step.histogram, sign === '-' ? -1 : 1)
    points.push({ type: 'histogram', histogram, isHintGiven: step.isHintGiven })
  }
  return points
}

const HINTS: ReadonlySet<string> = new Set(['unknown', 'reset', 'not_reset', 'gauge'])
const HISTOGRAM_KEYS: ReadonlySet<string> = new Set([
  ...['schema', 'sum', 'count', 'z_bucket', 'z_bucket_w', 'buckets', 'offset', 'n_buckets', 'n_offset'],
  ...['custom_values', 'counter_reset_hint'],
])

/** What stands between `{{` and `}}`: `schema:1 count:2 buckets:[1 1]`, each key at most once. */
export function parseHistogram(text: string): Extract<Point, { type: 'histogram' }> {
  const fields = new Map<string, string>()
  for (const field of text.match(/[a-z_]+:(?:\[[^\]]*\]|[^\s[\]]+)|\S+/g) ?? []) {
    const colon = field.indexOf(':')
    const key = field.slice(0, colon)
    if (colon < 0 || !HISTOGRAM_KEYS.has(key)) throw new Error(`bad histogram descriptor found: ${field}`)
    if (fields.has(key)) throw new Error(`duplicate key "${key}" in histogram`)
    fields.set(key, field.slice(colon + 1))
  }
  const number = (key: string): number => toNumber(key, fields.get(key) ?? '0')
  const numbers = (key: string): number[] => toNumbers(key, fields.get(key) ?? '[]')
  const hint = fields.get('counter_reset_hint') ?? 'unknown'
  if (!HINTS.has(hint)) throw new Error(`bad counter_reset_hint: ${hint}`)
  const schema = number('schema')
  if (!Number.isInteger(schema) || (schema !== CUSTOM_SCHEMA && (schema < -4 || schema > 8))) {
    throw new Error(`bad histogram schema: ${schema}`)
  }
  const positiveBuckets = numbers('buckets')
  const negativeBuckets = numbers('n_buckets')
  const spans = (key: string, length: number) => (length === 0 ? [] : [{ offset: number(key), length }])
  const histogram: FloatHistogram = {
    ...EMPTY_HISTOGRAM,
    counterResetHint: hint as CounterResetHint,
    schema,
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: spans('offset', positiveBuckets.length),
    negativeSpans: spans('n_offset', negativeBuckets.length),
    positiveBuckets,
    negativeBuckets,
    customValues: numbers('custom_values'),
  }
  return { type: 'histogram', histogram, isHintGiven: fields.has('counter_reset_hint') }
}

function toNumber(key: string, text: string): number {
  if (!new RegExp(`^[+-]?${NUMBER}$`).test(text))
    throw new Error(`bad number for ${key} in histogram: ${text}`)
  return parseFloatValue(text)
}

function toNumbers(key: string, text: string): number[] {
  const list = /^\[(.*)\]$/.exec(text)
  if (list === null) throw new Error(`expected a list for ${key} in histogram: ${text}`)
  return (list[1].match(/\S+/g) ?? []).map((item) => toNumber(key, item))
}

const START_ITEM = /^([+-]?)((?:[0-9]+[a-z]+?)+|0)(?:([+-])((?:[0-9]+[a-z]+?)+|0))?(?:x([0-9]+))?$/

/**
 * Start timestamps, in milliseconds after the time of their sample (so mostly negative); null for none. `*`
 * repeats the one before. Throws Error that names the item.
 */
export function parseStartOffsets(text: string): (number | null)[] {
  const offsets: (number | null)[] = []
  for (const item of splitItems(text)) {
    const missing = MISSING_ITEM.exec(item)
    const again = /^\*(?:x([0-9]+))?$/.exec(item)
    if (missing !== null) offsets.push(...Array<null>(Number(missing[1] ?? 1)).fill(null))
    else if (again !== null) {
      const previous = offsets.findLast((offset) => offset !== null) ?? 0
      offsets.push(...Array<number>(Number(again[1] ?? 0) + 1).fill(previous))
    } else offsets.push(...startRun(item))
  }
  return offsets
}

function startRun(item: string): number[] {
  const match = START_ITEM.exec(item)
  if (match === null) throw new Error(`not a start timestamp: ${item}`)
  const [, sign, first, stepSign, step, times] = match
  if (step !== undefined && times === undefined) throw new Error(`expected x<count> after ${item}`)
  let offset = parseDuration(first) * (sign === '-' ? -1 : 1)
  const increment = step === undefined ? 0 : parseDuration(step) * (stepSign === '-' ? -1 : 1)
  const offsets: number[] = []
  for (let i = 0; i <= Number(times ?? 0); i++, offset += increment) offsets.push(offset)
  return offsets
}
