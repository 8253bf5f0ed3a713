/**
 * The configuration in use, and how it changes while the server runs.
 *
 * A new file is read and checked whole before anything of it is used; when it is wrong, the old configuration
 * stays. A good one is handed to the subscribers in the order in which they subscribed. As upstream this is
 * not atomic: a subscriber that fails marks the reload as failed, but the others still get the new one.
 */
import { isUtf8 } from 'node:buffer'
import { existsSync, readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import { setUnsupportedSections } from '../telemetry/metrics.ts'
import { quoteGo } from '../telemetry/quote.ts'
import { DEFAULT_CONFIG_NAME, defaultConfigText } from './default.ts'
import { loadConfig } from './load.ts'
import type { Config } from './model.ts'

export interface ConfigManagerOptions {
  fileName: string
  /** When set, a missing file is replaced by the default configuration, which scrapes this `host:port`. */
  defaultTarget: string | undefined
  skipUnsupported: boolean
  /** Default of `extra_scrape_metrics`. */
  extraScrapeMetrics: boolean
  logger: Logger
  registry: Registry
}

export type ApplyConfig = (config: Config) => void | Promise<void>

/** A reload that failed, in whole or in part. The message is upstream's, file name and all. */
export class ReloadError extends Error {
  override name = 'ReloadError'
}

export class ConfigManager {
  private readonly options: ConfigManagerOptions
  private readonly logger: Logger
  private readonly subscribers: { name: string; apply: ApplyConfig }[] = []
  private readonly successful: Gauge
  private readonly successTime: Gauge
  private config: Config | undefined
  private isLastGood = false
  private lastGoodMs = 0
  /** The last reload asked for; the next one waits for it. */
  private queue: Promise<void> = Promise.resolve()

  constructor(options: ConfigManagerOptions) {
    this.options = options
    this.logger = options.logger.child({ source: 'config/reload.ts' })
    const registers = [options.registry]
    this.successful = new Gauge({
      name: 'prometheus_config_last_reload_successful',
      help: 'Whether the last configuration reload attempt was successful.',
      registers,
    })
    this.successTime = new Gauge({
      name: 'prometheus_config_last_reload_success_timestamp_seconds',
      help: 'Timestamp of the last successful configuration reload.',
      registers,
    })
  }

  /** The configuration in use. Requires that `load` has succeeded. */
  get current(): Config {
    if (this.config === undefined) throw new Error('no configuration is loaded yet')
    return this.config
  }

  /** Whether the last reading succeeded, applied and all. */
  get isGood(): boolean {
    return this.isLastGood
  }

  /** Unix ms of the last success; 0 before the first. */
  get lastSuccessMs(): number {
    return this.lastGoodMs
  }

  /** What the configuration was read from, or stands for a file that is not there. */
  get fileName(): string {
    return this.usesDefault() ? DEFAULT_CONFIG_NAME : this.options.fileName
  }

  /**
   * Reads the configuration for the first time; nobody is told. Throws ConfigError when it is wrong, and the
   * file system's error when it can't be read.
   */
  load(): Config {
    const config = this.read()
    this.adopt(config)
    this.succeed()
    return config
  }

  /** Called with every new configuration from now on; `name` says in the log whose turn failed. */
  subscribe(name: string, apply: ApplyConfig): void {
    this.subscribers.push({ name, apply })
  }

  /** Hands the configuration in use to all subscribers: once after start. Rejects with ReloadError. */
  applyCurrent(): Promise<void> {
    return this.enqueue(() => this.applyToAll(this.current))
  }

  /**
   * Reads the file again and applies it. Requests made meanwhile are done one after the other.
   * Rejects with ReloadError; a file that is wrong has then changed nothing.
   */
  reload(): Promise<void> {
    return this.enqueue(() => this.reloadNow())
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work)
    // Whoever asked hears of a failure from `done`; the next in the queue does not care.
    this.queue = done.catch(() => undefined)
    return done
  }

  private async reloadNow(): Promise<void> {
    const file = quoteGo(this.fileName)
    this.logger.info({ filename: this.fileName }, 'Loading configuration file')
    const startMs = performance.now()
    let config: Config
    try {
      config = this.read()
    } catch (error) {
      this.fail()
      throw new ReloadError(
        `couldn't load configuration (--config.file=${file}): ${(error as Error).message}`,
        { cause: error },
      )
    }
    this.adopt(config)
    await this.applyToAll(config)
    const totalDuration = `${(performance.now() - startMs).toFixed(3)}ms`
    this.logger.info({ filename: this.fileName, totalDuration }, 'Completed loading of configuration file')
  }

  private async applyToAll(config: Config): Promise<void> {
    let hasFailed = false
    for (const { name, apply } of this.subscribers) {
      try {
        await apply(config)
      } catch (err) {
        hasFailed = true
        this.logger.error({ subsystem: name, err }, 'Failed to apply configuration')
      }
    }
    if (hasFailed) {
      this.fail()
      const file = quoteGo(this.fileName)
      throw new ReloadError(
        `one or more errors occurred while applying the new configuration (--config.file=${file})`,
      )
    }
    this.succeed()
  }

  private adopt(config: Config): void {
    this.config = config
    setUnsupportedSections(this.options.registry, config.unsupportedSections)
    for (const section of config.unsupportedSections) {
      this.logger.warn({ section }, 'Section of the configuration is not supported yet and was skipped')
    }
  }

  private succeed(): void {
    this.isLastGood = true
    this.lastGoodMs = Date.now()
    this.successful.set(1)
    this.successTime.set(this.lastGoodMs / 1000)
  }

  private fail(): void {
    this.isLastGood = false
    this.successful.set(0)
  }

  private usesDefault(): boolean {
    return this.options.defaultTarget !== undefined && !existsSync(this.options.fileName)
  }

  private read(): Config {
    const { defaultTarget, skipUnsupported, extraScrapeMetrics } = this.options
    const text = this.usesDefault()
      ? defaultConfigText(defaultTarget!)
      : readConfigFile(this.options.fileName)
    return loadConfig(text, {
      fileName: this.fileName,
      skipUnsupported,
      extraScrapeMetrics,
      onEmptyVariable: (name) => this.logger.warn({ name }, 'Empty environment variable'),
    })
  }
}

const OPEN_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
}

/** Node's errors name the system call and its code; upstream's name the file and the reason. */
function readConfigFile(fileName: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(fileName)
  } catch (error) {
    const reason = OPEN_FAILURES[(error as NodeJS.ErrnoException).code ?? '']
    if (reason === undefined) throw error
    throw new Error(`open ${fileName}: ${reason}`)
  }
  if (!isUtf8(bytes)) throw new Error(`parsing YAML file ${fileName}: yaml: invalid UTF-8`)
  return bytes.toString('utf8')
}
