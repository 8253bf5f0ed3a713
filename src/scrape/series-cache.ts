/**
 * What one target's series lines mean: from the bytes of name and labels, as written, to the series in storage.
 * And which series the scrape before had, so that those that are gone can be ended.
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
import { KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'

export class CachedSeries {
  /** Name and labels as written, a byte a character. */
  readonly line: string
  /** Undefined when relabelling drops the line. */
  readonly labels: Labels | undefined
  ref: SeriesRef
  /** Number of the last scrape that had the line. */
  seenAt: number
  /** Number of the last scrape after which its absence ends the series. */
  trackedAt = -1
  /** What came next when the line was last read: most likely it does so again. */
  following: CachedSeries | undefined
  /** Whether the line means nothing any more; a reference to it may be left in `following`. */
  isForgotten = false

  constructor(line: string, labels: Labels | undefined, ref: SeriesRef, seenAt: number) {
    this.line = line
    this.labels = labels
    this.ref = ref
    this.seenAt = seenAt
  }

  /** Appends, registering the series again where storage has forgotten the ref. */
  append(appender: Appender, t: number, v: number, kind: PlainKind): AppendOutcome {
    const outcome = appender.append(this.ref, t, v, kind)
    if (outcome !== APPEND_UNKNOWN_REF) return outcome
    const ref = registerSeries(appender, this.labels!)
    if (ref === undefined) return APPEND_NO_MEMORY
    this.ref = ref
    return appender.append(ref, t, v, kind)
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

/** Lines beyond twice those of the last good scrape that are kept while scrapes fail. */
const FAILED_LINES_MAX = 1000

export class SeriesCache {
  /** Counts scrapes, failed ones too. */
  scrape = 0
  private readonly lines = new Map<string, CachedSeries>()
  private tracked: CachedSeries[] = []
  private trackedBefore: CachedSeries[] = []
  private goodLines = 0
  /** Stands before the first line of a page. */
  private readonly start = new CachedSeries('', undefined, 0, 0)
  private latest = this.start

  /**
   * The line's meaning, if it is known. Lines mostly come in the order of the scrape before, so the one expected is
   * compared first: the map's hashing of each line would cost more than all else that is done for it.
   */
  get(line: string): CachedSeries | undefined {
    const expected = this.latest.following
    if (expected !== undefined && expected.line === line && !expected.isForgotten) {
      this.latest = expected
      return expected
    }
    const found = this.lines.get(line)
    if (found !== undefined) this.moveTo(found)
    return found
  }

  /** Makes the line known that was just asked for. */
  add(series: CachedSeries): void {
    this.lines.set(series.line, series)
    this.moveTo(series)
  }

  private moveTo(series: CachedSeries): void {
    this.latest.following = series
    this.latest = series
  }

  /** From now on the series ends when a scrape lacks it. */
  track(series: CachedSeries): void {
    if (series.trackedAt === this.scrape) return
    series.trackedAt = this.scrape
    this.tracked.push(series)
  }

  /**
   * Appends stale markers at `t` to the series of the scrape before that this one lacks. That a series has newer
   * samples is fine: then it came back by another way.
   */
  endAbsent(appender: Appender, t: number): void {
    const absent = this.trackedBefore.filter((series) => series.trackedAt !== this.scrape)
    if (absent.length === 0) return
    // Another line may have become the same series.
    const present = new Set(this.tracked.map((series) => series.ref))
    for (const series of absent) {
      if (!present.has(series.ref)) series.append(appender, t, 0, KIND_STALE)
    }
  }

  /**
   * To be called at the end of each scrape. `isGood`: it succeeded and was not empty; lines that it did not have
   * are then forgotten. Returns whether the cache was cut down because failed scrapes filled it.
   */
  endScrape(isGood: boolean): boolean {
    const overflows = !isGood && this.lines.size > 2 * this.goodLines + FAILED_LINES_MAX
    if (isGood) this.goodLines = this.lines.size
    if (isGood || overflows) {
      for (const series of this.lines.values()) if (series.seenAt !== this.scrape) this.forget(series)
    }
    const reused = this.trackedBefore
    this.trackedBefore = this.tracked
    reused.length = 0
    this.tracked = reused
    this.scrape++
    this.latest.following = undefined
    this.latest = this.start
    return overflows
  }

  /**
   * Forgets what lines mean, since the rules that gave them their meaning changed; which series the last scrape
   * had stays known. So the next scrape ends those that it has no more.
   */
  forgetLines(): void {
    for (const series of this.lines.values()) this.forget(series)
    this.goodLines = 0
  }

  private forget(series: CachedSeries): void {
    this.lines.delete(series.line)
    series.isForgotten = true
    series.following = undefined
  }
}
