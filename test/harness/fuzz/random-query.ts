/** Random queries, well typed, of the whole grammar; mostly small ones that have an answer. */
import type { Prng } from '../prng.ts'

export interface QueryOptions {
  /** Experimental functions and aggregations, and fill modifiers. */
  readonly isExperimental: boolean
  /** `anchored` and `smoothed`. */
  readonly hasBorders: boolean
  /** Durations as expressions. */
  readonly hasDurationExpressions: boolean
  /** Functions and operators that only native histograms have. */
  readonly hasHistograms: boolean
  /** When the data begin and end, and their usual step. */
  readonly startMs: number
  readonly endMs: number
  readonly intervalMs: number
  /** Durations and steps of whole seconds, and times two milliseconds after one: for peers with closed windows. */
  readonly isBetweenSeconds: boolean
}

export interface RandomQuery {
  readonly text: string
  readonly startMs: number
  readonly endMs: number
  /** 0 for an instant query. */
  readonly stepMs: number
}

const NAMES = ['g', 'c_total', 'm', 'l_bucket', 'target_info', 'h', 'hc', 'x']
const LABELS = ['job', 'instance', 'env', 'le', 'nolabel']

const FLOAT_FUNCTIONS =
  'abs ceil floor exp sqrt ln log2 log10 sgn sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad round'.split(
    ' ',
  )
const DATE_FUNCTIONS = 'minute hour day_of_week day_of_month day_of_year days_in_month month year'.split(' ')
const WINDOW_FUNCTIONS =
  'rate increase delta irate idelta resets changes count_over_time sum_over_time avg_over_time min_over_time max_over_time last_over_time first_over_time present_over_time stddev_over_time stdvar_over_time deriv absent_over_time'.split(
    ' ',
  )
const EXPERIMENTAL_WINDOW_FUNCTIONS =
  'mad_over_time ts_of_min_over_time ts_of_max_over_time ts_of_first_over_time ts_of_last_over_time'.split(
    ' ',
  )
const HISTOGRAM_FUNCTIONS =
  'histogram_count histogram_sum histogram_avg histogram_stddev histogram_stdvar'.split(' ')

export class QueryGenerator {
  private readonly random: Prng
  private readonly options: QueryOptions

  constructor(random: Prng, options: QueryOptions) {
    this.random = random
    this.options = options
  }

  generate(): RandomQuery {
    const { random } = this
    const { startMs, endMs, intervalMs } = this.options
    const isInstant = random.chance(0.4)
    const align = random.chance(0.5) ? intervalMs : 2
    const at = this.time(
      startMs + Math.floor(random.int(0, endMs - startMs + 2 * intervalMs) / align) * align,
    )
    let text: string
    const kind = random.next()
    if (kind < 0.06) text = this.scalar(2)
    else if (isInstant && kind < 0.1) text = this.matrix(1)
    else if (isInstant && kind < 0.11) text = '"text"'
    else text = this.vector(random.pick([1, 1, 2, 2, 3]))
    if (isInstant) return { text, startMs: at, endMs: at, stepMs: 0 }
    const stepMs = random.pick([
      intervalMs,
      intervalMs * 2,
      10_000,
      7_000,
      60_000,
      this.options.isBetweenSeconds ? 4_000 : 4_444,
    ])
    const steps = random.int(0, 12)
    const rest = random.chance(0.3) && !this.options.isBetweenSeconds ? random.int(0, stepMs / 2 - 1) * 2 : 0
    return { text, startMs: at, endMs: at + steps * stepMs + rest, stepMs }
  }

  private time(ms: number): number {
    return this.options.isBetweenSeconds ? Math.floor(ms / 1000) * 1000 + 2 : ms
  }

  private weighted<T>(choices: readonly (readonly [number, () => T])[]): T {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0)
    let at = this.random.next() * total
    for (const [weight, make] of choices) {
      at -= weight
      if (at < 0) return make()
    }
    return choices[0][1]()
  }

  private vector(depth: number): string {
    if (depth <= 0) return this.selector()
    const { isExperimental, hasHistograms } = this.options
    const d = depth - 1
    return this.weighted<string>([
      [2, () => this.selector()],
      [7, () => this.windowCall(d)],
      [6, () => this.aggregation(d)],
      [6, () => this.binary(d)],
      [3, () => this.elementwise(d)],
      [1.2, () => this.labelCall(d)],
      [0.6, () => this.timeCall(d)],
      [0.5, () => `absent(${this.vector(d)})`],
      [0.4, () => `${this.random.pick(['sort', 'sort_desc'])}(${this.vector(d)})`],
      [0.5, () => `vector(${this.scalar(d)})`],
      [0.8, () => `(${this.vector(d)})`],
      [0.8, () => `${this.random.pick(['-', '+', '-'])}${this.vector(d)}`],
      [1.6, () => this.histogramCall(d)],
      [hasHistograms ? 1 : 0, () => `${this.random.pick(HISTOGRAM_FUNCTIONS)}(${this.histogramVector(d)})`],
      [isExperimental ? 0.8 : 0, () => this.experimentalCall(d)],
    ])
  }

  private name(): string {
    const { hasHistograms } = this.options
    return this.random.pick(hasHistograms ? NAMES : NAMES.slice(0, 5))
  }

  private matchers(): string {
    const { random } = this
    const count = random.pick([0, 0, 0, 1, 1, 2])
    const texts: string[] = []
    for (let i = 0; i < count; i++) {
      const name = random.pick(LABELS)
      const values: Record<string, string[]> = {
        job: ['a', 'b'],
        instance: ['0', '1', '2'],
        env: ['dev', 'prod', ''],
        le: ['1', '+Inf', ''],
        nolabel: ['', 'x'],
      }
      const op = random.pick(['=', '=', '!=', '=~', '!~'])
      const value = random.pick(values[name])
      const pattern = value.replace('+', '\\\\+')
      texts.push(
        `${name}${op}"${op.includes('~') ? random.pick([pattern, `${pattern}|0`, '.+', '.*']) : value}"`,
      )
    }
    return texts.length === 0 ? '' : `{${texts.join(',')}}`
  }

  private bareSelector(): string {
    if (this.random.chance(0.07))
      return this.random.pick(['{__name__=~"g|m"}', '{job="a"}', '{__name__=~".+_total|g"}'])
    return this.name() + this.matchers()
  }

  private selector(): string {
    const borders = this.options.hasBorders && this.random.chance(0.04) ? ' smoothed' : ''
    return this.bareSelector() + borders + this.modifiers()
  }

  /** `@` and `offset`, mostly neither. */
  private modifiers(): string {
    const { random } = this
    let text = ''
    if (random.chance(0.1)) text += ` @ ${this.atTime()}`
    if (random.chance(0.13)) {
      const sign = random.chance(0.3) ? '-' : ''
      text += ` offset ${sign}${this.duration()}`
      if (this.options.hasDurationExpressions && random.chance(0.15)) {
        text = text.replace(/ offset .*/, ` offset (${this.durationExpression()})`)
      }
    }
    return text
  }

  private atTime(): string {
    const { random, options } = this
    if (random.chance(0.4)) return random.pick(['start()', 'end()'])
    const ms = this.time(options.startMs + 2 * random.int(0, (options.endMs - options.startMs) / 2))
    return (ms / 1000).toFixed(3)
  }

  private duration(): string {
    const { intervalMs } = this.options
    const ms = this.random.pick([
      intervalMs,
      2 * intervalMs,
      3 * intervalMs,
      5 * intervalMs,
      60_000,
      300_000,
      32_000,
      4_000,
      this.options.isBetweenSeconds ? 1_000 : 1_002,
    ])
    return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.floor(ms / 1000)}s${ms % 1000}ms`
  }

  private durationExpression(): string {
    const { random } = this
    return random.pick([
      () => `${this.duration()} * 2`,
      () => `step() + ${this.duration()}`,
      () => `max_of(step(), ${this.duration()})`,
      () => `min_of(${this.duration()}, ${this.duration()})`,
      () => `${this.duration()} + ${this.duration()} / 2`,
      () => `range() + ${this.duration()}`,
      () => `(${this.duration()} - 1s) ^ 1`,
      () => `-${this.duration()} + 300`,
    ])()
  }

  private range(): string {
    return this.options.hasDurationExpressions && this.random.chance(0.08)
      ? this.durationExpression()
      : this.duration()
  }

  private matrix(depth: number): string {
    if (this.random.chance(depth > 0 ? 0.25 : 0.1)) return this.subquery(depth - 1)
    const borders = this.options.hasBorders && this.random.chance(0.12)
    const word = borders ? this.random.pick([' anchored', ' smoothed']) : ''
    return `${this.bareSelector()}[${this.range()}]${word}${this.modifiers()}`
  }

  private subquery(depth: number): string {
    const { random } = this
    const step = random.pick(['', '10s', '15s', '30s', '1m', '7s'])
    const inner = depth > 0 && random.chance(0.7) ? this.vector(depth) : this.selector()
    const isBare = /^[a-z_]+(\([^()]*\)|(\{[^{}]*\})?)$/.test(inner)
    return `${isBare ? inner : `(${inner})`}[${random.pick(['1m', '2m', '5m', '45s'])}:${step}]${this.modifiers()}`
  }

  private windowCall(depth: number): string {
    const { random, options } = this
    return this.weighted<string>([
      [12, () => `${random.pick(WINDOW_FUNCTIONS)}(${this.matrix(depth)})`],
      [1, () => `quantile_over_time(${this.phi(depth)}, ${this.matrix(depth)})`],
      [1, () => `predict_linear(${this.matrix(depth)}, ${this.scalar(0)})`],
      [
        options.isExperimental ? 2 : 0,
        () => `${random.pick(EXPERIMENTAL_WINDOW_FUNCTIONS)}(${this.matrix(depth)})`,
      ],
      [
        options.isExperimental ? 0.5 : 0,
        () => `double_exponential_smoothing(${this.matrix(depth)}, 0.3, ${random.pick(['0.6', '0.1', '1'])})`,
      ],
    ])
  }

  private phi(depth: number): string {
    return this.random.chance(0.15)
      ? this.scalar(depth)
      : this.random.pick(['0', '0.5', '0.9', '0.25', '1', '-1', '1.5', 'NaN'])
  }

  private labelList(): string {
    const { random } = this
    const names = LABELS.filter(() => random.chance(0.35))
    if (random.chance(0.03)) names.push('__name__')
    return names.join(', ')
  }

  private grouping(): string {
    const { random } = this
    return this.weighted([
      [3, () => ''],
      [3, () => ` by (${this.labelList()}) `],
      [2, () => ` without (${this.labelList()}) `],
      [0.3, () => ` by (${random.pick(LABELS)}) `],
    ])
  }

  private aggregation(depth: number): string {
    const { random, options } = this
    const plain = 'sum avg count min max group stddev stdvar sum avg'.split(' ')
    const vector = this.random.chance(0.5) ? this.selector() : this.vector(depth)
    const k = random.chance(0.1) ? this.scalar(0) : random.pick(['1', '2', '3', '0', '1.9', '100'])
    return this.weighted<string>([
      [8, () => `${random.pick(plain)}${this.grouping()}(${vector})`],
      [1.5, () => `${random.pick(['topk', 'bottomk'])}${this.grouping()}(${k}, ${vector})`],
      [1, () => `quantile${this.grouping()}(${this.phi(0)}, ${vector})`],
      [0.6, () => `count_values${this.grouping()}("${random.pick(['v', 'job'])}", ${vector})`],
      [options.isExperimental ? 0.5 : 0, () => `limitk${this.grouping()}(${k}, ${this.selector()})`],
      [
        options.isExperimental ? 0.5 : 0,
        () =>
          `limit_ratio${this.grouping()}(${random.pick(['0.5', '-0.5', '0.2', '1', '-1', '1.5', '0'])}, ${vector})`,
      ],
    ])
  }

  private matching(isSetOperation: boolean): string {
    const { random, options } = this
    if (random.chance(0.35)) return ''
    let text = random.chance(0.5) ? ` on (${this.labelList()})` : ` ignoring (${this.labelList()})`
    if (isSetOperation) return text
    const listed = text
    if (random.chance(0.4)) {
      const include = LABELS.filter((label) => !(listed.includes('on (') && listed.includes(label))).filter(
        () => random.chance(0.15),
      )
      text += ` ${random.pick(['group_left', 'group_right'])} (${include.join(', ')})`
    }
    if (options.isExperimental && random.chance(0.2)) {
      text += random.pick([
        ' fill (0)',
        ' fill_left (1)',
        ' fill_right (-2)',
        ' fill_left (1) fill_right (NaN)',
      ])
    }
    return text
  }

  private operand(depth: number): string {
    const text = this.random.chance(0.5) ? this.selector() : this.vector(depth)
    return /^[a-z_]+(\{[^{}]*\})?$/.test(text) ? text : `(${text})`
  }

  private binary(depth: number): string {
    const { random, options } = this
    const arithmetic = '+ - * / % ^ atan2 + - * /'.split(' ')
    const comparisons = '== != < <= > >='.split(' ')
    const bool = () => (random.chance(0.3) ? ' bool' : '')
    const side = () => (random.chance(0.6) ? this.operand(depth) : this.operand(0))
    return this.weighted<string>([
      [4, () => `${side()} ${random.pick(arithmetic)}${this.matching(false)} ${side()}`],
      [2, () => `${side()} ${random.pick(comparisons)}${bool()}${this.matching(false)} ${side()}`],
      [2.5, () => `${side()} ${random.pick(['and', 'or', 'unless'])}${this.matching(true)} ${side()}`],
      [2, () => `${side()} ${random.pick(arithmetic)} ${this.scalarOperand()}`],
      [1, () => `${this.scalarOperand()} ${random.pick(arithmetic)} ${side()}`],
      [1.5, () => `${side()} ${random.pick(comparisons)}${bool()} ${this.scalarOperand()}`],
      [0.7, () => `${this.scalarOperand()} ${random.pick(comparisons)}${bool()} ${side()}`],
      [
        options.hasHistograms ? 1 : 0,
        () => `(${this.histogramVector(0)}) ${random.pick(['</', '>/'])} ${this.scalarOperand()}`,
      ],
      [
        options.hasHistograms ? 1.5 : 0,
        () =>
          `(${this.histogramVector(depth)}) ${random.pick(['+', '-', '==', '!=', '*', '/'])}${this.matching(false)} (${this.histogramVector(0)})`,
      ],
    ])
  }

  private elementwise(depth: number): string {
    const { random } = this
    const vector = this.vector(depth)
    return this.weighted<string>([
      [6, () => `${random.pick(FLOAT_FUNCTIONS)}(${vector})`],
      [1, () => `round(${vector}, ${random.pick(['0.1', '5', '0.5', '0'])})`],
      [1, () => `clamp(${vector}, ${this.scalar(0)}, ${this.scalar(0)})`],
      [1, () => `${random.pick(['clamp_min', 'clamp_max'])}(${vector}, ${this.scalar(0)})`],
    ])
  }

  private timeCall(depth: number): string {
    const { random } = this
    return this.weighted<string>([
      [
        2,
        () =>
          `timestamp(${this.random.chance(0.6) ? this.bareSelector() + this.modifiers() : this.vector(depth)})`,
      ],
      [1, () => `${random.pick(DATE_FUNCTIONS)}()`],
      [
        1,
        () =>
          `${random.pick(DATE_FUNCTIONS)}(${random.pick(['c_total * 86400', 'g * 1e6', 'timestamp(m)'])})`,
      ],
    ])
  }

  private labelCall(depth: number): string {
    const { random } = this
    const vector = this.vector(depth)
    return random.pick([
      () => `label_replace(${vector}, "dst", "$1-x", "instance", "(.*)")`,
      () => `label_replace(${vector}, "job", "b", "job", "a")`,
      () => `label_replace(${vector}, "__name__", "n_$1", "job", "(.+)")`,
      () => `label_replace(${vector}, "env", "", "env", ".*")`,
      () => `label_join(${vector}, "joined", "-", "job", "instance")`,
      () => `label_join(${vector}, "instance", "")`,
    ])()
  }

  private histogramVector(depth: number): string {
    const { random } = this
    const name = random.pick(['h', 'hc', 'x', 'h'])
    return this.weighted<string>([
      [3, () => name + this.matchers()],
      [
        2,
        () =>
          `${random.pick(['rate', 'increase', 'delta', 'sum_over_time', 'avg_over_time'])}(${name}[${this.duration()}])`,
      ],
      [2, () => `${random.pick(['sum', 'avg'])}${this.grouping()}(${name})`],
      [
        depth > 0 ? 1 : 0,
        () => `(${this.histogramVector(depth - 1)}) * ${random.pick(['2', '-1', '0.5', '0'])}`,
      ],
      [0.5, () => `${name} or l_bucket`],
    ])
  }

  private histogramCall(depth: number): string {
    const { random, options } = this
    const classic = () =>
      random.pick([
        'l_bucket',
        `rate(l_bucket[${this.duration()}])`,
        `sum by (le) (l_bucket)`,
        `sum by (le, job) (rate(l_bucket[${this.duration()}]))`,
      ])
    const vector = options.hasHistograms && random.chance(0.6) ? this.histogramVector(depth) : classic()
    const bound = () => random.pick(['0', '0.3', '1', '-1', '5', '-Inf', '+Inf', '2'])
    return this.weighted<string>([
      [3, () => `histogram_quantile(${this.phi(0)}, ${vector})`],
      [options.hasHistograms ? 1.5 : 0, () => `histogram_fraction(${bound()}, ${bound()}, ${vector})`],
      [
        options.isExperimental ? 0.6 : 0,
        () => `histogram_quantiles(${vector}, "q", 0.5, ${random.pick(['0.9', '0', '1'])})`,
      ],
    ])
  }

  private experimentalCall(depth: number): string {
    const { random } = this
    return random.pick([
      () => `info(${this.vector(depth)})`,
      () =>
        `info(${this.vector(depth)}, {${random.pick(['version=~".+"', 'zone="z"', 'version="1"', '__name__=~".+_info"'])}})`,
      () => `sort_by_label(${this.vector(depth)}, "instance")`,
      () => `sort_by_label_desc(${this.vector(depth)}, "job", "instance")`,
      () => `start_timestamp(c_total)`,
      () =>
        `${this.vector(depth)} * ${random.pick(['start()', 'end()', 'step()', 'range()', 'max_of(1, 2)'])}`,
    ])()
  }

  private scalarOperand(): string {
    return this.random.chance(0.8) ? this.literal() : `(${this.scalar(1)})`
  }

  private literal(): string {
    return this.random.pick(['0', '1', '2', '0.5', '3', '-1', '10', '1e3', 'NaN', 'Inf', '-Inf', '5m', '-0'])
  }

  private scalar(depth: number): string {
    const { random } = this
    if (depth <= 0 || random.chance(0.5))
      return random.chance(0.85) ? this.literal() : random.pick(['time()', 'pi()'])
    return this.weighted<string>([
      [2, () => `scalar(${this.vector(depth - 1)})`],
      [
        1,
        () =>
          `${this.scalar(depth - 1)} ${random.pick(['+', '-', '*', '/', '%', '^', 'atan2'])} ${this.literal()}`,
      ],
      [1, () => `(${this.scalar(depth - 1)}) ${random.pick(['==', '<', '>='])} bool ${this.literal()}`],
      [0.5, () => `-(${this.scalar(depth - 1)})`],
    ])
  }
}
