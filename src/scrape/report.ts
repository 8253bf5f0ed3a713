/** The series that a scrape says of itself: `up` and the rest, with the target's labels, never relabelled. */
import { APPEND_NO_MEMORY, APPEND_UNKNOWN_REF } from '../../storage/errors.ts'
import type { Appender, SeriesRef } from '../../storage/interface.ts'
import { type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { KIND_FLOAT, KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'
import { registerSeries } from './series-cache.ts'

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

const ALL: readonly ReportSeriesRule[] = [...ALWAYS, ...EXTRA]

type ReportSeriesRule = readonly [name: string, value: (report: ScrapeReport) => number]

export class ReportSeries {
  private readonly targetLabels: Labels
  /** By the places of `ALL`; 0 where there is no ref yet. */
  private readonly refs = new Float64Array(ALL.length)

  constructor(targetLabels: Labels) {
    this.targetLabels = targetLabels
  }

  /** Returns how many samples found no memory. That one has a newer sample is fine: its target came back. */
  append(appender: Appender, t: number, report: ScrapeReport, withExtra: boolean): number {
    let refused = 0
    for (let i = 0; i < countOf(withExtra); i++) {
      if (!this.appendOne(appender, i, t, ALL[i][1](report), KIND_FLOAT)) refused++
    }
    return refused
  }

  appendStale(appender: Appender, t: number, withExtra: boolean): void {
    for (let i = 0; i < countOf(withExtra); i++) this.appendOne(appender, i, t, 0, KIND_STALE)
  }

  private appendOne(appender: Appender, i: number, t: number, v: number, kind: PlainKind): boolean {
    if (this.refs[i] !== 0) {
      const outcome = appender.append(this.refs[i], t, v, kind)
      if (outcome !== APPEND_UNKNOWN_REF) return outcome !== APPEND_NO_MEMORY
    }
    const ref: SeriesRef | undefined = registerSeries(appender, this.labelsOf(i))
    if (ref === undefined) return false
    this.refs[i] = ref
    return appender.append(ref, t, v, kind) !== APPEND_NO_MEMORY
  }

  private labelsOf(i: number): Labels {
    return new LabelsBuilder(this.targetLabels).set(METRIC_NAME, ALL[i][0]).labels()
  }
}

function countOf(withExtra: boolean): number {
  return withExtra ? ALL.length : ALWAYS.length
}
