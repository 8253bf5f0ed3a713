/**
 * What one target's scrapes leave behind for the next one, and the writing of one scrape: page, stale markers and
 * report, in one batch.
 */
import type { Appendable, Appender } from '../../storage/interface.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { negotiateType } from '../exposition/content-type.ts'
import { ExpositionError } from '../exposition/exposition-error.ts'
import { MetadataCache, type MetadataPool } from './metadata.ts'
import { Page } from './page.ts'
import { ReportSeries, type ScrapeReport } from './report.ts'
import { LabelError } from './sample-labels.ts'
import type { SampleRow } from './sample-row.ts'
import { SeriesCache } from './series-cache.ts'
import type { ScrapeSettings } from './settings.ts'
import type { Slices } from './slices.ts'

/** What came over the wire; undefined when nothing did. */
export interface FetchedPage {
  body: Buffer
  contentType: string
}

export interface PageCounts {
  scraped: number
  postRelabeling: number
  seriesAdded: number
  duplicates: number
  outOfOrder: number
  outOfBounds: number
  refused: number
  isSampleLimitExceeded: boolean
}

export interface WrittenPage extends PageCounts {
  /** Carries the page's samples, or after a failure only the stale markers. */
  appender: Appender
  /** Why the page failed as a whole. */
  error: Error | undefined
  isLabelLimitExceeded: boolean
  /** Failed scrapes filled the cache, so it was cut down. */
  isCacheFlushed: boolean
}

const NO_COUNTS: PageCounts = {
  scraped: 0,
  postRelabeling: 0,
  seriesAdded: 0,
  duplicates: 0,
  outOfOrder: 0,
  outOfBounds: 0,
  refused: 0,
  isSampleLimitExceeded: false,
}

/** What the targets of a server share. */
export interface ScrapeSharing {
  slices: Slices
  row: SampleRow
  metadataPool: MetadataPool
}

export class ScrapeState {
  readonly metadata: MetadataCache
  private readonly targetLabels: Labels
  private readonly storage: Appendable
  private readonly sharing: ScrapeSharing
  private readonly series = new SeriesCache()
  private readonly reportSeries: ReportSeries

  constructor(targetLabels: Labels, storage: Appendable, sharing: ScrapeSharing) {
    this.metadata = new MetadataCache(sharing.metadataPool)
    this.targetLabels = targetLabels
    this.storage = storage
    this.sharing = sharing
    this.reportSeries = new ReportSeries(targetLabels)
  }

  /** To be called when the rules changed that say what a line means. */
  forgetLines(): void {
    this.series.forgetLines()
  }

  /**
   * Writes the page of the scrape at `scrapeMs`, and ends the series that it lacks. Without a page, or with an empty
   * one, or when it fails, all that the scrape before had are ended. The batch is open: report and commit follow.
   */
  async writePage(
    fetched: FetchedPage | undefined,
    settings: ScrapeSettings,
    times: { scrapeMs: number; nowMs: number },
  ): Promise<WrittenPage> {
    const appender = this.storage.appender()
    if (fetched === undefined || fetched.body.length === 0) {
      return this.endScrape(appender, times.scrapeMs, NO_COUNTS, undefined)
    }
    const fault = formatFault(fetched.contentType, settings)
    if (fault !== undefined) return this.endScrape(appender, times.scrapeMs, NO_COUNTS, fault)

    const rules = { ...settings.pageRules, targetLabels: this.targetLabels }
    const surroundings = { cache: this.series, metadata: this.metadata, row: this.sharing.row }
    const page = new Page(fetched.body, appender, surroundings, rules, times)
    let error: Error | undefined
    try {
      await this.sharing.slices.run((deadlineMs) => page.read(deadlineMs))
      if (page.isSampleLimitExceeded) error = new Error('sample limit exceeded')
    } catch (thrown) {
      if (!(thrown instanceof ExpositionError || thrown instanceof LabelError)) {
        appender.rollback()
        this.endCaches(false)
        throw thrown
      }
      error = thrown
    }
    if (error === undefined) return this.endScrape(appender, times.scrapeMs, page, undefined)
    appender.rollback()
    return this.endScrape(this.storage.appender(), times.scrapeMs, page, error)
  }

  /** Adds the scrape's report to the batch. Returns how many samples found no memory. */
  writeReport(appender: Appender, t: number, report: ScrapeReport, withExtra: boolean): number {
    return this.reportSeries.append(appender, t, report, withExtra)
  }

  /** Ends all series of a target that is gone, those of the report too, at `t`. */
  async writeEnd(t: number, withExtra: boolean): Promise<void> {
    const appender = this.storage.appender()
    this.series.endAbsent(appender, t)
    this.endCaches(false)
    this.reportSeries.appendStale(appender, t, withExtra)
    await appender.commit()
  }

  private endCaches(isGood: boolean): boolean {
    this.metadata.endScrape(this.series.scrape, isGood)
    return this.series.endScrape(isGood)
  }

  private endScrape(
    appender: Appender,
    t: number,
    counts: PageCounts,
    error: Error | undefined,
  ): WrittenPage {
    const isGood = error === undefined && counts !== NO_COUNTS
    this.series.endAbsent(appender, t)
    const isCacheFlushed = this.endCaches(isGood)
    return {
      appender,
      error,
      isLabelLimitExceeded: error instanceof LabelError && error.isLimit,
      isCacheFlushed,
      scraped: counts.scraped,
      postRelabeling: counts.postRelabeling,
      seriesAdded: counts.seriesAdded,
      duplicates: counts.duplicates,
      outOfOrder: counts.outOfOrder,
      outOfBounds: counts.outOfBounds,
      refused: counts.refused,
      isSampleLimitExceeded: counts.isSampleLimitExceeded,
    }
  }
}

/** Why a page is not read, in upstream's words where it has them. */
function formatFault(contentType: string, settings: ScrapeSettings): Error | undefined {
  try {
    const { mediaType } = negotiateType(contentType, settings.fallbackProtocol)
    if (mediaType === 'text/plain') return undefined
    return new Error(`received Content-Type ${mediaType}, which this version does not read`)
  } catch (error) {
    return error as Error
  }
}
