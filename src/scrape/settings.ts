/** What all loops of one scrape pool have from its configuration. */
import type { ScrapeConfig, ScrapeProtocol } from '../config/model.ts'
import { acceptHeader } from '../exposition/content-type.ts'
import type { PageRules } from './page.ts'

export interface ScrapeSettings {
  jobName: string
  headers: Readonly<Record<string, string>>
  bodySizeLimit: number
  followRedirects: boolean
  fallbackProtocol: ScrapeProtocol | undefined
  withExtraMetrics: boolean
  pageRules: Omit<PageRules, 'targetLabels'>
}

export function settingsOf(config: ScrapeConfig, userAgent: string): ScrapeSettings {
  return {
    jobName: config.jobName,
    headers: {
      accept: acceptHeader(config.scrapeProtocols, config.metricNameEscapingScheme),
      'accept-encoding': config.enableCompression ? 'gzip' : 'identity',
      'user-agent': userAgent,
    },
    bodySizeLimit: config.bodySizeLimit,
    followRedirects: config.followRedirects,
    fallbackProtocol: config.fallbackScrapeProtocol,
    withExtraMetrics: config.extraScrapeMetrics,
    pageRules: {
      honorLabels: config.honorLabels,
      honorTimestamps: config.honorTimestamps,
      trackTimestampsStaleness: config.trackTimestampsStaleness,
      metricRelabelConfigs: config.metricRelabelConfigs,
      nameScheme: config.metricNameValidationScheme,
      sampleLimit: config.sampleLimit,
      labelLimit: config.labelLimit,
      labelNameLengthLimit: config.labelNameLengthLimit,
      labelValueLengthLimit: config.labelValueLengthLimit,
    },
  }
}

/** Equal texts for configurations that do the same; compiled rules are compared by what was written. */
export function configText(config: ScrapeConfig): string {
  return JSON.stringify(config, withoutCompiled)
}

/** As `configText`, of the part that decides what a line of a page means. */
export function linesConfigText(config: ScrapeConfig): string {
  return JSON.stringify(
    {
      ...config,
      scrapeIntervalMs: 0,
      scrapeTimeoutMs: 0,
      scrapeFailureLogFile: '',
      sampleLimit: 0,
      targetLimit: 0,
      keepDroppedTargets: 0,
      bodySizeLimit: 0,
      followRedirects: false,
      enableHttp2: false,
      enableCompression: false,
      staticConfigs: [],
      relabelConfigs: [],
    },
    withoutCompiled,
  )
}

function withoutCompiled(key: string, value: unknown): unknown {
  return key === 'regex' ? undefined : value
}
