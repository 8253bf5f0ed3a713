/** The `global` section: what every job inherits. */
import type { Node } from 'yaml'
import { Labels } from '../../storage/model/labels.ts'
import { Section } from './document.ts'
import { parseDuration } from './duration.ts'
import { expandVariables } from './expand.ts'
import { GLOBAL_KEYS, homeOf, UNBUILT_GLOBAL_KEYS } from './keys.ts'
import type { GlobalConfig, NameValidationScheme } from './model.ts'
import type { GlobalAsWritten } from './print.ts'
import {
  DEFAULT_SCRAPE_PROTOCOLS,
  DURATION_EXPECTED,
  type Reading,
  readEscapingScheme,
  readLimits,
  readValidationScheme,
} from './reading.ts'

const DEFAULT_SCRAPE_INTERVAL_MS = 60_000
const DEFAULT_SCRAPE_TIMEOUT_MS = 10_000
const DEFAULT_EVALUATION_INTERVAL_MS = 60_000

const NO_LIMITS = {
  bodySizeLimit: 0,
  sampleLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  targetLimit: 0,
  keepDroppedTargets: 0,
}

export interface GlobalOptions {
  /** What `extra_scrape_metrics` is when it is not set. */
  extraScrapeMetrics: boolean
  /** Value of an environment variable, '' when it is not set. */
  lookup: (name: string) => string
  /** A file name relative to the configuration, made relative to the working directory. */
  resolvePath: (path: string) => string
}

export interface GlobalRead {
  config: GlobalConfig
  written: GlobalAsWritten
}

export function readGlobal(reading: Reading, node: Node | undefined, options: GlobalOptions): GlobalRead {
  const section = Section.open(reading.document, node, 'global', GLOBAL_KEYS, homeOf)
  if (section === undefined) {
    const config = withoutSection(options.extraScrapeMetrics)
    return { config, written: { scrapeProtocols: false, metricNameEscapingScheme: true } }
  }
  for (const key of UNBUILT_GLOBAL_KEYS) {
    const value = section.value(key)
    if (!reading.saysNothing(value, true)) reading.refuse(value!, `global.${key}`)
  }
  const validation = readValidationScheme(section) ?? 'utf8'
  const escaping = readEscapingScheme(section, 'global')
  const protocols = reading.scrapeProtocols(section, 'for global config')
  const config: GlobalConfig = {
    ...readTimes(section),
    ...readLimits(section, NO_LIMITS),
    scrapeProtocols: protocols ?? DEFAULT_SCRAPE_PROTOCOLS,
    externalLabels: readExternalLabels(reading, section.value('external_labels'), validation, options.lookup),
    queryLogFile: options.resolvePath(section.string('query_log_file') ?? ''),
    scrapeFailureLogFile: options.resolvePath(section.string('scrape_failure_log_file') ?? ''),
    metricNameValidationScheme: validation,
    metricNameEscapingScheme: escaping ?? (validation === 'legacy' ? 'underscores' : 'allow-utf-8'),
    scrapeNativeHistograms: false,
    convertClassicHistogramsToNhcb: false,
    alwaysScrapeClassicHistograms: section.bool('always_scrape_classic_histograms') ?? false,
    extraScrapeMetrics: section.bool('extra_scrape_metrics') ?? options.extraScrapeMetrics,
  }
  return {
    config,
    written: { scrapeProtocols: protocols !== undefined, metricNameEscapingScheme: escaping !== undefined },
  }
}

type GlobalTimes = Pick<
  GlobalConfig,
  'scrapeIntervalMs' | 'scrapeTimeoutMs' | 'evaluationIntervalMs' | 'ruleQueryOffsetMs'
>

function readTimes(section: Section): GlobalTimes {
  const duration = (key: string) => section.parsed(key, parseDuration, DURATION_EXPECTED)
  // 0 counts as not set, as upstream.
  const scrapeIntervalMs = duration('scrape_interval') || DEFAULT_SCRAPE_INTERVAL_MS
  let scrapeTimeoutMs = duration('scrape_timeout') || 0
  if (scrapeTimeoutMs > scrapeIntervalMs) {
    section.report('scrape_timeout', 'global scrape timeout greater than scrape interval')
  }
  if (scrapeTimeoutMs === 0) scrapeTimeoutMs = Math.min(DEFAULT_SCRAPE_TIMEOUT_MS, scrapeIntervalMs)
  return {
    scrapeIntervalMs,
    scrapeTimeoutMs,
    evaluationIntervalMs: duration('evaluation_interval') || DEFAULT_EVALUATION_INTERVAL_MS,
    ruleQueryOffsetMs: duration('rule_query_offset') ?? 0,
  }
}

function readExternalLabels(
  reading: Reading,
  node: Node | undefined,
  scheme: NameValidationScheme,
  lookup: (name: string) => string,
): Labels {
  const variable = (name: string) => (name === '$' ? '$' : lookup(name))
  return reading.labels(node, scheme, (value) => expandVariables(value, variable))
}

function withoutSection(extraScrapeMetrics: boolean): GlobalConfig {
  return {
    ...NO_LIMITS,
    scrapeIntervalMs: DEFAULT_SCRAPE_INTERVAL_MS,
    scrapeTimeoutMs: DEFAULT_SCRAPE_TIMEOUT_MS,
    evaluationIntervalMs: DEFAULT_EVALUATION_INTERVAL_MS,
    ruleQueryOffsetMs: 0,
    scrapeProtocols: DEFAULT_SCRAPE_PROTOCOLS,
    externalLabels: Labels.EMPTY,
    queryLogFile: '',
    scrapeFailureLogFile: '',
    metricNameValidationScheme: 'utf8',
    metricNameEscapingScheme: 'allow-utf-8',
    scrapeNativeHistograms: false,
    convertClassicHistogramsToNhcb: false,
    alwaysScrapeClassicHistograms: false,
    extraScrapeMetrics,
  }
}
