/**
 * An exporter whose samples carry their own times, at odd milliseconds, with a history that is known
 * beforehand: sample k of a series is a function of k and of nothing else. Two readers that ask whenever they
 * like get the very same samples: each is handed all that has become due since it asked last. Readers are told
 * apart by their User-Agent.
 */
import { HttpTarget } from '../http-target.ts'

export const STEP_MS = 5000
/** Samples that are already there when a reader comes for the first time: 40 minutes. */
export const PAST_STEPS = 480

interface Series {
  /** Name and labels as the line has them. */
  text: string
  /** Undefined where the series has no sample. */
  value(k: number): string | undefined
}

interface Family {
  name: string
  type: 'counter' | 'gauge' | 'histogram' | 'summary'
  series: Series[]
}

/** Integers that look random and are the same in every run. */
function noise(k: number, salt: number): number {
  let x = (k * 0x9e3779b1 + salt * 0x85ebca6b) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0
  return (x ^ (x >>> 13)) >>> 0
}

const INSTANCES = ['a', 'b', 'c', 'd']
const CODES = ['200', '404', '500']
const BOUNDS = [0.25, 0.5, 1.5, 2.5, 10.5]
/** The counters of an instance begin anew every so many samples. */
const RESET_EVERY: Readonly<Record<string, number>> = { a: 1e9, b: 97, c: 41, d: 200 }

function requests(instance: string, code: string): Series {
  const salt = INSTANCES.indexOf(instance) * 7 + CODES.indexOf(code)
  return {
    text: `requests_total{instance="${instance}",code="${code}"}`,
    value: (k) => String(countedSince(k, RESET_EVERY[instance], salt)),
  }
}

function countedSince(k: number, resetEvery: number, salt: number): number {
  let sum = 0
  for (let i = k - (k % Math.min(resetEvery, 1e6)); i <= k; i++) sum += noise(i, salt) % 50
  return sum
}

/** Sums of eighths: every addition of them is exact, in whatever order. */
function temperature(instance: string): Series {
  const salt = 100 + INSTANCES.indexOf(instance)
  return {
    text: `temperature_celsius{instance="${instance}",room="${'xyyz'[salt - 100]}"}`,
    value: (k) => String((noise(k, salt) % 801) / 8 - 50),
  }
}

function histogramFamily(): Family {
  const series: Series[] = []
  for (const [index, instance] of INSTANCES.entries()) {
    const inBucket = (k: number, bucket: number) => countedSince(k, 150 + index, 200 + index * 10 + bucket)
    const cumulative = (k: number, upTo: number) => {
      let sum = 0
      for (let bucket = 0; bucket <= upTo; bucket++) sum += inBucket(k, bucket)
      return String(sum)
    }
    BOUNDS.forEach((bound, bucket) => {
      series.push({
        text: `latency_seconds_bucket{instance="${instance}",le="${bound}"}`,
        value: (k) => cumulative(k, bucket),
      })
    })
    series.push({
      text: `latency_seconds_bucket{instance="${instance}",le="+Inf"}`,
      value: (k) => cumulative(k, BOUNDS.length),
    })
    series.push({
      text: `latency_seconds_count{instance="${instance}"}`,
      value: (k) => cumulative(k, BOUNDS.length),
    })
    series.push({
      text: `latency_seconds_sum{instance="${instance}"}`,
      value: (k) => String(countedSince(k, 150 + index, 300 + index) / 4),
    })
  }
  return { name: 'latency_seconds', type: 'histogram', series }
}

const FAMILIES: readonly Family[] = [
  {
    name: 'requests_total',
    type: 'counter',
    series: INSTANCES.flatMap((i) => CODES.map((c) => requests(i, c))),
  },
  { name: 'temperature_celsius', type: 'gauge', series: INSTANCES.map(temperature) },
  histogramFamily(),
  {
    name: 'machine_info',
    type: 'gauge',
    series: INSTANCES.map((instance, i) => ({
      text: `machine_info{instance="${instance}",model="m${i % 2}",rack="r${i >> 1}"}`,
      value: () => '1',
    })),
  },
  {
    name: 'odd_values',
    type: 'gauge',
    series: [
      { text: 'odd_values{kind="nan"}', value: (k) => (k % 3 === 0 ? 'NaN' : String(k % 16)) },
      { text: 'odd_values{kind="inf"}', value: (k) => (k % 5 === 0 ? '+Inf' : k % 7 === 0 ? '-Inf' : '0.5') },
      { text: 'odd_values{kind="zero"}', value: (k) => (k % 2 === 0 ? '-0' : '0') },
      { text: 'odd_values{kind="tiny"}', value: (k) => `${(k % 9) + 1}e-300` },
      { text: 'odd_values{kind="huge"}', value: (k) => `${(k % 9) + 1}.5e300` },
      { text: 'odd_values{kind="digits"}', value: (k) => `${noise(k, 900)}.${noise(k, 901)}` },
    ],
  },
  {
    name: 'sometimes',
    type: 'gauge',
    series: [
      // Gaps shorter and longer than any lookback that is asked for, a single sample, a late begin, an early end.
      { text: 'sometimes{kind="gaps"}', value: (k) => (k % 40 < 25 ? String(k) : undefined) },
      { text: 'sometimes{kind="sparse"}', value: (k) => (k % 90 === 7 ? String(k) : undefined) },
      { text: 'sometimes{kind="once"}', value: (k) => (k === 200 ? '42' : undefined) },
      { text: 'sometimes{kind="late"}', value: (k) => (k > 300 ? String(k - 300) : undefined) },
      { text: 'sometimes{kind="early"}', value: (k) => (k < 150 ? String(150 - k) : undefined) },
    ],
  },
]

export class TimestampedExporter {
  /** Unix ms, a whole minute: sample k is due a little after `baseMs + k · STEP_MS`. */
  readonly baseMs: number
  private readonly nextOf = new Map<string, number>()
  private target: HttpTarget | undefined

  private constructor(baseMs: number) {
    this.baseMs = baseMs
  }

  static async start(): Promise<TimestampedExporter> {
    const baseMs = Math.floor((Date.now() - PAST_STEPS * STEP_MS) / 60_000) * 60_000
    const exporter = new TimestampedExporter(baseMs)
    exporter.target = await HttpTarget.start((request, response) => {
      const reader = request.headers['user-agent'] ?? ''
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
      response.end(exporter.pageFor(reader))
    })
    return exporter
  }

  get address(): string {
    return this.target!.address
  }

  stop(): Promise<void> {
    return this.target!.stop()
  }

  /**
   * Odd, and not the same distance from one sample to the next; but no distance is 1.1 times the mean, from where
   * on upstream takes it for a gap.
   */
  timeOf(k: number): number {
    return this.baseMs + k * STEP_MS + 2 * (noise(k, 1) % 200) + 1
  }

  /** By reader the number of the first sample that it was not handed yet. */
  get handed(): ReadonlyMap<string, number> {
    return this.nextOf
  }

  private pageFor(reader: string): string {
    const first = this.nextOf.get(reader) ?? 0
    let end = first
    while (this.timeOf(end) <= Date.now()) end++
    this.nextOf.set(reader, end)
    const lines: string[] = []
    for (const { name, type, series } of FAMILIES) {
      lines.push(`# HELP ${name} What the test says it is.`, `# TYPE ${name} ${type}`)
      for (const { text, value } of series) {
        for (let k = first; k < end; k++) {
          const v = value(k)
          if (v !== undefined) lines.push(`${text} ${v} ${this.timeOf(k)}`)
        }
      }
    }
    return `${lines.join('\n')}\n`
  }
}
