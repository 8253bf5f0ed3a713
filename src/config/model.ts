/**
 * The configuration as the server uses it: checked, defaults filled in, durations in milliseconds, sizes in
 * bytes, relabelling rules compiled. Plain data; the reading of YAML is elsewhere in this folder.
 */
import type { Labels } from '../../storage/model/labels.ts'
import type { RelabelRule } from '../relabel/rule.ts'

export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'OpenMetricsText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'PrometheusText1.0.0'
  | 'PrometheusText0.0.4'

export type NameValidationScheme = 'utf8' | 'legacy'
export type NameEscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values'

/** 0 means no limit, everywhere. */
export interface ScrapeLimits {
  bodySizeLimit: number
  sampleLimit: number
  labelLimit: number
  labelNameLengthLimit: number
  labelValueLengthLimit: number
  targetLimit: number
  keepDroppedTargets: number
}

export interface GlobalConfig extends ScrapeLimits {
  scrapeIntervalMs: number
  scrapeTimeoutMs: number
  scrapeProtocols: readonly ScrapeProtocol[]
  evaluationIntervalMs: number
  ruleQueryOffsetMs: number
  externalLabels: Labels
  queryLogFile: string
  scrapeFailureLogFile: string
  metricNameValidationScheme: NameValidationScheme
  metricNameEscapingScheme: NameEscapingScheme
  scrapeNativeHistograms: boolean
  convertClassicHistogramsToNhcb: boolean
  alwaysScrapeClassicHistograms: boolean
  extraScrapeMetrics: boolean
}

/** Targets that are written down in the configuration, with labels they share. */
export interface TargetGroup {
  /** One label set a target; `__address__` among them. */
  targets: readonly Labels[]
  labels: Labels
  /** Names the group within its provider. */
  source: string
}

export interface ScrapeConfig extends ScrapeLimits {
  jobName: string
  scrapeIntervalMs: number
  scrapeTimeoutMs: number
  /** As written in the configuration or inherited. */
  scrapeProtocols: readonly ScrapeProtocol[]
  fallbackScrapeProtocol: ScrapeProtocol | undefined
  metricsPath: string
  scheme: 'http' | 'https'
  /** Sorted by name, as upstream sends them. */
  params: readonly (readonly [name: string, values: readonly string[]])[]
  honorLabels: boolean
  honorTimestamps: boolean
  trackTimestampsStaleness: boolean
  enableCompression: boolean
  followRedirects: boolean
  enableHttp2: boolean
  scrapeFailureLogFile: string
  nativeHistogramBucketLimit: number
  nativeHistogramMinBucketFactor: number
  scrapeNativeHistograms: boolean
  convertClassicHistogramsToNhcb: boolean
  alwaysScrapeClassicHistograms: boolean
  extraScrapeMetrics: boolean
  metricNameValidationScheme: NameValidationScheme
  metricNameEscapingScheme: NameEscapingScheme
  relabelConfigs: readonly RelabelRule[]
  metricRelabelConfigs: readonly RelabelRule[]
  staticConfigs: readonly TargetGroup[]
}

/** What `storage.tsdb.retention` says; a key that is not written falls back to its flag. */
export interface WrittenRetention {
  /** 0: no bound by time. */
  timeMs?: number
  /** 0: no bound by size. */
  sizeBytes?: number
  /** Of the file system's size, 0 to 100; 0: no such bound. Goes before `sizeBytes`. */
  percentage?: number
}

export interface StorageConfig {
  /** How far behind the newest sample of all an out-of-order sample may be; 0 takes none. */
  outOfOrderWindowMs: number
  retention: WrittenRetention
}

export interface Config {
  global: GlobalConfig
  storage: StorageConfig
  scrapeConfigs: readonly ScrapeConfig[]
  /** The whole configuration as YAML with defaults filled in and secrets hidden, for status/config. */
  yaml: string
  /** Sections that say something this version does not do; empty unless `--config.skip-unsupported`. */
  unsupportedSections: readonly string[]
}
