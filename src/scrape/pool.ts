/** The targets of one job: kept in step with what discovery says, and with the configuration. */

import type { Labels } from '../../storage/model/labels.ts'
import type { ScrapeConfig, TargetGroup } from '../config/model.ts'
import { type Discovery, discoveriesOf } from '../discovery/discovery.ts'
import { FailureLog } from './failure-log.ts'
import { type Fetcher, type LoopOptions, ScrapeLoop, type ScrapeServices } from './loop.ts'
import { goDurationText } from './metrics.ts'
import { linesConfigText, type ScrapeSettings, settingsOf } from './settings.ts'
import type { DroppedTarget } from './status.ts'
import { type Target, targetsOfGroup } from './target.ts'

export interface PoolServices extends ScrapeServices {
  client: Fetcher
  userAgent: string
}

/** What discovery and relabelling make of a job now. */
interface Discovered {
  /** By key, so that targets that are the same are one. */
  targets: Map<string, Target>
  dropped: Labels[]
}

export class ScrapePool {
  private readonly services: PoolServices
  private config: ScrapeConfig
  private settings: ScrapeSettings
  private offsetSeed: bigint
  private failureLog: FailureLog | undefined
  private discoveries: Discovery[] = []
  /** By mechanism and source. */
  private readonly groups = new Map<string, TargetGroup>()
  /** By key of the target. */
  private loops = new Map<string, ScrapeLoop>()
  /** Of targets that are gone, until their series are ended. */
  private readonly retiring = new Map<ScrapeLoop, Promise<void>>()
  private dropped: Labels[] = []
  private droppedTotal = 0

  constructor(config: ScrapeConfig, services: PoolServices, offsetSeed: bigint) {
    this.services = services
    this.config = config
    this.offsetSeed = offsetSeed
    this.settings = settingsOf(config, services.userAgent)
    this.failureLog = this.openFailureLog()
  }

  /** Starts discovery, and scraping of what it finds. */
  start(): void {
    this.services.metrics.poolTargetLimit.set({ scrape_job: this.config.jobName }, this.config.targetLimit)
    this.startDiscovery(true)
  }

  /**
   * Goes on with another configuration of the same job. Targets that stay keep their rhythm; their lines keep their
   * meaning unless the configuration changes it.
   */
  async reload(config: ScrapeConfig, offsetSeed: bigint): Promise<void> {
    const { metrics } = this.services
    metrics.poolReloads.inc()
    const startedMs = performance.now()
    const keepsLines = linesConfigText(config) === linesConfigText(this.config)
    this.stopDiscovery()
    this.groups.clear()
    this.config = config
    this.offsetSeed = offsetSeed
    this.settings = settingsOf(config, this.services.userAgent)
    const oldLog = this.failureLog
    this.failureLog = this.openFailureLog()
    metrics.poolTargetLimit.set({ scrape_job: config.jobName }, config.targetLimit)
    this.startDiscovery(keepsLines)
    await oldLog?.close()
    const interval = goDurationText(config.scrapeIntervalMs)
    metrics.reloadLength.observe({ interval }, (performance.now() - startedMs) / 1000)
  }

  /** The job is gone from the configuration: its series are ended as those of removed targets. */
  async retire(): Promise<void> {
    this.stopDiscovery()
    for (const loop of this.loops.values()) this.retireLoop(loop)
    this.loops.clear()
    await Promise.all(this.retiring.values())
    await this.failureLog?.close()
  }

  /** The server stops. Requests under way must be cancelled by the owner of the client, else they are waited for. */
  async stop(): Promise<void> {
    this.stopDiscovery()
    await Promise.all([...this.loops.values(), ...this.retiring.keys()].map((loop) => loop.stop()))
    await Promise.all(this.retiring.values())
    await this.failureLog?.close()
  }

  /** By URL, then by labels. */
  activeLoops(): ScrapeLoop[] {
    return [...this.loops.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, loop]) => loop)
  }

  droppedTargets(): DroppedTarget[] {
    const scrapePool = this.config.jobName
    return this.dropped.map((discoveredLabels) => ({ discoveredLabels, scrapePool }))
  }

  get droppedCount(): number {
    return this.droppedTotal
  }

  private startDiscovery(keepsLines: boolean): void {
    this.discoveries = discoveriesOf(this.config)
    for (const discovery of this.discoveries) {
      discovery.start((groups) => {
        for (const group of groups) {
          const source = `${discovery.name}/${group.source}`
          if (group.targets.length === 0) this.groups.delete(source)
          else this.groups.set(source, group)
        }
        this.sync(keepsLines)
        // Only what stood before the reload needs to learn of it.
        keepsLines = true
      })
    }
  }

  private stopDiscovery(): void {
    for (const discovery of this.discoveries) discovery.stop()
    this.discoveries = []
  }

  private sync(keepsLines: boolean): void {
    const startedMs = performance.now()
    const { metrics } = this.services
    const scrape_job = this.config.jobName
    const { targets, dropped } = this.discover()
    const { keepDroppedTargets } = this.config
    this.dropped = keepDroppedTargets === 0 ? dropped : dropped.slice(0, keepDroppedTargets)
    this.droppedTotal = dropped.length
    this.applyTargets(targets, keepsLines)
    this.applyTargetLimit()
    metrics.poolTargets.set({ scrape_job }, targets.size)
    metrics.discoveredTargets.set({ name: 'scrape', config: scrape_job }, this.countDiscovered())
    metrics.poolSyncs.inc({ scrape_job })
    metrics.syncLength.observe({ scrape_job }, (performance.now() - startedMs) / 1000)
  }

  private discover(): Discovered {
    const discovered: Discovered = { targets: new Map(), dropped: [] }
    let failures = 0
    for (const group of this.groups.values()) {
      const found = targetsOfGroup(group, this.config)
      for (const target of found.targets) discovered.targets.set(target.key, target)
      discovered.dropped.push(...found.dropped)
      failures += found.failures.length
      for (const err of found.failures) {
        const about = { source: 'scrape/pool.ts', scrape_pool: this.config.jobName, err }
        this.services.logger.error(about, 'Creating target failed')
      }
    }
    this.services.metrics.syncFailed.inc({ scrape_job: this.config.jobName }, failures)
    return discovered
  }

  private countDiscovered(): number {
    let count = 0
    for (const group of this.groups.values()) count += group.targets.length
    return count
  }

  private applyTargets(targets: ReadonlyMap<string, Target>, keepsLines: boolean): void {
    const loops = new Map<string, ScrapeLoop>()
    // Targets that are gone, but may come back with another interval or parameter label: the series are the same.
    const leaving = new Map<string, ScrapeLoop>()
    for (const [key, loop] of this.loops) {
      const target = targets.get(key)
      if (target === undefined) leaving.set(loop.target.seriesKey, loop)
      else {
        loop.reconfigure(this.loopOptions(target), keepsLines)
        loops.set(key, loop)
      }
    }
    for (const [key, target] of targets) {
      if (loops.has(key)) continue
      const options = this.loopOptions(target)
      const same = leaving.get(target.seriesKey)
      if (same !== undefined) {
        leaving.delete(target.seriesKey)
        same.reconfigure(options, keepsLines)
        loops.set(key, same)
      } else {
        const loop = new ScrapeLoop(this.services, options)
        loops.set(key, loop)
        loop.start()
      }
    }
    const stays = new Set(loops.values())
    for (const loop of this.loops.values()) if (!stays.has(loop)) this.retireLoop(loop)
    this.loops = loops
  }

  private applyTargetLimit(): void {
    const { targetLimit } = this.config
    const isExceeded = targetLimit > 0 && this.loops.size > targetLimit
    if (isExceeded) this.services.metrics.poolExceededTargetLimit.inc()
    const text = isExceeded
      ? `target_limit exceeded (number of targets: ${this.loops.size}, limit: ${targetLimit})`
      : ''
    for (const loop of this.loops.values()) loop.setForcedError(text)
  }

  private retireLoop(loop: ScrapeLoop): void {
    this.retiring.set(
      loop,
      loop.retire().finally(() => this.retiring.delete(loop)),
    )
  }

  private loopOptions(target: Target): LoopOptions {
    return {
      target,
      settings: this.settings,
      client: this.services.client,
      failureLog: this.failureLog,
      offsetSeed: this.offsetSeed,
    }
  }

  private openFailureLog(): FailureLog | undefined {
    const { scrapeFailureLogFile, jobName } = this.config
    if (scrapeFailureLogFile === '') return undefined
    return new FailureLog(scrapeFailureLogFile, jobName, this.services.logger)
  }
}
