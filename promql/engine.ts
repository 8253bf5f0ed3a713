/**
 * Runs queries: text → tree → plan → one await for all series → plain synchronous evaluation of all steps.
 *
 * The engine keeps no state between queries and may be used from any thread.
 */
import { StorageError } from '../storage/errors.ts'
import type { Querier, Queryable, SeriesSet } from '../storage/interface.ts'
import { compareLabels } from '../storage/model/labels.ts'
import { Annotations } from './annotations.ts'
import { checkRunning, type EndConditions, type QueryCost, QueryError } from './errors.ts'
import { EvalContext } from './eval/context.ts'
import { evaluatePlan } from './eval/result.ts'
import { formatBytes, QueryMemory } from './memory.ts'
import { type Estimate, estimate, type SelectionSize } from './plan/estimate.ts'
import { explain, type PartCost } from './plan/explain.ts'
import type { Plan, PlanNode } from './plan/plan.ts'
import { prepare } from './plan/prepare.ts'
import { documentedType, type Expr, valueType } from './syntax/ast.ts'
import { ParseError } from './syntax/parse-error.ts'
import { type ParseOptions, parse } from './syntax/parser.ts'
import { printMatcher } from './syntax/printer.ts'
import type { QueryValue, StepRange } from './value.ts'

/** What is off unless asked for: parts of the language, and ways to evaluate it. */
export interface EngineFeatures extends ParseOptions {
  /** Metric names are dropped at the end of a query and not by each operator. */
  readonly delayedNameRemoval?: boolean
  /** `__type__` tells whether a metric is a counter, rather than how its name ends. */
  readonly typeAndUnitLabels?: boolean
  /** Start timestamps of samples tell resets, and are what start_timestamp() gives. */
  readonly startTimestamps?: boolean
  /** Queries may ask for the counts of samples a step. */
  readonly perStepStats?: boolean
}

export interface EngineOptions {
  /** How old the newest sample of an instant selector may be; such an age itself is too old. */
  readonly lookbackMs: number
  /** Most samples that a query may hold at once. */
  readonly maxSamples: number
  /** Step of a subquery that gives none. */
  readonly defaultSubqueryStepMs: number
  readonly features: EngineFeatures
}

export interface QueryOptions {
  /** Overrides that of the engine. */
  readonly lookbackMs?: number
  /** Overrides `defaultSubqueryStepMs` of the engine. */
  readonly subqueryStepMs?: number
  /** Counts from the call; without it a query may take any time. */
  readonly timeoutMs?: number
  /** Over shared memory: the query ends soon after cell 0 is not 0 any more. */
  readonly cancel?: Int32Array
  /** What the query may have; the caller closes it when the answer is written. Without it, no bound. */
  readonly memory?: QueryMemory
  /** Above this estimate (units of some nanoseconds) the query is not run: HeavyQuery. */
  readonly workMax?: number
  /** Asks for counts of samples a step; nothing without the feature of this name. */
  readonly perStepStats?: boolean
  /** Asks for `QueryResult.explain`. */
  readonly explain?: boolean
}

/** Thrown before any sample is read by a query that costs more than it was to cost; it may be run elsewhere. */
export class HeavyQuery extends Error {}

export interface QueryResult extends QueryCost {
  readonly value: QueryValue
  /** The plan with its costs, a line a part. */
  readonly explain?: readonly string[]
  readonly warnings: string[]
  readonly infos: string[]
}

interface Run {
  readonly query: string
  readonly expr: Expr
  readonly steps: StepRange
  readonly options: QueryOptions
  readonly end: EndConditions
}

/** How far a run came, times on the clock of performance.now(). */
interface Progress {
  readonly beginMs: number
  preparedMs?: number
  evaluatedMs?: number
  context?: EvalContext
}

export class Engine {
  private readonly options: EngineOptions

  constructor(options: EngineOptions) {
    this.options = options
  }

  /**
   * Evaluates at one time. Rejects with QueryError; with StorageError NOT_READY or CLOSED when there is no storage
   * to ask.
   */
  async instantQuery(
    queryable: Queryable,
    query: string,
    timeMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    const steps = { startMs: timeMs, endMs: timeMs, stepMs: 0, count: 1 }
    return this.run(queryable, this.newRun(query, steps, options))
  }

  /** Evaluates at startMs, startMs + stepMs, … up to endMs. Requires: startMs ≤ endMs, stepMs > 0. */
  async rangeQuery(
    queryable: Queryable,
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    const steps = { startMs, endMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1 }
    const run = this.newRun(query, steps, options)
    const type = valueType(run.expr)
    if (type !== 'scalar' && type !== 'vector') {
      const text = `invalid expression type "${documentedType(type)}" for range query, must be Scalar or instant Vector`
      throw new QueryError('bad_data', text)
    }
    return this.run(queryable, run)
  }

  private newRun(query: string, steps: StepRange, options: QueryOptions): Run {
    const deadlineMs = performance.now() + (options.timeoutMs ?? Infinity)
    return { query, expr: this.parse(query), steps, options, end: { deadlineMs, cancel: options.cancel } }
  }

  private parse(query: string): Expr {
    try {
      return parse(query, this.options.features)
    } catch (error) {
      if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
      throw error
    }
  }

  private async run(queryable: Queryable, run: Run): Promise<QueryResult> {
    const progress: Progress = { beginMs: performance.now() }
    const { steps, options } = run
    const lookbackMs = options.lookbackMs ?? this.options.lookbackMs
    const defaultSubqueryStepMs = options.subqueryStepMs ?? this.options.defaultSubqueryStepMs
    const perStepStats = (this.options.features.perStepStats && options.perStepStats) ?? false
    const plan = prepare(run.expr, { ...steps, lookbackMs, defaultSubqueryStepMs, perStepStats })
    try {
      checkRunning(run.end, 'query execution')
      return await this.runPlan(queryable, run, plan, lookbackMs, progress)
    } catch (error) {
      if (error instanceof QueryError) error.cost = costOf(progress, plan, steps, performance.now())
      throw error
    }
  }

  private async runPlan(
    queryable: Queryable,
    run: Run,
    plan: Plan,
    lookbackMs: number,
    progress: Progress,
  ): Promise<QueryResult> {
    const { options } = run
    const { features } = this.options
    const querier = queryable.querier(plan.mint, plan.maxt)
    try {
      const series = await selectAll(querier, plan)
      checkRunning(run.end, 'query execution')
      const sizes = series.map(({ count, samplesEstimate }) => ({ series: count, samples: samplesEstimate }))
      const expected = estimate(plan.root, sizes)
      const memory = admit(run, plan, sizes, expected)
      const costs = options.explain ? new Map<PlanNode, PartCost>() : undefined
      const settings = {
        lookbackMs,
        samplesMax: this.options.maxSamples,
        delayedNameRemoval: features.delayedNameRemoval ?? false,
        typeAndUnitLabels: features.typeAndUnitLabels ?? false,
        startTimestamps: features.startTimestamps ?? false,
      }
      const annotations = new Annotations(run.query)
      const context = new EvalContext(settings, annotations, series, { ...run.end, memory }, costs)
      progress.context = context
      progress.preparedMs = performance.now()
      const unsorted = evaluate(context, plan, run)
      progress.evaluatedMs = performance.now()
      const value = sortResult(unsorted)
      // What is not sorted takes no time for that.
      const endMs = value === unsorted ? progress.evaluatedMs : performance.now()
      const explained = costs && { sizes, estimate: expected, costs, peakBytes: memory.peakBytes }
      return {
        value,
        explain: explained && explain(plan, explained),
        ...annotations.texts(),
        ...costOf(progress, plan, run.steps, endMs),
      }
    } finally {
      querier.close()
    }
  }
}

/** What a run that is over at `endMs` took. */
function costOf(
  { beginMs, preparedMs, evaluatedMs, context }: Progress,
  { root }: Plan,
  steps: StepRange,
  endMs: number,
): QueryCost {
  const prepared = preparedMs ?? endMs
  const evaluated = evaluatedMs ?? endMs
  const counts = context?.counts.total(root)
  return {
    timings: { prepareMs: prepared - beginMs, evalMs: evaluated - prepared, sortMs: endMs - evaluated },
    samples: {
      totalQueryableSamples: counts?.queryable ?? 0,
      samplesRead: counts?.read ?? 0,
      peakSamples: context?.peakSamples ?? 0,
      perStep: counts?.steps && { steps, ...counts.steps },
    },
  }
}

/** Reserves what the query needs for sure. Throws HeavyQuery, and QueryError where it may not have that much. */
function admit(
  { options, end }: Run,
  plan: Plan,
  sizes: readonly SelectionSize[],
  { bytes, work, costliest }: Estimate,
): QueryMemory {
  const { memory = QueryMemory.unlimited(), workMax = Number.POSITIVE_INFINITY } = options
  if (work > workMax) throw new HeavyQuery()
  if (bytes > memory.maxBytes) {
    // The queries of a lane for small ones may have little.
    if (workMax < Number.POSITIVE_INFINITY) throw new HeavyQuery()
    throw tooExpensive(plan, sizes, costliest, bytes, memory.maxBytes)
  }
  memory.await(bytes, end)
  return memory
}

function tooExpensive(
  { selections, root }: Plan,
  sizes: readonly SelectionSize[],
  costliest: number,
  bytes: number,
  maxBytes: number,
): QueryError {
  const { series, samples } = sizes[costliest]
  const { count } = root.frame
  const matchers = selections[costliest].matchers.map(printMatcher).join(',')
  return new QueryError(
    'execution',
    `query needs at least ${formatBytes(bytes)} of memory, and may have ${formatBytes(maxBytes)} ` +
      `(--query.memory-limit): {${matchers}} selects ${series} series with some ` +
      `${Math.round(samples)} samples, at ${count} ${count === 1 ? 'step' : 'steps'}; narrow it by a metric name ` +
      'or more matchers, shorten the range, lengthen the step, or aggregate',
  )
}

async function selectAll(querier: Querier, plan: Plan): Promise<SeriesSet[]> {
  const selects = plan.selections.map(({ matchers, hints, mint, maxt }) =>
    querier.select(matchers, { ...hints, range: { mint, maxt } }),
  )
  // Also where one fails the others come to an end first: the querier is closed next.
  await Promise.allSettled(selects)
  try {
    return await Promise.all(selects)
  } catch (error) {
    throw asExpandingError(error)
  }
}

/** A failed read, as upstream words it. What says that there is no storage is left as it is. */
function asExpandingError(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error
  if (error.code === 'NOT_READY' || error.code === 'CLOSED') return error
  return new QueryError('execution', `expanding series: ${error.message}`, { cause: error })
}

function evaluate(context: EvalContext, plan: Plan, { expr, steps }: Run): QueryValue {
  try {
    return evaluatePlan(context, plan, valueType(expr), steps)
  } catch (error) {
    throw asExpandingError(error)
  }
}

/** Series by labels, but for an instant vector, whose order may be meant. */
function sortResult(value: QueryValue): QueryValue {
  switch (value.type) {
    case 'matrix':
      return { ...value, series: value.series.toSorted((a, b) => compareLabels(a.labels, b.labels)) }
    case 'samples':
      return { ...value, series: value.series.toSorted((a, b) => compareLabels(a.labels, b.labels)) }
    default:
      return value
  }
}
