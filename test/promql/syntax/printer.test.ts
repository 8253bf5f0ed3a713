// Goal: the canonical text of an expression parses to the same expression. Method: a law over seeded random
// queries, and over the queries of public dashboards, alerts and test scripts where those lie beside the project.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from '../../../promql/syntax/parser.ts'
import { print } from '../../../promql/syntax/printer.ts'
import { type Prng, prng } from '../../harness/prng.ts'
import { parseScript } from '../../harness/promql-script.ts'

const ALL = { experimentalFunctions: true, extendedRangeSelectors: true, binopFill: true }

function expectStable(query: string, message = query): void {
  const once = print(parse(query, ALL))
  expect(print(parse(once, ALL)), message).toBe(once)
}

const LABELS = ['job', 'by', 'le', '"my.label"', '"ü"']
const STRINGS = ['"a"', "'b\\'\"'", '`c\\d`', '"\\xff\\u1234"', '"ü😀"', '""']
const DURATIONS = ['5m', '1.5', '90', '1h30m', '1y', '3w', '7ms', '0x10', '100000']

class QueryWriter {
  private readonly random: Prng

  constructor(random: Prng) {
    this.random = random
  }

  vector(depth: number): string {
    const { random } = this
    if (depth <= 0) return this.selector() + this.time()
    switch (random.int(0, 7)) {
      case 0:
        return `(${this.vector(depth - 1)})`
      case 1:
        return `${random.pick(['-', '+'])}${this.vector(depth - 1)}`
      case 2:
        return `${this.vector(depth - 1)} ${this.operator()} ${this.vector(depth - 1)}`
      case 3:
        return `(${this.scalar()} ${random.pick(['+', '*', '>', '^'])} ${this.vector(depth - 1)})`
      case 4:
        return `${random.pick(['sum', 'MIN', 'stddev'])}${this.grouping()}(${this.vector(depth - 1)})`
      case 5:
        return `topk(${this.scalar()}, ${this.vector(depth - 1)})${this.grouping()}`
      case 6:
        return `rate(${this.range(depth - 1)})`
      default:
        return `label_replace(${this.vector(depth - 1)}, "a", ${random.pick(STRINGS)}, "b", "c")`
    }
  }

  private scalar(): string {
    // A bare Inf is printed with a sign, as upstream does, which reads as one of the whole power in `Inf ^ x`.
    const number = this.random.pick(['1', '-2.5', '1e-9', '0x1f', '(Inf)', 'NaN', '5m', '017'])
    return this.random.chance(0.3) ? `(${number} - ${this.random.pick(DURATIONS)})` : number
  }

  private operator(): string {
    const { random } = this
    if (random.chance(0.3)) return `${random.pick(['and', 'or', 'UNLESS'])} ${this.matching()}`
    const comparison = random.chance(0.5)
    const op = comparison
      ? random.pick(['==', '!=', '<', '>=', '</', '>/'])
      : random.pick(['+', '-', '^', 'atan2'])
    const bool = comparison && random.chance(0.5) ? 'bool' : ''
    const matching = this.matching()
    const group = matching === '' ? '' : random.pick(['', 'group_right (le)', 'group_left ()'])
    const fill = random.pick(['', '', 'fill(0)', 'fill_left(-1.5)', 'fill_left(1) fill_right(2)'])
    return `${op} ${bool} ${matching} ${group} ${fill}`
  }

  private matching(): string {
    const { random } = this
    return random.pick(['', `on(job, ${random.pick(['by', '"my.label"'])})`, 'ignoring(job)', 'on()'])
  }

  private grouping(): string {
    const word = this.random.pick(['', 'by', 'without'])
    return word === '' ? '' : ` ${word} (${this.random.pick(['', 'job', '"my.label", le', 'by,'])}) `
  }

  private selector(): string {
    const { random } = this
    const matchers = Array.from({ length: random.int(0, 3) }, () => {
      return `${random.pick(LABELS)}${random.pick(['=', '!=', '=~', '!~'])}${random.pick(['"a"', "'.+'", '`b`'])}`
    })
    return `${random.pick(['up', 'sum', 'a:b', 'offset'])}{${matchers.join(',')}}`
  }

  private range(depth: number): string {
    const { random } = this
    const duration = this.duration(2)
    const body =
      depth > 0 && random.chance(0.5)
        ? `(${this.vector(depth - 1)})[${duration}:${random.chance(0.5) ? this.duration(1) : ''}]`
        : `${this.selector()}[${duration}]${random.pick(['', ' anchored', ' smoothed'])}`
    return body + this.time()
  }

  private duration(depth: number): string {
    const { random } = this
    if (depth === 0 || random.chance(0.4)) return random.pick(DURATIONS)
    switch (random.int(0, 4)) {
      case 0:
        return random.pick(['step()', 'range()', '-step()'])
      case 1:
        return `(${this.duration(depth - 1)})`
      case 2:
        return `min_of(${this.duration(depth - 1)}, ${this.duration(depth - 1)})`
      default:
        return `${this.duration(depth - 1)} ${random.pick(['+', '-', '*', '/', '%', '^'])} ${this.duration(depth - 1)}`
    }
  }

  private time(): string {
    const { random } = this
    const at = random.pick(['', '', '@ 1.5', '@ -5m', '@ start()', '@ end()'])
    const offset = random.pick([
      '',
      '',
      'offset 5m',
      'offset -1.5',
      `offset (${this.duration(1)})`,
      'offset -step()',
    ])
    return random.chance(0.5) ? ` ${at} ${offset}` : ` ${offset} ${at}`
  }
}

describe('print', () => {
  it('is stable over random queries', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e9)
    const writer = new QueryWriter(prng(seed))
    for (let run = 0; run < 2000; run++) {
      const query = writer.vector(run % 5)
      expectStable(query, `SEED=${seed} run=${run}: ${query}`)
    }
  })
})

const SCRIPTS = '../shared/data/promqltest'
const RULES = '../shared/data/exposition/promql-kube-prometheus.json'

if (existsSync(SCRIPTS) && existsSync(RULES)) {
  describe('queries in the wild', () => {
    it('are stable in test scripts', () => {
      let count = 0
      for (const name of readdirSync(SCRIPTS).filter((file) => file.endsWith('.test'))) {
        for (const command of parseScript(readFileSync(`${SCRIPTS}/${name}`, 'utf8'))) {
          expect(command, name).not.toMatchObject({ type: 'invalid' })
          if (command.type !== 'eval') continue
          count++
          expectStable(command.query, `${name}:${command.line}`)
        }
      }
      expect(count).toBeGreaterThan(1000)
    })

    it('are stable in rules and dashboards of Kubernetes', () => {
      const entries: { normalised?: string; probe?: string }[] = JSON.parse(readFileSync(RULES, 'utf8'))
      const queries = entries
        .flatMap(({ normalised, probe }) => [normalised, probe])
        .filter((query) => query !== undefined)
      expect(queries.length).toBeGreaterThan(500)
      for (const query of queries) expectStable(query)
    })
  })
} else {
  console.log(
    'printer.test.ts: queries of public rules and scripts left out, they are not beside the project',
  )
}
