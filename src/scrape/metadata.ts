/**
 * What a target says of its metrics in HELP, TYPE and UNIT lines. Kept for METADATA_SCRAPES scrapes after a metric
 * disappeared, so that a scrape that misses it does not make it a stranger.
 */
import type { MetricMetadata } from './status.ts'

const METADATA_SCRAPES = 10

interface CachedMetadata extends MetricMetadata {
  seenAt: number
}

export class MetadataCache {
  private readonly byMetric = new Map<string, CachedMetadata>()

  get size(): number {
    return this.byMetric.size
  }

  /** As upstream counts it: characters of help, unit and type. */
  get bytes(): number {
    let bytes = 0
    for (const { type, help, unit } of this.byMetric.values())
      bytes += type.length + help.length + unit.length
    return bytes
  }

  get entries(): ReadonlyMap<string, MetricMetadata> {
    return this.byMetric
  }

  setType(metric: string, type: string, scrape: number): void {
    this.entry(metric, scrape).type = type
  }

  setHelp(metric: string, help: string, scrape: number): void {
    this.entry(metric, scrape).help = help
  }

  /** To be called with the number of a scrape that succeeded and was not empty. */
  expire(scrape: number): void {
    for (const [metric, { seenAt }] of this.byMetric) {
      if (scrape - seenAt > METADATA_SCRAPES) this.byMetric.delete(metric)
    }
  }

  private entry(metric: string, scrape: number): CachedMetadata {
    let entry = this.byMetric.get(metric)
    if (entry === undefined) {
      entry = { type: 'unknown', help: '', unit: '', seenAt: scrape }
      this.byMetric.set(metric, entry)
    }
    entry.seenAt = scrape
    return entry
  }
}
