/**
 * Reads the pages of one generation of the log, in the order of their keys, and tells what is missing.
 *
 * Samples are differences to what came before. So behind a page that is damaged or missing no value is trusted until
 * the series has a self-contained sample; what comes in between is counted as lost, and never guessed.
 */

import { ByteReader } from '../codec/byte-reader.ts'
import { ByteWriter } from '../codec/byte-writer.ts'
import { StorageError } from '../errors.ts'
import type { Page, Store } from '../store.ts'
import {
  checkPage,
  damaged,
  PAGE_HEADER,
  pageKey,
  parsePageKey,
  RECORD_FILL_IN,
  RECORD_NEXT_SERIES,
  RECORD_OPENING,
  RECORD_SAMPLES,
  RECORD_SERIES,
  RECORD_STARTED_SAMPLES,
} from './record.ts'
import { LastValues, LoggedSamples, readSamples } from './samples-reader.ts'

/** What a reader of pages gets, record by record. */
export interface PageVisitor {
  /** `bytes` [start, end) in the form of `LabelBytes`; valid until the call returns. */
  series(index: number, bytes: Uint8Array, start: number, end: number): void
  /** Samples of a commit, in their order; valid until the call returns. */
  samples(samples: LoggedSamples): void
}

/** Pages that could not be read, [firstPage, finalPage]. */
export interface LogDamage {
  generation: number
  firstPage: number
  finalPage: number
  what: string
  /** Where the damaged original is kept, when it was found at an earlier start. */
  kept?: string
  /**
   * The newest time read before it, −Infinity when there is none; and the first one read behind it, else +Infinity, or the newest
   * one of samples behind it that are lost with it.
   */
  mint: number
  maxt: number
  /** Samples behind it that could not be read for want of a value in it, and the indexes of their series. */
  samplesLost: number
  readonly seriesLost: ReadonlySet<number>
  /** How many series pages before it name. */
  seriesBefore: number
}

export class GenerationReader {
  readonly number: number
  readonly damage: LogDamage[] = []
  /** Samples in pages that are whole whose value is not known for want of one that is not. */
  samplesLost = 0
  private readonly visitor: PageVisitor
  private readonly last = new LastValues()
  private readonly samples = new LoggedSamples()
  private readonly labels = new ByteWriter(1024)
  private nextPage = 0
  private seriesCount = 0
  /** Of samples that are lost with the newest damage: its `seriesLost`, and their newest time. */
  private seriesLost = new Set<number>()
  private lostMaxt = Number.NEGATIVE_INFINITY
  private maxt = Number.NEGATIVE_INFINITY

  constructor(number: number, visitor: PageVisitor) {
    this.number = number
    this.visitor = visitor
  }

  /**
   * Reads the next page. Pages come in the order of their numbers. Damage is noted, and of a page that is not as it was
   * written the visitor sees nothing. Throws NEWER_FORMAT, and what the visitor throws.
   */
  read(page: Page): void {
    const number = parsePageKey(page.key).page
    if (number > this.nextPage) this.noteMissing(number)
    this.nextPage = number + 1
    let fillIn: ReturnType<typeof readFillIn>
    try {
      checkPage(page)
      fillIn = readFillIn(page)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
      this.note(number, number, error.message)
      return
    }
    if (fillIn === undefined) this.readRecords(page)
    else this.noteMissing(fillIn.finalPage + 1, number, fillIn.kept)
  }

  /** All pages were shown. `pageCount`: how many there have to be at least. */
  end(pageCount: number): void {
    if (this.nextPage < pageCount) this.noteMissing(pageCount)
  }

  private noteMissing(to: number, from = this.nextPage, kept?: string): void {
    this.note(from, to - 1, `generation ${this.number}: pages ${from} to ${to - 1} are missing`, kept)
    this.nextPage = to
  }

  private note(firstPage: number, finalPage: number, what: string, kept?: string): void {
    this.last.forget()
    this.seriesLost = new Set()
    this.lostMaxt = Number.NEGATIVE_INFINITY
    this.damage.push({
      generation: this.number,
      firstPage,
      finalPage,
      what,
      ...(kept !== undefined && { kept }),
      mint: this.maxt,
      maxt: Number.POSITIVE_INFINITY,
      samplesLost: 0,
      seriesLost: this.seriesLost,
      seriesBefore: this.seriesCount,
    })
  }

  private readRecords({ key, value }: Page): void {
    const reader = new ByteReader(value, PAGE_HEADER)
    this.labels.clear()
    let nextSeries = 0
    while (!reader.isAtEnd) {
      const record = this.readRecord(key, reader, nextSeries)
      if (record >= 0) nextSeries = record
    }
  }

  /** Returns the next series' index after a series, else −1. */
  private readRecord(key: Uint8Array, reader: ByteReader, nextSeries: number): number {
    let index = -1
    try {
      const type = reader.u8()
      if (type === RECORD_SAMPLES || type === RECORD_STARTED_SAMPLES) {
        readSamples(reader, type === RECORD_STARTED_SAMPLES, this.last, this.samples)
      } else if (type === RECORD_NEXT_SERIES || type === RECORD_SERIES) {
        index = type === RECORD_SERIES ? reader.varint() : nextSeries
        this.last.reserve(index)
        this.readLabels(reader)
      } else if (type === RECORD_OPENING) {
        // Read by `readPageCount`.
        reader.varint()
        reader.varint()
        return -1
      } else {
        throw new StorageError('CORRUPTION', `it has a record of unknown type ${type}`)
      }
    } catch (error) {
      // The page is as it was written, so this is a mistake of the writer. It is not known where the next record begins.
      if (!(error instanceof StorageError)) throw error
      const { page } = parsePageKey(key)
      this.note(page, page, damaged(key, error.message).message)
      reader.skipAll()
      return -1
    }
    if (index >= 0) {
      this.seriesCount++
      this.visitor.series(index, this.labels.bytes, 0, this.labels.length)
      return index + 1
    }
    this.showSamples()
    return -1
  }

  private readLabels(reader: ByteReader): void {
    const { labels } = this
    const shared = reader.varint()
    if (shared > labels.length)
      throw new StorageError('CORRUPTION', `a series has ${shared} bytes of ${labels.length}`)
    const size = reader.varint()
    const start = reader.skip(size)
    labels.length = shared
    labels.copy(reader.bytes, start, start + size)
  }

  private showSamples(): void {
    const { samples, damage } = this
    this.samplesLost += samples.lostLength
    if (samples.lostLength > 0 && damage.length > 0) this.noteLost(damage[damage.length - 1])
    if (samples.length === 0) return
    const newest = damage.at(-1)
    if (newest !== undefined && newest.maxt === Number.POSITIVE_INFINITY) {
      // Samples of a record have about one time, which may be a late one.
      newest.maxt = Math.max(samples.t[0], newest.mint, this.lostMaxt)
    }
    for (let i = 0; i < samples.length; i++) if (samples.t[i] > this.maxt) this.maxt = samples.t[i]
    this.visitor.samples(samples)
  }

  /** Notes samples of a whole page whose value is not known. */
  private noteLost(damage: LogDamage): void {
    const { lostLength, lostIndex, lostT } = this.samples
    damage.samplesLost += lostLength
    for (let i = 0; i < lostLength; i++) {
      this.seriesLost.add(lostIndex[i])
      if (lostT[i] > this.lostMaxt) this.lostMaxt = lostT[i]
    }
    if (damage.maxt < this.lostMaxt) damage.maxt = this.lostMaxt
  }
}

/** What the first page of a generation says of the one before. */
export interface Opening {
  generation: number
  pageCount: number
}

/** Undefined when the page says nothing. Requires: the page is checked. Throws CORRUPTION. */
export function readOpening({ value }: Page): Opening | undefined {
  const reader = new ByteReader(value, PAGE_HEADER)
  if (reader.isAtEnd || reader.u8() !== RECORD_OPENING) return undefined
  return { generation: reader.varint(), pageCount: reader.varint() }
}

/** What a page says that stands for lost ones, else undefined. Requires: the page is checked. Throws CORRUPTION. */
export function readFillIn({ key, value }: Page): { finalPage: number; kept: string } | undefined {
  const reader = new ByteReader(value, PAGE_HEADER)
  if (reader.isAtEnd || reader.u8() !== RECORD_FILL_IN) return undefined
  const finalPage = reader.varint()
  const size = reader.varint()
  const start = reader.skip(size)
  const { page } = parsePageKey(key)
  if (finalPage < page)
    throw new StorageError('CORRUPTION', `page ${page} stands for those up to ${finalPage}`)
  return { finalPage, kept: Buffer.from(value.subarray(start, start + size)).toString() }
}

/**
 * How many pages of generation `number` are known to have been written: the next one's first page says it. 0 when that
 * page is missing, damaged or says nothing. Throws NEWER_FORMAT.
 */
export async function readPageCount(store: Store, number: number): Promise<number> {
  const key = pageKey(number + 1, 0)
  const value = await store.get(key)
  if (value === undefined) return 0
  try {
    checkPage({ key, value })
    const opening = readOpening({ key, value })
    return opening?.generation === number ? opening.pageCount : 0
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'CORRUPTION') throw error
    // The page's own generation tells of its damage.
    return 0
  }
}
