/**
 * One page of a target into one appender: lines to series, values to samples, and the counts that the scrape's
 * own series report. In slices, so that a large page holds up nobody; nothing is visible before the caller commits.
 *
 * Most pages are the page before with other values. So each line is first compared with the one that the series cache
 * expects; where they agree only the value is read. All else goes to the parser, which alone decides what a line is.
 */
import {
  APPEND_DUPLICATE,
  APPEND_NO_MEMORY,
  APPEND_OUT_OF_BOUNDS,
  APPEND_OUT_OF_ORDER,
  APPEND_UNKNOWN_REF,
  type AppendOutcome,
} from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { hashRun, wideHashRun } from '../exposition/byte-run.ts'
import { ExpositionError } from '../exposition/exposition-error.ts'
import { ENTRY_EOF, ENTRY_HELP, ENTRY_SERIES, ENTRY_TYPE, TextParser } from '../exposition/text-parser.ts'
import { type ConfirmedLines, LineConfirmer, type PageSurroundings, TYPES } from './line-confirmer.ts'
import {
  LINE_COMMENT,
  LINE_DROPPED,
  LINE_FLOAT_LE,
  LINE_FLOAT_QUANTILE,
  LINE_REPEATED,
  LINE_SHARED,
  LINE_TRACKED,
} from './line-layout.ts'
import type { MetadataCache } from './metadata.ts'
import { LabelError, type LabelRules, seriesLabels } from './sample-labels.ts'
import { ROW_CAPACITY, type SampleRow } from './sample-row.ts'
import { registerSeries, type SeriesCache } from './series-cache.ts'

export interface PageRules extends LabelRules {
  honorTimestamps: boolean
  trackTimestampsStaleness: boolean
  /** 0 means no limit. */
  sampleLimit: number
}

/** Explicit timestamps further ahead of now than this are out of bounds. */
export const AHEAD_MAX_MS = 10 * 60 * 1000

/** Lines between two looks at the clock. */
const LINES_PER_LOOK = 64

const NEWLINE = 10
const HASH = 35

export class Page implements ConfirmedLines {
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
  private readonly view: DataView
  private readonly parser: TextParser
  private readonly appender: Appender
  private readonly cache: SeriesCache
  private readonly metadata: MetadataCache
  private readonly row: SampleRow
  private readonly rules: PageRules
  private readonly scrapeMs: number
  private readonly maxMs: number
  private readonly confirmer: LineConfirmer
  /** Samples that count against the limit. */
  private limited = 0
  /** Where the page has the line that was added to the cache last; −1 when none was. */
  private lineAdded = -1
  /** Place, in the metadata, of the metric of the comment at hand; −1 when there is none. Then: where it begins. */
  private commentMetric = -1
  private commentStart = 0
  /** Behind its last line. */
  private commentEnd = 0
  private commentType = 0

  /** Samples without a timestamp are at `scrapeMs`; those after `nowMs` + AHEAD_MAX_MS are out of bounds. */
  constructor(
    body: Buffer,
    appender: Appender,
    surroundings: PageSurroundings,
    rules: PageRules,
    times: { scrapeMs: number; nowMs: number },
  ) {
    this.body = body
    this.view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    this.parser = new TextParser(body)
    this.appender = appender
    this.cache = surroundings.cache
    this.metadata = surroundings.metadata
    this.row = surroundings.row
    this.rules = rules
    this.scrapeMs = times.scrapeMs
    this.maxMs = times.nowMs + AHEAD_MAX_MS
    const isUnlimited = rules.sampleLimit === 0 && this.scrapeMs <= this.maxMs
    this.confirmer = new LineConfirmer(body, this.view, this.parser, surroundings, isUnlimited, this)
    this.cache.startPage(rules)
  }

  /**
   * Reads on until the end of the page, or `deadlineMs` on performance.now(). Returns whether there is more.
   * Throws ExpositionError or LabelError when the page fails; its counts are then as far as it got.
   */
  read(deadlineMs: number): boolean {
    try {
      while (this.readLines()) {
        if (performance.now() < deadlineMs) continue
        this.flushRow()
        return true
      }
      this.flushRow()
      return false
    } catch (error) {
      // What stood before the broken line was read.
      if (error instanceof ExpositionError || error instanceof LabelError) this.flushRow()
      else this.row.count = 0
      throw error
    }
  }

  /** Reads LINES_PER_LOOK lines. Returns whether there is more. */
  private readLines(): boolean {
    for (let lines = 0; lines < LINES_PER_LOOK; lines++) {
      if (this.commentMetric < 0) {
        lines += this.confirmLines(LINES_PER_LOOK - lines)
        if (lines >= LINES_PER_LOOK) return true
      }
      if (!this.readEntry()) return false
    }
    return true
  }

  private confirmLines(most: number): number {
    const { confirmer } = this
    const lines = confirmer.confirm(most)
    this.scraped += confirmer.plainLines
    this.postRelabeling += confirmer.plainLines
    confirmer.plainLines = 0
    return lines
  }

  /** For the confirmer: a sample of an expected line that did not go into the row. */
  takeConfirmed(line: number, value: number, stamp: number): void {
    const { cache } = this
    cache.cursor = line
    const known = cache.layout.firstOf(line)
    const isRepeated = cache.isSeen(known)
    if (!cache.isOrdered) cache.markSeen(known)
    this.scraped++
    this.takeKnown(known, value, stamp, isRepeated)
  }

  /** Reads one entry of whatever kind. Returns whether there is more. */
  private readEntry(): boolean {
    const { parser, metadata, cache } = this
    switch (parser.next()) {
      case ENTRY_SERIES:
        this.endComment(parser.entryStart)
        this.readSample()
        break
      case ENTRY_TYPE: {
        const type = TYPES.indexOf(parser.metricType)
        this.addComment(metadata.setType(parser.metricName, parser.metricType!, cache.scrape), type)
        break
      }
      case ENTRY_HELP:
        this.addComment(metadata.setHelp(parser.metricName, parser.helpText, cache.scrape), 0)
        break
      case ENTRY_EOF:
        this.endComment(this.commentEnd)
        return false
    }
    return true
  }

  /** The current entry is about the metric at this place: it begins a comment, or goes on with the one at hand. */
  private addComment(metric: number, type: number): void {
    const { parser, body } = this
    if (metric !== this.commentMetric) {
      this.endComment(parser.entryStart)
      this.commentMetric = metric
      this.commentStart = parser.entryStart
      this.commentType = 0
    }
    if (type !== 0) this.commentType = type
    this.commentEnd = Math.min(parser.at, body.length)
    if (body[parser.at] !== HASH) this.endComment(this.commentEnd)
  }

  /** Makes the comment at hand known, if there is one. It has all bytes before `end`. */
  private endComment(end: number): void {
    if (this.commentMetric < 0) return
    const { cache, commentStart } = this
    const { layout, cursor } = cache
    const metric = this.commentMetric
    this.commentMetric = -1
    // A line that the page breaks off may be longer next time.
    if (this.body[end - 1] !== NEWLINE) return
    const length = end - commentStart
    const hash = wideHashRun(this.view, commentStart, length)
    const isExpected =
      cursor < layout.count &&
      layout.flags[cursor] & LINE_COMMENT &&
      layout.hashes[cursor] === length &&
      layout.refs[cursor] === hash
    const version = this.metadata.versionOf(metric)
    if (isExpected) {
      layout.prefixes[cursor] = version
      cache.goTo(cursor)
    } else {
      cache.insert(layout.addComment(hash, length, metric, version, this.commentType))
    }
  }

  private readSample(): void {
    const { parser, cache, view } = this
    const { seriesStart } = parser
    this.scraped++
    const stamp = Number.isNaN(parser.timestampMs) ? -1 : parser.timestampMs
    const length = parser.seriesEnd - seriesStart
    const hash = hashRun(view, seriesStart, length)
    const line = cache.find(view, seriesStart, length, hash)
    if (line < 0) {
      this.readNewSeries(hash, stamp)
      return
    }
    const known = cache.layout.firstOf(line)
    const isRepeated = cache.isSeen(known)
    if (isRepeated && line !== cache.cursor) {
      const repetition = this.addLine(hash)
      cache.layout.flags[repetition] = LINE_REPEATED
      cache.layout.refs[repetition] = known
    } else {
      cache.goTo(line)
      this.confirmer.lineBefore = seriesStart
    }
    this.takeKnown(known, parser.value, stamp, isRepeated)
  }

  /** The samples of a line whose series is known. `stamp`: its timestamp, −1 for none. */
  private takeKnown(line: number, value: number, stamp: number, isRepeated: boolean): void {
    const { cache, rules } = this
    const { flags, refs } = cache.layout
    const flag = flags[line]
    if (flag & LINE_DROPPED) return
    this.postRelabeling++
    const isStamped = rules.honorTimestamps && stamp >= 0
    if (isRepeated && !isStamped) {
      this.duplicates++
      return
    }
    const t = isStamped ? stamp : this.scrapeMs
    if (!this.isWithinLimits(t)) return
    const isAlone = !isRepeated && (flag & LINE_SHARED) === 0
    if (isAlone && !isStamped) {
      const { row } = this
      flags[line] = flag | LINE_TRACKED
      row.refs[row.count] = refs[line]
      row.v[row.count] = value
      row.lines[row.count] = line
      if (++row.count === ROW_CAPACITY) this.flushRow()
      return
    }
    // The row may have a sample of the same series.
    if (!isAlone) this.flushRow()
    this.countOutcome(line, cache.append(this.appender, line, t, value), isStamped)
  }

  private countOutcome(line: number, outcome: AppendOutcome, isStamped: boolean): void {
    if (outcome < 0) this.countRefusal(outcome)
    else if (!isStamped || this.rules.trackTimestampsStaleness) this.cache.layout.flags[line] |= LINE_TRACKED
  }

  /** What is not taken is not remembered either: nothing is to be ended when it goes. */
  private readNewSeries(hash: number, stamp: number): void {
    const { cache, rules, parser, appender } = this
    this.flushRow()
    const labels = seriesLabels(parser.rawLabels(), rules)
    if (labels === undefined) {
      const dropped = this.addLine(hash)
      cache.layout.flags[dropped] = LINE_DROPPED
      return
    }
    this.postRelabeling++
    const isStamped = rules.honorTimestamps && stamp >= 0
    const t = isStamped ? stamp : this.scrapeMs
    if (!this.isWithinLimits(t)) return
    const ref = registerSeries(appender, labels)
    if (ref === undefined) {
      this.refused++
      return
    }
    const outcome = appender.append(ref, t, parser.value, KIND_FLOAT)
    if (outcome < 0) {
      this.countRefusal(outcome)
      return
    }
    const line = this.addLine(hash)
    const { layout } = cache
    layout.refs[line] = ref
    if (parser.metricType === 'histogram') layout.flags[line] |= LINE_FLOAT_LE
    if (parser.metricType === 'summary') layout.flags[line] |= LINE_FLOAT_QUANTILE
    this.countOutcome(line, outcome, isStamped)
    if (!this.isSampleLimitExceeded) this.seriesAdded++
  }

  /** Adds the parser's line to the layout, and goes there. */
  private addLine(hash: number): number {
    const { cache, parser } = this
    const { layout, cursor } = cache
    const isEnd = cursor === layout.count
    const before = isEnd && cursor > 0 ? this.confirmer.lineBefore : this.lineAdded
    const line = layout.addSeries(this.body, parser.seriesStart, parser.seriesEnd, hash, before)
    this.lineAdded = parser.seriesStart
    if (isEnd) this.confirmer.lineBefore = parser.seriesStart
    cache.insert(line)
    return line
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

  /** Appends what is in the row. Its lines are marked as tracked already. */
  flushRow(): void {
    const { row, cache, appender } = this
    const { count } = row
    if (count === 0) return
    row.count = 0
    if (appender.appendRow(row.refs, row.v, count, this.scrapeMs, row.outcomes) === 0) return
    for (let k = 0; k < count; k++) {
      if (row.outcomes[k] >= 0) continue
      const line = row.lines[k]
      cache.layout.flags[line] &= ~LINE_TRACKED
      let outcome = row.outcomes[k] as AppendOutcome
      if (outcome === APPEND_UNKNOWN_REF) {
        outcome = cache.appendAgain(appender, line, this.scrapeMs, row.v[k])
      }
      this.countOutcome(line, outcome, false)
    }
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
