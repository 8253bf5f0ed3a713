/** The whole configuration as YAML, defaults filled in, as upstream's status/config shows it. */
import type { Labels } from '../../storage/model/labels.ts'
import type { RelabelRule } from '../relabel/rule.ts'
import { formatDuration } from './duration.ts'
import type { GlobalConfig, ScrapeConfig, ScrapeLimits, StorageConfig, TargetGroup } from './model.ts'
import { formatSize } from './size.ts'
import { compareYamlKeys } from './yaml-keys.ts'
import { FlowList, field, optionalField, writeYaml, type YamlField, type YamlValue } from './yaml-writer.ts'

/** What upstream leaves open in `global` until a job is read, and so prints only where it was written. */
export interface GlobalAsWritten {
  scrapeProtocols: boolean
  metricNameEscapingScheme: boolean
}

export function printConfig(
  global: GlobalConfig,
  written: GlobalAsWritten,
  gogc: number,
  scrapeConfigs: readonly ScrapeConfig[],
  storage: StorageConfig,
): string {
  return writeYaml([
    field('global', globalFields(global, written)),
    field('runtime', [field('gogc', gogc)]),
    optionalField('scrape_configs', scrapeConfigs.map(scrapeFields)),
    optionalField('storage', storageFields(storage)),
  ])
}

function globalFields(global: GlobalConfig, written: GlobalAsWritten): YamlField[] {
  return [
    field('scrape_interval', formatDuration(global.scrapeIntervalMs)),
    field('scrape_timeout', formatDuration(global.scrapeTimeoutMs)),
    optionalField('scrape_protocols', written.scrapeProtocols ? global.scrapeProtocols : []),
    field('evaluation_interval', formatDuration(global.evaluationIntervalMs)),
    optionalField('rule_query_offset', durationOrEmpty(global.ruleQueryOffsetMs)),
    optionalField('query_log_file', global.queryLogFile),
    optionalField('scrape_failure_log_file', global.scrapeFailureLogFile),
    optionalField('external_labels', labelFields(global.externalLabels)),
    ...limitFields(global),
    optionalField('keep_dropped_targets', global.keepDroppedTargets),
    field('metric_name_validation_scheme', global.metricNameValidationScheme),
    optionalField(
      'metric_name_escaping_scheme',
      written.metricNameEscapingScheme ? global.metricNameEscapingScheme : '',
    ),
    field('scrape_native_histograms', global.scrapeNativeHistograms),
    optionalField('convert_classic_histograms_to_nhcb', global.convertClassicHistogramsToNhcb),
    optionalField('always_scrape_classic_histograms', global.alwaysScrapeClassicHistograms),
    field('extra_scrape_metrics', global.extraScrapeMetrics),
  ]
}

function scrapeFields(config: ScrapeConfig): YamlField[] {
  return [
    field('job_name', config.jobName),
    optionalField('honor_labels', config.honorLabels),
    field('honor_timestamps', config.honorTimestamps),
    field('track_timestamps_staleness', config.trackTimestampsStaleness),
    optionalField('params', mapFields(config.params)),
    field('scrape_interval', formatDuration(config.scrapeIntervalMs)),
    field('scrape_timeout', formatDuration(config.scrapeTimeoutMs)),
    field('scrape_protocols', config.scrapeProtocols),
    optionalField('fallback_scrape_protocol', config.fallbackScrapeProtocol ?? ''),
    field('scrape_native_histograms', config.scrapeNativeHistograms),
    field('always_scrape_classic_histograms', config.alwaysScrapeClassicHistograms),
    field('convert_classic_histograms_to_nhcb', config.convertClassicHistogramsToNhcb),
    optionalField('scrape_failure_log_file', config.scrapeFailureLogFile),
    field('metrics_path', config.metricsPath),
    field('scheme', config.scheme),
    field('enable_compression', config.enableCompression),
    ...limitFields(config),
    optionalField('native_histogram_bucket_limit', config.nativeHistogramBucketLimit),
    optionalField('native_histogram_min_bucket_factor', config.nativeHistogramMinBucketFactor),
    optionalField('keep_dropped_targets', config.keepDroppedTargets),
    field('metric_name_validation_scheme', config.metricNameValidationScheme),
    field('metric_name_escaping_scheme', config.metricNameEscapingScheme),
    field('extra_scrape_metrics', config.extraScrapeMetrics),
    field('follow_redirects', config.followRedirects),
    field('enable_http2', config.enableHttp2),
    optionalField('relabel_configs', config.relabelConfigs.map(ruleFields)),
    optionalField('metric_relabel_configs', config.metricRelabelConfigs.map(ruleFields)),
    optionalField('static_configs', config.staticConfigs.map(targetGroupFields)),
  ]
}

/** Only what was written, a written 0 too: it takes the place of a flag. */
function storageFields({ outOfOrderWindowMs, retention }: StorageConfig): YamlField[] {
  const { timeMs, sizeBytes, percentage } = retention
  const retentionFields = [
    field('time', timeMs === undefined ? undefined : formatDuration(timeMs)),
    field('size', sizeBytes === undefined ? undefined : formatSize(sizeBytes)),
    field('percentage', percentage),
  ].filter(({ value }) => value !== undefined)
  const tsdb = [
    optionalField('out_of_order_time_window', durationOrEmpty(outOfOrderWindowMs)),
    optionalField('retention', retentionFields),
  ].filter(({ value }) => value !== undefined)
  return tsdb.length === 0 ? [] : [field('tsdb', tsdb)]
}

function limitFields(limits: ScrapeLimits): YamlField[] {
  return [
    optionalField('body_size_limit', limits.bodySizeLimit === 0 ? '' : formatSize(limits.bodySizeLimit)),
    optionalField('sample_limit', limits.sampleLimit),
    optionalField('target_limit', limits.targetLimit),
    optionalField('label_limit', limits.labelLimit),
    optionalField('label_name_length_limit', limits.labelNameLengthLimit),
    optionalField('label_value_length_limit', limits.labelValueLengthLimit),
  ]
}

function ruleFields(rule: RelabelRule): YamlField[] {
  return [
    optionalField('source_labels', new FlowList(rule.sourceLabels)),
    field('separator', rule.separator),
    field('regex', rule.regexText),
    optionalField('modulus', rule.modulus),
    optionalField('target_label', rule.targetLabel),
    field('replacement', rule.replacement),
    field('action', rule.action),
  ]
}

function targetGroupFields(group: TargetGroup): YamlField[] {
  return [
    field(
      'targets',
      group.targets.map((target) => target.get('__address__')),
    ),
    optionalField('labels', labelFields(group.labels)),
  ]
}

function labelFields(labels: Labels): YamlField[] {
  return mapFields(Object.entries(labels.toObject()))
}

function mapFields(entries: readonly (readonly [key: string, value: YamlValue])[]): YamlField[] {
  return [...entries].sort(([a], [b]) => compareYamlKeys(a, b)).map(([key, value]) => field(key, value))
}

function durationOrEmpty(durationMs: number): string {
  return durationMs === 0 ? '' : formatDuration(durationMs)
}
