/** The program: flags, log, configuration, server, signals, exit code. */
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import { FlagError, type Flags, parseFlags } from './cli/flags.ts'
import { helpText } from './cli/help.ts'
import { ConfigError } from './config/problem.ts'
import { ConfigManager } from './config/reload.ts'
import { type RunningServer, startServer } from './server.ts'
import { createLogger } from './telemetry/log.ts'
import { createRegistry } from './telemetry/metrics.ts'
import { NARTHEX_VERSION, PROMETHEUS_VERSION, versionText } from './version.ts'

/** As upstream: a configuration that does not load. */
const EXIT_BAD_CONFIG = 2

/** Runs until a signal ends it. `argv`: without the program's name. */
export async function main(argv: readonly string[]): Promise<void> {
  const flags = readFlags(argv)
  const logger = createLogger({ level: flags.logLevel, format: flags.logFormat })
  const log = logger.child({ source: 'program.ts' })
  exitOnCrash(log)
  for (const warning of flags.warnings) log.warn(warning.fields, warning.message)
  const registry = createRegistry()
  const configManager = new ConfigManager({
    fileName: flags.configFile,
    defaultTarget: flags.isConfigFileGiven ? undefined : flags.listenAddresses[0],
    skipUnsupported: flags.skipUnsupported,
    extraScrapeMetrics: flags.features.has('extra-scrape-metrics'),
    logger,
    registry,
  })
  loadOrExit(configManager, flags, log)
  log.info(
    { version: NARTHEX_VERSION, compatible: `prometheus ${PROMETHEUS_VERSION}`, node: process.versions.node },
    'Starting Narthex',
  )
  const starting = startServer({ flags, configManager, logger, registry })
  // From here on, since starting takes a while: a signal that nobody listens to ends the program at once.
  listenToSignals(starting, configManager, log)
  try {
    await starting
  } catch (err) {
    log.error({ err }, 'Unable to start')
    process.exit(1)
  }
}

function readFlags(argv: readonly string[]): Flags {
  try {
    const flags = parseFlags(argv)
    if (flags.show === undefined) return flags
    process.stdout.write(flags.show === 'help' ? helpText() : `${versionText()}\n`)
    return process.exit(0)
  } catch (error) {
    if (!(error instanceof FlagError)) throw error
    process.stderr.write(`${error.message}\n`)
    return process.exit(error.exitCode)
  }
}

function loadOrExit(configManager: ConfigManager, flags: Flags, log: Logger): void {
  try {
    configManager.load()
  } catch (error) {
    // Line by line, for people and for editors that jump to file:line:column.
    if (error instanceof ConfigError) process.stderr.write(`${error.lines().join('\n')}\n`)
    const count = error instanceof ConfigError ? error.problems.length : 0
    const err =
      error instanceof ConfigError ? `${count} problem${count === 1 ? '' : 's'}, listed above` : error
    log.error(
      { file: resolve(flags.configFile), err },
      `Error loading config (--config.file=${flags.configFile})`,
    )
    process.exit(EXIT_BAD_CONFIG)
  }
}

/** A signal that comes while the server starts is heeded as soon as it has. */
function listenToSignals(starting: Promise<RunningServer>, configManager: ConfigManager, log: Logger): void {
  const started = starting.catch(() => undefined)
  let isStopping = false
  const stop = async (signal: NodeJS.Signals) => {
    if (isStopping) return
    isStopping = true
    log.warn({ signal }, 'Received an OS signal, exiting gracefully...')
    try {
      await (await started)?.stop()
      log.info('See you next time!')
      process.exit(0)
    } catch (err) {
      log.error({ err }, 'Stopping failed')
      process.exit(1)
    }
  }
  const reload = async () => {
    try {
      await started
      await configManager.reload()
    } catch (err) {
      log.error({ err }, 'Error reloading config')
    }
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', reload)
}

/** What nobody caught leaves the program in a state that nobody knows: it is said, and over. */
function exitOnCrash(log: Logger): void {
  const crash = (message: string) => (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined
    log.error({ err: error, stack }, message)
    process.exit(1)
  }
  process.on('uncaughtException', crash('Uncaught error'))
  process.on('unhandledRejection', crash('Unhandled rejection'))
}
