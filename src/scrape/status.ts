/** What the rest of the server may ask about scraping: read only, answered from memory, never blocking. */
import type { Labels } from '../../storage/model/labels.ts'

export type TargetHealth = 'up' | 'down' | 'unknown'

/** One target that is being scraped, as it was when it was asked for. */
export interface ActiveTarget {
  /** Before relabelling, the defaults of the configuration filled in. */
  discoveredLabels: Labels
  /** After relabelling, without the `__*` labels: the labels that its series carry. */
  labels: Labels
  /** Name of the job that it belongs to. */
  scrapePool: string
  scrapeUrl: string
  /** '' when the last scrape succeeded, or there was none. */
  lastError: string
  /** Unix ms at which the last scrape began; 0 when there was none. */
  lastScrapeMs: number
  lastScrapeDurationSeconds: number
  /** 'unknown' until the first scrape ended. */
  health: TargetHealth
  scrapeIntervalMs: number
  scrapeTimeoutMs: number
}

/** One target that relabelling dropped. */
export interface DroppedTarget {
  discoveredLabels: Labels
  scrapePool: string
}

/** What a target last said about one metric in HELP, TYPE and UNIT lines. */
export interface MetricMetadata {
  /** `counter`, `gauge`, …; `unknown` where nothing, or `untyped`, was said. */
  type: string
  help: string
  unit: string
}

export interface TargetMetadata {
  target: ActiveTarget
  /** By metric name, in the order in which the names were first seen. */
  metrics: ReadonlyMap<string, MetricMetadata>
}

export interface ScrapeStatus {
  /** Names of the scrape pools, sorted. */
  pools(): string[]
  /** Of one pool, or of all in the order of `pools()`. An unknown pool has none. */
  activeTargets(pool?: string): ActiveTarget[]
  /** At most `keep_dropped_targets` a pool, where that is not 0. */
  droppedTargets(pool?: string): DroppedTarget[]
  /** By pool: all that were dropped, kept or not. */
  droppedCounts(): Map<string, number>
  /** For each active target, in the order of `activeTargets()`. */
  metadata(): Iterable<TargetMetadata>
}
