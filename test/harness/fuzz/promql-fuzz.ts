/** The engine against the interpreter, on random data and queries. */
import { Engine, type EngineFeatures } from '../../../promql/engine.ts'
import type { Expr } from '../../../promql/syntax/ast.ts'
import { ParseError } from '../../../promql/syntax/parse-error.ts'
import { parse } from '../../../promql/syntax/parser.ts'
import type { DataSet } from '../interpreter/data-set.ts'
import { type Answer, interpret } from '../interpreter/interpreter.ts'
import { InterpreterError, type Settings, UndefinedResult } from '../interpreter/model.ts'
import { prng } from '../prng.ts'
import { compareAnswers } from './compare.ts'
import { formatCase } from './describe-case.ts'
import { askEngine, storeData } from './engine-answer.ts'
import { DataGenerator } from './random-data.ts'
import { QueryGenerator, type RandomQuery } from './random-query.ts'
import { type Case, shrink } from './shrink.ts'

export interface FuzzOptions {
  readonly seed: number
  /** How many evaluations at most. */
  readonly count: number
  readonly seconds: number
  /** All feature flags on, or all off. */
  readonly hasFeatures: boolean
  /** Ends after so many differences. */
  readonly differencesMax: number
  readonly hasHistograms: boolean
}

export interface Difference {
  /** Repeats the case as the first one of a run. */
  readonly seed: number
  /** The shrunk case as a script. */
  readonly script: string
  readonly message: string
}

export interface FuzzOutcome {
  readonly evaluations: number
  /** Evaluations that gave at least one series. */
  readonly answered: number
  /** Whose result the language leaves open. */
  readonly open: number
  readonly differences: readonly Difference[]
}

const LOOKBACK_MS = 300_000
const SUBQUERY_STEP_MS = 60_000
const QUERIES_PER_DATA_SET = 25

const FEATURES: EngineFeatures = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  binopFill: true,
  delayedNameRemoval: true,
  typeAndUnitLabels: true,
  startTimestamps: true,
}

class Fuzzer {
  private readonly features: EngineFeatures
  private readonly engine: Engine
  private readonly settings: Settings

  constructor(hasFeatures: boolean) {
    this.features = hasFeatures ? FEATURES : {}
    this.engine = new Engine({
      lookbackMs: LOOKBACK_MS,
      maxSamples: 50_000_000,
      defaultSubqueryStepMs: SUBQUERY_STEP_MS,
      features: this.features,
    })
    this.settings = {
      lookbackMs: LOOKBACK_MS,
      defaultSubqueryStepMs: SUBQUERY_STEP_MS,
      delayedNameRemoval: hasFeatures,
      typeAndUnitLabels: hasFeatures,
      useStartTimestamps: hasFeatures,
    }
  }

  parse(text: string): Expr {
    return parse(text, this.features)
  }

  expected(expr: Expr, data: DataSet, query: RandomQuery): Answer | { error: string } {
    try {
      return interpret(expr, query.text, data, query, this.settings)
    } catch (error) {
      if (error instanceof InterpreterError) return { error: error.message }
      throw error
    }
  }

  /** Where the engine differs; throws UndefinedResult. */
  async difference({ data, query }: Case): Promise<{ message: string | undefined; series: number }> {
    const expr = this.parse(query.text)
    const expected = this.expected(expr, data, query)
    const actual = await askEngine(this.engine, await storeData(data), query)
    const series = 'error' in expected ? 0 : expected.series.length
    return { message: compareAnswers(expr, expected, actual), series }
  }

  shrunk(first: Case): Promise<Case> {
    const fails = async (candidate: Case): Promise<string | undefined> => {
      try {
        return (await this.difference(candidate)).message
      } catch (error) {
        if (error instanceof ParseError || error instanceof UndefinedResult) return undefined
        throw error
      }
    }
    return shrink(first, fails, (text) => this.parse(text))
  }
}

/** Data set after data set, each of the seed that follows, until the count, the time or the differences are full. */
export async function fuzzPromql(options: FuzzOptions): Promise<FuzzOutcome> {
  const { hasFeatures, hasHistograms } = options
  const fuzzer = new Fuzzer(hasFeatures)
  const until = performance.now() + options.seconds * 1000
  const differences: Difference[] = []
  const counts = { evaluations: 0, answered: 0, open: 0 }
  for (let seed = options.seed; ; seed++) {
    const random = prng(seed)
    const baseMs = 0
    const data = new DataGenerator(random, {
      baseMs,
      hasHistograms,
      hasStartTimestamps: hasFeatures,
      isOdd: false,
      isPlain: false,
    }).generate()
    const queries = new QueryGenerator(random, {
      isExperimental: hasFeatures,
      hasBorders: hasFeatures,
      hasDurationExpressions: true,
      hasHistograms,
      isBetweenSeconds: false,
      ...data,
    })
    for (let i = 0; i < QUERIES_PER_DATA_SET; i++) {
      const one = { data: data.series, query: queries.generate() }
      const isFull = counts.evaluations >= options.count || performance.now() > until
      if (isFull || differences.length >= options.differencesMax) return { ...counts, differences }
      counts.evaluations++
      try {
        const { message, series } = await fuzzer.difference(one)
        if (series > 0) counts.answered++
        if (message === undefined) continue
      } catch (error) {
        if (error instanceof UndefinedResult) {
          counts.open++
          continue
        }
        throw new Error(`seed ${seed}: ${one.query.text}`, { cause: error })
      }
      const smallest = await fuzzer.shrunk(one)
      const { message } = await fuzzer.difference(smallest)
      differences.push({ seed, script: formatCase(smallest, baseMs), message: message ?? '' })
    }
  }
}
