/** One item of `scrape_configs`: a job. */
import { isScalar, type Node } from 'yaml'
import { compareUtf8, Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import { quoteGo } from '../telemetry/quote.ts'
import { readStrings, Section } from './document.ts'
import { parseDuration } from './duration.ts'
import {
  homeOf,
  SCRAPE_KEYS,
  STATIC_KEYS,
  UNBUILT_CLIENT_KEYS,
  UNBUILT_DISCOVERY_KEYS,
  UNBUILT_HISTOGRAM_KEYS,
} from './keys.ts'
import type {
  GlobalConfig,
  NameEscapingScheme,
  NameValidationScheme,
  ScrapeConfig,
  TargetGroup,
} from './model.ts'
import {
  DURATION_EXPECTED,
  isScrapeProtocol,
  type Reading,
  readEscapingScheme,
  readLimits,
  readValidationScheme,
  unknownProtocol,
} from './reading.ts'
import { readRelabelRules } from './relabel-rules.ts'

const KNOWN_KEYS = [...SCRAPE_KEYS, ...UNBUILT_CLIENT_KEYS, ...UNBUILT_DISCOVERY_KEYS]

export interface ScrapeConfigRead {
  config: ScrapeConfig
  /** False when the job says how to reach its targets in a way that this version can't, and was skipped. */
  isUsable: boolean
}

/** Undefined when there is no job, or none with a name; reported. */
export function readScrapeConfig(
  reading: Reading,
  node: Node,
  global: GlobalConfig,
  resolvePath: (path: string) => string,
): ScrapeConfigRead | undefined {
  const section = Section.open(reading.document, node, 'scrape_configs', KNOWN_KEYS, homeOf)
  if (section === undefined) return undefined
  const jobName = section.string('job_name') ?? ''
  if (jobName === '') section.report('job_name', 'job_name is empty', 'a name that no other job has')
  const isUsable = checkUnbuilt(reading, section, jobName)
  const schemes = readNameSchemes(section, global)
  const relabelConfigs = readRelabelRules(
    section,
    'relabel_configs',
    schemes.metricNameValidationScheme,
    'empty or null target relabeling rule in scrape config',
  )
  const config: ScrapeConfig = {
    jobName,
    ...readTimes(section, jobName, global),
    ...readLimits(section, global),
    ...schemes,
    scrapeProtocols:
      reading.scrapeProtocols(section, `for scrape config with job name ${quoteGo(jobName)}`) ??
      global.scrapeProtocols,
    fallbackScrapeProtocol: readFallbackProtocol(section, jobName),
    metricsPath: section.string('metrics_path') ?? '/metrics',
    scheme:
      section.choice('scheme', ['http', 'https'], (text) => `unsupported scheme ${quoteGo(text)}`) ?? 'http',
    params: readParams(section),
    honorLabels: section.bool('honor_labels') ?? false,
    honorTimestamps: section.bool('honor_timestamps') ?? true,
    trackTimestampsStaleness: section.bool('track_timestamps_staleness') ?? false,
    enableCompression: section.bool('enable_compression') ?? true,
    followRedirects: section.bool('follow_redirects') ?? true,
    enableHttp2: section.bool('enable_http2') ?? true,
    scrapeFailureLogFile:
      resolvePath(section.string('scrape_failure_log_file') ?? '') || global.scrapeFailureLogFile,
    nativeHistogramBucketLimit: section.uint('native_histogram_bucket_limit') ?? 0,
    nativeHistogramMinBucketFactor: section.float('native_histogram_min_bucket_factor') ?? 0,
    scrapeNativeHistograms: false,
    convertClassicHistogramsToNhcb: false,
    alwaysScrapeClassicHistograms:
      section.bool('always_scrape_classic_histograms') ?? global.alwaysScrapeClassicHistograms,
    extraScrapeMetrics: section.bool('extra_scrape_metrics') ?? global.extraScrapeMetrics,
    relabelConfigs,
    metricRelabelConfigs: readRelabelRules(
      section,
      'metric_relabel_configs',
      schemes.metricNameValidationScheme,
      'empty or null metric relabeling rule in scrape config',
    ),
    // A slash in an address is refused only where no relabelling could take it away.
    staticConfigs: readStaticConfigs(reading, section, relabelConfigs.length === 0),
  }
  return { config, isUsable }
}

function checkUnbuilt(reading: Reading, section: Section, jobName: string): boolean {
  const job = `scrape_configs[${jobName}]`
  for (const key of [...UNBUILT_DISCOVERY_KEYS, ...UNBUILT_HISTOGRAM_KEYS]) {
    const value = section.value(key)
    if (!reading.saysNothing(value, true)) reading.refuse(value!, `${job}.${key}`)
  }
  let isUsable = true
  for (const key of UNBUILT_CLIENT_KEYS) {
    const value = section.value(key)
    if (reading.saysNothing(value, true)) continue
    reading.refuse(value!, `${job}.${key}`)
    isUsable = false
  }
  // Scraped without its credentials or its proxy, a job would go where it must not.
  if (!isUsable) reading.skip(job)
  return isUsable
}

function readTimes(
  section: Section,
  jobName: string,
  global: GlobalConfig,
): { scrapeIntervalMs: number; scrapeTimeoutMs: number } {
  const duration = (key: string) => section.parsed(key, parseDuration, DURATION_EXPECTED)
  const scrapeIntervalMs = duration('scrape_interval') || global.scrapeIntervalMs
  const scrapeTimeoutMs = duration('scrape_timeout') || Math.min(global.scrapeTimeoutMs, scrapeIntervalMs)
  if (scrapeTimeoutMs > scrapeIntervalMs) {
    const job = `scrape config with job name ${quoteGo(jobName)}`
    section.report('scrape_timeout', `scrape timeout greater than scrape interval for ${job}`)
  }
  return { scrapeIntervalMs, scrapeTimeoutMs }
}

interface NameSchemes {
  metricNameValidationScheme: NameValidationScheme
  metricNameEscapingScheme: NameEscapingScheme
}

/** A job with a validation scheme of its own does not inherit the global escaping scheme. */
function readNameSchemes(section: Section, global: GlobalConfig): NameSchemes {
  const ownValidation = readValidationScheme(section)
  const validation = ownValidation ?? global.metricNameValidationScheme
  const ownEscaping = readEscapingScheme(section, 'scrape config')
  let escaping = ownEscaping
  if (escaping === undefined) {
    if (ownValidation === undefined) escaping = global.metricNameEscapingScheme
    else escaping = validation === 'legacy' ? 'underscores' : 'allow-utf-8'
  }
  if (escaping === 'allow-utf-8' && validation !== 'utf8') {
    const key = ownEscaping === undefined ? 'metric_name_validation_scheme' : 'metric_name_escaping_scheme'
    section.report(key, 'utf8 metric names requested but validation scheme is not set to UTF8')
  }
  return { metricNameValidationScheme: validation, metricNameEscapingScheme: escaping }
}

function readFallbackProtocol(section: Section, jobName: string): ScrapeConfig['fallbackScrapeProtocol'] {
  const name = section.string('fallback_scrape_protocol') ?? ''
  if (name === '') return undefined
  if (isScrapeProtocol(name)) return name
  const job = `scrape config with job name ${quoteGo(jobName)}`
  section.report(
    'fallback_scrape_protocol',
    `invalid fallback_scrape_protocol for ${job}: ${unknownProtocol(name)}`,
  )
  return undefined
}

function readParams(section: Section): [string, string[]][] {
  const params: [string, string[]][] = []
  for (const [name, entry] of section.document.entries(section.value('params'), 'map[string][]string') ??
    []) {
    params.push([name, readStrings(section.document, entry.value) ?? []])
  }
  return params.sort(([a], [b]) => compareUtf8(a, b))
}

function readStaticConfigs(reading: Reading, job: Section, checksAddresses: boolean): TargetGroup[] {
  const document = reading.document
  const groups: TargetGroup[] = []
  for (const item of document.list(job.value('static_configs'), '[]targetgroup.Group') ?? []) {
    if (item.isNull) {
      document.report(item.node, 'empty or null section in static_configs', 'targets')
      continue
    }
    const section = Section.open(document, item.node, 'static_configs', STATIC_KEYS, homeOf)
    if (section === undefined) continue
    if (checksAddresses) checkAddresses(section)
    groups.push({
      targets: (section.strings('targets') ?? []).map((address) =>
        new LabelsBuilder(Labels.EMPTY).set('__address__', address).labels(),
      ),
      labels: reading.labels(section.value('labels'), 'utf8'),
      source: String(groups.length),
    })
  }
  return groups
}

function checkAddresses(section: Section): void {
  const { document } = section
  // A wrong type is reported where the addresses are taken.
  const value = document.present(section.value('targets'))
  for (const item of (value as { items?: Node[] } | undefined)?.items ?? []) {
    const target = document.present(item)
    if (!isScalar(target)) continue
    const address = String(target.value ?? '')
    if (address.includes('/')) {
      document.report(
        item,
        `${quoteGo(address)} is not a valid hostname`,
        'host:port, without scheme and path',
      )
    }
  }
}
