/**
 * One page of a target into one appender: lines to series, values to samples, and the counts that the scrape's
 * own series report. In slices, so that a large page holds up nobody; nothing is visible before the caller commits.
 */
import {
  APPEND_DUPLICATE,
  APPEND_NO_MEMORY,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  type AppendOutcome,
} from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { ENTRY_EOF, ENTRY_HELP, ENTRY_SERIES, ENTRY_TYPE, TextParser } from '../exposition/text-parser.ts'
import type { MetadataCache } from './metadata.ts'
import { type LabelRules, seriesLabels } from './sample-labels.ts'
import { CachedSeries, registerSeries, type SeriesCache } from './series-cache.ts'

export interface PageRules extends LabelRules {
  honorTimestamps: boolean
  trackTimestampsStaleness: boolean
  /** 0 means no limit. */
  sampleLimit: number
}

/** Explicit timestamps further ahead of now than this are out of bounds. */
export const AHEAD_MAX_MS = 10 * 60 * 1000

/** Lines between two looks at the clock. */
const LINES_PER_LOOK = 32

export class Page {
  /** Samples on the page, before relabelling. */
  scraped = 0
  /** Those that relabelling left, appended or not. */
  postRelabeling = 0
  /** Series that the scrape before did not have. */
  seriesAdded = 0
  duplicates = 0
  outOfOrder = 0
  outOfBounds = 0
  /** Not taken because storage has no memory left. */
  refused = 0
  isSampleLimitExceeded = false

  private readonly body: Buffer
  private readonly parser: TextParser
  private readonly appender: Appender
  private readonly cache: SeriesCache
  private readonly metadata: MetadataCache
  private readonly rules: PageRules
  private readonly scrapeMs: number
  private readonly maxMs: number
  /** Samples that count against the limit. */
  private limited = 0

  /** Samples without a timestamp are at `scrapeMs`; those after `nowMs` + AHEAD_MAX_MS are out of bounds. */
  constructor(
    body: Buffer,
    appender: Appender,
    series: { cache: SeriesCache; metadata: MetadataCache },
    rules: PageRules,
    times: { scrapeMs: number; nowMs: number },
  ) {
    this.body = body
    this.parser = new TextParser(body)
    this.appender = appender
    this.cache = series.cache
    this.metadata = series.metadata
    this.rules = rules
    this.scrapeMs = times.scrapeMs
    this.maxMs = times.nowMs + AHEAD_MAX_MS
  }

  /**
   * Reads on until the end of the page, or `deadlineMs` on performance.now(). Returns whether there is more.
   * Throws ExpositionError or LabelError when the page fails; its counts are then as far as it got.
   */
  read(deadlineMs: number): boolean {
    const { parser } = this
    for (let lines = 1; ; lines++) {
      switch (parser.next()) {
        case ENTRY_SERIES:
          this.readSample()
          break
        case ENTRY_TYPE:
          this.metadata.setType(parser.metricName, parser.metricType!, this.cache.scrape)
          break
        case ENTRY_HELP:
          this.metadata.setHelp(parser.metricName, parser.helpText, this.cache.scrape)
          break
        case ENTRY_EOF:
          return false
      }
      if (lines % LINES_PER_LOOK === 0 && performance.now() >= deadlineMs) return true
    }
  }

  private readSample(): void {
    const { parser, cache, rules } = this
    this.scraped++
    const isStamped = rules.honorTimestamps && !Number.isNaN(parser.timestampMs)
    const t = isStamped ? parser.timestampMs : this.scrapeMs
    const line = this.body.toString('latin1', parser.seriesStart, parser.seriesEnd)
    const known = cache.get(line)
    if (known === undefined) {
      this.readNewSeries(line, t, isStamped)
      return
    }
    const isRepeated = known.seenAt === cache.scrape
    known.seenAt = cache.scrape
    if (known.labels === undefined) return
    this.postRelabeling++
    if (isRepeated && !isStamped) {
      this.duplicates++
      return
    }
    if (!this.isWithinLimits(t)) return
    const outcome = known.append(this.appender, t, parser.value, KIND_FLOAT)
    if (outcome >= 0) {
      if (!isStamped || rules.trackTimestampsStaleness) cache.track(known)
    } else this.countRefusal(outcome)
  }

  /** What is not taken is not remembered either: nothing is to be ended when it goes. */
  private readNewSeries(line: string, t: number, isStamped: boolean): void {
    const { cache, rules } = this
    const labels = seriesLabels(this.parser.rawLabels(), rules)
    if (labels === undefined) {
      cache.add(new CachedSeries(line, undefined, 0, cache.scrape))
      return
    }
    this.postRelabeling++
    if (!this.isWithinLimits(t)) return
    const ref = registerSeries(this.appender, labels)
    if (ref === undefined) {
      this.refused++
      return
    }
    const series = new CachedSeries(line, labels, ref, cache.scrape)
    const outcome = series.append(this.appender, t, this.parser.value, KIND_FLOAT)
    if (outcome < 0) {
      this.countRefusal(outcome)
      return
    }
    cache.add(series)
    if (!isStamped || rules.trackTimestampsStaleness) cache.track(series)
    if (!this.isSampleLimitExceeded) this.seriesAdded++
  }

  private isWithinLimits(t: number): boolean {
    this.limited++
    if (this.rules.sampleLimit > 0 && this.limited > this.rules.sampleLimit) {
      this.isSampleLimitExceeded = true
      return false
    }
    if (t <= this.maxMs) return true
    this.outOfBounds++
    return false
  }

  private countRefusal(outcome: AppendOutcome): void {
    switch (outcome) {
      case APPEND_DUPLICATE:
        this.duplicates++
        break
      case APPEND_OUT_OF_ORDER:
        this.outOfOrder++
        break
      case APPEND_OUT_OF_BOUNDS:
        this.outOfBounds++
        break
      case APPEND_NO_MEMORY:
        this.refused++
        break
      default:
        throw new Error(`a series was just registered, and its append answered ${outcome}`)
    }
  }
}
