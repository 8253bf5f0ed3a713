/** Warnings and infos about a result: told once each, with the place in the query. */
import { formatFloatShort, quoteString } from './syntax/go-format.ts'
import { lineAndColumn } from './syntax/parse-error.ts'

type Level = 'warning' | 'info'

/** What combined histograms whose hints or bounds did not agree. */
export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation'

/** What an annotation points at: UTF-8 byte offset of its start in the query. */
export interface Place {
  readonly start: number
  readonly end: number
}

/** All forced fixes of one message: they are told as one. */
interface MonotonicityFixes {
  readonly start: number
  readonly end: number
  readonly text: string
  samples: number
  minMs: number
  maxMs: number
  minBound: number
  maxBound: number
  maxDifference: number
}

function forMetric(metricName: string): string {
  return metricName === '' ? '' : ` for metric name ${quoteString(metricName)}`
}

/** Go's `%.2g`. */
function formatTwoDigits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return formatFloatShort(value)
  const [mantissa, power] = value.toExponential(1).split('e')
  const exponent = Number(power)
  const digits = mantissa.replace('.0', '')
  if (exponent >= -4 && exponent < 2) return String(Number(`${digits}e${exponent}`))
  const sign = exponent < 0 ? '-' : '+'
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** Go's RFC 3339 of whole seconds, UTC. */
function formatTime(ms: number): string {
  return new Date(Math.trunc(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')
}

/** Of two places with the same text upstream shows that which it evaluates last: an operand after the one before. */
function isEvaluatedLater(a: Place, b: Place): boolean {
  return a.end > b.end || (a.end === b.end && a.start < b.start)
}

export class Annotations {
  /** By text: each is told once, wherever it arises. */
  private readonly entries = new Map<string, { level: Level; text: string; place: Place }>()
  private readonly monotonicityFixes = new Map<string, MonotonicityFixes>()
  private readonly query: string
  /** How often something was told, also what was told before. */
  told = 0

  constructor(query: string) {
    this.query = query
  }

  private add(level: Level, text: string, place: Place): void {
    this.told++
    const known = this.entries.get(text)
    if (known === undefined || isEvaluatedLater(place, known.place)) {
      this.entries.set(text, { level, text, place })
    }
  }

  invalidQuantile(phi: number, place: Place): void {
    this.add('warning', `quantile value should be between 0 and 1, got ${formatFloatShort(phi)}`, place)
  }

  invalidRatio(ratio: number, cap: number, place: Place): void {
    const values = `got ${formatFloatShort(ratio)}, capping to ${formatFloatShort(cap)}`
    this.add('warning', `ratio value should be between -1 and 1, ${values}`, place)
  }

  badBucketLabel(label: string, metricName: string, place: Place): void {
    const text = `bucket label "le" is missing or has a malformed value of ${quoteString(label)}`
    this.add('warning', text + forMetric(metricName), place)
  }

  sortInRangeQuery(place: Place): void {
    const text = 'sort is ineffective for range queries since results are always ordered by labels'
    this.add('warning', text, place)
  }

  possibleNonCounter(metricName: string, place: Place): void {
    const text = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket:'
    this.add('info', `${text} ${quoteString(metricName)}`, place)
  }

  possibleNonCounterLabel(metricName: string, type: string, place: Place): void {
    const text = 'metric might not be a counter, __type__ label is not set to "counter" or "histogram"'
    this.add('info', `${text}, got ${quoteString(type)}: ${quoteString(metricName)}`, place)
  }

  mixedFloatsHistograms(metricName: string, place: Place): void {
    const text = 'encountered a mix of histograms and floats for metric name'
    this.add('warning', `${text} ${quoteString(metricName)}`, place)
  }

  mixedExponentialCustom(metricName: string, place: Place): void {
    const text =
      'vector contains a mix of histograms with exponential and custom buckets schemas for metric name'
    this.add('warning', `${text} ${quoteString(metricName)}`, place)
  }

  histogramNotCounter(metricName: string, place: Place): void {
    this.add('warning', `this native histogram metric is not a counter: ${quoteString(metricName)}`, place)
  }

  histogramNotGauge(metricName: string, place: Place): void {
    this.add('warning', `this native histogram metric is not a gauge: ${quoteString(metricName)}`, place)
  }

  conflictingResets(operation: HistogramOperation, place: Place): void {
    this.add('warning', `conflicting counter resets during histogram ${operation}`, place)
  }

  reconciledBuckets(operation: HistogramOperation, place: Place): void {
    this.add('info', `mismatched custom buckets were reconciled during ${operation}`, place)
  }

  histogramsIgnoredInRange(metricName: string, place: Place): void {
    const text = 'ignored histograms in a range containing both floats and histograms for metric name'
    this.add('info', `${text} ${quoteString(metricName)}`, place)
  }

  overlappingStart(metricName: string, place: Place): void {
    const text = 'sample has start time that overlaps with previous sample timestamp for metric'
    this.add('warning', `${text} ${quoteString(metricName)}`, place)
  }

  mixedAggregation(place: Place): void {
    this.add('warning', 'encountered a mix of histograms and floats for aggregation', place)
  }

  mixedClassicNative(metricName: string, place: Place): void {
    const text = 'vector contains a mix of classic and native histograms'
    this.add('warning', text + forMetric(metricName), place)
  }

  ignoredInAggregation(op: string, place: Place): void {
    this.add('info', `ignored histogram in ${op} aggregation`, place)
  }

  incompatibleBuckets(op: string, place: Place): void {
    this.add('warning', `incompatible bucket layout encountered for binary operator ${op}`, place)
  }

  /** Observations of NaN make the quantile NaN, or greater than that of the others. */
  quantileOfNans(isResultNan: boolean, metricName: string, place: Place): void {
    const effect = isResultNan ? 'result is NaN' : 'result is skewed higher'
    const text = `input to histogram_quantile has NaN observations, ${effect}`
    this.add('info', text + forMetric(metricName), place)
  }

  fractionOfNans(metricName: string, place: Place): void {
    const text = 'input to histogram_fraction has NaN observations, which are excluded from all fractions'
    this.add('info', text + forMetric(metricName), place)
  }

  incompatibleTypes(lhs: string, op: string, rhs: string, place: Place): void {
    const text = 'incompatible sample types encountered for binary operator'
    this.add('info', `${text} ${quoteString(op)}: ${lhs} ${op} ${rhs}`, place)
  }

  /** Counts of buckets were raised at `timeMs`, at bounds from `minBound` to `maxBound`. */
  forcedMonotonicity(
    metricName: string,
    timeMs: number,
    minBound: number,
    maxBound: number,
    maxDifference: number,
    place: Place,
  ): void {
    const text =
      'input to histogram_quantile needed to be fixed for monotonicity ' +
      '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)' +
      forMetric(metricName)
    const key = `${place.start} ${text}`
    this.told++
    const fixes = this.monotonicityFixes.get(key)
    if (fixes === undefined) {
      const { start, end } = place
      const times = { samples: 1, minMs: timeMs, maxMs: timeMs }
      this.monotonicityFixes.set(key, { start, end, text, ...times, minBound, maxBound, maxDifference })
      return
    }
    fixes.samples++
    fixes.minMs = Math.min(fixes.minMs, timeMs)
    fixes.maxMs = Math.max(fixes.maxMs, timeMs)
    fixes.minBound = Math.min(fixes.minBound, minBound)
    fixes.maxBound = Math.max(fixes.maxBound, maxBound)
    fixes.maxDifference = Math.max(fixes.maxDifference, maxDifference)
  }

  /** The texts with their prefixes and places, in the order of their places. */
  texts(): { warnings: string[]; infos: string[] } {
    for (const fixes of this.monotonicityFixes.values()) {
      const buckets = `buckets ${formatFloatShort(fixes.minBound)} to ${formatFloatShort(fixes.maxBound)}`
      const difference = formatTwoDigits(fixes.maxDifference)
      const times = `${formatTime(fixes.minMs)} to ${formatTime(fixes.maxMs)}`
      const details = `from ${buckets}, with a max diff of ${difference}, over ${fixes.samples} samples from ${times}`
      this.add('info', `${fixes.text}, ${details}`, fixes)
    }
    this.monotonicityFixes.clear()
    const warnings: string[] = []
    const infos: string[] = []
    const entries = [...this.entries.values()].sort((a, b) => a.place.start - b.place.start)
    for (const { level, text, place } of entries) {
      const { line, column } = lineAndColumn(this.query, place.start)
      const list = level === 'warning' ? warnings : infos
      list.push(`PromQL ${level}: ${text} (${line}:${column})`)
    }
    return { warnings, infos }
  }
}
