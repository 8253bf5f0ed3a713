/** The series that a scrape says of itself: `up` and the rest, with the target's labels, never relabelled. */
import { APPEND_NO_MEMORY } from '../../storage/errors.ts'
import type { Appender } from '../../storage/interface.ts'
import { type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'
import { CachedSeries, registerSeries } from './series-cache.ts'

export interface ScrapeReport {
  isUp: boolean
  durationSeconds: number
  scraped: number
  postRelabeling: number
  seriesAdded: number
  timeoutSeconds: number
  /** 0 when there is none. */
  sampleLimit: number
  /** Uncompressed; −1 when the limit was exceeded, 0 for another failure. */
  bodyBytes: number
}

const ALWAYS = [
  ['up', (report) => (report.isUp ? 1 : 0)],
  ['scrape_duration_seconds', (report) => report.durationSeconds],
  ['scrape_samples_scraped', (report) => report.scraped],
  ['scrape_samples_post_metric_relabeling', (report) => report.postRelabeling],
  ['scrape_series_added', (report) => report.seriesAdded],
] as const satisfies readonly ReportSeriesRule[]

/** With `extra_scrape_metrics`. */
const EXTRA = [
  ['scrape_timeout_seconds', (report) => report.timeoutSeconds],
  ['scrape_sample_limit', (report) => report.sampleLimit],
  ['scrape_body_size_bytes', (report) => report.bodyBytes],
] as const satisfies readonly ReportSeriesRule[]

type ReportSeriesRule = readonly [name: string, value: (report: ScrapeReport) => number]

export class ReportSeries {
  private readonly targetLabels: Labels
  private readonly series = new Map<string, CachedSeries>()

  constructor(targetLabels: Labels) {
    this.targetLabels = targetLabels
  }

  /** Returns how many samples found no memory. That one has a newer sample is fine: its target came back. */
  append(appender: Appender, t: number, report: ScrapeReport, withExtra: boolean): number {
    let refused = 0
    for (const [name, value] of rulesOf(withExtra)) {
      if (!this.appendOne(appender, name, t, value(report), KIND_FLOAT)) refused++
    }
    return refused
  }

  appendStale(appender: Appender, t: number, withExtra: boolean): void {
    for (const [name] of rulesOf(withExtra)) this.appendOne(appender, name, t, 0, KIND_STALE)
  }

  private appendOne(appender: Appender, name: string, t: number, v: number, kind: PlainKind): boolean {
    let series = this.series.get(name)
    if (series === undefined) {
      const labels = new LabelsBuilder(this.targetLabels).set(METRIC_NAME, name).labels()
      const ref = registerSeries(appender, labels)
      if (ref === undefined) return false
      series = new CachedSeries(name, labels, ref, 0)
      this.series.set(name, series)
    }
    return series.append(appender, t, v, kind) !== APPEND_NO_MEMORY
  }
}

function rulesOf(withExtra: boolean): readonly ReportSeriesRule[] {
  return withExtra ? [...ALWAYS, ...EXTRA] : ALWAYS
}
