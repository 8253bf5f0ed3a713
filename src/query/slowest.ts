/**
 * What the queries of the last hour cost, summed up by their text.
 *
 * Kept in slices of ten minutes, each with a bounded number of texts: those that are among the costliest by any of the
 * measures, and the newest ones. So a query that is cheap and rare may be missing, and one that was rare at first may
 * count for less than it was.
 */
import type { QueryRequest } from './request.ts'

const SLICE_MS = 10 * 60_000
/** The one that is being filled, and an hour. */
const SLICES = 7

/** When a slice has so many texts, those are left that are in front by a measure. */
const TEXTS_MAX = 256
const FRONT = 40

/** Of a text so many characters count; longer queries that begin alike are one. */
const TEXT_LENGTH_MAX = 2000

export const MEASURES = ['secondsMax', 'secondsTotal', 'samplesReadMax', 'samplesReadTotal', 'count'] as const
export type Measure = (typeof MEASURES)[number]

/** All queries of one text. Times in seconds are those of running, without waiting; samples are those read. */
export interface QueryTotals {
  text: string
  /** Of the newest one. */
  kind: QueryRequest['kind']
  count: number
  failures: number
  secondsMax: number
  secondsTotal: number
  samplesReadMax: number
  samplesReadTotal: number
  /** When the newest one ended, Unix ms. */
  lastMs: number
  /** Of the slowest one: the headers that say what it was for. */
  slowestHeaders: Readonly<Record<string, string>>
}

/** One query that is over. */
export interface QueryEnd {
  text: string
  kind: QueryRequest['kind']
  hasFailed: boolean
  seconds: number
  samplesRead: number
  endMs: number
  /** Asked for only where they are kept. */
  headers(): Readonly<Record<string, string>>
}

interface Slice {
  /** Number of the slice on the clock. */
  number: number
  totals: Map<string, QueryTotals>
}

export class SlowestQueries {
  /** Oldest first. */
  private readonly slices: Slice[] = []

  add(end: QueryEnd): void {
    const { totals } = this.sliceOf(end.endMs)
    const text = end.text.length > TEXT_LENGTH_MAX ? end.text.slice(0, TEXT_LENGTH_MAX) : end.text
    let entry = totals.get(text)
    if (entry === undefined) {
      if (totals.size === TEXTS_MAX) thinOut(totals)
      entry = emptyTotals(copyOfText(text), end)
      totals.set(entry.text, entry)
    }
    entry.kind = end.kind
    entry.count++
    if (end.hasFailed) entry.failures++
    if (end.seconds > entry.secondsMax) {
      entry.secondsMax = end.seconds
      entry.slowestHeaders = end.headers()
    }
    entry.secondsTotal += end.seconds
    entry.samplesReadMax = Math.max(entry.samplesReadMax, end.samplesRead)
    entry.samplesReadTotal += end.samplesRead
    entry.lastMs = end.endMs
  }

  /** The `count` largest by a measure, largest first. */
  top(measure: Measure, count: number, nowMs: number): QueryTotals[] {
    this.forget(nowMs)
    const united = new Map<string, QueryTotals>()
    for (const { totals } of this.slices) {
      for (const entry of totals.values()) united.set(entry.text, merged(united.get(entry.text), entry))
    }
    return front([...united.values()], measure, count)
  }

  private sliceOf(nowMs: number): Slice {
    const number = Math.floor(nowMs / SLICE_MS)
    const newest = this.slices.at(-1)
    // A clock that was set back goes on in the newest slice.
    if (newest !== undefined && newest.number >= number) return newest
    this.forget(nowMs)
    const slice = { number, totals: new Map() }
    this.slices.push(slice)
    return slice
  }

  private forget(nowMs: number): void {
    const oldest = Math.floor(nowMs / SLICE_MS) - SLICES + 1
    while (this.slices.length > 0 && this.slices[0].number < oldest) this.slices.shift()
  }
}

function emptyTotals(text: string, { kind, endMs }: QueryEnd): QueryTotals {
  return {
    text,
    kind,
    count: 0,
    failures: 0,
    secondsMax: 0,
    secondsTotal: 0,
    samplesReadMax: 0,
    samplesReadTotal: 0,
    lastMs: endMs,
    slowestHeaders: {},
  }
}

/** A part of a string holds the whole one in memory: that of a request may have megabytes. */
export function copyOfText(text: string): string {
  return Buffer.from(text).toString()
}

function front(entries: readonly QueryTotals[], measure: Measure, count: number): QueryTotals[] {
  return entries.toSorted((a, b) => b[measure] - a[measure]).slice(0, count)
}

function thinOut(totals: Map<string, QueryTotals>): void {
  const entries = [...totals.values()]
  const kept = new Set(MEASURES.flatMap((measure) => front(entries, measure, FRONT)))
  for (const entry of entries) if (!kept.has(entry)) totals.delete(entry.text)
}

/** `newer` is of a later slice. */
function merged(older: QueryTotals | undefined, newer: QueryTotals): QueryTotals {
  if (older === undefined) return newer
  const slowest = older.secondsMax > newer.secondsMax ? older : newer
  return {
    ...newer,
    count: older.count + newer.count,
    failures: older.failures + newer.failures,
    secondsMax: slowest.secondsMax,
    slowestHeaders: slowest.slowestHeaders,
    secondsTotal: older.secondsTotal + newer.secondsTotal,
    samplesReadMax: Math.max(older.samplesReadMax, newer.samplesReadMax),
    samplesReadTotal: older.samplesReadTotal + newer.samplesReadTotal,
  }
}
