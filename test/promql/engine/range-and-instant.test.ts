// Goal: evaluating all steps at once gives what evaluating each step by itself gives. Method: random queries over
// random series with gaps, resets and stale markers; a range query must equal the instant queries at its steps.
import { describe, expect, it } from 'vitest'
import { QueryError } from '../../../promql/errors.ts'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'
import { gridOf, newEngine, type Point, rowsOf, series, storageOf } from '../eval/fixture.ts'

const SCRAPE_MS = 15_000
const RANGE_FUNCTIONS = (
  'rate increase delta irate idelta sum_over_time avg_over_time min_over_time max_over_time count_over_time ' +
  'last_over_time first_over_time present_over_time absent_over_time stddev_over_time stdvar_over_time changes ' +
  'resets deriv mad_over_time ts_of_max_over_time ts_of_last_over_time'
).split(' ')
const VECTOR_FUNCTIONS = 'abs ceil exp sgn ln minute day_of_week timestamp absent'.split(' ')
const AGGREGATIONS = 'sum avg min max count group stddev stdvar'.split(' ')
const OPERATORS = '+ - * / % ^ atan2 == != < > >= <='.split(' ')

/**
 * Where `or` takes a series from one side at one step and from the other at the next, its name may wait to be dropped at one
 * of them only. Behind label_replace the first step decides for all of a range query, as upstream has it.
 */
const MARKED_BY_FIRST_STEP = /label_replace\(.* or /

class QueryMaker {
  private readonly random: Prng

  constructor(random: Prng) {
    this.random = random
  }

  private modifiers(): string {
    const { random } = this
    const offset = random.chance(0.15) ? ` offset ${random.pick(['1m', '-1m', '37s'])}` : ''
    const at = random.chance(0.1) ? ` @ ${random.pick(['300', '412.5', '0'])}` : ''
    return at + offset
  }

  private selector(): string {
    const { random } = this
    return `${random.pick(['a', 'b'])}${random.pick(['', '{i="1"}', '{i!="2"}', '{j="nothing"}'])}`
  }

  private range(depth: number): string {
    const { random } = this
    if (depth > 0 && random.chance(0.3)) {
      const step = random.pick(['', '30s', '1m', '47s'])
      return `(${this.vector(depth - 1)})[${random.pick(['2m', '5m'])}:${step}]${this.modifiers()}`
    }
    return `${this.selector()}[${random.pick(['20s', '1m', '5m', '61s'])}]${this.modifiers()}`
  }

  private scalar(depth: number): string {
    const { random } = this
    if (depth > 0 && random.chance(0.3)) return `scalar(${this.vector(depth - 1)})`
    return random.pick(['2', '-0.5', 'time() / 100', 'NaN', '(3 > bool 2)'])
  }

  /** Any instant vector. Between two vectors the labels are summed up first, so that matching is mostly legal. */
  vector(depth: number): string {
    const { random } = this
    if (depth === 0) return this.selector() + this.modifiers()
    const inner = () => this.vector(depth - 1)
    const summed = () => `${random.pick(AGGREGATIONS)} by (i) (${inner()})`
    switch (random.int(0, 11)) {
      case 0:
        return `${random.pick(VECTOR_FUNCTIONS)}(${inner()})`
      case 1:
        return `(${inner()} ${random.pick(OPERATORS)} ${this.scalar(depth)})`
      case 2:
        return `(${this.scalar(depth)} ${random.pick(['<', '>='])} bool ${inner()})`
      case 3:
        return `(${summed()} ${random.pick(OPERATORS)} ${summed()})`
      case 4:
        return `(${inner()} * on (i) group_left () ${summed()})`
      case 5:
        return `(${inner()} ${random.pick(['and', 'or', 'unless'])} on (i) ${inner()})`
      case 6:
        return `${random.pick(AGGREGATIONS)} ${random.pick(['by (i)', 'without (i)', ''])} (${inner()})`
      case 7: {
        const vector = inner()
        // Over what does not change the parameter of the first step counts, as upstream has it.
        const mayChange = !vector.includes('@')
        return `quantile by (j) (${mayChange ? random.pick(['0.3', '1', this.scalar(depth)]) : '0.3'}, ${vector})`
      }
      case 8:
        return `count_values("v", round(${inner()}))`
      case 9:
        return `label_replace(${inner()}, "k", "x$1", "i", "(.)")`
      case 10:
        return `clamp(-(${inner()}), ${this.scalar(depth)}, ${this.scalar(depth)})`
      default:
        return `${random.pick(RANGE_FUNCTIONS)}(${this.range(depth)})`
    }
  }
}

function randomStorage(random: Prng): Promise<MemoryStorage> {
  const labels = [
    { i: '1', j: 'x' },
    { i: '2', j: 'x' },
    { i: '3', j: 'y' },
  ]
  const points = (): Point[] => {
    let value = random.int(0, 100)
    let isGone = false
    return Array.from({ length: 60 }, () => {
      if (random.chance(0.05)) isGone = !isGone
      if (isGone) return random.chance(0.1) ? 'stale' : null
      value = random.chance(0.05) ? 0 : value + random.int(-1, 9)
      return random.chance(0.02) ? Number.NaN : value
    })
  }
  const all = ['a', 'b'].flatMap((name) => labels.map((set) => series(name, set, points())))
  return storageOf(all, SCRAPE_MS)
}

type Rows = [string, (number | null)[]][]

/** The instant queries at all steps, put together as the range query would be. Undefined when one fails. */
async function stepByStep(
  storage: MemoryStorage,
  query: string,
  times: number[],
  delayedNameRemoval: boolean,
): Promise<Rows | undefined> {
  const rows = new Map<string, (number | null)[]>()
  for (const [s, timeMs] of times.entries()) {
    try {
      const engine = newEngine({ experimentalFunctions: true, delayedNameRemoval })
      for (const [labels, value] of rowsOf(await engine.instantQuery(storage, query, timeMs))) {
        if (!rows.has(labels))
          rows.set(
            labels,
            times.map(() => null),
          )
        rows.get(labels)![s] = value
      }
    } catch (error) {
      if (error instanceof QueryError && error.type === 'execution') return undefined
      throw error
    }
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('a range query', () => {
  it.each([false, true])('is its instant queries (names dropped late: %s)', async (delayedNameRemoval) => {
    const seed = testSeed()
    const random = prng(seed)
    const maker = new QueryMaker(random)
    let compared = 0
    for (let run = 0; run < 400; run++) {
      const storage = await randomStorage(random)
      const query = maker.vector(random.int(1, 3))
      if (delayedNameRemoval && MARKED_BY_FIRST_STEP.test(query)) continue
      const stepMs = random.pick([1000, 15_000, 40_000, 60_000, 300_000])
      const startMs = random.int(-60_000, 600_000)
      const times = Array.from({ length: random.int(2, 12) }, (_, s) => startMs + s * stepMs)
      const message = `SEED=${seed} run=${run} ${query} from ${startMs} step ${stepMs}`
      const engine = newEngine({ experimentalFunctions: true, delayedNameRemoval })
      const want = await stepByStep(storage, query, times, delayedNameRemoval)
      let got: Rows | undefined
      try {
        got = gridOf(await engine.rangeQuery(storage, query, startMs, times[times.length - 1], stepMs))
      } catch (error) {
        // Some errors are about all steps together: the other way round is looked at below.
        if (error instanceof QueryError && error.type === 'execution') continue
        throw new Error(message, { cause: error })
      }
      expect(
        got.sort(([a], [b]) => (a < b ? -1 : 1)),
        message,
      ).toStrictEqual(want)
      compared++
    }
    expect(compared, `SEED=${seed}`).toBeGreaterThan(200)
  })
})
