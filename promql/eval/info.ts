/**
 * info(): adds to series the labels of info series that have the same instance and job.
 *
 * Info series are joined step by step, since they come and go: a base series becomes one output for each set of labels that it
 * has had. Source: Prometheus promql/info.go.
 */
import { type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { duplicateLabelSet, QueryError } from '../errors.ts'
import type { CallNode, Frame, SelectorNode } from '../plan/plan.ts'
import { ABSENT, Column } from '../value.ts'
import type { EvalContext } from './context.ts'
import { MaterializedOperator, materialize, type Operator } from './operator.ts'
import { SelectorOperator } from './selector.ts'
import { formatLabels, labelsKey } from './series-labels.ts'

const IDENTIFYING = ['instance', 'job']

/** Equal for series that belong together. */
const identify = labelsKey(IDENTIFYING, true)

const NONE = -1

/** The info series of one metric for one target: which of them counts at each step, or NONE. */
type Winners = Int32Array

/** Conditions of the call's selector. */
class InfoMatchers {
  private readonly onName: Matcher[]
  private readonly onData: Matcher[]
  /** Labels that may be copied; undefined for all. */
  private readonly wanted: ReadonlySet<string> | undefined
  /** Whether a series without info passes. */
  readonly acceptNone: boolean

  constructor(matchers: readonly Matcher[]) {
    this.onName = matchers.filter(({ name }) => name === METRIC_NAME)
    this.onData = matchers.filter(({ name }) => name !== METRIC_NAME)
    this.wanted = this.onData.length === 0 ? undefined : new Set(this.onData.map(({ name }) => name))
    this.acceptNone = this.onData.every((matcher) => matcher.matchesEmpty())
  }

  /** Whether a series is itself of an info metric, and to be left as it is. */
  isInfo(labels: Labels): boolean {
    const name = labels.get(METRIC_NAME)
    return this.onName.every((matcher) => matcher.matches(name))
  }

  isWanted(label: string): boolean {
    return label !== METRIC_NAME && (this.wanted === undefined || this.wanted.has(label))
  }
}

/** The info series that may belong to a base series, at all steps. */
class InfoSeries {
  readonly labels: readonly Labels[]
  /** By target, for each info metric. */
  readonly targets = new Map<string, Winners[]>()

  /** `hasBase`: whether there is anything to join at each step. */
  constructor(context: EvalContext, node: SelectorNode, base: readonly Labels[], hasBase: Uint8Array) {
    const operator = new SelectorOperator(context, node, 'info')
    this.labels = operator.labels
    const isEligible = eligibility(base)
    const metrics = new Map<string, number[]>()
    for (const [i, labels] of this.labels.entries()) {
      if (!isEligible(labels)) continue
      const key = `${labels.get(METRIC_NAME)}\ud800${identify(labels)}`
      const members = metrics.get(key)
      if (members === undefined) metrics.set(key, [i])
      else members.push(i)
    }
    for (const members of metrics.values()) {
      const target = identify(this.labels[members[0]])
      const winners = this.newest(operator, members, hasBase)
      const others = this.targets.get(target)
      if (others === undefined) this.targets.set(target, [winners])
      else others.push(winners)
    }
    operator.release()
  }

  /** At each step the series with the newest sample. Throws QueryError where two samples are as new. */
  private newest(operator: Operator, members: readonly number[], hasBase: Uint8Array): Winners {
    const winners = new Int32Array(hasBase.length).fill(NONE)
    const times = new Float64Array(hasBase.length)
    const column = new Column(hasBase.length)
    for (const i of members) {
      operator.fill(i, column)
      for (let s = 0; s < hasBase.length; s++) {
        if (column.present[s] === ABSENT || hasBase[s] === 0) continue
        const time = column.values[s]
        if (winners[s] !== NONE && times[s] === time) throw this.duplicate(winners[s], i, time)
        if (winners[s] !== NONE && times[s] > time) continue
        winners[s] = i
        times[s] = time
      }
    }
    return winners
  }

  private duplicate(existing: number, added: number, time: number): QueryError {
    const describe = (i: number) => `${formatLabels(this.labels[i])} @ ${time}`
    const series = `existing ${describe(existing)}, new ${describe(added)}`
    return new QueryError('execution', `found duplicate series for info metric: ${series}`)
  }
}

/** Info series have to have each of the identifying labels that any base series has, with one of their values. */
function eligibility(base: readonly Labels[]): (labels: Labels) => boolean {
  const values = IDENTIFYING.map((name) => new Set(base.map((labels) => labels.get(name))))
  for (const set of values) set.delete('')
  if (values.every(({ size }) => size === 0)) return () => false
  return (labels) => IDENTIFYING.every((name, k) => values[k].size === 0 || values[k].has(labels.get(name)))
}

/** Output series by their labels. */
class Outputs {
  readonly labels: Labels[] = []
  readonly columns: Column[] = []
  private readonly ordinals = new Map<string, number>()
  private readonly context: EvalContext
  private readonly frame: Frame

  constructor(context: EvalContext, frame: Frame) {
    this.context = context
    this.frame = frame
  }

  of(labels: Labels): Column {
    const key = labels.key()
    let ordinal = this.ordinals.get(key)
    if (ordinal === undefined) {
      ordinal = this.labels.push(labels) - 1
      this.columns.push(this.context.newColumn(this.frame.count))
      this.ordinals.set(key, ordinal)
    }
    return this.columns[ordinal]
  }
}

/** A base series' labels with those of info series. Throws QueryError where these contradict each other. */
function enrich(base: Labels, added: readonly Labels[], matchers: InfoMatchers): Labels {
  const builder = new LabelsBuilder(base)
  const copied = new Map<string, string>()
  for (const { pairs } of added) {
    for (let p = 0; p < pairs.length; p += 2) {
      const [name, value] = [pairs[p], pairs[p + 1]]
      if (!matchers.isWanted(name) || base.has(name)) continue
      const known = copied.get(name)
      if (known !== undefined && known !== value) {
        throw new QueryError('execution', `conflicting label: ${name}`)
      }
      copied.set(name, value)
      builder.set(name, value)
    }
  }
  return builder.labels()
}

/** Copies the samples of one base series to the outputs that its info series make of it. */
function join(
  base: Labels,
  column: Column,
  winners: readonly Winners[],
  series: readonly Labels[],
  matchers: InfoMatchers,
  outputs: Outputs,
): void {
  const current = new Int32Array(winners.length)
  let isKnown = false
  let out: Column | undefined
  for (let s = 0; s < column.present.length; s++) {
    if (column.present[s] === ABSENT) continue
    for (let w = 0; w < winners.length; w++) {
      if (winners[w][s] !== current[w]) isKnown = false
      current[w] = winners[w][s]
    }
    if (!isKnown) {
      const added = Array.from(current).filter((i) => i !== NONE)
      const isDropped = added.length === 0 && !matchers.acceptNone
      const labels = added.map((i) => series[i])
      out = isDropped ? undefined : outputs.of(enrich(base, labels, matchers))
      isKnown = true
    }
    if (out === undefined) continue
    if (out.present[s] !== ABSENT) throw duplicateLabelSet()
    out.copyStep(s, column)
  }
}

/** For series that are not joined with any. */
const ACCEPT_ALL = new InfoMatchers([])

/** The call's second argument is in the plan even where it is not in the query. Names are kept, those marked to go too. */
export function info({ args }: CallNode, input: Operator): Operator {
  const { context, frame } = input
  const node = args[1]
  if (node.kind !== 'selector') throw new Error('info series come from a selector')
  const matchers = new InfoMatchers(node.expr.matchers)
  const base = materialize(input)
  const hasBase = new Uint8Array(frame.count)
  for (const column of base) {
    if (column !== undefined) for (let s = 0; s < frame.count; s++) hasBase[s] |= column.present[s]
  }
  const joined = input.labels.filter((labels, i) => base[i] !== undefined && !matchers.isInfo(labels))
  const series = new InfoSeries(context, node, joined, hasBase)
  const outputs = new Outputs(context, frame)
  for (const [i, column] of base.entries()) {
    if (column === undefined) continue
    const labels = input.labels[i]
    if (matchers.isInfo(labels)) join(labels, column, [], [], ACCEPT_ALL, outputs)
    else join(labels, column, series.targets.get(identify(labels)) ?? [], series.labels, matchers, outputs)
    context.freeColumns(1, frame.count)
  }
  input.release()
  return new MaterializedOperator(context, frame, outputs.labels, outputs.columns)
}
