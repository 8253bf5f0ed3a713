/**
 * One target's scrapes, one at a time, each at its tick. Ticks that pass while a scrape runs are dropped, but for
 * the last one, which is then served at once.
 */
import type { Logger } from 'pino'
import type { Appendable, Appender } from '../../storage/interface.ts'
import { ExpositionError } from '../exposition/exposition-error.ts'
import type { GetRequest, GetResponse } from '../http/client.ts'
import { HttpError } from '../http/http-error.ts'
import { type Clock, MAX_DELAY_MS, type Timer } from './clock.ts'
import type { FailureLog } from './failure-log.ts'
import { goDurationText, type ScrapeMetrics } from './metrics.ts'
import { isDue, nextTick, type Schedule, snappedMs, tickAfter } from './schedule.ts'
import { type ScrapeSharing, ScrapeState, type WrittenPage } from './scrape-state.ts'
import type { ScrapeSettings } from './settings.ts'
import type { ActiveTarget, MetricMetadata, TargetHealth } from './status.ts'
import type { Target } from './target.ts'
import { scrapeOffsetMs } from './target-hash.ts'

/** What fetches pages; in tests not always HTTP. */
export interface Fetcher {
  /** Rejects with HttpError. */
  get(request: GetRequest): Promise<GetResponse>
}

/** What all loops of the server share. */
export interface ScrapeServices extends ScrapeSharing {
  storage: Appendable
  clock: Clock
  metrics: ScrapeMetrics
  logger: Logger
  /** Scrapes at most this far from their tick are stored under its time; 0 switches that off. */
  snapToleranceMs: number
}

/** What a new configuration changes of a loop. */
export interface LoopOptions {
  target: Target
  settings: ScrapeSettings
  client: Fetcher
  failureLog: FailureLog | undefined
  offsetSeed: bigint
}

type LoopPhase = 'scraping' | 'retired' | 'stopped'

export class ScrapeLoop {
  private readonly services: ScrapeServices
  private readonly state: ScrapeState
  private options: LoopOptions
  private schedule: Schedule
  /** Set aside until the scrape that runs has ended. */
  private pending: { options: LoopOptions; keepsLines: boolean } | undefined
  private phase: LoopPhase = 'scraping'
  private timer: Timer | undefined
  /** Ends the wait of a retired loop. */
  private cancelRetirement: (() => void) | undefined
  private tickMs = 0
  private running: Promise<void> | undefined
  /** Of the last scrape; never rejects. */
  private committing: Promise<void> = Promise.resolve()
  private startedAtMs = Number.NaN
  /** Why no target of the pool is scraped; '' when they are. */
  private forcedError = ''
  private lastScrapeMs = 0
  private lastDurationSeconds = 0
  private lastError = ''
  private health: TargetHealth = 'unknown'

  constructor(services: ScrapeServices, options: LoopOptions) {
    this.services = services
    this.options = options
    this.state = new ScrapeState(options.target.labels, services.storage, services)
    this.schedule = scheduleOf(options)
  }

  get target(): Target {
    return (this.pending?.options ?? this.options).target
  }

  get metadata(): ReadonlyMap<string, MetricMetadata> {
    return this.state.metadata.entries
  }

  get metadataSize(): { entries: number; bytes: number } {
    return { entries: this.state.metadata.size, bytes: this.state.metadata.bytes }
  }

  status(): ActiveTarget {
    const { target } = this
    return {
      discoveredLabels: target.discoveredLabels,
      labels: target.labels,
      scrapePool: this.options.settings.jobName,
      scrapeUrl: target.url,
      lastError: this.lastError,
      lastScrapeMs: this.lastScrapeMs,
      lastScrapeDurationSeconds: this.lastDurationSeconds,
      health: this.health,
      scrapeIntervalMs: target.intervalMs,
      scrapeTimeoutMs: target.timeoutMs,
    }
  }

  start(): void {
    this.tickMs = tickAfter(this.services.clock.now(), this.schedule)
    this.arm()
  }

  /**
   * Goes on with other options, from the next scrape on; the target must have the same labels and URL. The rhythm
   * changes only when the interval or the offset does. `keepsLines`: lines of pages still mean the same.
   */
  reconfigure(options: LoopOptions, keepsLines: boolean): void {
    if (this.running !== undefined) {
      this.pending = { options, keepsLines: keepsLines && this.pending?.keepsLines !== false }
      return
    }
    const before = this.options
    this.options = options
    if (!keepsLines) this.state.forgetLines()
    if (before.target.key === options.target.key && before.offsetSeed === options.offsetSeed) return
    const { intervalMs, offsetMs } = this.schedule
    this.schedule = scheduleOf(options)
    if (this.schedule.intervalMs === intervalMs && this.schedule.offsetMs === offsetMs) return
    this.tickMs = tickAfter(this.services.clock.now(), this.schedule)
    this.arm()
  }

  setForcedError(text: string): void {
    this.forcedError = text
  }

  /**
   * The target is gone. The scrape that runs is finished; two intervals and a tenth later the series are ended, at
   * the time of the first tick missed, unless they went on by another loop meanwhile. Resolves after that.
   */
  async retire(): Promise<void> {
    this.phase = 'retired'
    this.timer?.cancel()
    await this.running
    await this.committing
    if (this.lastScrapeMs === 0 || this.isStopped()) return
    const { intervalMs } = this.schedule
    const staleMs = this.tickMs
    const dueMs = staleMs + intervalMs + intervalMs / 10
    // Bounded, since the clock may have been set back.
    await this.wait(Math.min(dueMs - this.services.clock.now(), 3 * intervalMs))
    if (this.isStopped()) return
    try {
      await this.state.writeEnd(staleMs, this.options.settings.withExtraMetrics)
    } catch (error) {
      this.log('warn', 'Stale commit failed', { err: error })
    }
  }

  /**
   * The server stops: no stale markers, since after the restart the series goes on. A page that was read is written,
   * a request under way is for the owner of the client to cancel. Resolves when nothing more is written.
   */
  async stop(): Promise<void> {
    this.phase = 'stopped'
    this.timer?.cancel()
    this.cancelRetirement?.()
    await this.running
    await this.committing
  }

  private isStopped(): boolean {
    return this.phase === 'stopped'
  }

  private wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const endMs = this.services.clock.monotonicMs() + delayMs
      const step = (): void => {
        const restMs = endMs - this.services.clock.monotonicMs()
        if (restMs <= 0) resolve()
        else this.timer = this.services.clock.setTimer(step, Math.min(restMs, MAX_DELAY_MS))
      }
      this.cancelRetirement = resolve
      step()
    })
  }

  private arm(): void {
    this.timer?.cancel()
    const delayMs = Math.max(0, this.tickMs - this.services.clock.now())
    this.timer = this.services.clock.setTimer(() => this.onTimer(), Math.min(delayMs, MAX_DELAY_MS))
  }

  private onTimer(): void {
    const { intervalMs } = this.schedule
    const nowMs = this.services.clock.now()
    if (!isDue(nowMs, this.tickMs, intervalMs)) {
      // The clock was set back, or the wait is longer than a timer can be.
      this.tickMs = tickAfter(nowMs, this.schedule)
      this.arm()
      return
    }
    this.services.metrics.startLateness.observe(Math.max(0, nowMs - this.tickMs) / 1000)
    const { snapToleranceMs } = this.services
    this.running = this.scrape(snappedMs(nowMs, this.tickMs, intervalMs, snapToleranceMs)).then(
      () => this.onScraped(),
      (error: unknown) => {
        // Nothing that a target sends should lead here; but one bad target must not end the others.
        this.log('error', 'Scrape broke off', { err: error, stack: (error as Error).stack })
        this.health = 'down'
        this.lastError = (error as Error).message
        this.onScraped()
      },
    )
  }

  private onScraped(): void {
    this.running = undefined
    this.tickMs = nextTick(this.tickMs, this.services.clock.now(), this.schedule)
    const { pending } = this
    this.pending = undefined
    if (this.phase !== 'scraping') return
    if (pending !== undefined) this.reconfigure(pending.options, pending.keepsLines)
    this.arm()
  }

  private async scrape(scrapeMs: number): Promise<void> {
    const { clock } = this.services
    const { settings } = this.options
    const startedMs = clock.monotonicMs()
    this.observeInterval(startedMs)

    let fetched: GetResponse | undefined
    let failure: Error | undefined
    if (this.forcedError !== '') failure = new Error(this.forcedError)
    else {
      try {
        fetched = await this.fetch()
      } catch (error) {
        if (!(error instanceof HttpError)) throw error
        if (this.isStopped()) return
        failure = error
        this.log('debug', 'Scrape failed', { err: failure })
        this.options.failureLog?.write(failure.message, this.options.target.url)
      }
    }

    // Only one batch of a target is on its way: what is appended now is checked against the one before.
    await this.committing
    const bodyBytes = fetched?.body.length ?? 0
    const written = await this.state.writePage(fetched, settings, { scrapeMs, nowMs: clock.now() })
    fetched?.release?.()
    this.countPage(written, failure)
    failure ??= written.error
    const durationSeconds = (clock.monotonicMs() - startedMs) / 1000
    this.lastScrapeMs = scrapeMs
    this.lastDurationSeconds = durationSeconds
    this.lastError = failure === undefined ? '' : failure.message
    this.health = failure === undefined ? 'up' : 'down'
    const refused = this.state.writeReport(
      written.appender,
      scrapeMs,
      {
        isUp: failure === undefined,
        durationSeconds,
        scraped: written.scraped,
        postRelabeling: written.postRelabeling,
        seriesAdded: written.seriesAdded,
        timeoutSeconds: this.options.target.timeoutMs / 1000,
        sampleLimit: settings.pageRules.sampleLimit,
        bodyBytes: isBodySizeLimit(failure) ? -1 : bodyBytes,
      },
      settings.withExtraMetrics,
    )
    this.countRefused(written.refused + refused)
    this.committing = this.commit(written.appender)
  }

  /** Runs beside the next request, which must not be late because the log takes its time. */
  private async commit(appender: Appender): Promise<void> {
    try {
      await appender.commit()
    } catch (error) {
      this.log('error', 'Scrape commit failed', { err: error })
    }
  }

  private fetch(): Promise<GetResponse> {
    const { target, settings, client } = this.options
    return client.get({
      scheme: target.scheme,
      authority: target.authority,
      path: target.path,
      unixSocket: target.unixSocket,
      headers: {
        ...settings.headers,
        'x-prometheus-scrape-timeout-seconds': String(target.timeoutMs / 1000),
      },
      timeoutMs: requestTimeoutMs(
        target.timeoutMs,
        this.tickMs + target.intervalMs - this.services.clock.now(),
      ),
      bodySizeLimit: settings.bodySizeLimit,
      followRedirects: settings.followRedirects,
    })
  }

  private observeInterval(startedMs: number): void {
    if (!Number.isNaN(this.startedAtMs)) {
      const interval = goDurationText(this.schedule.intervalMs)
      this.services.metrics.intervalLength.observe({ interval }, (startedMs - this.startedAtMs) / 1000)
    }
    this.startedAtMs = startedMs
  }

  private countPage(written: WrittenPage, failure: Error | undefined): void {
    const { metrics } = this.services
    const { duplicates, outOfOrder, outOfBounds, error } = written
    if (isBodySizeLimit(failure)) metrics.exceededBodySizeLimit.inc()
    if (written.isSampleLimitExceeded) metrics.exceededSampleLimit.inc()
    if (written.isLabelLimitExceeded) metrics.poolExceededLabelLimits.inc()
    if (written.isCacheFlushed) metrics.cacheFlushForced.inc()
    if (error !== undefined) {
      const where = error instanceof ExpositionError ? { line: error.line, excerpt: error.excerpt } : {}
      this.log('debug', 'Append failed', { err: error, ...where })
    }
    if (outOfOrder > 0) {
      metrics.outOfOrder.inc(outOfOrder)
      this.log('warn', 'Error on ingesting out-of-order samples', { num_dropped: outOfOrder })
    }
    if (duplicates > 0) {
      metrics.duplicateTimestamp.inc(duplicates)
      const text = 'Error on ingesting samples with different value but same timestamp'
      this.log('warn', text, { num_dropped: duplicates })
    }
    if (outOfBounds > 0) {
      metrics.outOfBounds.inc(outOfBounds)
      const text = 'Error on ingesting samples that are too old or are too far into the future'
      this.log('warn', text, { num_dropped: outOfBounds })
    }
  }

  private countRefused(refused: number): void {
    if (refused === 0) return
    const { jobName } = this.options.settings
    this.services.metrics.refusedSamples.inc({ scrape_job: jobName }, refused)
    this.log('warn', 'Samples were not taken: the storage has no memory left', { num_dropped: refused })
  }

  private log(level: 'debug' | 'warn' | 'error', text: string, fields: Record<string, unknown>): void {
    const { logger } = this.services
    if (!logger.isLevelEnabled(level)) return
    const { settings, target } = this.options
    const about = { source: 'scrape/loop.ts', scrape_pool: settings.jobName, target: target.url }
    logger[level]({ ...about, ...fields }, text)
  }
}

function scheduleOf({ target, offsetSeed }: LoopOptions): Schedule {
  const { intervalMs } = target
  return { intervalMs, offsetMs: scrapeOffsetMs(target.hash(), offsetSeed, intervalMs) }
}

/**
 * A request must be over before the next tick, `untilTickMs` from now. Else a target that hangs, with a timeout as long
 * as its interval, would begin later and later: each time by as much as the last scrape was late.
 */
function requestTimeoutMs(timeoutMs: number, untilTickMs: number): number {
  return Math.max(timeoutMs / 2, Math.min(timeoutMs, untilTickMs))
}

function isBodySizeLimit(error: Error | undefined): boolean {
  return error instanceof HttpError && error.code === 'BODY_SIZE_LIMIT'
}
