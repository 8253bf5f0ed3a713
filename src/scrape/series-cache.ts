/**
 * What one target's series lines mean: from the bytes of name and labels, as written, to the series in storage.
 * And which series the scrape before had, so that those that are gone can be ended.
 *
 * The lines are kept in the order of the last good page, which the next page most likely has too. A page that is read is
 * a walk through this layout: as long as it has line after line of it, nothing is written. New lines are added at the
 * end, wherever the page has them; the walk is then kept as runs of lines, from which a good page's own layout is made.
 *
 * The rules of upstream's scrapeCache, also where they surprise: a scrape that fails half way leaves the series
 * it had read counted as seen. So these get no stale marker from it, only from the next failure (checked against
 * Prometheus 2.42).
 */
import {
  APPEND_NO_MEMORY,
  APPEND_UNKNOWN_REF,
  type AppendOutcome,
  StorageError,
} from '../../storage/errors.ts'
import type { Appender, SeriesRef } from '../../storage/interface.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_STALE } from '../../storage/model/sample.ts'
import { TextParser } from '../exposition/text-parser.ts'
import {
  LINE_COMMENT,
  LINE_DROPPED,
  LINE_FLOAT_LE,
  LINE_FLOAT_QUANTILE,
  LINE_REPEATED,
  LINE_SHARED,
  LINE_TRACKED,
  LINE_TRACKED_BEFORE,
  LineLayout,
} from './line-layout.ts'
import { LineTable } from './line-table.ts'
import { RefSet } from './ref-set.ts'
import { type LabelRules, seriesLabels } from './sample-labels.ts'

/** Lines beyond twice those of the last good scrape that are kept while scrapes fail. */
const FAILED_LINES_MAX = 1000

/** Lines behind the expected one that are looked at before all. */
const LOOK_AHEAD = 32

const WITHOUT_SERIES = LINE_COMMENT | LINE_DROPPED | LINE_REPEATED

/** Lines, and the rules by which they became series. */
interface Known {
  layout: LineLayout
  rules: LabelRules
}

export class SeriesCache {
  /** Counts scrapes, failed ones too. */
  scrape = 0
  /** All known lines; those of the last good page first, in its order. */
  layout = new LineLayout()
  /** The line of the layout that the page is expected to have next. */
  cursor = 0
  /** Whether the page had lines [0, cursor) of the layout so far, and no others that are known. */
  isOrdered = true

  private rules: LabelRules | undefined
  /** Lines whose meaning changed since the last scrape, for their stale markers. */
  private former: Known | undefined
  private table: LineTable | undefined
  /** Ended runs [from, to) of the walk, as pairs; the run at hand is [runFrom, cursor). */
  private readonly runs: number[] = []
  private runFrom = 0
  /** By line: 1 when the page had it. Only made when the page leaves the order. */
  private seen = new Uint8Array(0)
  private goodLines = 0
  /** Lines of the layout when the scrape began. */
  private linesBefore = 0

  /** To be called before a page is read. `rules` must be those of the pages before, unless `forgetLines` was called. */
  startPage(rules: LabelRules): void {
    this.rules = rules
  }

  /** The line at bytes [start, start + length) of the page, by its hash; −1 when it is not known. */
  find(page: DataView, start: number, length: number, hash: number): number {
    const { layout } = this
    const end = Math.min(this.cursor + LOOK_AHEAD, layout.count)
    for (let line = this.cursor; line < end; line++) {
      if (layout.hashes[line] !== hash || layout.flags[line] & LINE_COMMENT) continue
      if (layout.isLine(line, page, start, length)) return line
    }
    this.table ??= new LineTable(layout)
    return this.table.find(page, start, length, hash)
  }

  /** Whether the page had the line before. Requires a line that is no repetition. */
  isSeen(line: number): boolean {
    return this.isOrdered ? line < this.cursor : this.seen[line] === 1
  }

  /** The page has a known line, and is expected to go on behind it. */
  goTo(line: number): void {
    if (line !== this.cursor) {
      this.leaveOrder()
      this.runs.push(this.runFrom, this.cursor)
      this.runFrom = line
    }
    this.cursor = line + 1
    if (!this.isOrdered) this.markSeen(this.layout.firstOf(line))
  }

  /** The page has a line that was just added to the layout, and is expected to go on as before. */
  insert(line: number): void {
    if (line === this.cursor) {
      this.goTo(line)
      return
    }
    this.leaveOrder()
    const { runs } = this
    if (this.runFrom === this.cursor && runs.at(-1) === line) runs[runs.length - 1] = line + 1
    else runs.push(this.runFrom, this.cursor, line, line + 1)
    this.runFrom = this.cursor
    this.markSeen(this.layout.firstOf(line))
  }

  /** Requires: not in order any more. */
  markSeen(line: number): void {
    if (line >= this.seen.length) {
      const seen = new Uint8Array(2 * line + 64)
      seen.set(this.seen)
      this.seen = seen
    }
    this.seen[line] = 1
  }

  private leaveOrder(): void {
    if (!this.isOrdered) return
    this.isOrdered = false
    this.seen = new Uint8Array(this.layout.count + 64).fill(1, 0, this.cursor)
  }

  /** Appends a float to the series of a line, which is registered again where storage has forgotten the ref. */
  append(appender: Appender, line: number, t: number, v: number): AppendOutcome {
    const outcome = appender.append(this.layout.refs[line], t, v, KIND_FLOAT)
    return outcome === APPEND_UNKNOWN_REF ? this.appendAgain(appender, line, t, v) : outcome
  }

  /** The same where storage just said that it has forgotten the ref. */
  appendAgain(appender: Appender, line: number, t: number, v: number): AppendOutcome {
    const { layout } = this
    const ref = registerSeries(appender, lineLabels({ layout, rules: this.rules! }, line))
    if (ref === undefined) return APPEND_NO_MEMORY
    layout.refs[line] = ref
    return appender.append(ref, t, v, KIND_FLOAT)
  }

  /**
   * Appends stale markers at `t` to the series of the scrape before that this one lacks. That a series has newer
   * samples is fine: then it came back by another way.
   */
  endAbsent(appender: Appender, t: number): void {
    const before: Known[] = this.former === undefined ? [] : [this.former]
    if (this.rules !== undefined) before.push({ layout: this.layout, rules: this.rules })
    let present: RefSet | undefined
    for (const known of before) {
      const { layout } = known
      const { flags, refs, count } = layout
      for (let line = 0; line < count; line++) {
        if (flags[line] & LINE_COMMENT) continue
        const isEnded = known === this.former || (flags[line] & LINE_TRACKED) === 0
        if (!isEnded || (flags[line] & LINE_TRACKED_BEFORE) === 0) continue
        // Another line may have become the same series.
        present ??= this.trackedRefs()
        if (present.has(refs[line])) continue
        if (appender.append(refs[line], t, 0, KIND_STALE) !== APPEND_UNKNOWN_REF) continue
        const ref = registerSeries(appender, lineLabels(known, line))
        if (ref !== undefined && !present.has(ref)) appender.append(ref, t, 0, KIND_STALE)
      }
    }
  }

  private trackedRefs(): RefSet {
    const { flags, refs, count } = this.layout
    const tracked = new RefSet(count)
    for (let line = 0; line < count; line++) {
      if ((flags[line] & (LINE_COMMENT | LINE_TRACKED)) === LINE_TRACKED) tracked.add(refs[line])
    }
    return tracked
  }

  /**
   * To be called at the end of each scrape. `isGood`: it succeeded and was not empty; lines that it did not have
   * are then forgotten. Returns whether the cache was cut down because failed scrapes filled it.
   */
  endScrape(isGood: boolean): boolean {
    const { layout } = this
    if (layout.count > this.linesBefore) this.markShared()
    layout.passTracked()
    const overflows = !isGood && layout.count > 2 * this.goodLines + FAILED_LINES_MAX
    if (isGood || overflows) {
      if (this.isOrdered && this.cursor === layout.count) layout.trim()
      else this.layout = layout.arranged([...this.runs, this.runFrom, this.cursor])
    }
    if (isGood) this.goodLines = this.layout.count
    this.former = undefined
    this.scrape++
    this.startWalk()
    return overflows
  }

  private startWalk(): void {
    this.table = undefined
    this.runs.length = 0
    this.runFrom = 0
    this.cursor = 0
    this.isOrdered = true
    this.seen = new Uint8Array(0)
    this.linesBefore = this.layout.count
  }

  /** Of lines that are one series, all but one are marked: a row of samples may have a series once only. */
  private markShared(): void {
    const { flags, refs, count } = this.layout
    const added = new RefSet(count - this.linesBefore)
    for (let line = this.linesBefore; line < count; line++) {
      if ((flags[line] & WITHOUT_SERIES) === 0 && !added.add(refs[line])) flags[line] |= LINE_SHARED
    }
    for (let line = 0; line < this.linesBefore; line++) {
      if ((flags[line] & WITHOUT_SERIES) === 0 && added.has(refs[line])) flags[line] |= LINE_SHARED
    }
  }

  /**
   * Forgets what lines mean, since the rules that gave them their meaning changed; which series the last scrape
   * had stays known. So the next scrape ends those that it has no more.
   */
  forgetLines(): void {
    if (this.rules === undefined || this.layout.count === 0) return
    this.former = { layout: this.layout, rules: this.rules }
    this.rules = undefined
    this.layout = new LineLayout()
    this.goodLines = 0
    this.startWalk()
  }
}

/** Undefined when a new series does not fit into the storage's memory. */
export function registerSeries(appender: Appender, labels: Labels): SeriesRef | undefined {
  try {
    return appender.register(labels)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'NO_MEMORY') return undefined
    throw error
  }
}

/** The labels of a line's series, found once more from its bytes: nobody keeps them. */
function lineLabels({ layout, rules }: Known, line: number): Labels {
  const length = layout.lengthOf(line)
  const text = Buffer.alloc(length + 3)
  layout.copyBytes(line, text, 0)
  text.write(' 0\n', length)
  const parser = new TextParser(text)
  const flags = layout.flags[line]
  if (flags & LINE_FLOAT_LE) parser.metricType = 'histogram'
  if (flags & LINE_FLOAT_QUANTILE) parser.metricType = 'summary'
  parser.next()
  return seriesLabels(parser.rawLabels(), rules)!
}
