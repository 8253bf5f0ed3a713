/** Scraping as a whole: a pool for each job of the configuration. */
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Appendable } from '../../storage/interface.ts'
import type { Config } from '../config/model.ts'
import { HttpClient } from '../http/client.ts'
import { HostLookup } from '../http/host-lookup.ts'
import { type Clock, SYSTEM_CLOCK } from './clock.ts'
import type { Fetcher } from './loop.ts'
import { MetadataPool } from './metadata.ts'
import { createScrapeMetrics, removePool } from './metrics.ts'
import { type PoolServices, ScrapePool } from './pool.ts'
import { SampleRow } from './sample-row.ts'
import { SNAP_MAX_MS } from './schedule.ts'
import { configText } from './settings.ts'
import { Slices } from './slices.ts'
import type { ActiveTarget, DroppedTarget, ScrapeStatus, TargetMetadata } from './status.ts'
import { offsetSeed } from './target-hash.ts'

export interface ScrapeManagerOptions {
  storage: Appendable
  logger: Logger
  registry: Registry
  /** Value of the User-Agent header. */
  userAgent: string
  clock?: Clock
  /** Whether scrapes that begin near their tick are stored under its time; true unless given. */
  adjustTimestamps?: boolean
  /** How near; 2 unless given, and never more than 1 % of the interval. */
  timestampToleranceMs?: number
  /** Fetches pages; an HTTP client of the manager's own unless given. */
  client?: Fetcher
}

interface RunningPool {
  pool: ScrapePool
  /** Its configuration as text, to see whether a new one differs. */
  text: string
}

export class ScrapeManager implements ScrapeStatus {
  private readonly services: PoolServices
  private readonly ownClient: HttpClient | undefined
  private readonly running = new Map<string, RunningPool>()
  /** Pools of jobs that are gone, until their series are ended. */
  private readonly retiring = new Map<ScrapePool, Promise<void>>()
  /** Configurations are applied one after the other. */
  private applying: Promise<void> = Promise.resolve()
  private isStopped = false

  constructor(options: ScrapeManagerOptions) {
    this.ownClient = options.client === undefined ? new HttpClient(new HostLookup()) : undefined
    this.services = {
      storage: options.storage,
      logger: options.logger,
      metrics: createScrapeMetrics(options.registry, () => this.countMetadata()),
      slices: new Slices(),
      row: new SampleRow(),
      metadataPool: new MetadataPool(),
      clock: options.clock ?? SYSTEM_CLOCK,
      client: options.client ?? this.ownClient!,
      userAgent: options.userAgent,
      snapToleranceMs: options.adjustTimestamps === false ? 0 : (options.timestampToleranceMs ?? SNAP_MAX_MS),
    }
  }

  /**
   * Goes over to this configuration. A job whose part of it is unchanged is not touched; one that is gone has its
   * series ended some two intervals later. The first call starts scraping.
   */
  apply(config: Config): Promise<void> {
    const applied = this.applying.then(() => this.applyNow(config))
    // A failure is its caller's to see; the next configuration is applied all the same.
    this.applying = applied.catch(() => {})
    return applied
  }

  /**
   * Stops scraping, without stale markers. Requests under way are cancelled, pages that were read are committed.
   * Resolves when nothing more is written.
   */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.applying
    const pools = [...[...this.running.values()].map(({ pool }) => pool), ...this.retiring.keys()]
    const stopped = Promise.all(pools.map((pool) => pool.stop()))
    await this.ownClient?.close()
    await stopped
    await Promise.all(this.retiring.values())
  }

  pools(): string[] {
    return [...this.running.keys()].sort()
  }

  activeTargets(pool?: string): ActiveTarget[] {
    return this.selected(pool).flatMap((selected) => selected.activeLoops().map((loop) => loop.status()))
  }

  droppedTargets(pool?: string): DroppedTarget[] {
    return this.selected(pool).flatMap((selected) => selected.droppedTargets())
  }

  droppedCounts(): Map<string, number> {
    return new Map(this.pools().map((name) => [name, this.running.get(name)!.pool.droppedCount]))
  }

  *metadata(): Iterable<TargetMetadata> {
    for (const pool of this.selected(undefined)) {
      for (const loop of pool.activeLoops()) yield { target: loop.status(), metrics: loop.metadata }
    }
  }

  /** By job: samples that were not taken for want of room. Jobs without one may be missing. */
  async refusedSamples(): Promise<Map<string, number>> {
    const { values } = await this.services.metrics.refusedSamples.get()
    return new Map(values.map(({ labels, value }) => [String(labels.scrape_job), value]))
  }

  private async applyNow(config: Config): Promise<void> {
    if (this.isStopped) return
    const seed = offsetSeed(hostname(), config.global.externalLabels)
    const jobs = new Set(config.scrapeConfigs.map(({ jobName }) => jobName))
    for (const [name, { pool }] of this.running) if (!jobs.has(name)) this.retirePool(name, pool)
    for (const scrapeConfig of config.scrapeConfigs) {
      const text = configText(scrapeConfig)
      const running = this.running.get(scrapeConfig.jobName)
      if (running === undefined) {
        this.services.metrics.pools.inc()
        const pool = new ScrapePool(scrapeConfig, this.services, seed)
        this.running.set(scrapeConfig.jobName, { pool, text })
        pool.start()
      } else if (running.text !== text) {
        running.text = text
        await running.pool.reload(scrapeConfig, seed)
      }
    }
  }

  private retirePool(name: string, pool: ScrapePool): void {
    this.running.delete(name)
    removePool(this.services.metrics, name)
    this.retiring.set(
      pool,
      pool.retire().finally(() => this.retiring.delete(pool)),
    )
  }

  private selected(pool: string | undefined): ScrapePool[] {
    if (pool === undefined) return this.pools().map((name) => this.running.get(name)!.pool)
    const running = this.running.get(pool)
    return running === undefined ? [] : [running.pool]
  }

  private *countMetadata(): Iterable<{ pool: string; entries: number; bytes: number }> {
    for (const pool of this.pools()) {
      let entries = 0
      let bytes = 0
      for (const loop of this.running.get(pool)!.pool.activeLoops()) {
        const size = loop.metadataSize
        entries += size.entries
        bytes += size.bytes
      }
      yield { pool, entries, bytes }
    }
  }
}
