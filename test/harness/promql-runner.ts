/** Runs scripts of the PromQL test language against the engine, on the oracle storage. */
import { Engine } from '../../promql/engine.ts'
import { QueryError } from '../../promql/errors.ts'
import type { Expr } from '../../promql/syntax/ast.ts'
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parse } from '../../promql/syntax/parser.ts'
import { print } from '../../promql/syntax/printer.ts'
import type { Appender } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'
import { classicToCustom, type FloatSample } from './histogram-series.ts'
import type { Prng } from './prng.ts'
import { compareValue, compareVector, describeUnsorted, resultRows } from './promql-compare.ts'
import { type Mutant, mutate } from './promql-mutate.ts'
import {
  type EvalCommand,
  type LoadCommand,
  parseScript,
  SCRIPT_PARSE_OPTIONS,
  type TextPattern,
} from './promql-script.ts'

export interface ScriptFailure {
  readonly line: number
  readonly message: string
}

export interface ScriptOutcome {
  /** Evaluations as expected. */
  readonly passed: number
  /** Evaluations that were not, and commands that could not be read or run. */
  readonly failures: readonly ScriptFailure[]
  /** Queries that ran: of an instant evaluation up to twelve. */
  readonly executions: number
  readonly mutants: number
  /** Mutants that were taken for right. */
  readonly survivors: readonly ScriptFailure[]
}

const MINUTE_MS = 60_000

/** How the suite's engine is set up: reference of the language, not of the server. */
function scriptEngine(): Engine {
  return new Engine({
    lookbackMs: 5 * MINUTE_MS,
    maxSamples: 10_000,
    defaultSubqueryStepMs: MINUTE_MS,
    features: { ...SCRIPT_PARSE_OPTIONS, delayedNameRemoval: true, startTimestamps: true },
  })
}

/**
 * Runs all commands; a failing one does not stop the others. `random`: of each evaluation that is as expected one mutant is
 * made by it, which must fail.
 */
export async function runScript(text: string, random?: Prng): Promise<ScriptOutcome> {
  const run = new ScriptRun(scriptEngine())
  let passed = 0
  let mutants = 0
  const failures: ScriptFailure[] = []
  const survivors: ScriptFailure[] = []
  for (const command of parseScript(text)) {
    let message: string | undefined
    switch (command.type) {
      case 'invalid':
        message = command.message
        break
      case 'clear':
        run.clear()
        break
      case 'load':
        message = await run.load(command)
        break
      case 'eval':
        message = await run.evaluate(command)
        if (message !== undefined) break
        passed++
        if (random === undefined) break
        mutants++
        survivors.push(...(await run.evaluateMutant(command, mutate(command, random))))
        break
    }
    if (message !== undefined) failures.push({ line: command.line, message })
  }
  return { passed, failures, executions: run.executions, mutants, survivors }
}

/** A query and when it is run as an instant query. */
interface Execution {
  readonly query: string
  readonly timeMs: number
}

class ScriptRun {
  private readonly engine: Engine
  /** Queries that ran so far. */
  executions = 0
  private storage = new MemoryStorage({ appendableWindowMs: Number.POSITIVE_INFINITY })

  constructor(engine: Engine) {
    this.engine = engine
  }

  clear(): void {
    this.storage = new MemoryStorage({ appendableWindowMs: Number.POSITIVE_INFINITY })
  }

  /** What went wrong in words; undefined when nothing did. */
  async load(command: LoadCommand): Promise<string | undefined> {
    const appender = this.storage.appender()
    try {
      this.append(appender, command)
    } catch (error) {
      appender.rollback()
      return (error as Error).message
    }
    const { outOfOrder } = await appender.commit()
    return outOfOrder === 0 ? undefined : `${outOfOrder} samples out of order`
  }

  private append(appender: Appender, { series, stepMs, withNhcb }: LoadCommand): void {
    const floats: { labels: Labels; samples: FloatSample[] }[] = []
    for (const { labels, points, startOffsets } of series) {
      const samples: FloatSample[] = []
      for (const [i, point] of points.entries()) {
        const t = i * stepMs
        const offset = startOffsets?.[i] ?? null
        const st = offset === null ? 0 : t + offset
        if (point.type === 'stale') this.appendSample(appender, labels, t, 0, KIND_STALE, st)
        if (point.type === 'histogram') this.appendHistogram(appender, labels, t, point.histogram, st)
        if (point.type !== 'float') continue
        samples.push({ t, v: point.value })
        this.appendSample(appender, labels, t, point.value, KIND_FLOAT, st)
      }
      floats.push({ labels, samples })
    }
    if (!withNhcb) return
    for (const { labels, samples } of classicToCustom(floats)) {
      for (const { t, histogram } of samples) this.appendHistogram(appender, labels, t, histogram, 0)
    }
  }

  private appendHistogram(
    appender: Appender,
    labels: Labels,
    t: number,
    histogram: FloatHistogram,
    st: number,
  ): void {
    const ref = appender.register(labels)
    const outcome = appender.appendHistogram(ref, t, histogram, KIND_FLOAT_HISTOGRAM, st)
    if (outcome < 0) throw new Error(`histogram of ${labels.get('__name__')} at ${t} ms refused (${outcome})`)
  }

  private appendSample(
    appender: Appender,
    labels: Labels,
    t: number,
    v: number,
    kind: PlainKind,
    st: number,
  ): void {
    const outcome = appender.append(appender.register(labels), t, v, kind, st)
    if (outcome < 0) throw new Error(`sample of ${labels.get('__name__')} at ${t} ms refused (${outcome})`)
  }

  /** What differed in words; undefined when all was as expected. */
  async evaluate(command: EvalCommand): Promise<string | undefined> {
    if (command.isRange) {
      const { query, startMs, endMs, stepMs } = command
      return this.check(command, query, () =>
        this.engine.rangeQuery(this.storage, query, startMs, endMs, stepMs),
      )
    }
    for (const execution of executions(command)) {
      const difference = await this.evaluateInstant(command, execution)
      if (difference === undefined) continue
      return `${execution.query} at ${execution.timeMs} ms: ${difference}`
    }
    return undefined
  }

  /** The mutant, if it is taken for right. */
  async evaluateMutant({ line, query }: EvalCommand, { change, command }: Mutant): Promise<ScriptFailure[]> {
    const message = await this.evaluate(command)
    return message === undefined ? [{ line, message: `${query}: ${change}` }] : []
  }

  private async evaluateInstant(
    command: EvalCommand,
    { query, timeMs }: Execution,
  ): Promise<string | undefined> {
    const difference = await this.check(command, query, () =>
      this.engine.instantQuery(this.storage, query, timeMs),
    )
    const isInstantOnly = command.expectsRangeVector || command.expectedString !== undefined
    if (difference !== undefined || command.expectsFail !== undefined || isInstantOnly) return difference
    if (/(start|end|range|step)\(\)/.test(query)) return undefined
    return this.evaluateAsRange(command, { query, timeMs })
  }

  /** The same query as the middle step of a range query. */
  private async evaluateAsRange(
    command: EvalCommand,
    { query, timeMs }: Execution,
  ): Promise<string | undefined> {
    this.executions++
    const result = await attempt(() =>
      this.engine.rangeQuery(this.storage, query, timeMs - MINUTE_MS, timeMs + MINUTE_MS, MINUTE_MS),
    )
    if ('error' in result) return `in range mode: ${result.error}`
    if (command.expectsOrdered) return undefined
    const rows = resultRows(result.value)
    const unsorted = describeUnsorted(rows)
    if (unsorted !== undefined) return `in range mode: ${unsorted}`
    const middle = rows
      .map(({ labels, points }) => ({ labels, points: points.filter((point) => point.t === timeMs) }))
      .filter(({ points }) => points.length > 0)
    if (command.expectedScalar === undefined) {
      const difference = compareVector(command, middle)
      return difference === undefined ? undefined : `in range mode: ${difference}`
    }
    const point = middle[0]?.points[0]
    if (point === undefined || !('value' in point)) return 'in range mode: expected a scalar but got none'
    const difference = compareValue(command, { type: 'scalar', timeMs, value: point.value })
    return difference === undefined ? undefined : `in range mode: ${difference}`
  }

  private async check(
    command: EvalCommand,
    query: string,
    execute: () => ReturnType<Engine['instantQuery']>,
  ): Promise<string | undefined> {
    this.executions++
    const result = await attempt(execute)
    if ('error' in result) {
      if (command.expectsFail === undefined) return `error: ${result.error}`
      if (command.expectsFail.matches(result.error)) return undefined
      return `expected error to be ${command.expectsFail.description} but got: ${result.error}`
    }
    if (command.expectsFail !== undefined) return `expected an error evaluating ${query} but got none`
    return (
      compareAnnotations('warn', command.warnings, command.expectsNoWarning, result.warnings) ??
      compareAnnotations('info', command.infos, command.expectsNoInfo, result.infos) ??
      compareValue(command, result.value)
    )
  }
}

/** A result, or the text of the error that the engine gave; any other error is a bug and is thrown. */
async function attempt(
  execute: () => ReturnType<Engine['instantQuery']>,
): Promise<Awaited<ReturnType<Engine['instantQuery']>> | { error: string }> {
  try {
    return await execute()
  } catch (error) {
    if (error instanceof QueryError || error instanceof ParseError) return { error: error.message }
    throw error
  }
}

function compareAnnotations(
  level: 'warn' | 'info',
  expected: readonly TextPattern[],
  expectsNone: boolean,
  actual: readonly string[],
): string | undefined {
  const got = actual.length === 0 ? 'none' : actual.join('; ')
  if (expectsNone && actual.length > 0) return `unexpected ${level} annotations: ${got}`
  const missing = expected.find((pattern) => !actual.some((text) => pattern.matches(text)))
  if (missing !== undefined) return `expected ${level} annotation to be ${missing.description}, got ${got}`
  if (expected.length === 0) return undefined
  const extra = actual.find((text) => !expected.some((pattern) => pattern.matches(text)))
  return extra === undefined ? undefined : `unexpected ${level} annotation: ${extra}`
}

/** Functions whose result depends on the evaluation time even where all selectors are fixed by `@`. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  ...['days_in_month', 'day_of_month', 'day_of_week', 'day_of_year', 'hour', 'minute', 'month', 'year'],
  ...['end', 'predict_linear', 'range', 'start', 'step', 'time', 'timestamp'],
])

/**
 * All runs of an instant evaluation: the query as written, and printed again with `@` its time at times when it
 * must give the same.
 */
function executions({ query, endMs: timeMs }: EvalCommand): Execution[] {
  const first = { query, timeMs }
  const expr = parse(query, SCRIPT_PARSE_OPTIONS)
  if (isTimeDependent(expr)) return [first]
  const fixed = print(fixTime(expr, timeMs))
  const times =
    timeMs === 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs]
  return [first, ...times.map((time) => ({ query: fixed, timeMs: time }))]
}

/** What stands in subqueries does not count: those are fixed as a whole. */
function isTimeDependent(expr: Expr): boolean {
  switch (expr.type) {
    case 'call':
      return TIME_DEPENDENT.has(expr.func.name) || expr.args.some(isTimeDependent)
    case 'aggregation':
      return isTimeDependent(expr.expr) || (expr.param !== null && isTimeDependent(expr.param))
    case 'binaryExpr':
      return isTimeDependent(expr.lhs) || isTimeDependent(expr.rhs)
    case 'parenExpr':
    case 'unaryExpr':
      return isTimeDependent(expr.expr)
    default:
      return false
  }
}

/** The expression with `@ timeMs` on all selectors and outermost subqueries that have no number of their own. */
function fixTime(expr: Expr, timeMs: number): Expr {
  const fix = (child: Expr): Expr => fixTime(child, timeMs)
  switch (expr.type) {
    case 'vectorSelector':
    case 'subquery':
      return expr.timestampMs === null ? { ...expr, timestampMs: timeMs, startOrEnd: null } : expr
    case 'matrixSelector': {
      const { selector } = expr
      if (selector.timestampMs !== null) return expr
      return { ...expr, selector: { ...selector, timestampMs: timeMs, startOrEnd: null } }
    }
    case 'call':
      return { ...expr, args: expr.args.map(fix) }
    case 'aggregation':
      return { ...expr, expr: fix(expr.expr), param: expr.param === null ? null : fix(expr.param) }
    case 'binaryExpr':
      return { ...expr, lhs: fix(expr.lhs), rhs: fix(expr.rhs) }
    case 'parenExpr':
    case 'unaryExpr':
      return { ...expr, expr: fix(expr.expr) }
    case 'numberLiteral':
    case 'stringLiteral':
      return expr
  }
}
