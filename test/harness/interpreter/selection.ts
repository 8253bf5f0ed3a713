/** Series that pass, the sample a selector sees at a time, and the samples of windows. */
import type {
  Expr,
  MatrixSelector,
  Subquery,
  TimeModifiers,
  VectorSelector,
} from '../../../promql/syntax/ast.ts'
import type { Labels } from '../../../storage/model/labels.ts'
import type { Matcher } from '../../../storage/model/matcher.ts'
import type { DataSample, DataSeries } from './data-set.ts'
import { offsetOf, rangeOf, stepOf } from './durations.ts'
import { smoothedValue } from './extended.ts'
import { fromFloatHistogram } from './histogram.ts'
import {
  type Element,
  InterpreterError,
  isHistogram,
  type Outcome,
  type Run,
  type Scope,
  type Value,
  type Vector,
  type Window,
  type WindowSample,
} from './model.ts'

export function seriesOf(matchers: readonly Matcher[], run: Run): DataSeries[] {
  return run.data.filter(({ labels }) =>
    matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
  )
}

/** The time that an evaluation at `t` looks at. */
export function referenceTime(modifiers: TimeModifiers, t: number, { times }: Run): number {
  const { timestampMs, startOrEnd } = modifiers
  let at = timestampMs ?? t
  if (startOrEnd === 'start') at = times.startMs
  if (startOrEnd === 'end') at = times.endMs
  return at - offsetOf(modifiers, times)
}

export function naive(value: number | Exclude<DataSample['value'], 'stale'>): Value {
  return typeof value === 'number' ? value : fromFloatHistogram(value)
}

/** The newest sample in (reference − lookback, reference], unless it is a stale marker. */
export function newestSample(
  { samples }: DataSeries,
  referenceMs: number,
  lookbackMs: number,
): (DataSample & { value: Exclude<DataSample['value'], 'stale'> }) | undefined {
  const seen = samples.filter(({ t }) => t > referenceMs - lookbackMs && t <= referenceMs)
  const newest = seen.at(-1)
  if (newest === undefined || newest.value === 'stale') return undefined
  return newest as DataSample & { value: Exclude<DataSample['value'], 'stale'> }
}

export function evaluateSelector(expr: VectorSelector, scope: Scope): Vector[] {
  const { run } = scope
  const series = seriesOf(expr.matchers, run)
  return scope.times.map((time) => {
    const reference = referenceTime(expr, time, run)
    return series.flatMap((one): Element[] => {
      const { labels } = one
      if (expr.smoothed) {
        const place = { notes: run.notes, start: expr.start, settings: run.settings }
        const value = smoothedValue(around(one, reference, run.settings.lookbackMs), place)
        return value === undefined ? [] : [{ labels, dropName: false, value, t: time }]
      }
      const sample = newestSample(one, reference, run.settings.lookbackMs)
      if (sample === undefined) return []
      return [{ labels, dropName: false, value: naive(sample.value), t: sample.t }]
    })
  })
}

/** What a smoothed selector looks at: all samples in (reference − lookback, reference + lookback]. */
function around({ labels, samples }: DataSeries, referenceMs: number, lookbackMs: number): Window {
  return {
    labels,
    dropName: false,
    samples: cut(samples, referenceMs - lookbackMs, referenceMs + lookbackMs),
    startMs: referenceMs,
    endMs: referenceMs,
  }
}

/** The samples in (afterMs, untilMs], without stale markers. */
function cut(samples: readonly DataSample[], afterMs: number, untilMs: number): WindowSample[] {
  return samples.flatMap(({ t, value, startMs }) =>
    t > afterMs && t <= untilMs && value !== 'stale' ? [{ t, value: naive(value), startMs }] : [],
  )
}

/** One series of a range vector: what it has at each step of the scope. */
export interface WindowSeries {
  readonly labels: Labels
  readonly dropName: boolean
  readonly windows: readonly Window[]
}

export type Evaluate = (expr: Expr, scope: Scope) => Outcome

/** The series of a range selector or subquery, by labels. */
export function windowsOf(expr: MatrixSelector | Subquery, scope: Scope, evaluate: Evaluate): WindowSeries[] {
  return expr.type === 'subquery' ? subqueryWindows(expr, scope, evaluate) : selectorWindows(expr, scope)
}

function selectorWindows(expr: MatrixSelector, { run, times }: Scope): WindowSeries[] {
  const { selector } = expr
  const rangeMs = rangeOf(expr, run.times)
  const { lookbackMs } = run.settings
  const before = selector.anchored || selector.smoothed ? lookbackMs : 0
  const after = selector.smoothed ? lookbackMs : 0
  return seriesOf(selector.matchers, run).map(({ labels, samples }) => ({
    labels,
    dropName: false,
    windows: times.map((time) => {
      const endMs = referenceTime(selector, time, run)
      const startMs = endMs - rangeMs
      const seen = cut(samples, startMs - before, endMs + after)
      return { labels, dropName: false, samples: seen, startMs, endMs }
    }),
  }))
}

/** All multiples of the step in (first window's start, last window's end]. */
export function subqueryTimes(expr: Subquery, { run, times }: Scope): number[] {
  const rangeMs = rangeOf(expr, run.times)
  const stepMs = stepOf(expr, run.times) || run.settings.defaultSubqueryStepMs
  const afterMs = referenceTime(expr, times[0], run) - rangeMs
  const untilMs = referenceTime(expr, times.at(-1)!, run)
  const inner: number[] = []
  for (let t = (Math.floor(afterMs / stepMs) + 1) * stepMs; t <= untilMs; t += stepMs) inner.push(t)
  return inner
}

function subqueryWindows(expr: Subquery, scope: Scope, evaluate: Evaluate): WindowSeries[] {
  const { run, times } = scope
  const inner: Scope = { run, times: subqueryTimes(expr, scope), isWhole: false }
  if (inner.times.length === 0) return []
  const outcome = evaluate(expr.expr, inner)
  if (outcome.type !== 'vector') throw new InterpreterError('a subquery over something else than a vector')
  const rangeMs = rangeOf(expr, run.times)
  return seriesAcross(outcome.steps, inner.times).map(({ labels, dropName, samples }) => ({
    labels,
    dropName,
    windows: times.map((time) => {
      const endMs = referenceTime(expr, time, run)
      const startMs = endMs - rangeMs
      const seen = samples.filter(({ t }) => t > startMs && t <= endMs)
      return { labels, dropName, samples: seen, startMs, endMs }
    }),
  }))
}

/** The elements of all steps put together by their labels, with hints of resets forgotten. */
function seriesAcross(
  steps: readonly Vector[],
  times: readonly number[],
): { labels: Labels; dropName: boolean; samples: WindowSample[] }[] {
  const series = new Map<string, { labels: Labels; dropName: boolean; samples: WindowSample[] }>()
  for (const [i, vector] of steps.entries()) {
    for (const { labels, dropName, value } of vector) {
      const key = labels.key()
      const one = series.get(key) ?? { labels, dropName, samples: [] }
      series.set(key, one)
      one.samples.push({ t: times[i], value: forgetHint(value), startMs: 0 })
    }
  }
  return [...series.values()]
}

function forgetHint(value: Value): Value {
  if (!isHistogram(value) || value.hint === 'gauge') return value
  return { ...value, hint: 'unknown' }
}
