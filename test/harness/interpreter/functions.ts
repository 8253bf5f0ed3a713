/** Calls of functions: which arguments they take, and what they do at each step. */
import {
  type Call,
  children,
  type Expr,
  type MatrixSelector,
  type Subquery,
} from '../../../promql/syntax/ast.ts'
import { formatFloat, formatFloatShort, quoteString } from '../../../promql/syntax/go-format.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { classicFraction, classicQuantile, type Histograms, histogramsOf } from './bucket-series.ts'
import { DATE_FUNCTIONS, DATE_SECONDS_MAX, FLOAT_FUNCTIONS } from './elementwise.ts'
import { compareNaNFirst, goMax, goMin } from './floats.ts'
import { hasNaNs, type NaiveHistogram } from './histogram.ts'
import { InfoJoin } from './info.ts'
import { isInvariant } from './invariance.ts'
import { absentLabels, labelJoin, labelReplace, sortByLabels } from './label-functions.ts'
import {
  DUPLICATE_LABEL_SET,
  type Element,
  InterpreterError,
  isHistogram,
  type Outcome,
  type Scope,
  UndefinedResult,
  type Vector,
} from './model.ts'
import { checkUnique, dropName, metricName, withFirstMarks, withLabel, withoutMetadata } from './naming.ts'
import { nativeFraction, nativeQuantile, nativeVariance } from './native-quantile.ts'
import { forMetric } from './notes.ts'
import { WINDOW_FUNCTIONS } from './over-time.ts'
import { argumentStart, unparenthesized } from './position.ts'
import {
  type Evaluate,
  evaluateSelector,
  newestSample,
  referenceTime,
  seriesOf,
  windowsOf,
} from './selection.ts'

const KEEPS_NAME: ReadonlySet<string> = new Set(['first_over_time', 'last_over_time'])
const ANCHORED = ['changes', 'delta', 'increase', 'rate', 'resets']
const SMOOTHED = ['delta', 'increase', 'rate']

const HISTOGRAM_FUNCTIONS: Readonly<Record<string, (histogram: NaiveHistogram) => number>> = {
  histogram_count: ({ count }) => count,
  histogram_sum: ({ sum }) => sum,
  histogram_avg: ({ count, sum }) => sum / count,
  histogram_stdvar: nativeVariance,
  histogram_stddev: (histogram) => Math.sqrt(nativeVariance(histogram)),
}

/** φ as a label value: `0.5`, and `1.0` for whole numbers. */
function formatQuantile(phi: number): string {
  if (phi === 1) return '1.0'
  if (phi === 0) return '0.0'
  if (phi === -1) return '-1.0'
  if (!Number.isFinite(phi)) return formatFloat(phi)
  const text = formatFloatShort(phi)
  return /[e.]/.test(text) ? text : `${text}.0`
}

export class FunctionCall {
  private readonly call: Call
  private readonly scope: Scope
  private readonly evaluateExpr: Evaluate

  constructor(call: Call, scope: Scope, evaluate: Evaluate) {
    this.call = call
    this.scope = scope
    this.evaluateExpr = evaluate
  }

  private get name(): string {
    return this.call.func.name
  }

  private get run() {
    return this.scope.run
  }

  private get notes() {
    return this.scope.run.notes
  }

  evaluate(): Outcome {
    const matrix = this.call.args.map(unparenthesized).find(isMatrix)
    if (this.name === 'absent_over_time') return this.absentOverTime(matrix!)
    if (matrix !== undefined) return { type: 'vector', steps: this.overWindows(matrix) }
    const scalar = this.scalar()
    if (scalar !== undefined) return { type: 'scalar', values: scalar }
    return { type: 'vector', steps: this.vector() }
  }

  private argument(i: number): Expr {
    return unparenthesized(this.call.args[i])
  }

  private scalars(i: number): readonly number[] {
    const outcome = this.evaluateExpr(this.argument(i), this.scope)
    if (outcome.type !== 'scalar') throw new Error(`argument ${i} of ${this.name} is no scalar`)
    return outcome.values
  }

  private vectors(i: number): readonly Vector[] {
    const outcome = this.evaluateExpr(this.argument(i), this.scope)
    if (outcome.type !== 'vector') throw new Error(`argument ${i} of ${this.name} is no vector`)
    return outcome.steps
  }

  private strings(from: number, to = this.call.args.length): string[] {
    return this.call.args.slice(from, to).map((arg) => {
      const inner = unparenthesized(arg)
      if (inner.type !== 'stringLiteral') throw new Error(`an argument of ${this.name} is no string`)
      return inner.value
    })
  }

  private scalar(): readonly number[] | undefined {
    const { times } = this.scope
    const { startMs, endMs, stepMs } = this.run.times
    const constant = (value: number) => times.map(() => value)
    switch (this.name) {
      case 'pi':
        return constant(Math.PI)
      case 'time':
        return times.map((t) => t / 1000)
      case 'start':
        return constant(startMs / 1000)
      case 'end':
        return constant(endMs / 1000)
      case 'step':
        return constant(stepMs / 1000)
      case 'range':
        return constant((endMs - startMs) / 1000)
      case 'max_of':
      case 'min_of': {
        const [a, b] = [this.scalars(0), this.scalars(1)]
        return a.map((x, i) => (this.name === 'max_of' ? goMax(x, b[i]) : goMin(x, b[i])))
      }
      case 'scalar':
        return this.vectors(0).map((vector) => {
          const floats = vector.filter(({ value }) => !isHistogram(value))
          return floats.length === 1 ? (floats[0].value as number) : Number.NaN
        })
      default:
        return undefined
    }
  }

  /** All functions whose arguments are instant vectors and numbers. */
  private vector(): Vector[] {
    switch (this.name) {
      case 'label_replace':
        return this.relabelled(labelReplace(this.vectors(0), this.strings(1)))
      case 'label_join':
        return this.relabelled(labelJoin(this.vectors(0), this.strings(1)))
      case 'info':
        return this.info()
      case 'timestamp':
        return this.checked(this.timestamps())
      case 'start_timestamp':
        return this.checked(this.startTimestamps())
      default:
        return this.checked(this.stepByStep())
    }
  }

  private checked(steps: Vector[]): Vector[] {
    if (!this.run.settings.delayedNameRemoval || this.scope.times.length > 1) checkUnique(steps)
    withFirstMarks(steps)
    return steps
  }

  private relabelled(steps: Vector[]): Vector[] {
    checkUnique(steps)
    return steps
  }

  private info(): Vector[] {
    const join = new InfoJoin(this.call, this.scope)
    const steps = join.evaluate(this.vectors(0))
    checkUnique(steps)
    return steps
  }

  private stepByStep(): Vector[] {
    const { name } = this
    const { times, run } = this.scope
    if (name === 'vector') {
      return this.scalars(0).map((value) => [{ labels: Labels.EMPTY, dropName: false, value, t: 0 }])
    }
    if (name in DATE_FUNCTIONS) return this.dates()
    if (name === 'histogram_quantile') return this.quantiles([this.scalars(0)], this.vectors(1))
    if (name === 'histogram_quantiles') {
      const vectors = this.vectors(0)
      const phis = this.call.args.slice(2).map((_, i) => this.scalars(i + 2))
      return this.quantiles(phis, vectors)
    }
    if (name === 'histogram_fraction') return this.fractions()
    const vectors = this.vectors(0)
    const scalars = this.call.args
      .slice(1)
      .map((_, i) => (name in FLOAT_FUNCTIONS ? this.scalars(i + 1) : []))
    if (name === 'absent') {
      const labels = absentLabels(this.call.args[0])
      return vectors.map((vector) => (vector.length > 0 ? [] : [{ labels, dropName: false, value: 1, t: 0 }]))
    }
    if (name in HISTOGRAM_FUNCTIONS) {
      if (/count|sum|avg/.test(name) && looksAtBuckets(this.call.args[0])) {
        throw new UndefinedResult(
          'upstream does not read the buckets here, and misses what they tell of resets',
        )
      }
      return vectors.map((vector) =>
        vector.flatMap((element) => {
          const { value } = element
          if (!isHistogram(value)) return []
          return [dropName({ ...element, value: HISTOGRAM_FUNCTIONS[name](value) }, run.settings)]
        }),
      )
    }
    if (name.startsWith('sort')) return vectors.map((vector) => this.sorted(vector))
    return times.map((_, i) =>
      this.elementwise(
        vectors[i],
        scalars.map((values) => values[i]),
      ),
    )
  }

  private elementwise(vector: Vector, scalars: readonly number[]): Element[] {
    if (this.name === 'clamp' && scalars[1] < scalars[0]) return []
    return vector.flatMap((element) => {
      const { value } = element
      if (isHistogram(value)) return []
      return [
        dropName({ ...element, value: FLOAT_FUNCTIONS[this.name](value, ...scalars) }, this.run.settings),
      ]
    })
  }

  private sorted(vector: Vector): Element[] {
    const { times } = this.run
    if (this.scope.times.length === 1 && times.endMs > times.startMs && this.scope.isWhole) {
      throw new UndefinedResult('a sort over a range of one step')
    }
    if (this.scope.times.length > 1 && !isInvariant(this.call)) {
      this.notes.warn(
        'sort is ineffective for range queries since results are always ordered by labels',
        this.call.start,
      )
    }
    if (this.name === 'sort_by_label') return sortByLabels(vector, this.strings(1), 1)
    if (this.name === 'sort_by_label_desc') return sortByLabels(vector, this.strings(1), -1)
    const sign = this.name === 'sort' ? 1 : -1
    const floats = vector.filter(({ value }) => !isHistogram(value))
    const isNaNValue = ({ value }: Element) => Number.isNaN(value)
    return [
      ...floats
        .filter((element) => !isNaNValue(element))
        .toSorted((a, b) => sign * compareNaNFirst(a.value as number, b.value as number)),
      ...floats.filter(isNaNValue),
    ]
  }

  private dates(): Vector[] {
    const part = DATE_FUNCTIONS[this.name]
    if (this.call.args.length === 0) {
      return this.scope.times.map((t) => [
        { labels: Labels.EMPTY, dropName: false, value: part(new Date(Math.trunc(t / 1000) * 1000)), t: 0 },
      ])
    }
    return this.vectors(0).map((vector) =>
      vector.flatMap((element) => {
        const { value } = element
        if (isHistogram(value)) return []
        if (!(Math.abs(value) <= DATE_SECONDS_MAX)) throw new UndefinedResult('a date beyond the calendar')
        const date = new Date(Math.trunc(value) * 1000)
        return [dropName({ ...element, value: part(date) }, this.run.settings)]
      }),
    )
  }

  private timestamps(): Vector[] {
    const arg = this.argument(0)
    const { times, run } = this.scope
    // Of a smoothed selector, too, upstream tells when the newest sample was taken.
    const steps =
      arg.type === 'vectorSelector'
        ? evaluateSelector({ ...arg, smoothed: false }, this.scope)
        : this.vectors(0).map((vector, i) => vector.map((element) => ({ ...element, t: times[i] })))
    return steps.map((vector) =>
      vector.map((element) => dropName({ ...element, value: element.t / 1000 }, run.settings)),
    )
  }

  private startTimestamps(): Vector[] {
    const selector = this.argument(0)
    const { run, times } = this.scope
    const { settings } = run
    if (selector.type !== 'vectorSelector' || !settings.useStartTimestamps) {
      this.vectors(0)
      return times.map(() => [])
    }
    return times.map((time) =>
      seriesOf(selector.matchers, run).flatMap((series) => {
        const sample = newestSample(series, referenceTime(selector, time, run), settings.lookbackMs)
        if (sample === undefined) return []
        const element = { labels: series.labels, dropName: false, value: sample.startMs / 1000, t: time }
        return [dropName(element, settings)]
      }),
    )
  }

  private quantiles(phis: readonly (readonly number[])[], vectors: readonly Vector[]): Vector[] {
    const isPlural = this.name === 'histogram_quantiles'
    const vectorAt = isPlural ? 0 : 1
    return this.scope.times.map((t, i) => {
      for (const [j, values] of phis.entries()) {
        const phi = values[i]
        if (phi >= 0 && phi <= 1) continue
        const start = argumentStart(this.call.args[isPlural ? j + 2 : 0])
        this.notes.warn(`quantile value should be between 0 and 1, got ${formatFloatShort(phi)}`, start)
      }
      const histograms = histogramsOf(vectors[i], this.run, argumentStart(this.call.args[vectorAt]))
      return phis.flatMap((values) => {
        const elements = this.quantilesAt(values[i], histograms, t)
        if (!isPlural) return elements
        const label = this.strings(1, 2)[0]
        return elements.map((element) => ({
          ...element,
          labels: withLabel(element.labels, label, formatQuantile(values[i])),
        }))
      })
    })
  }

  private quantilesAt(phi: number, { native, classic }: Histograms, t: number): Element[] {
    const { settings } = this.run
    const { delayedNameRemoval } = settings
    const start = argumentStart(this.call.args[this.name === 'histogram_quantiles' ? 0 : 1])
    const shown = (labels: Labels) => (delayedNameRemoval ? forMetric(metricName(labels)) : '')
    const ofNative = native.map((element) => {
      const { value, nan } = nativeQuantile(phi, element.value)
      const suffix = shown(element.labels)
      const text = 'input to histogram_quantile has NaN observations, result is'
      if (nan === 'result') this.notes.info(`${text} NaN${suffix}`, start)
      if (nan === 'skew') this.notes.info(`${text} skewed higher${suffix}`, start)
      return dropName({ ...element, value }, settings)
    })
    const ofClassic = classic.map((histogram) => {
      const { labels } = histogram
      const { value, fix } = classicQuantile(phi, histogram)
      if (fix !== undefined) {
        const name = delayedNameRemoval ? metricName(labels) : ''
        this.notes.forcedMonotonicity(name, t, fix.bounds, fix.maxDifference, start)
      }
      return dropName({ labels, dropName: true, value, t: 0 }, settings)
    })
    return [...ofNative, ...ofClassic]
  }

  private fractions(): Vector[] {
    const [lower, upper, vectors] = [this.scalars(0), this.scalars(1), this.vectors(2)]
    const { settings } = this.run
    const start = argumentStart(this.call.args[2])
    return vectors.map((vector, i) => {
      const { native, classic } = histogramsOf(vector, this.run, start)
      const ofNative = native.map((element) => {
        const { labels, value } = element
        const isAsked = value.count !== 0 && lower[i] < upper[i]
        if (hasNaNs(value) && isAsked) {
          const name = settings.delayedNameRemoval ? forMetric(metricName(labels)) : ''
          this.notes.info(
            `input to histogram_fraction has NaN observations, which are excluded from all fractions${name}`,
            start,
          )
        }
        return dropName({ ...element, value: nativeFraction(lower[i], upper[i], value) }, settings)
      })
      const ofClassic = classic.map((histogram) => {
        const value = classicFraction(lower[i], upper[i], histogram)
        return dropName({ labels: histogram.labels, dropName: true, value, t: 0 }, settings)
      })
      return [...ofNative, ...ofClassic]
    })
  }

  private checkModifiers(matrix: MatrixSelector | Subquery): { isAnchored: boolean; isSmoothed: boolean } {
    if (matrix.type === 'subquery') return { isAnchored: false, isSmoothed: false }
    const { anchored, smoothed } = matrix.selector
    const refuse = (modifier: string, allowed: readonly string[]): never => {
      throw new InterpreterError(
        `${modifier} modifier can only be used with: ${allowed.join(', ')} - not with ${this.name}`,
      )
    }
    if (anchored && !ANCHORED.includes(this.name)) refuse('anchored', ANCHORED)
    if (smoothed && !SMOOTHED.includes(this.name)) refuse('smoothed', SMOOTHED)
    return { isAnchored: anchored, isSmoothed: smoothed }
  }

  /** Functions over windows: a series with the same labels as another one may not be, at any step. */
  private overWindows(matrix: MatrixSelector | Subquery): Vector[] {
    const { times, run } = this.scope
    const { settings } = run
    const scalars = this.call.args.flatMap((arg, i) =>
      isMatrix(unparenthesized(arg)) ? [] : [this.scalars(i)],
    )
    const modifiers = this.checkModifiers(matrix)
    const steps: Element[][] = times.map(() => [])
    const seen = new Set<string>()
    const start = argumentStart(this.call.args[0])
    for (const { labels, dropName: isDropped, windows } of windowsOf(matrix, this.scope, this.evaluateExpr)) {
      const drops = !KEEPS_NAME.has(this.name)
      const resultLabels = drops && !settings.delayedNameRemoval ? withoutMetadata(labels) : labels
      let hasResult = false
      let hasFloat = false
      for (const [i, window] of windows.entries()) {
        if (window.samples.length === 0) continue
        const value = WINDOW_FUNCTIONS[this.name](window, {
          notes: this.notes,
          settings,
          start,
          evaluationMs: times[i],
          scalars: scalars.map((values) => values[i]),
          ...modifiers,
        })
        if (value === undefined) continue
        hasResult = true
        hasFloat ||= !isHistogram(value)
        steps[i].push({ labels: resultLabels, dropName: drops, value, t: 0 })
      }
      if (!hasResult) continue
      if (hasFloat && (this.name === 'rate' || this.name === 'increase')) this.tellNonCounter(labels, start)
      if (seen.has(resultLabels.key()) && !settings.delayedNameRemoval) {
        throw new InterpreterError(DUPLICATE_LABEL_SET)
      }
      seen.add(resultLabels.key())
      if (isDropped && !drops) throw new UndefinedResult('a name that is to be dropped is kept')
    }
    return steps
  }

  private tellNonCounter(labels: Labels, start: number): void {
    const name = metricName(labels)
    if (name === '') return
    if (this.run.settings.typeAndUnitLabels) {
      const type = labels.get('__type__')
      if (type === 'counter' || type === 'histogram') return
      this.notes.info(
        'metric might not be a counter, __type__ label is not set to "counter" or "histogram", ' +
          `got ${quoteString(type)}: ${quoteString(name)}`,
        start,
      )
    } else if (!/_(total|sum|count|bucket)$/.test(name)) {
      const text = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket:'
      this.notes.info(`${text} ${quoteString(name)}`, start)
    }
  }

  private absentOverTime(matrix: MatrixSelector | Subquery): Outcome {
    this.checkModifiers(matrix)
    const all = windowsOf(matrix, this.scope, this.evaluateExpr)
    const labels = absentLabels(this.call.args[0])
    const steps = this.scope.times.map((_, i): Vector => {
      if (all.some(({ windows }) => windows[i].samples.length > 0)) return []
      return [{ labels, dropName: true, value: 1, t: 0 }]
    })
    return { type: 'vector', steps }
  }
}

function isMatrix(expr: Expr): expr is MatrixSelector | Subquery {
  return expr.type === 'matrixSelector' || expr.type === 'subquery'
}

/** Whether a comparison of histograms, or a function that finds resets or changes, is in the expression. */
function looksAtBuckets(expr: Expr): boolean {
  if (expr.type === 'call' && /^(rate|increase|irate|resets|changes)$/.test(expr.func.name)) return true
  if (expr.type === 'binaryExpr' && (expr.op === '==' || expr.op === '!=')) return true
  return children(expr).some(looksAtBuckets)
}
