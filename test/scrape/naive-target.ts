/**
 * What a scrape means, written as plainly as can be: each page is parsed anew, and lines and series are kept in maps.
 * And a storage that writes down what it is told.
 */
import { TextParser } from '../../src/exposition/text-parser.ts'
import { AHEAD_MAX_MS, type PageRules } from '../../src/scrape/page.ts'
import { seriesLabels } from '../../src/scrape/sample-labels.ts'
import {
  APPEND_DUPLICATE,
  APPEND_NO_MEMORY,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_SAME,
  APPEND_UNKNOWN_REF,
  APPENDED,
  type AppendOutcome,
  StorageError,
} from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'

interface StoredSeries {
  key: string
  lastT: number
  lastV: number
}

/** Answers as a storage does, and keeps what it was told by series, in order. */
export class RecordingStorage {
  readonly calls = new Map<string, string[]>()
  private readonly series: StoredSeries[] = []
  private readonly places = new Map<string, number>()
  private generation = 1

  /** Refs given out so far are unknown from now on. */
  forgetRefs(): void {
    this.generation++
  }

  appender(): Appender {
    const pending: { series: StoredSeries; t: number; v: number }[] = []
    const append = (ref: number, t: number, v: number, kind: PlainKind): AppendOutcome => {
      if (Math.floor(ref / 2 ** 32) !== this.generation) return APPEND_UNKNOWN_REF
      const series = this.series[(ref >>> 0) - 1]
      const value = kind === KIND_STALE ? Number.NEGATIVE_INFINITY : v
      const outcome = check(series, t, value)
      if (outcome === APPENDED) pending.push({ series, t, v: value })
      this.note(series.key, `${t} ${Object.is(value, -0) ? '-0' : value} ${kind} → ${outcome}`)
      return outcome
    }
    return {
      register: (labels) => this.register(labels),
      append,
      appendHistogram: () => APPENDED,
      appendRow: (refs, v, count, t, outcomes) => {
        if (new Set(refs.subarray(0, count)).size !== count) throw new Error('a row has a series twice')
        let others = 0
        for (let i = 0; i < count; i++) {
          outcomes[i] = append(refs[i], t, v[i], KIND_FLOAT)
          if (outcomes[i] !== APPENDED) others++
        }
        return others
      },
      commit: async () => {
        for (const { series, t, v } of pending) Object.assign(series, { lastT: t, lastV: v })
        return { appended: pending.length, outOfOrder: 0 }
      },
      rollback: () => {
        for (const { series } of pending) this.note(series.key, 'rolled back')
      },
    }
  }

  private register(labels: Labels): number {
    const key = labels.key()
    if (labels.get('__name__') === 'refused') throw new StorageError('NO_MEMORY', 'no memory')
    let place = this.places.get(key)
    if (place === undefined) {
      place = this.series.push({ key, lastT: Number.NEGATIVE_INFINITY, lastV: 0 })
      this.places.set(key, place)
    }
    return this.generation * 2 ** 32 + place
  }

  private note(key: string, call: string): void {
    const calls = this.calls.get(key)
    if (calls === undefined) this.calls.set(key, [call])
    else calls.push(call)
  }
}

function check(series: StoredSeries, t: number, v: number): AppendOutcome {
  if (t > series.lastT) return APPENDED
  if (t < series.lastT - 60_000) return APPEND_OUT_OF_BOUNDS
  if (t < series.lastT) return APPEND_OUT_OF_ORDER
  return Object.is(v, series.lastV) ? APPEND_SAME : APPEND_DUPLICATE
}

interface NaiveSeries {
  labels: Labels | undefined
  ref: number
  seenAt: number
  trackedAt: number
}

export class NaiveTarget {
  readonly metadata = new Map<string, { type: string; help: string; unit: string }>()
  private readonly metadataSeenAt = new Map<string, number>()
  private lines = new Map<string, NaiveSeries>()
  private tracked = new Set<NaiveSeries>()
  private trackedBefore = new Set<NaiveSeries>()
  private scrape = 0
  private counts = noCounts()
  private readonly storage: RecordingStorage

  constructor(storage: RecordingStorage) {
    this.storage = storage
  }

  forgetLines(): void {
    this.lines.clear()
  }

  async writePage(
    body: Buffer | undefined,
    rules: PageRules,
    times: { scrapeMs: number; nowMs: number },
    isCacheFlushed: boolean,
  ): Promise<unknown> {
    this.counts = noCounts()
    let appender = this.storage.appender()
    let error: string | undefined
    if (body !== undefined && body.length > 0) {
      try {
        this.readPage(body, appender, rules, times)
        if (this.counts.isSampleLimitExceeded) error = 'sample limit exceeded'
      } catch (thrown) {
        error = (thrown as Error).message
      }
      if (error !== undefined) {
        appender.rollback()
        appender = this.storage.appender()
      }
    }
    const isGood = error === undefined && body !== undefined && body.length > 0
    this.endAbsent(appender, times.scrapeMs)
    if (isGood || isCacheFlushed) this.forgetUnseen()
    if (isGood) this.forgetMetadata()
    this.trackedBefore = this.tracked
    this.tracked = new Set()
    this.scrape++
    await appender.commit()
    return { ...this.counts, error }
  }

  private readPage(
    body: Buffer,
    appender: Appender,
    rules: PageRules,
    times: { scrapeMs: number; nowMs: number },
  ): void {
    const { counts } = this
    let limited = 0
    const parser = new TextParser(body)
    for (let entry = parser.next(); entry !== 0; entry = parser.next()) {
      if (entry !== 1) {
        this.readMetadata(parser, entry === 2)
        continue
      }
      counts.scraped++
      const isStamped = rules.honorTimestamps && !Number.isNaN(parser.timestampMs)
      const t = isStamped ? parser.timestampMs : times.scrapeMs
      const line = body.toString('latin1', parser.seriesStart, parser.seriesEnd)
      const known = this.lines.get(line)
      const isRepeated = known?.seenAt === this.scrape
      if (known !== undefined) known.seenAt = this.scrape
      const labels = known === undefined ? seriesLabels(parser.rawLabels(), rules) : known.labels
      const series = known ?? { labels, ref: 0, seenAt: this.scrape, trackedAt: -1 }
      if (labels === undefined) {
        this.lines.set(line, series)
        continue
      }
      counts.postRelabeling++
      if (isRepeated && !isStamped) {
        counts.duplicates++
        continue
      }
      limited++
      if (rules.sampleLimit > 0 && limited > rules.sampleLimit) {
        counts.isSampleLimitExceeded = true
        continue
      }
      if (t > times.nowMs + AHEAD_MAX_MS) {
        counts.outOfBounds++
        continue
      }
      const outcome = append(series, appender, t, parser.value, KIND_FLOAT)
      if (outcome >= 0) {
        if (known === undefined) {
          this.lines.set(line, series)
          if (!counts.isSampleLimitExceeded) counts.seriesAdded++
        }
        if (!isStamped || rules.trackTimestampsStaleness) this.tracked.add(series)
      } else if (outcome === APPEND_DUPLICATE) counts.duplicates++
      else if (outcome === APPEND_OUT_OF_ORDER) counts.outOfOrder++
      else if (outcome === APPEND_OUT_OF_BOUNDS) counts.outOfBounds++
      else counts.refused++
    }
  }

  private readMetadata(parser: TextParser, isHelp: boolean): void {
    const metric = parser.metricName
    const text = isHelp ? parser.helpText : parser.metricType!
    const entry = this.metadata.get(metric) ?? { type: 'unknown', help: '', unit: '' }
    if (isHelp) entry.help = text
    else entry.type = text
    this.metadata.set(metric, entry)
    this.metadataSeenAt.set(metric, this.scrape)
  }

  private endAbsent(appender: Appender, t: number): void {
    const present = new Set([...this.tracked].map(({ labels }) => labels!.key()))
    for (const series of this.trackedBefore) {
      if (this.tracked.has(series) || present.has(series.labels!.key())) continue
      append(series, appender, t, 0, KIND_STALE)
    }
  }

  private forgetUnseen(): void {
    for (const [line, { seenAt }] of this.lines) if (seenAt !== this.scrape) this.lines.delete(line)
  }

  private forgetMetadata(): void {
    for (const [metric, seenAt] of this.metadataSeenAt) {
      if (this.scrape - seenAt <= 10) continue
      this.metadata.delete(metric)
      this.metadataSeenAt.delete(metric)
    }
  }
}

function noCounts() {
  return {
    scraped: 0,
    postRelabeling: 0,
    seriesAdded: 0,
    duplicates: 0,
    outOfOrder: 0,
    outOfBounds: 0,
    refused: 0,
    isSampleLimitExceeded: false,
  }
}

function append(
  series: NaiveSeries,
  appender: Appender,
  t: number,
  v: number,
  kind: PlainKind,
): AppendOutcome {
  const outcome = series.ref === 0 ? APPEND_UNKNOWN_REF : appender.append(series.ref, t, v, kind)
  if (outcome !== APPEND_UNKNOWN_REF) return outcome
  try {
    series.ref = appender.register(series.labels!)
  } catch {
    return APPEND_NO_MEMORY
  }
  return appender.append(series.ref, t, v, kind)
}
