/**
 * A page as an application in a cluster shows it, with values that move, rendered as the Go client writes it.
 *
 * Of the series 50 % never change, 25 % are integer counters (most of them buckets of classic histograms), 15 % gauges
 * with up to three decimals, 5 % sizes in whole memory pages, 5 % floats of full precision (sums of the histograms
 * among them). Each has 8 or 9 labels beside its name; job and instance come with the scrape.
 */
import { type Prng, prng } from '../test/harness/prng.ts'

const FAMILY_SERIES = 50
const BUCKET_BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '+Inf']
/** Buckets, sum and count. */
const HISTOGRAM_SERIES = BUCKET_BOUNDS.length + 2
/** Of all series: what a histogram costs in counters is 11, so that these make half of the counters. */
const HISTOGRAM_SHARE = 0.0125
const MEMORY_PAGE = 4096

type Move = (value: number) => number

export class PageModel {
  readonly series: number
  /** A comment or the series part of a line, with the blank after it; comments have no value. */
  private readonly texts: string[] = []
  private readonly isComment: boolean[] = []
  private readonly values: number[] = []
  /** Moves the values from the given line on; one a series, or one a histogram. */
  private readonly moves: { line: number; move: (line: number) => void }[] = []
  private readonly random: Prng
  private readonly target: string
  private families = 0

  /** `seed` gives the values, `target` the labels: pages of one target have the same series. */
  constructor(seed: number, target: string, series: number) {
    this.random = prng(seed)
    this.target = target
    const histograms = Math.floor(series * HISTOGRAM_SHARE)
    const counters = Math.max(0, Math.round(series * 0.25) - histograms * (HISTOGRAM_SERIES - 1))
    const gauges = Math.round(series * 0.15)
    const sizes = Math.round(series * 0.05)
    const floats = Math.max(0, Math.round(series * 0.05) - histograms)
    const still = series - histograms * HISTOGRAM_SERIES - counters - gauges - sizes - floats
    for (let i = 0; i < histograms; i++) this.addHistogram(i)
    this.addFamilies('requests_total', 'counter', counters, () => this.counter())
    this.addFamilies('utilization_ratio', 'gauge', gauges, () => this.gauge())
    this.addFamilies('resident_bytes', 'gauge', sizes, () => this.size())
    this.addFamilies('cpu_seconds_total', 'counter', floats, () => this.float())
    this.addFamilies('limit', 'gauge', still, () => ({ value: this.stillValue() }))
    this.series = this.isComment.filter((isComment) => !isComment).length
  }

  /** One scrape interval later. */
  step(): void {
    for (const { line, move } of this.moves) move(line)
  }

  render(): string {
    const lines = this.texts.map((text, i) => (this.isComment[i] ? text : text + goFloat(this.values[i])))
    return `${lines.join('\n')}\n`
  }

  private addFamilies(
    name: string,
    type: string,
    series: number,
    make: () => { value: number; move?: Move },
  ): void {
    for (let done = 0, family = 0; done < series; done += FAMILY_SERIES, family++) {
      const metric = `bench_app_${family}_${name}`
      this.addHeader(metric, type)
      for (let i = 0; i < Math.min(FAMILY_SERIES, series - done); i++) {
        const { value, move } = make()
        const line = this.add(`${metric}{${this.labels(i)}} `, value)
        if (move !== undefined) this.moves.push({ line, move: (at) => this.set(at, move) })
      }
    }
  }

  private addHistogram(index: number): void {
    const metric = `bench_app_${index >> 3}_duration_seconds`
    if (index % 8 === 0) this.addHeader(metric, 'histogram')
    const labels = this.labels(index % 8)
    const line = this.texts.length
    for (const le of BUCKET_BOUNDS) this.add(`${metric}_bucket{${labels},le="${le}"} `, 0)
    this.add(`${metric}_sum{${labels}} `, 0)
    this.add(`${metric}_count{${labels}} `, 0)
    const perStep = this.random.int(20, 400)
    const move = (at: number) => this.observe(at, perStep)
    for (let i = 0; i < 100; i++) move(line)
    this.moves.push({ line, move })
  }

  /** Some observations more in each bucket, so that the cumulative counts all grow. */
  private observe(line: number, count: number): void {
    const buckets = BUCKET_BOUNDS.length
    let observed = 0
    for (let i = 0; i < buckets; i++) {
      observed += this.random.int(1, Math.max(1, Math.floor((2 * count) / buckets)))
      this.values[line + i] += observed
    }
    this.values[line + buckets] += observed * this.random.next() * 0.1
    this.values[line + buckets + 1] += observed
  }

  private addHeader(metric: string, type: string): void {
    this.families++
    this.texts.push(`# HELP ${metric} What the application ${metric} tells.`, `# TYPE ${metric} ${type}`)
    this.isComment.push(true, true)
    this.values.push(0, 0)
  }

  private add(text: string, value: number): number {
    this.texts.push(text)
    this.isComment.push(false)
    return this.values.push(value) - 1
  }

  private set(line: number, move: Move): void {
    this.values[line] = move(this.values[line])
  }

  /** Labels of the i-th series of a family: as of one pod, or, in every third family, of many. */
  private labels(i: number): string {
    const pod = this.families % 3 === 0 ? `${this.target}-${i}` : this.target
    const pairs = [
      'cluster="production-eu-1"',
      `namespace="team-${this.families % 7}"`,
      `pod="api-7c9d5f6b84-${pod}"`,
      'container="app"',
      `node="node-${this.families % 12}.eu.example.org"`,
      `handler="/api/v1/resource/${i % 25}"`,
      `method="${['GET', 'POST'][Math.floor(i / 25) % 2]}"`,
      'code="200"',
    ]
    return pairs.join(',')
  }

  private counter(): { value: number; move: Move } {
    const most = this.random.pick([2, 20, 200, 5000])
    return { value: this.random.int(0, 1e6), move: (value) => value + this.random.int(1, most) }
  }

  private gauge(): { value: number; move: Move } {
    const scale = 10 ** this.random.int(0, 3)
    const value = this.random.int(0, 100 * scale) / scale
    return {
      value,
      move: (old) => Math.round(old * scale + this.random.int(-2, 3) * Math.max(1, scale / 10)) / scale,
    }
  }

  private size(): { value: number; move: Move } {
    const value = this.random.int(1000, 1_000_000) * MEMORY_PAGE
    return {
      value,
      move: (old) => Math.max(MEMORY_PAGE, old + this.random.int(-200, 210) * MEMORY_PAGE),
    }
  }

  private float(): { value: number; move: Move } {
    return { value: this.random.next() * 1e5, move: (value) => value + this.random.next() * 10 }
  }

  private stillValue(): number {
    return this.random.pick([0, 0, 1, 1, 100, 0.5, this.random.int(0, 1e9), this.random.next()])
  }
}

/** As Go's strconv writes a float in its shortest form: with an exponent below 1e-4 and from 1e6 on. */
function goFloat(value: number): string {
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-4 && size < 1e6)) return String(value)
  const [digits, exponent] = value.toExponential().split('e')
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
}
