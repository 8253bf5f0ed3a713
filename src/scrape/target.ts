/** From what discovery found, and relabelling made of it, to what is scraped. */
import { type Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import { formatDuration, parseDuration } from '../config/duration.ts'
import type { ScrapeConfig, TargetGroup } from '../config/model.ts'
import { relabel } from '../relabel/relabel.ts'
import { quoteGo } from '../telemetry/quote.ts'
import { targetHash } from './target-hash.ts'
import { requestPath } from './target-url.ts'

const ADDRESS = '__address__'
const SCHEME = '__scheme__'
const METRICS_PATH = '__metrics_path__'
const SCRAPE_INTERVAL = '__scrape_interval__'
const SCRAPE_TIMEOUT = '__scrape_timeout__'
const UNIX_SOCKET = '__unix_socket__'
const PARAMETER_PREFIX = '__param_'
const META_PREFIX = '__meta_'
const RESERVED_PREFIX = '__'

/** Labels that relabelling may set to say how histograms are scraped, and what they are set to before. */
const HISTOGRAM_SWITCHES = [
  ['__convert_classic_histograms_to_nhcb__', (config) => config.convertClassicHistogramsToNhcb],
  ['__always_scrape_classic_histograms__', (config) => config.alwaysScrapeClassicHistograms],
  ['__scrape_native_histograms__', (config) => config.scrapeNativeHistograms],
] as const satisfies readonly (readonly [string, (config: ScrapeConfig) => boolean])[]

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: ReadonlySet<string> = new Set('1 t T TRUE true True 0 f F FALSE false False'.split(' '))

export class Target {
  /** Before relabelling. */
  readonly discoveredLabels: Labels
  /** What its series carry: those after relabelling whose names do not begin with `__`. */
  readonly labels: Labels
  readonly scheme: string
  /** Host and port as configured. */
  readonly authority: string
  /** Path and query, escaped. */
  readonly path: string
  readonly url: string
  /** '' for TCP. */
  readonly unixSocket: string
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Two targets with equal keys are one. */
  readonly key: string
  /** Equal where the same series would come from the same place, however often. */
  readonly seriesKey: string
  private readonly allLabels: Labels

  /** `allLabels`: after relabelling, without `__meta_*`, checked. */
  constructor(discoveredLabels: Labels, allLabels: Labels, config: ScrapeConfig) {
    this.discoveredLabels = discoveredLabels
    this.allLabels = allLabels
    this.labels = allLabels.without(
      new Set(allLabels.pairs.filter((name, i) => i % 2 === 0 && name.startsWith(RESERVED_PREFIX))),
    )
    this.scheme = allLabels.get(SCHEME)
    this.authority = allLabels.get(ADDRESS)
    this.path = requestPath(allLabels.get(METRICS_PATH), parametersOf(allLabels, config))
    this.url = `${this.scheme}://${this.authority}${this.path}`
    this.unixSocket = allLabels.get(UNIX_SOCKET)
    this.intervalMs = parseDuration(allLabels.get(SCRAPE_INTERVAL))
    this.timeoutMs = parseDuration(allLabels.get(SCRAPE_TIMEOUT))
    this.key = `${this.url}\n${allLabels.key()}`
    this.seriesKey = `${this.url}\n${this.labels.key()}`
  }

  /** Places the target within its interval. */
  hash(): bigint {
    return targetHash(this.allLabels, this.url)
  }
}

export interface TargetsOfGroup {
  targets: Target[]
  /** Labels before relabelling of those that relabelling dropped. */
  dropped: Labels[]
  /** Why others are not scraped, in upstream's words. */
  failures: string[]
}

export function targetsOfGroup(group: TargetGroup, config: ScrapeConfig): TargetsOfGroup {
  const result: TargetsOfGroup = { targets: [], dropped: [], failures: [] }
  for (const [i, own] of group.targets.entries()) {
    const discovered = discoveredLabels(own, group.labels, config)
    const builder = new LabelsBuilder(discovered)
    if (!relabel(builder, config.relabelConfigs)) {
      result.dropped.push(discovered)
      continue
    }
    const fault = targetFault(builder)
    if (fault !== undefined) {
      result.failures.push(`instance ${i} in group ${group.source}: ${fault}`)
      continue
    }
    for (const name of builder.names()) if (name.startsWith(META_PREFIX)) builder.delete(name)
    if (builder.get('instance') === '') builder.set('instance', builder.get(ADDRESS))
    result.targets.push(new Target(discovered, builder.labels(), config))
  }
  return result
}

/** A target's own labels win over its group's, and both over what the configuration says. */
function discoveredLabels(own: Labels, shared: Labels, config: ScrapeConfig): Labels {
  const builder = new LabelsBuilder(shared)
  for (let i = 0; i < own.pairs.length; i += 2) builder.set(own.pairs[i], own.pairs[i + 1])
  const setDefault = (name: string, value: string): void => {
    if (builder.get(name) === '') builder.set(name, value)
  }
  setDefault('job', config.jobName)
  setDefault(SCRAPE_INTERVAL, formatDuration(config.scrapeIntervalMs))
  setDefault(SCRAPE_TIMEOUT, formatDuration(config.scrapeTimeoutMs))
  setDefault(METRICS_PATH, config.metricsPath)
  setDefault(SCHEME, config.scheme)
  for (const [name, ofConfig] of HISTOGRAM_SWITCHES) setDefault(name, String(ofConfig(config)))
  for (const [name, values] of config.params) {
    if (values.length > 0) setDefault(PARAMETER_PREFIX + name, values[0])
  }
  return builder.labels()
}

/** Why a target cannot be scraped with these labels, or undefined. The order of checks is upstream's. */
function targetFault(labels: LabelsBuilder): string | undefined {
  const address = labels.get(ADDRESS)
  if (address === '') return 'no address'
  if (address.includes('/')) return `${quoteGo(address)} is not a valid hostname`
  const interval = labels.get(SCRAPE_INTERVAL)
  const intervalMs = durationOr(interval)
  if (typeof intervalMs === 'string') return `error parsing scrape interval: ${intervalMs}`
  if (intervalMs === 0) return 'scrape interval cannot be 0'
  const timeout = labels.get(SCRAPE_TIMEOUT)
  const timeoutMs = durationOr(timeout)
  if (typeof timeoutMs === 'string') return `error parsing scrape timeout: ${timeoutMs}`
  if (timeoutMs === 0) return 'scrape timeout cannot be 0'
  if (timeoutMs > intervalMs) {
    return `scrape timeout cannot be greater than scrape interval (${quoteGo(timeout)} > ${quoteGo(interval)})`
  }
  for (const [name] of HISTOGRAM_SWITCHES) {
    const value = labels.get(name)
    if (value !== '' && !BOOLEANS.has(value)) {
      return `error parsing ${name}: strconv.ParseBool: parsing ${quoteGo(value)}: invalid syntax`
    }
  }
  for (const name of labels.names()) {
    const value = labels.get(name)
    if (!value.isWellFormed()) return `invalid label value for ${quoteGo(name)}: ${quoteGo(value)}`
  }
  return undefined
}

/** Milliseconds, or what is wrong with the text. */
function durationOr(text: string): number | string {
  try {
    return parseDuration(text)
  } catch (error) {
    return (error as Error).message
  }
}

/** Those of the configuration; a `__param_` label replaces the first value of its name, or adds it. */
function parametersOf(labels: Labels, config: ScrapeConfig): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, readonly string[]>(config.params)
  for (let i = 0; i < labels.pairs.length; i += 2) {
    if (!labels.pairs[i].startsWith(PARAMETER_PREFIX)) continue
    const name = labels.pairs[i].slice(PARAMETER_PREFIX.length)
    parameters.set(name, [labels.pairs[i + 1], ...(parameters.get(name) ?? []).slice(1)])
  }
  return parameters
}
