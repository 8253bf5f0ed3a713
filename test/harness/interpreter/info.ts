/** info(): labels taken over from info metrics. */
import type { Call, Expr, TimeModifiers, VectorSelector } from '../../../promql/syntax/ast.ts'
import { children } from '../../../promql/syntax/ast.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { formatLabels } from './label-text.ts'
import { type Element, InterpreterError, type Scope, UndefinedResult, type Vector } from './model.ts'
import { naive, newestSample, referenceTime, seriesOf } from './selection.ts'

const IDENTIFYING: ReadonlySet<string> = new Set(['instance', 'job'])

/** The modifiers of the first selector in an expression, after those of the subqueries that enclose it there. */
function firstModifiers(expr: Expr): readonly TimeModifiers[] | undefined {
  if (expr.type === 'vectorSelector') return [expr]
  for (const child of children(expr)) {
    const found = firstModifiers(child)
    if (found === undefined) continue
    return expr.type === 'subquery' ? [expr, ...found] : found
  }
  return undefined
}

interface InfoSample {
  readonly labels: Labels
  readonly t: number
}

export class InfoJoin {
  private readonly nameMatchers: readonly Matcher[]
  private readonly dataMatchers: ReadonlyMap<string, readonly Matcher[]>
  private readonly scope: Scope
  private readonly modifiers: readonly TimeModifiers[]

  constructor(call: Call, scope: Scope) {
    this.scope = scope
    this.modifiers = firstModifiers(call.args[0]) ?? []
    const selector = call.args[1] as VectorSelector | undefined
    const matchers = selector?.matchers ?? []
    const names = matchers.filter(({ name }) => name === '__name__')
    const isNegative = names.every(({ op }) => op === '!=' || op === '!~')
    if (names.length === 0) this.nameMatchers = [new Matcher('__name__', '=', 'target_info')]
    else this.nameMatchers = isNegative ? [new Matcher('__name__', '=~', '.+_info'), ...names] : names
    const data = new Map<string, Matcher[]>()
    for (const matcher of matchers) {
      if (matcher.name === '__name__') continue
      data.set(matcher.name, [...(data.get(matcher.name) ?? []), matcher])
    }
    this.dataMatchers = data
  }

  evaluate(steps: readonly Vector[]): Element[][] {
    return steps.map((vector, i) => this.join(vector, this.scope.times[i]))
  }

  private isInfo(labels: Labels): boolean {
    return this.nameMatchers.every((matcher) => matcher.matches(labels.get('__name__')))
  }

  /** The info samples at a time by metric and identifying labels; of several the newest. */
  private samples(time: number): Map<string, InfoSample> {
    const { run } = this.scope
    const matchers = [...this.nameMatchers, ...[...this.dataMatchers.values()].flat()]
    let reference = time
    for (const modifiers of this.modifiers) reference = referenceTime(modifiers, reference, run)
    const samples = new Map<string, InfoSample>()
    for (const series of seriesOf(matchers, run)) {
      const sample = newestSample(series, reference, run.settings.lookbackMs)
      if (sample === undefined) continue
      if (typeof naive(sample.value) !== 'number') {
        throw new InterpreterError(
          `this should be an info metric, with float samples: ${formatLabels(series.labels)}`,
        )
      }
      const key = `${series.labels.get('__name__')} ${series.labels.only(IDENTIFYING).key()}`
      const other = samples.get(key)
      if (other !== undefined && other.t === sample.t) {
        throw new InterpreterError(
          `found duplicate series for info metric: existing ${formatLabels(other.labels)} @ ${other.t}, ` +
            `new ${formatLabels(series.labels)} @ ${sample.t}`,
        )
      }
      if (other === undefined || other.t < sample.t) samples.set(key, { labels: series.labels, t: sample.t })
    }
    return samples
  }

  private join(vector: Vector, time: number): Element[] {
    const samples = [...this.samples(time)]
    // Upstream forgets here which names are to be dropped.
    return vector.flatMap((base): Element[] => {
      const element = { ...base, dropName: false }
      const { labels } = element
      if (this.isInfo(labels)) return [element]
      const identity = labels.only(IDENTIFYING)
      if (identity.size === 0) {
        if (!this.keepsWithoutInfo()) throw new UndefinedResult('info() of a series that no info could match')
        return [element]
      }
      const matching = samples
        .map(([, sample]) => sample)
        .filter((sample) => sample.labels.only(IDENTIFYING).key() === identity.key())
      if (matching.length === 0) return this.keepsWithoutInfo() ? [element] : []
      return [{ ...element, labels: this.joined(labels, matching) }]
    })
  }

  private keepsWithoutInfo(): boolean {
    return [...this.dataMatchers.values()].flat().every((matcher) => matcher.matchesEmpty())
  }

  private joined(base: Labels, infos: readonly InfoSample[]): Labels {
    const added: Record<string, string> = {}
    for (const { labels } of infos) {
      for (let i = 0; i < labels.pairs.length; i += 2) {
        const [name, value] = [labels.pairs[i], labels.pairs[i + 1]]
        if (name === '__name__' || IDENTIFYING.has(name) || base.has(name)) continue
        if (this.dataMatchers.size > 0 && !this.dataMatchers.has(name)) continue
        if (added[name] !== undefined && added[name] !== value) {
          throw new InterpreterError(`conflicting label: ${name}`)
        }
        added[name] = value
      }
    }
    return Labels.from({ ...base.toObject(), ...added })
  }
}
