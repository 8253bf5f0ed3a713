/** Endpoints about targets and what they say of their metrics: answered from the scraper's memory. */

import { parseSelector } from '../../promql/syntax/parser.ts'
import type { Labels } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { formatDuration } from '../config/duration.ts'
import type { ActiveTarget, MetricMetadata, ScrapeStatus } from '../scrape/status.ts'
import type { ApiAnswer, ApiEndpoint } from './call.ts'
import type { ApiDependencies } from './dependencies.ts'
import { invalidParameter } from './errors.ts'
import type { Form } from './form.ts'
import { type Json, successJson } from './json.ts'
import { metadataLimitParameter } from './parameters.ts'
import { formatRfc3339, ZERO_TIME } from './rfc3339.ts'

type Dependencies = Pick<ApiDependencies, 'scrapeStatus' | 'externalUrl' | 'listenPort'>

export function targetEndpoints(dependencies: Dependencies): ApiEndpoint[] {
  const { scrapeStatus } = dependencies
  return [
    // A filter in the body is not looked at, as upstream.
    { path: '/targets', handle: ({ urlForm }) => success(targets(urlForm, dependencies)) },
    { path: '/scrape_pools', handle: () => success({ scrapePools: scrapeStatus.pools() }) },
    { path: '/metadata', handle: ({ form }) => success(metadata(form, scrapeStatus)) },
    { path: '/targets/metadata', handle: ({ form }) => success(targetMetadata(form, scrapeStatus)) },
  ]
}

function success(data: Json): ApiAnswer {
  return { status: 200, body: successJson(data) }
}

function targets(form: Form, dependencies: Dependencies): Json {
  const { scrapeStatus } = dependencies
  const state = form.get('state').toLowerCase()
  const pool = form.get('scrapePool') || undefined
  const showsAll = state === '' || state === 'any'
  const active = showsAll || state === 'active' ? scrapeStatus.activeTargets(pool) : []
  const showsDropped = showsAll || state === 'dropped'
  const dropped = showsDropped ? scrapeStatus.droppedTargets(pool) : []
  return {
    activeTargets: active.map((target) => activeTargetJson(target, dependencies)),
    droppedTargets: dropped.map(({ discoveredLabels, scrapePool }) => ({ discoveredLabels, scrapePool })),
    droppedTargetCounts: showsDropped ? scrapeStatus.droppedCounts() : null,
  }
}

function activeTargetJson(target: ActiveTarget, dependencies: Dependencies): Json {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: globalUrl(target.scrapeUrl, dependencies.externalUrl, dependencies.listenPort()),
    lastError: target.lastError,
    lastScrape: target.lastScrapeMs === 0 ? ZERO_TIME : formatRfc3339(target.lastScrapeMs),
    lastScrapeDuration: target.lastScrapeDurationSeconds,
    health: target.health,
    scrapeInterval: formatDuration(target.scrapeIntervalMs),
    scrapeTimeout: formatDuration(target.scrapeTimeoutMs),
  }
}

const LOCAL_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * The target's URL as people elsewhere can follow it: this machine's own names become the host of the external
 * URL; and where it is this server itself, scheme and port too.
 */
export function globalUrl(scrapeUrl: string, externalUrl: string, listenPort: number | undefined): string {
  const match = /^(https?):\/\/([^/?#]*):(\d+)(.*)$/s.exec(scrapeUrl)
  if (match === null || !LOCAL_HOSTS.has(match[2])) return scrapeUrl
  const [, scheme, , port, rest] = match
  const external = new URL(externalUrl)
  if (Number(port) === listenPort) return `${external.protocol}//${external.host}${rest}`
  return `${scheme}://${external.hostname}:${port}${rest}`
}

/** By metric name all that targets say of it, without repetition. */
function metadata(form: Form, status: ScrapeStatus): Json {
  const limit = metadataLimitParameter(form, 'limit')
  // Upstream takes 0 for no limit here, but not above.
  const limitPerMetric = metadataLimitParameter(form, 'limit_per_metric') || Number.POSITIVE_INFINITY
  const wanted = form.get('metric')
  const byMetric = new Map<string, Map<string, Json>>()
  for (const { metrics } of status.metadata()) {
    for (const [name, said] of selectMetrics(metrics, wanted)) {
      const { type, unit, help } = said
      const known = byMetric.get(name)
      if (known === undefined && limit !== undefined && byMetric.size >= limit) continue
      if (known !== undefined && known.size >= limitPerMetric) continue
      const key = `${type}\n${unit}\n${help}`
      if (known === undefined) byMetric.set(name, new Map([[key, { type, unit, help }]]))
      else known.set(key, { type, unit, help })
    }
  }
  return new Map([...byMetric].map(([name, said]) => [name, [...said.values()]]))
}

/** One metric, or all when none is named. */
function selectMetrics(
  metrics: ReadonlyMap<string, MetricMetadata>,
  wanted: string,
): Iterable<readonly [string, MetricMetadata]> {
  if (wanted === '') return metrics
  const said = metrics.get(wanted)
  return said === undefined ? [] : [[wanted, said]]
}

/** Per target what it says of its metrics. */
function targetMetadata(form: Form, status: ScrapeStatus): Json {
  const limit = metadataLimitParameter(form, 'limit') ?? Number.POSITIVE_INFINITY
  const matchers = targetMatchers(form)
  const wanted = form.get('metric')
  const found: Json[] = []
  for (const { target, metrics } of status.metadata()) {
    // Upstream looks at the limit between targets only.
    if (found.length >= limit) break
    if (!passes(target.labels, matchers)) continue
    for (const [name, { type, help, unit }] of selectMetrics(metrics, wanted)) {
      found.push({ target: target.labels, metric: wanted === '' ? name : undefined, type, help, unit })
    }
  }
  return found
}

function targetMatchers(form: Form): readonly Matcher[] {
  const text = form.get('match_target')
  if (text === '') return []
  try {
    return parseSelector(text)
  } catch (error) {
    throw invalidParameter('match_target', (error as Error).message)
  }
}

function passes(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))
}
