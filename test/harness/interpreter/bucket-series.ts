/** Classic histograms: one series a bucket, told apart by the label `le`. */
import { parseGoFloat } from '../../../promql/syntax/go-float.ts'
import { quoteString } from '../../../promql/syntax/go-format.ts'
import type { Labels } from '../../../storage/model/labels.ts'
import type { NaiveHistogram } from './histogram.ts'
import { type Element, isHistogram, type Run, type Vector } from './model.ts'
import { metricName } from './naming.ts'
import { forMetric } from './notes.ts'

/** Cumulative: how many observations are at most `bound`. */
interface ClassicBucket {
  readonly bound: number
  readonly count: number
}

export interface ClassicHistogram {
  readonly labels: Labels
  readonly dropName: boolean
  readonly buckets: readonly ClassicBucket[]
}

export interface Histograms {
  readonly native: readonly (Element & { value: NaiveHistogram })[]
  readonly classic: readonly ClassicHistogram[]
}

const LE: ReadonlySet<string> = new Set(['le'])

/** The histograms of a vector, with those left out that are there in both forms. */
export function histogramsOf(vector: Vector, { notes, settings }: Run, start: number): Histograms {
  // Upstream does not name the metric where names are dropped at once.
  const suffix = (labels: Labels) => (settings.delayedNameRemoval ? forMetric(metricName(labels)) : '')
  const classic = new Map<string, ClassicHistogram & { buckets: ClassicBucket[] }>()
  const native: (Element & { value: NaiveHistogram })[] = []
  for (const element of vector) {
    const { labels, value, dropName } = element
    if (isHistogram(value)) {
      native.push({ ...element, value })
      continue
    }
    const le = labels.get('le')
    const bound = parseGoFloat(le)
    if (bound === undefined) {
      const text = `bucket label "le" is missing or has a malformed value of ${quoteString(le)}`
      notes.warn(text + suffix(labels), start)
      continue
    }
    const rest = labels.without(LE)
    const histogram = classic.get(rest.key()) ?? { labels: rest, dropName, buckets: [] }
    classic.set(rest.key(), histogram)
    histogram.buckets.push({ bound, count: value })
  }
  const alone = native.filter(({ labels }) => {
    const key = labels.without(LE).key()
    if (!classic.delete(key)) return true
    const text = 'vector contains a mix of classic and native histograms'
    notes.warn(text + suffix(labels), start)
    return false
  })
  return { native: alone, classic: [...classic.values()] }
}

/** By bound, those of equal bounds added up. */
function coalesced(buckets: readonly ClassicBucket[]): { bound: number; count: number }[] {
  const sums = new Map<number, number>()
  for (const { bound, count } of buckets) sums.set(bound, (sums.get(bound) ?? 0) + count)
  return [...sums].map(([bound, count]) => ({ bound, count })).toSorted((a, b) => a.bound - b.bound)
}

export interface Fix {
  readonly bounds: readonly number[]
  readonly maxDifference: number
}

/** Counts closer than this do not count as different. */
const TOLERANCE = 1e-12
const MIN_NORMAL = 2.2250738585072014e-308

function isAlmostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < TOLERANCE * MIN_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE
}

/** Raises what is less than a bucket before it. */
function monotone(buckets: { bound: number; count: number }[]): Fix | undefined {
  const bounds: number[] = []
  let maxDifference = 0
  let previous = buckets[0].count
  for (const bucket of buckets.slice(1)) {
    const { count } = bucket
    if (count === previous) continue
    if (isAlmostEqual(previous, count)) bucket.count = previous
    else if (count < previous) {
      bounds.push(bucket.bound)
      maxDifference = Math.max(maxDifference, previous - count)
      bucket.count = previous
    } else previous = count
  }
  return bounds.length === 0 ? undefined : { bounds, maxDifference }
}

export function classicQuantile(
  phi: number,
  { buckets }: ClassicHistogram,
): { value: number; fix: Fix | undefined } {
  const nothing = { value: Number.NaN, fix: undefined }
  if (Number.isNaN(phi)) return nothing
  if (phi < 0) return { value: Number.NEGATIVE_INFINITY, fix: undefined }
  if (phi > 1) return { value: Number.POSITIVE_INFINITY, fix: undefined }
  const sorted = coalesced(buckets)
  if (sorted.at(-1)!.bound !== Number.POSITIVE_INFINITY) return nothing
  const fix = monotone(sorted)
  if (sorted.length < 2) return nothing
  const total = sorted.at(-1)!.count
  if (total === 0 || Number.isNaN(total)) return nothing
  const rank = phi * total
  const at = sorted.slice(0, -1).findIndex(({ count }) => count >= rank)
  if (at < 0) return { value: sorted.at(-2)!.bound, fix }
  if (at === 0 && sorted[0].bound <= 0) return { value: sorted[0].bound, fix }
  const { bound, count } = sorted[at]
  if (at === 0) return { value: 0 + bound * (rank / count), fix }
  const before = sorted[at - 1]
  const share = (rank - before.count) / (count - before.count)
  return { value: before.bound + (bound - before.bound) * share, fix }
}

export function classicFraction(lower: number, upper: number, { buckets }: ClassicHistogram): number {
  const sorted = coalesced(buckets)
  if (sorted.at(-1)!.bound !== Number.POSITIVE_INFINITY) return Number.NaN
  const total = sorted.at(-1)!.count
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN
  if (lower >= upper) return 0
  const rankOf = (v: number): number => {
    let rank = 0
    for (const [i, { bound, count }] of sorted.entries()) {
      const from = i === 0 ? Number.NEGATIVE_INFINITY : sorted[i - 1].bound
      if (from >= v) return rank
      if (bound > v) {
        const base = i === 0 && bound > 0 ? 0 : from
        if (base >= v) return rank
        if (base === Number.NEGATIVE_INFINITY) return count
        return rank + ((count - rank) * (v - base)) / (bound - base)
      }
      rank = count
    }
    return total
  }
  return (Math.min(rankOf(upper), total) - Math.min(rankOf(lower), total)) / total
}
