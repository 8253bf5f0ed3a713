/**
 * An oracle of what a storage has taken: samples in the order of their arrival. At equal times of one series the first
 * arrival is seen; a delete removes what has arrived by then. No rule of appending is in it: it is fed with what was taken.
 */
import type { Queryable } from '../../storage/interface.ts'
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { compareLabels, compareUtf8, type Labels } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { isHistogramKind, KIND_STALE, type Kind, SampleColumns } from '../../storage/model/sample.ts'

/** By series (`Labels.key()`) and time, each sample as `sampleText` has it. */
export type Contents = Map<string, Map<number, string>>

interface ArrivedSeries {
  labels: Labels
  /** By time, the first arrival first. */
  samples: Map<number, string[]>
}

/** All but the counter reset hint: storages find out themselves whether a counter goes on. */
const HISTOGRAM_KEYS = [
  'schema',
  'zeroThreshold',
  'zeroCount',
  'count',
  'sum',
  'positiveSpans',
  'negativeSpans',
  'positiveBuckets',
  'negativeBuckets',
  'customValues',
  'offset',
  'length',
]

/** Kind, value and start timestamp as text that differs when they do. */
export function sampleText(kind: Kind, v: number, histogram?: FloatHistogram, st = 0): string {
  const text = valueText(kind, v, histogram)
  return st === 0 ? text : `${text} since ${st}`
}

function valueText(kind: Kind, v: number, histogram?: FloatHistogram): string {
  if (kind === KIND_STALE) return 'stale'
  if (histogram === undefined) return Object.is(v, -0) ? '-0' : String(v)
  const gauge = histogram.counterResetHint === 'gauge' ? 'gauge ' : ''
  return `${gauge}${kind}${JSON.stringify(histogram, HISTOGRAM_KEYS)}`
}

/** Sample i of the columns. */
export function columnText({ kind, v, st, histograms }: SampleColumns, i: number): string {
  const histogram = isHistogramKind(kind[i]) ? histograms[v[i]] : undefined
  return sampleText(kind[i] as Kind, v[i], histogram, st.length > 0 ? st[i] : 0)
}

/** All samples of a range as a storage answers. Throws where series or samples are not in order. */
export async function contentsOf(
  storage: Queryable,
  matchers: readonly Matcher[],
  mint = Number.MIN_SAFE_INTEGER,
  maxt = Number.MAX_SAFE_INTEGER,
): Promise<Contents> {
  const querier = storage.querier(mint, maxt)
  try {
    const set = await querier.select(matchers, { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false })
    const contents: Contents = new Map()
    const columns = new SampleColumns(64)
    for (let i = 0; i < set.count; i++) {
      if (i > 0 && compareLabels(set.labels(i - 1), set.labels(i)) >= 0)
        throw new Error('series out of order')
      set.read(i, columns)
      const samples = new Map<number, string>()
      for (let j = 0; j < columns.length; j++) {
        if (j > 0 && columns.t[j] <= columns.t[j - 1]) throw new Error('samples out of order')
        samples.set(columns.t[j], columnText(columns, j))
      }
      if (samples.size > 0) contents.set(set.labels(i).key(), samples)
    }
    return contents
  } finally {
    querier.close()
  }
}

/** In what `got` differs from `want`, the first few places. */
export function differences(want: Contents, got: Contents): string[] {
  const found: string[] = []
  for (const key of new Set([...want.keys(), ...got.keys()])) {
    const [wanted, given] = [want.get(key) ?? new Map(), got.get(key) ?? new Map()]
    for (const t of new Set<number>([...wanted.keys(), ...given.keys()])) {
      if (wanted.get(t) === given.get(t)) continue
      found.push(`${JSON.stringify(key)} at ${t}: ${given.get(t)} instead of ${wanted.get(t)}`)
      if (found.length === 10) return found
    }
  }
  return found
}

export class Arrivals {
  private readonly series = new Map<string, ArrivedSeries>()

  add(labels: Labels, t: number, text: string): void {
    const key = labels.key()
    let series = this.series.get(key)
    if (series === undefined) {
      series = { labels, samples: new Map() }
      this.series.set(key, series)
    }
    const arrived = series.samples.get(t)
    if (arrived === undefined) series.samples.set(t, [text])
    else arrived.push(text)
  }

  delete(matchers: readonly Matcher[], mint: number, maxt: number): void {
    for (const { samples } of this.passing(matchers)) {
      for (const t of samples.keys()) if (t >= mint && t <= maxt) samples.delete(t)
    }
  }

  contents(
    matchers: readonly Matcher[],
    mint = Number.MIN_SAFE_INTEGER,
    maxt = Number.MAX_SAFE_INTEGER,
  ): Contents {
    const contents: Contents = new Map()
    for (const { labels, samples } of this.passing(matchers)) {
      const seen = new Map<number, string>()
      for (const [t, arrived] of samples) if (t >= mint && t <= maxt) seen.set(t, arrived[0])
      if (seen.size > 0) contents.set(labels.key(), seen)
    }
    return contents
  }

  labelNames(matchers: readonly Matcher[]): string[] {
    const found = this.passing(matchers).filter(({ samples }) => samples.size > 0)
    const names = found.flatMap(({ labels }) => labels.pairs.filter((_, i) => i % 2 === 0))
    return [...new Set(names)].sort(compareUtf8)
  }

  labelValues(name: string, matchers: readonly Matcher[]): string[] {
    const found = this.passing(matchers).filter(({ samples }) => samples.size > 0)
    const values = new Set(found.map(({ labels }) => labels.get(name)))
    values.delete('')
    return [...values].sort(compareUtf8)
  }

  /**
   * Takes over what a storage has left of the times up to `maxt`: of each time any arrival, or none. Returns what it shows
   * that never arrived, or that had gone before.
   */
  adopt(got: Contents, maxt: number): string[] {
    const foreign: string[] = []
    for (const [key, given] of got) {
      for (const [t, text] of given) {
        if (t > maxt || this.series.get(key)?.samples.get(t)?.includes(text)) continue
        foreign.push(`${JSON.stringify(key)} at ${t}: ${text}`)
      }
    }
    for (const [key, { samples }] of this.series) {
      for (const [t, arrived] of samples) {
        if (t > maxt) continue
        const first = arrived.indexOf(got.get(key)?.get(t) ?? '')
        if (first < 0) samples.delete(t)
        else arrived.splice(0, first)
      }
    }
    return foreign
  }

  private passing(matchers: readonly Matcher[]): ArrivedSeries[] {
    return [...this.series.values()].filter(({ labels }) =>
      matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
    )
  }
}
