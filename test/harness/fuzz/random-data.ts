/** Random data sets: few series and samples, of every kind that a query may meet. */
import {
  type CounterResetHint,
  CUSTOM_SCHEMA,
  EMPTY_HISTOGRAM,
  type FloatHistogram,
  type Span,
} from '../../../storage/model/histogram.ts'
import { compareLabels, Labels } from '../../../storage/model/labels.ts'
import type { DataSample, DataSeries, DataSet } from '../interpreter/data-set.ts'
import { withStoredHints } from '../interpreter/stored-hints.ts'
import type { Prng } from '../prng.ts'

export interface DataOptions {
  /** When the data begin; a multiple of an hour. */
  readonly baseMs: number
  /** Whether there are native histograms. */
  readonly hasHistograms: boolean
  /** Whether samples say when their counter began. */
  readonly hasStartTimestamps: boolean
  /** All times odd, so that no window with even borders begins or ends on a sample. */
  readonly isOdd: boolean
  /** Without infinities, NaN, the largest floats, and `__type__`. */
  readonly isPlain: boolean
}

export interface RandomData {
  readonly series: DataSet
  readonly startMs: number
  readonly endMs: number
  /** The usual time between two samples. */
  readonly intervalMs: number
}

const JOBS = ['a', 'b']
const INSTANCES = ['0', '1', '2']
const BOUNDS = ['0.1', '0.5', '1', '5', '+Inf']

export class DataGenerator {
  private readonly random: Prng
  private readonly options: DataOptions
  private readonly intervalMs: number
  private readonly count: number
  private readonly isRegular: boolean
  private readonly hasSpecials: boolean

  constructor(random: Prng, options: DataOptions) {
    this.random = random
    this.options = options
    this.intervalMs = random.pick([10_000, 15_000, 30_000, 60_000])
    this.count = random.int(4, 28)
    this.isRegular = random.chance(0.5)
    this.hasSpecials = !options.isPlain && random.chance(0.4)
  }

  generate(): RandomData {
    const { random, options } = this
    const series: DataSeries[] = []
    for (const name of ['g', 'c_total', 'm']) {
      if (random.chance(0.85)) series.push(...this.floatSeries(name))
    }
    if (random.chance(0.6)) series.push(...this.classicHistogram())
    if (random.chance(0.5)) series.push(...this.infoSeries())
    if (options.hasHistograms) {
      if (random.chance(0.8)) series.push(...this.histogramSeries('h', false))
      if (random.chance(0.5)) series.push(...this.histogramSeries('hc', true))
      if (random.chance(0.5)) series.push(...this.mixedSeries())
    }
    const byLabels = new Map(series.map((one) => [one.labels.key(), one]))
    const full = [...byLabels.values()].filter(({ samples }) => samples.length > 0)
    return {
      series: full.toSorted((a, b) => compareLabels(a.labels, b.labels)),
      startMs: options.baseMs,
      endMs: options.baseMs + this.count * this.intervalMs,
      intervalMs: this.intervalMs,
    }
  }

  /** Labels of a few series of one name; some have a label more. */
  private labelSets(name: string): Labels[] {
    const { random } = this
    const sets: Labels[] = []
    for (const job of JOBS) {
      for (const instance of INSTANCES) {
        if (!random.chance(0.45)) continue
        const labels: Record<string, string> = { __name__: name, job, instance }
        if (random.chance(0.3)) labels.env = random.pick(['dev', 'prod'])
        if (!this.options.isPlain && random.chance(0.06)) labels.__type__ = random.pick(['counter', 'gauge'])
        sets.push(Labels.from(labels))
      }
    }
    if (random.chance(0.15)) sets.push(Labels.from({ __name__: name }))
    return sets
  }

  /** The times of one series: with gaps, and ends before the others or begins after them now and then. */
  private times(): number[] {
    const { random, options, intervalMs } = this
    const first = random.chance(0.2) ? random.int(0, this.count - 1) : 0
    const last = random.chance(0.2) ? random.int(first, this.count) : this.count
    const gap = random.chance(0.4) ? random.next() * 0.4 : 0
    const phase = this.isRegular ? 0 : random.int(0, intervalMs - 1)
    const times: number[] = []
    for (let i = first; i <= last; i++) {
      if (random.chance(gap)) continue
      const jitter = this.isRegular ? 0 : random.int(0, Math.floor(intervalMs / 5))
      let t = options.baseMs + i * intervalMs + phase + jitter
      if (options.isOdd && t % 2 === 0) t++
      if (times.length === 0 || t > times.at(-1)!) times.push(t)
    }
    return times
  }

  private samplesOf(valueAt: () => DataSample['value'], isCounter: boolean): DataSample[] {
    const { random, options } = this
    const hasStarts = options.hasStartTimestamps && isCounter && random.chance(0.5)
    let began = 0
    const staleness = random.chance(0.3) ? 0.08 : 0
    const times = this.times()
    return times.map((t, i) => {
      if (hasStarts && (i === 0 || random.chance(0.15))) {
        began = random.pick([0, t - 1, t - 7000, t, times[Math.max(0, i - 1)], times[Math.max(0, i - 1)] + 1])
      }
      if (random.chance(staleness)) return { t, value: 'stale', startMs: 0 }
      return { t, value: valueAt(), startMs: Math.max(0, began) }
    })
  }

  private floatSeries(name: string): DataSeries[] {
    return this.labelSets(name).map((labels) => {
      const valueAt = name === 'c_total' ? this.counterValues() : this.gaugeValues()
      return { labels, samples: this.samplesOf(valueAt, name === 'c_total') }
    })
  }

  private counterValues(): () => number {
    const { random } = this
    const step = random.pick([1, 5, 0.1, 1000])
    let value = random.chance(0.5) ? 0 : random.int(0, 100)
    return () => {
      if (random.chance(0.07)) value = random.chance(0.5) ? 0 : random.int(0, 3) * step
      else if (random.chance(0.8)) value += random.int(0, 10) * step
      return this.hasSpecials ? this.special(value) : value
    }
  }

  private gaugeValues(): () => number {
    const { random } = this
    const kind = random.int(0, 3)
    const constant = random.int(-3, 3)
    return () => {
      let value = random.int(-5, 5)
      if (kind === 1) value = Math.round((random.next() - 0.3) * 10_000) / 100
      if (kind === 2) value = (random.next() - 0.5) * 10 ** random.int(-3, 6)
      if (kind === 3) value = constant
      return this.hasSpecials ? this.special(value) : value
    }
  }

  private special(value: number): number {
    if (!this.random.chance(0.06)) return value
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN: nan, MAX_VALUE } = Number
    return this.random.pick([nan, nan, POSITIVE_INFINITY, NEGATIVE_INFINITY, -0, 0, MAX_VALUE, 1e-300])
  }

  private classicHistogram(): DataSeries[] {
    const { random } = this
    const breaks = random.chance(0.3)
    return this.labelSets('l_bucket')
      .slice(0, 2)
      .flatMap((labels) => {
        const times = this.times()
        const counts = BOUNDS.map(() => 0)
        const rows = times.map(() => {
          for (let i = 0; i < counts.length; i++) counts[i] += random.int(0, 4)
          let sum = 0
          return counts.map((count) => {
            sum += count
            return breaks && random.chance(0.1) ? Math.max(0, sum - 2) : sum
          })
        })
        return BOUNDS.flatMap((le, i): DataSeries[] => {
          if (random.chance(0.05)) return []
          const text = random.chance(0.03) ? random.pick(['x', '1e3', '']) : le
          const samples = times.map((t, j) => ({ t, value: rows[j][i], startMs: 0 }))
          return [{ labels: Labels.from({ ...labels.toObject(), le: text }), samples }]
        })
      })
  }

  private infoSeries(): DataSeries[] {
    const { random } = this
    const names = ['target_info', ...(random.chance(0.3) ? ['build_info'] : [])]
    return names.flatMap((name) =>
      JOBS.flatMap((job) =>
        INSTANCES.flatMap((instance): DataSeries[] => {
          if (!random.chance(0.4)) return []
          const labels = { __name__: name, job, instance, version: random.pick(['1', '2']), zone: 'z' }
          return [{ labels: Labels.from(labels), samples: this.samplesOf(() => 1, false) }]
        }),
      ),
    )
  }

  private histogramSeries(name: string, isCustom: boolean): DataSeries[] {
    return this.labelSets(name).map((labels) => {
      const next = this.histograms(isCustom)
      return { labels, samples: withStoredHints(this.samplesOf(next, true)) }
    })
  }

  private mixedSeries(): DataSeries[] {
    return this.labelSets('x').map((labels) => {
      const isCustom = this.random.chance(0.3)
      const histogram = this.histograms(isCustom)
      const other = this.histograms(!isCustom)
      const float = this.counterValues()
      const valueAt = () => {
        if (this.random.chance(0.3)) return float()
        return this.random.chance(0.1) ? other() : histogram()
      }
      return { labels, samples: withStoredHints(this.samplesOf(valueAt, true)) }
    })
  }

  /** A counter of histograms with resets and changes of layout, or a gauge. */
  private histograms(isCustom: boolean): () => FloatHistogram {
    const { random } = this
    const isGauge = random.chance(0.25)
    const schemas = [random.int(-1, 3), random.int(-1, 3)]
    const thresholds = random.chance(0.6) ? [0.001] : [0, 0.001, 0.6]
    const boundSets = [
      [1, 2, 5],
      [1, 5],
      [-1, 0, 2],
    ]
    let state = { positive: [0, 0, 0], negative: [0, 0], zero: 0 }
    let layout = { schema: schemas[0], threshold: thresholds[0], bounds: boundSets[random.int(0, 2)] }
    let offset = random.int(-2, 2)
    return () => {
      if (random.chance(0.06)) {
        layout = {
          schema: random.pick(schemas),
          threshold: random.pick(thresholds),
          bounds: random.pick(boundSets),
        }
        offset = random.int(-2, 2)
      }
      const grow = (count: number) => {
        if (isGauge) return random.int(0, 6)
        return random.chance(0.6) ? count + random.int(0, 5) : count
      }
      state = {
        positive: state.positive.map(grow),
        negative: random.chance(0.8) ? state.negative.map(grow) : state.negative,
        zero: grow(state.zero),
      }
      if (random.chance(0.06)) state = { positive: [1, 0, 0], negative: [0, 0], zero: 0 }
      return this.histogram(isCustom, state, layout, offset, isGauge)
    }
  }

  private histogram(
    isCustom: boolean,
    state: { positive: number[]; negative: number[]; zero: number },
    layout: { schema: number; threshold: number; bounds: readonly number[] },
    offset: number,
    isGauge: boolean,
  ): FloatHistogram {
    const { random } = this
    const counterResetHint: CounterResetHint = isGauge ? 'gauge' : 'unknown'
    const total = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0)
    const hasNaN = this.hasSpecials && random.chance(0.05)
    const sum = hasNaN
      ? Number.NaN
      : Math.round(total(state.positive) * 157 - total(state.negative) * 83) / 100
    const extra = hasNaN ? random.int(0, 2) : 0
    if (isCustom) {
      const counts = [...state.positive, state.zero].slice(0, layout.bounds.length + 1)
      return {
        ...EMPTY_HISTOGRAM,
        counterResetHint,
        schema: CUSTOM_SCHEMA,
        count: total(counts) + extra,
        sum,
        positiveSpans: compact(counts, 0).spans,
        positiveBuckets: compact(counts, 0).counts,
        customValues: layout.bounds,
      }
    }
    const positive = compact(state.positive, offset)
    const negative = compact(state.negative, offset)
    return {
      ...EMPTY_HISTOGRAM,
      counterResetHint,
      schema: layout.schema,
      zeroThreshold: offset >= 1 ? layout.threshold : Math.min(layout.threshold, 0.001),
      zeroCount: state.zero,
      count: total(state.positive) + total(state.negative) + state.zero + extra,
      sum,
      positiveSpans: positive.spans,
      positiveBuckets: positive.counts,
      negativeSpans: negative.spans,
      negativeBuckets: negative.counts,
    }
  }
}

/** The buckets that are not empty, and the spans they lie in: the form that upstream's operators leave. */
function compact(counts: readonly number[], offset: number): { spans: Span[]; counts: number[] } {
  const spans: { offset: number; length: number }[] = []
  let end = 0
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue
    const index = offset + i
    if (spans.length > 0 && index === end) spans[spans.length - 1].length++
    else spans.push({ offset: index - end, length: 1 })
    end = index + 1
  }
  return { spans, counts: counts.filter((count) => count !== 0) }
}
