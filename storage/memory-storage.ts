/**
 * Plain arrays behind the storage interface: the oracle of the tests, and what the PromQL scripts run on.
 * Nothing is compressed, indexed or kept on disk; every rule of the interface is written in its shortest form.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  APPEND_DUPLICATE,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPEND_TOO_OLD,
  APPENDED,
  type AppendOutcome,
} from './errors.ts'
import type {
  Appender,
  CommitCounts,
  HeadStatistics,
  HeadStatus,
  Querier,
  SeriesRef,
  SeriesSet,
  Storage,
} from './interface.ts'
import { LabelCounter } from './model/cardinality.ts'
import type { FloatHistogram } from './model/histogram.ts'
import { compareLabels, compareUtf8, type Labels } from './model/labels.ts'
import type { Matcher } from './model/matcher.ts'
import { setResetHints, withStoredHint } from './model/reset-hints.ts'
import { type HistogramKind, KIND_FLOAT, KIND_STALE, type Kind, SampleColumns } from './model/sample.ts'

/** How far behind the newest sample of all a series may still be continued. */
export const APPENDABLE_WINDOW_MS = 3_600_000

interface MemorySample {
  t: number
  v: number
  kind: Kind
  histogram?: FloatHistogram
  st?: number
}

interface MemorySeries {
  labels: Labels
  /** In the order of their arrival; another list after a delete. */
  samples: MemorySample[]
  /** The newest one, also when it was deleted: appends are checked against it. */
  newest: MemorySample | undefined
}

interface Bounds {
  minValidT: number
  /** For samples behind the newest one of their series; +Infinity when none are taken. */
  minLateT: number
}

/** Equal bits, with all NaNs alike: NaN payloads other than the stale marker do not reach storage. */
function isSameValue(a: MemorySample, b: MemorySample): boolean {
  if (a.kind !== b.kind) return false
  if (a.histogram !== undefined) return isDeepStrictEqual(a.histogram, b.histogram)
  return a.kind === KIND_STALE || Object.is(a.v, b.v)
}

/** The hint of a histogram is of the one before it, which may lie before the range that is asked for. */
function withHints(samples: readonly MemorySample[]): readonly MemorySample[] {
  if (samples.every(({ histogram }) => histogram === undefined)) return samples
  const columns = new SampleColumns(samples.length)
  const copies = samples.map((sample) => ({
    ...sample,
    histogram: sample.histogram && { ...sample.histogram },
  }))
  for (const { t, kind, histogram } of copies) {
    if (histogram === undefined) columns.push(t, 0, kind)
    else columns.pushHistogram(t, histogram, kind as HistogramKind)
  }
  setResetHints(columns)
  return copies
}

export class MemoryStorage implements Storage, HeadStatistics {
  private readonly series: MemorySeries[] = []
  private readonly refs = new Map<string, SeriesRef>()
  private maxt = Number.NEGATIVE_INFINITY
  private readonly appendableWindowMs: number
  private readonly outOfOrderWindowMs: number
  private readonly givesHintsBack: boolean

  /**
   * `appendableWindowMs` may be Infinity, for scripts that load data in any order of series. `givesHintsBack`: counter reset
   * hints are read as they were given, which no other storage does.
   */
  constructor(
    options: { appendableWindowMs?: number; outOfOrderWindowMs?: number; givesHintsBack?: boolean } = {},
  ) {
    this.givesHintsBack = options.givesHintsBack ?? false
    this.appendableWindowMs = options.appendableWindowMs ?? APPENDABLE_WINDOW_MS
    this.outOfOrderWindowMs = options.outOfOrderWindowMs ?? 0
  }

  appender(): Appender {
    const pending: (MemorySample & { ref: SeriesRef })[] = []
    const bounds = {
      minValidT: this.maxt - this.appendableWindowMs,
      minLateT: this.outOfOrderWindowMs > 0 ? this.maxt - this.outOfOrderWindowMs : Number.POSITIVE_INFINITY,
    }
    const append = (ref: SeriesRef, sample: MemorySample): AppendOutcome => {
      const outcome = this.check(ref, sample, bounds)
      if (outcome === APPENDED) pending.push({ ref, ...sample })
      return outcome
    }
    return {
      register: (labels) => this.register(labels),
      append: (ref, t, v, kind, st) => append(ref, { t, v, kind, st }),
      appendHistogram: (ref, t, histogram, kind, st) =>
        append(ref, {
          t,
          v: 0,
          kind,
          histogram: this.givesHintsBack ? histogram : withStoredHint(histogram),
          st,
        }),
      appendRow: (refs, v, count, t, outcomes) => {
        let others = 0
        for (let i = 0; i < count; i++) {
          outcomes[i] = append(refs[i], { t, v: v[i], kind: KIND_FLOAT })
          if (outcomes[i] !== APPENDED) others++
        }
        return others
      },
      commit: async (): Promise<CommitCounts> => {
        const counts = { appended: 0, outOfOrder: 0 }
        for (const { ref, ...sample } of pending) {
          const outcome = this.check(ref, sample, bounds)
          if (outcome < 0) counts.outOfOrder++
          if (outcome !== APPENDED) continue
          this.add(this.series[ref - 1], sample)
          this.maxt = Math.max(this.maxt, sample.t)
          counts.appended++
        }
        return counts
      },
      rollback: () => {
        pending.length = 0
      },
    }
  }

  /** Removes the samples in [mint, maxt] of series that pass. The rules of appending still know the newest one. */
  deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): void {
    for (const series of this.series) {
      if (!matchers.every((matcher) => matcher.matches(series.labels.get(matcher.name)))) continue
      series.samples = series.samples.filter(({ t }) => t < mint || t > maxt)
    }
  }

  private add(series: MemorySeries, sample: MemorySample): void {
    series.samples.push(sample)
    if (series.newest === undefined || sample.t > series.newest.t) series.newest = sample
  }

  private register(labels: Labels): SeriesRef {
    const key = labels.key()
    let ref = this.refs.get(key)
    if (ref === undefined) {
      ref = this.series.push({ labels, samples: [], newest: undefined })
      this.refs.set(key, ref)
    }
    return ref
  }

  private check(ref: SeriesRef, sample: MemorySample, { minValidT, minLateT }: Bounds): AppendOutcome {
    const { t } = sample
    const { newest } = this.series[ref - 1]
    const maxt = newest?.t ?? Number.NEGATIVE_INFINITY
    const takesLate = minLateT < Number.POSITIVE_INFINITY
    const isTooOld = t < Math.min(minValidT, minLateT)
    if (t > maxt) return isTooOld ? (takesLate ? APPEND_TOO_OLD : APPEND_OUT_OF_BOUNDS) : APPENDED
    if (t === maxt) {
      if (isTooOld) return takesLate ? APPEND_TOO_OLD : APPEND_OUT_OF_BOUNDS
      return isSameValue(newest!, sample) ? APPEND_SAME : APPEND_DUPLICATE
    }
    if (!takesLate) return isTooOld ? APPEND_OUT_OF_BOUNDS : APPEND_OUT_OF_ORDER
    if (t < minLateT) return APPEND_TOO_OLD
    return sample.kind === KIND_STALE ? APPEND_OUT_OF_ORDER : APPENDED
  }

  headStatus(limit: number): HeadStatus {
    const counter = new LabelCounter()
    let mint = Number.POSITIVE_INFINITY
    for (const { labels, samples } of this.series) {
      if (samples.length > 0) counter.add(labels)
      for (const { t } of samples) mint = Math.min(mint, t)
    }
    return { ...counter.result(limit), chunks: 0, mint, maxt: this.maxt }
  }

  querier(mint: number, maxt: number): Querier {
    // A view: the list of each series and its length as of now. Samples are only ever added at the end of a list.
    const lists = this.series.map(({ samples }) => ({ samples, length: samples.length }))
    type Range = { mint: number; maxt: number }
    const isWithin = (t: number, range: Range = { mint, maxt }): boolean =>
      t >= mint && t <= maxt && t >= range.mint && t <= range.maxt
    const all = (i: number): MemorySample[] => {
      const byTime = new Map<number, MemorySample>()
      const { samples, length } = lists[i]
      // At equal times the earliest arrival stays.
      for (const sample of samples.slice(0, length)) if (!byTime.has(sample.t)) byTime.set(sample.t, sample)
      return [...byTime.values()].sort((a, b) => a.t - b.t)
    }
    const visible = (i: number, range?: Range): MemorySample[] => all(i).filter(({ t }) => isWithin(t, range))
    const find = (matchers: readonly Matcher[], range?: Range): number[] =>
      lists
        .map((_, i) => i)
        .filter((i) => matchers.every((matcher) => matcher.matches(this.series[i].labels.get(matcher.name))))
        .filter((i) => visible(i, range).length > 0)
        .sort((a, b) => compareLabels(this.series[a].labels, this.series[b].labels))

    return {
      select: async (matchers, { range }): Promise<SeriesSet> => {
        const found = find(matchers, range)
        return {
          count: found.length,
          samplesEstimate: found.reduce((sum, i) => sum + visible(i, range).length, 0),
          labels: (i) => this.series[found[i]].labels,
          read: (i: number, into: SampleColumns) => {
            into.clear()
            const samples = this.givesHintsBack ? all(found[i]) : withHints(all(found[i]))
            for (const { t, v, kind, histogram, st } of samples) {
              if (!isWithin(t, range)) continue
              if (histogram === undefined) into.push(t, v, kind)
              else into.pushHistogram(t, histogram, kind as HistogramKind)
              into.setStart(into.length - 1, st ?? 0)
            }
          },
        }
      },
      labelNames: async (matchers) => {
        const names = new Set<string>()
        for (const i of find(matchers)) {
          const { pairs } = this.series[i].labels
          for (let p = 0; p < pairs.length; p += 2) names.add(pairs[p])
        }
        return [...names].sort(compareUtf8)
      },
      labelValues: async (name, matchers) => {
        const values = new Set(find(matchers).map((i) => this.series[i].labels.get(name)))
        values.delete('')
        return [...values].sort(compareUtf8)
      },
      warnings: () => [],
      close: () => {},
    }
  }
}
