/**
 * The waist: all that promql/ and src/ know of storage.
 *
 * Times are Unix milliseconds as integers in `number`. Ranges given to a querier are closed, [mint, maxt]; the
 * left-open windows of PromQL are the engine's business (it asks for start + 1).
 */
import type { AppendOutcome } from './errors.ts'
import type { Cardinality } from './model/cardinality.ts'
import type { FloatHistogram } from './model/histogram.ts'
import type { Labels } from './model/labels.ts'
import type { Matcher } from './model/matcher.ts'
import type { HistogramKind, PlainKind, SampleColumns } from './model/sample.ts'

/** Stands for one series in appends. Opaque, never 0; good until an append answers APPEND_UNKNOWN_REF. */
export type SeriesRef = number

/**
 * A batch of writes. Nothing of it is seen by a query before `commit` resolves; then all of it is, at once.
 * An appender is used for one batch: after `commit` or `rollback` it is spent.
 */
export interface Appender {
  /**
   * The series with these labels, made if there is none. The series itself stays after a rollback.
   * Requires: labels not empty. Throws StorageError NO_MEMORY when a new series does not fit the budget.
   */
  register(labels: Labels): SeriesRef
  /**
   * Appends one float or stale marker; for the latter `v` is not read.
   * The check against what the series has is made now, and once more at commit, where a sample that lost its
   * place meanwhile is dropped and counted. A refused sample leaves the batch as it was. `st` is the time since which
   * a counter counts, Unix ms, 0 = unknown; it comes back with the sample, and is no part of what is compared.
   */
  append(ref: SeriesRef, t: number, v: number, kind: PlainKind, st?: number): AppendOutcome
  /**
   * The same for a native histogram, which is not changed afterwards by the caller. It comes back with what the storage finds
   * out of counter resets: see model/reset-hints.ts.
   */
  appendHistogram(
    ref: SeriesRef,
    t: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
    st?: number,
  ): AppendOutcome
  /**
   * Appends floats that have one time, as most of a page has: refs and values [0, count) side by side, a series
   * once at most. `outcomes` [0, count) is set as `append` answers. Returns how many outcomes are not APPENDED.
   */
  appendRow(refs: Float64Array, v: Float64Array, count: number, t: number, outcomes: Int8Array): number
  /**
   * Resolves when the batch is in the write-ahead log (it survives a kill of the process) and visible.
   * Rejects with WRITE_FAILED, NO_MEMORY or CLOSED; then nothing of the batch counts.
   */
  commit(): Promise<CommitCounts>
  rollback(): void
}

export interface CommitCounts {
  appended: number
  /** Dropped at commit because another batch was faster, by the order of their times. */
  outOfOrder: number
}

/** What the reader means to do; a storage may use it to do less, and may ignore it. */
export interface SelectHints {
  /** The outermost function or aggregation over the selector, e.g. 'rate', 'sum'; '' when there is none. */
  func: string
  stepMs: number
  /** Length of the window, 0 for an instant selector. */
  rangeMs: number
  /** Whether only labels are wanted (the series API): no samples need to be read. */
  labelsOnly: boolean
  /** Closed range inside that of the querier: series and samples beyond it are not wanted. Left out: all of it. */
  range?: { mint: number; maxt: number }
}

/** Series of one selector, sorted by labels (compareLabels). */
export interface SeriesSet {
  readonly count: number
  /** About how many samples the series have in the range together; told without reading any. */
  readonly samplesEstimate: number
  /** Labels of series i, 0 ≤ i < count. The same object for each call. */
  labels(i: number): Labels
  /**
   * Puts the samples of series i with times in the range asked for into `into`, which is cleared first.
   * Ascending, one sample a time (at equal times the earliest arrival), stale markers included.
   */
  read(i: number, into: SampleColumns): void
}

/** Reads one consistent view of [mint, maxt], from its making to its close. */
export interface Querier {
  /**
   * Series that pass all matchers and have samples in the range. To tell without reading samples, a series may be
   * among them that has samples before and after the range and none in it.
   */
  select(matchers: readonly Matcher[], hints: SelectHints): Promise<SeriesSet>
  /** Sorted names of labels over series that pass; without matchers all. */
  labelNames(matchers: readonly Matcher[]): Promise<string[]>
  /** Sorted values of one label over series that pass; without matchers all. */
  labelValues(name: string, matchers: readonly Matcher[]): Promise<string[]>
  /**
   * What is missing from the answers given so far because it is damaged on the disk, a sentence each; good after
   * `close` too.
   */
  warnings(): string[]
  /** Ends the view. Nothing made by this querier may be used after it. */
  close(): void
}

/** What an administrator may ask of the storage. */
export interface StorageAdmin {
  /**
   * Hides what is stored now with times in [mint, maxt] in series that pass all matchers; without matchers, in all.
   * Resolves when no query made from now on sees it, and no crash brings it back. Samples that come later stay.
   */
  deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void>
  /** Resolves when no block holds a hidden sample any more. */
  cleanTombstones(): Promise<void>
  /**
   * Puts a copy of what is stored into the folder `snapshots/<name>` of the data path, which a server can be started
   * on. `withHead`: with what is in no block yet. Resolves to the folder.
   */
  snapshot(name: string, withHead: boolean): Promise<string>
}

export interface Queryable {
  /** [mint, maxt], closed. Throws StorageError NOT_READY or CLOSED. */
  querier(mint: number, maxt: number): Querier
}

/** What is in memory. */
export interface HeadStatus extends Cardinality {
  chunks: number
  /** First and last time; +Infinity and −Infinity where there is no sample. */
  mint: number
  maxt: number
}

export interface HeadStatistics {
  /** Counts now; each list has `limit` entries at most. Throws StorageError NOT_READY or CLOSED. */
  headStatus(limit: number): HeadStatus
}

export interface Appendable {
  /** Throws StorageError CLOSED. */
  appender(): Appender
}

export interface Storage extends Appendable, Queryable {}
