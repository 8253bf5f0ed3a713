/** Annotations: told once a text, with all places where they arose. */
import { formatFloatShort, quoteString } from '../../../promql/syntax/go-format.ts'
import { lineAndColumn } from '../../../promql/syntax/parse-error.ts'

const WARNING = 'PromQL warning: '
const INFO = 'PromQL info: '

interface Monotonicity {
  readonly start: number
  readonly text: string
  readonly times: number[]
  readonly bounds: number[]
  maxDifference: number
}

export interface Note {
  readonly text: string
  /** ` (line:column)` of each place, any of which may be shown. */
  readonly places: readonly string[]
}

/** Go's `%.2g`. */
function formatTwoDigits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return formatFloatShort(value)
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(2)))))
  if (exponent >= -4 && exponent < 2) return String(Number(value.toPrecision(2)))
  const [digits, power] = value.toExponential(1).split('e')
  const size = String(Math.abs(Number(power))).padStart(2, '0')
  return `${digits.replace('.0', '')}e${power[0]}${size}`
}

export class Notes {
  private readonly starts = new Map<string, Set<number>>()
  private readonly choices = new Map<string, readonly string[]>()
  private readonly monotonicities = new Map<string, Monotonicity>()

  /** `start` is the byte offset of the place in the query. */
  warn(text: string, start: number): void {
    this.add(WARNING + text, start)
  }

  info(text: string, start: number): void {
    this.add(INFO + text, start)
  }

  /** Of these, which all stand at one place, upstream tells one, and does not say which. */
  anyOf(notes: ReadonlyMap<string, 'warn' | 'info'>, start: number): void {
    const texts = [...notes].map(([text, level]) => (level === 'warn' ? WARNING : INFO) + text)
    if (texts.length > 1) this.choices.set(`${start} ${texts.toSorted().join()}`, texts)
    for (const text of texts) this.add(text, start)
  }

  /** Sets of texts of which one at least is to be told; each of them is among `all` too. */
  get alternatives(): (readonly string[])[] {
    return [...this.choices.values()]
  }

  private add(text: string, start: number): void {
    const starts = this.starts.get(text) ?? new Set()
    starts.add(start)
    this.starts.set(text, starts)
  }

  /** Counts of classic buckets had to be raised. Those of one text are told as one. */
  forcedMonotonicity(
    metricName: string,
    t: number,
    bounds: readonly number[],
    maxDifference: number,
    start: number,
  ): void {
    const text = `input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)${forMetric(metricName)}`
    const key = `${start} ${text}`
    const fix = this.monotonicities.get(key) ?? { start, text, times: [], bounds: [], maxDifference: 0 }
    fix.times.push(t)
    fix.bounds.push(...bounds)
    fix.maxDifference = Math.max(fix.maxDifference, maxDifference)
    this.monotonicities.set(key, fix)
  }

  /** All texts with their prefixes, and where in `query` they arose. */
  all(query: string): Note[] {
    const starts = new Map([...this.starts].map(([text, places]) => [text, new Set(places)]))
    for (const { start, text, times, bounds, maxDifference } of this.monotonicities.values()) {
      const [from, to] = [Math.min(...bounds), Math.max(...bounds)].map(formatFloatShort)
      const [first, last] = [Math.min(...times), Math.max(...times)].map(formatTime)
      const difference = formatTwoDigits(maxDifference)
      const details = `from buckets ${from} to ${to}, with a max diff of ${difference}, over ${times.length} samples from ${first} to ${last}`
      starts.set(`${INFO}${text}, ${details}`, new Set([start]))
    }
    return [...starts].map(([text, places]) => ({
      text,
      places: [...places].map((start) => {
        const { line, column } = lineAndColumn(query, start)
        return ` (${line}:${column})`
      }),
    }))
  }
}

function formatTime(ms: number): string {
  return new Date(Math.trunc(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}

/** How most texts name the metric; nothing where it is not known. */
export function forMetric(metricName: string): string {
  return metricName === '' ? '' : ` for metric name ${quoteString(metricName)}`
}
