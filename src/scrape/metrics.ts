/** The server's own metrics of scraping, under upstream's names; what upstream has not is `narthex_…`. */
import { Counter, Gauge, Histogram, type Registry, Summary } from 'prom-client'

const QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99]
/** Upstream's window of a summary: 10 minutes in 5 parts. */
const SUMMARY_WINDOW = { maxAgeSeconds: 600, ageBuckets: 5 }
/** Milliseconds and their multiples: what is asked is whether the 99th percentile stays under 50 ms. */
const LATENESS_BUCKETS = [
  0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5,
]

/** What is counted over the metadata of all targets when the metrics are asked for. */
export type CountMetadata = () => Iterable<{ pool: string; entries: number; bytes: number }>

function poolMetrics(registry: Registry) {
  const { counter, byJob, summary } = makers(registry)
  return {
    pools: counter('prometheus_target_scrape_pools_total', 'Total number of scrape pool creation attempts.'),
    poolReloads: counter(
      'prometheus_target_scrape_pool_reloads_total',
      'Total number of scrape pool reloads.',
    ),
    poolSyncs: new Counter(
      byJob(
        'prometheus_target_scrape_pool_sync_total',
        'Total number of syncs that were executed on a scrape pool.',
      ),
    ),
    poolTargets: new Gauge(
      byJob('prometheus_target_scrape_pool_targets', 'Current number of targets in this scrape pool.'),
    ),
    poolTargetLimit: new Gauge(
      byJob(
        'prometheus_target_scrape_pool_target_limit',
        'Maximum number of targets allowed in this scrape pool.',
      ),
    ),
    poolExceededTargetLimit: counter(
      'prometheus_target_scrape_pool_exceeded_target_limit_total',
      'Total number of times scrape pools hit the target limit, during sync or config reload.',
    ),
    poolExceededLabelLimits: counter(
      'prometheus_target_scrape_pool_exceeded_label_limits_total',
      'Total number of times scrape pools hit the label limits, during sync or config reload.',
    ),
    syncLength: new Summary({
      ...summary,
      name: 'prometheus_target_sync_length_seconds',
      help: 'Actual interval to sync the scrape pool.',
      labelNames: ['scrape_job'] as const,
    }),
    syncFailed: new Counter(
      byJob('prometheus_target_sync_failed_total', 'Total number of target sync failures.'),
    ),
    reloadLength: new Summary({
      ...summary,
      name: 'prometheus_target_reload_length_seconds',
      help: 'Actual interval to reload the scrape pool with a given configuration.',
      labelNames: ['interval'] as const,
    }),
    discoveredTargets: new Gauge({
      name: 'prometheus_sd_discovered_targets',
      help: 'Current number of discovered targets.',
      labelNames: ['name', 'config'] as const,
      registers: [registry],
    }),
  }
}

function loopMetrics(registry: Registry) {
  const { counter, byJob, summary } = makers(registry)
  return {
    intervalLength: new Summary({
      ...summary,
      // Each scrape observes it, and each part costs a digest: fewer parts.
      ageBuckets: 2,
      name: 'prometheus_target_interval_length_seconds',
      help: 'Actual intervals between scrapes.',
      labelNames: ['interval'] as const,
    }),
    exceededBodySizeLimit: counter(
      'prometheus_target_scrapes_exceeded_body_size_limit_total',
      'Total number of scrapes that hit the body size limit',
    ),
    exceededSampleLimit: counter(
      'prometheus_target_scrapes_exceeded_sample_limit_total',
      'Total number of scrapes that hit the sample limit and were rejected.',
    ),
    duplicateTimestamp: counter(
      'prometheus_target_scrapes_sample_duplicate_timestamp_total',
      'Total number of samples rejected due to duplicate timestamps but different values.',
    ),
    outOfOrder: counter(
      'prometheus_target_scrapes_sample_out_of_order_total',
      'Total number of samples rejected due to not being out of the expected order.',
    ),
    outOfBounds: counter(
      'prometheus_target_scrapes_sample_out_of_bounds_total',
      'Total number of samples rejected due to timestamp falling outside of the time bounds.',
    ),
    cacheFlushForced: counter(
      'prometheus_target_scrapes_cache_flush_forced_total',
      'How many times a scrape cache was flushed due to getting big while scrapes are failing.',
    ),
    startLateness: new Histogram({
      name: 'narthex_scrape_start_lateness_seconds',
      help: 'How long after its place in the schedule a scrape began.',
      buckets: LATENESS_BUCKETS,
      registers: [registry],
    }),
    refusedSamples: new Counter(
      byJob(
        'narthex_scrape_refused_samples_total',
        'Total number of scraped samples that were not taken because the storage had no memory left.',
      ),
    ),
  }
}

export type ScrapeMetrics = ReturnType<typeof poolMetrics> & ReturnType<typeof loopMetrics>

/** Requires: no others on this registry. */
export function createScrapeMetrics(registry: Registry, countMetadata: CountMetadata): ScrapeMetrics {
  registerMetadata(registry, countMetadata)
  return { ...poolMetrics(registry), ...loopMetrics(registry) }
}

/** What is said of one job goes with it. */
export function removePool(metrics: ScrapeMetrics, job: string): void {
  const labels = { scrape_job: job }
  metrics.poolSyncs.remove(labels)
  metrics.poolTargets.remove(labels)
  metrics.poolTargetLimit.remove(labels)
  metrics.syncLength.remove(labels)
  metrics.syncFailed.remove(labels)
  metrics.refusedSamples.remove(labels)
  metrics.discoveredTargets.remove({ name: 'scrape', config: job })
}

/** What the constructors of several metrics have in common. */
function makers(registry: Registry) {
  const registers = [registry]
  return {
    counter: (name: string, help: string) => new Counter({ name, help, registers }),
    byJob: (name: string, help: string) => ({ name, help, labelNames: ['scrape_job'] as const, registers }),
    summary: { percentiles: QUANTILES, ...SUMMARY_WINDOW, registers },
  }
}

function registerMetadata(registry: Registry, countMetadata: CountMetadata): void {
  new Gauge({
    name: 'prometheus_target_metadata_cache_entries',
    help: 'Total number of metric metadata entries in the cache',
    labelNames: ['scrape_job'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { pool, entries } of countMetadata()) this.set({ scrape_job: pool }, entries)
    },
  })
  new Gauge({
    name: 'prometheus_target_metadata_cache_bytes',
    help: 'The number of bytes that are currently used for storing metric metadata in the cache',
    labelNames: ['scrape_job'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { pool, bytes } of countMetadata()) this.set({ scrape_job: pool }, bytes)
    },
  })
}

/** Go's time.Duration as text, `1m0s` where Prometheus' own form is `1m`: the value of the label `interval`. */
export function goDurationText(durationMs: number): string {
  if (durationMs < 1000) return `${durationMs}ms`
  const hours = Math.floor(durationMs / 3_600_000)
  const minutes = Math.floor(durationMs / 60_000) % 60
  const seconds = (durationMs % 60_000) / 1000
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
