/**
 * The quick way through a page: its lines are compared with those that the series cache expects, and where they agree only
 * the value is read. What is a line and what it means was decided by the parser when it was new.
 */
import { equalRuns, wideHashRun } from '../exposition/byte-run.ts'
import { floatFromText, readSimpleFloat } from '../exposition/float.ts'
import type { MetricType, TextParser } from '../exposition/text-parser.ts'
import { LINE_COMMENT, LINE_DROPPED, LINE_REPEATED, LINE_SHARED, LINE_TRACKED } from './line-layout.ts'
import type { MetadataCache } from './metadata.ts'
import { ROW_CAPACITY, type SampleRow } from './sample-row.ts'
import type { SeriesCache } from './series-cache.ts'

/** Numbers of types in comments of a layout; 0 stands for none. */
export const TYPES: readonly (MetricType | undefined)[] = [
  undefined,
  'counter',
  'gauge',
  'histogram',
  'summary',
  'unknown',
]

/** Lines from which more follows than a value in the row. */
const SPECIAL = LINE_DROPPED | LINE_REPEATED | LINE_SHARED

const NEWLINE = 10
/** Timestamps of more digits are for the parser. */
const TIMESTAMP_DIGITS_MAX = 15

/** Whoever does what is not done by putting a value into the row. */
export interface ConfirmedLines {
  /** A line about which more is to be decided. `stamp`: its timestamp, −1 for none. */
  takeConfirmed(line: number, value: number, stamp: number): void
  /** Empties the row, which is full. */
  flushRow(): void
}

/** What outlives the page. */
export interface PageSurroundings {
  cache: SeriesCache
  metadata: MetadataCache
  /** Shared by all pages: none leaves anything in it at the end of a slice. */
  row: SampleRow
}

export class LineConfirmer {
  /** Where the page has the series line in front of the cache's cursor. */
  lineBefore = 0
  /** Lines whose samples went into the row, without a word to the target. */
  plainLines = 0
  private readonly body: Buffer
  private readonly view: DataView
  private readonly parser: TextParser
  private readonly cache: SeriesCache
  private readonly metadata: MetadataCache
  private readonly row: SampleRow
  /** Whether no limit is to be looked at for a sample without a timestamp. */
  private readonly isUnlimited: boolean
  private readonly target: ConfirmedLines

  constructor(
    body: Buffer,
    view: DataView,
    parser: TextParser,
    surroundings: PageSurroundings,
    isUnlimited: boolean,
    target: ConfirmedLines,
  ) {
    this.body = body
    this.view = view
    this.parser = parser
    this.cache = surroundings.cache
    this.metadata = surroundings.metadata
    this.row = surroundings.row
    this.isUnlimited = isUnlimited
    this.target = target
  }

  /**
   * Reads lines as long as they are those that the cache expects, but for their values; `most` lines at most. Returns
   * how many. It stops in front of a line about which there is any doubt.
   */
  confirm(most: number): number {
    const { body, view, parser, cache, row, metadata, target } = this
    const { layout, isOrdered } = cache
    const { flags, refs, hashes, prefixes, places, pool } = layout
    const end = parser.plainEnd
    const first = cache.cursor
    const stop = Math.min(first + most, layout.count)
    const isPlain = isOrdered && this.isUnlimited
    let line = first
    let plainLines = 0
    for (; line < stop; line++) {
      let at = parser.at
      while (at < end && body[at] === NEWLINE) at++
      parser.at = at
      const flag = flags[line]
      if (flag & LINE_COMMENT) {
        if (at + hashes[line] > end || wideHashRun(view, at, hashes[line]) !== refs[line]) break
        if (metadata.versionOf(places[line]) !== prefixes[line]) break
        parser.at = at + hashes[line]
        this.takeComment(line)
        if (!isOrdered) cache.markSeen(line)
        continue
      }
      const prefix = prefixes[line]
      const place = places[line]
      const length = pool.lengthAt(place)
      let i = at + prefix + length
      if (i >= end) break
      if (!equalRuns(pool.view, pool.textAt(place), view, at + prefix, length)) break
      if (!equalRuns(view, this.lineBefore, view, at, prefix)) break
      if (!isBlank(body[i])) break
      do i++
      while (isBlank(body[i]))
      i = this.readValue(i)
      if (i < 0) break
      let stamp = -1
      if (body[i] !== NEWLINE) {
        while (isBlank(body[i])) i++
        const digits = i
        if (isDigit(body[i])) stamp = 0
        for (; isDigit(body[i]); i++) stamp = stamp * 10 + (body[i] - 48)
        if (i - digits > TIMESTAMP_DIGITS_MAX) break
        while (isBlank(body[i])) i++
        if (body[i] !== NEWLINE) break
      }
      this.lineBefore = at
      parser.at = i + 1
      if (isPlain && (flag & SPECIAL) === 0 && stamp < 0) {
        plainLines++
        flags[line] = flag | LINE_TRACKED
        row.refs[row.count] = refs[line]
        row.lines[row.count] = line
        if (++row.count === ROW_CAPACITY) target.flushRow()
      } else target.takeConfirmed(line, row.v[row.count], stamp)
    }
    cache.cursor = line
    this.plainLines += plainLines
    return line - first
  }

  /** Reads the value that begins at `start` to where the row has its end. Returns the byte behind it, or −1. */
  private readValue(start: number): number {
    const { body, row } = this
    const i = readSimpleFloat(body, start, this.parser.plainEnd, row.v, row.count)
    return i >= 0 && body[i] <= 32 ? i : this.readOtherValue(start)
  }

  private readOtherValue(start: number): number {
    const { body, row } = this
    let i = start
    while (body[i] > 32 && body[i] !== 123) i++
    const value = floatFromText(body.toString('latin1', start, i))
    if (value === undefined) return -1
    row.v[row.count] = value
    return i
  }

  private takeComment(line: number): void {
    const { cache } = this
    const type = cache.layout.typeOf(line)
    if (type !== 0) this.parser.metricType = TYPES[type]
    this.metadata.see(cache.layout.places[line], cache.scrape)
  }
}

function isBlank(c: number): boolean {
  return c === 32 || c === 9
}

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57
}
