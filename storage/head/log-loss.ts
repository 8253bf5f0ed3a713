/**
 * Says of pages of the log that are lost which series lost samples with them, as far as the other pages of their generation
 * tell. It is sure of those with samples behind the lost page whose value cannot be known without it. In the page itself may have
 * been samples of any series that was named before it: a series is named before its first sample.
 */
import type { DamageNote } from '../damage.ts'
import { Labels, METRIC_NAME } from '../model/labels.ts'
import { labelsText } from '../model/labels-text.ts'
import type { LogDamage } from '../wal/generation-reader.ts'
import type { SeriesTable } from './series-table.ts'

/** Series and metrics that one note names; of the others it says how many. */
const SERIES_SHOWN = 20
const METRICS_SHOWN = 5

/** The series of one generation of the log. */
export interface LoggedSeries {
  readonly table: SeriesTable
  /** Indexes in the table, in the order in which the log names the series. */
  readonly named: readonly number[]
  /** Index in the log → index in the table, undefined when the log does not name it. */
  ownIndex(index: number): number | undefined
}

/** Turns damage of one generation into notes. Requires: the generation is read to its end. */
export class LogLoss {
  private readonly series: LoggedSeries
  /** Of the damage before: gaps often have the same series before them. */
  private before: { count: number; text: string } | undefined

  constructor(series: LoggedSeries) {
    this.series = series
  }

  noteOf(damage: LogDamage): DamageNote {
    const { what, kept, mint, maxt, samplesLost, seriesLost, seriesBefore } = damage
    const sure = [...seriesLost]
      .map((index) => this.series.ownIndex(index))
      .filter((own) => own !== undefined)
    const possible = this.series.named.slice(0, seriesBefore)
    const parts = [what]
    if (samplesLost > 0)
      parts.push(`${samplesLost} samples of ${seriesLost.size} series behind it are lost with it`)
    if (possible.length === 0) parts.push('no series is known that may have had samples in it')
    else parts.push(`it may have had samples of ${this.possibleText(possible)}`)
    const named = sure.length > 0 ? sure : possible
    return {
      place: 'wal',
      what: parts.join('; '),
      ...(named.length > 0 && { series: this.names(named) }),
      ...(kept !== undefined && { quarantine: kept }),
      ...(Number.isFinite(mint) && { mint }),
      ...(Number.isFinite(maxt) && { maxt }),
    }
  }

  private names(indexes: readonly number[]): string[] {
    const names = indexes.slice(0, SERIES_SHOWN).map((index) => labelsText(this.labels(index)))
    const left = indexes.length - names.length
    return left > 0 ? [...names, `${left} more of ${this.metricsText(indexes)}`] : names
  }

  private possibleText(indexes: readonly number[]): string {
    if (this.before?.count !== indexes.length) {
      const text = `any of ${indexes.length} series of ${this.metricsText(indexes)}`
      this.before = { count: indexes.length, text }
    }
    return this.before.text
  }

  private metricsText(indexes: readonly number[]): string {
    const metrics = new Set<string>()
    for (const index of indexes) metrics.add(this.metric(index))
    const shown = [...metrics].slice(0, METRICS_SHOWN).map((metric) => JSON.stringify(metric))
    const left = metrics.size - shown.length
    const rest = left > 0 ? ` and ${left} more` : ''
    return `${metrics.size === 1 ? 'the metric' : 'the metrics'} ${shown.join(', ')}${rest}`
  }

  private labels(index: number): Labels {
    const { table } = this.series
    const record = table.labelsIndex(index)
    const pairs: string[] = []
    for (let i = 1; i <= table.slab.u32[record]; i++) {
      const pair = table.slab.u32[record + i]
      pairs.push(table.symbols.text(table.pairName(pair)), table.symbols.text(table.pairValue(pair)))
    }
    return new Labels(pairs)
  }

  private metric(index: number): string {
    const { table } = this.series
    const { u32 } = table.slab
    const name = table.symbols.findText(METRIC_NAME)
    const record = table.labelsIndex(index)
    for (let i = 1; i <= u32[record]; i++) {
      if (table.pairName(u32[record + i]) === name)
        return table.symbols.text(table.pairValue(u32[record + i]))
    }
    return ''
  }
}
