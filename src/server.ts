/**
 * The composition root: builds all parts, wires them, starts and stops them. Nothing else knows all of them.
 *
 * Start: the storage opens and begins to replay, the query threads attach to its memory, the port opens (503 until
 * the replay is done), and scraping begins at once. Stop goes the other way round: no more requests, no more
 * scrapes, query threads gone, then the storage is flushed and closed.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname, totalmem } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { EngineOptions } from '../promql/engine.ts'
import { releaseReader } from '../storage/attach.ts'
import { countForeignBlocks, Database } from '../storage/db.ts'
import { defaultMemoryLimit, headBytesFor } from '../storage/memory-guard.ts'
import { createApi } from './api/api.ts'
import type { BuildInfo, RuntimeInfo } from './api/dependencies.ts'
import type { StorageStatus } from './api/storage-endpoints.ts'
import type { Flags } from './cli/flags.ts'
import type { Config } from './config/model.ts'
import type { ConfigManager } from './config/reload.ts'
import { formatRetention, resolveRetention } from './config/retention.ts'
import { QueryActivity } from './query/activity.ts'
import { QueryJournal, readUnfinished } from './query/journal.ts'
import { MeteredQueryService } from './query/metrics.ts'
import { defaultThreadCount, QueryPool } from './query/pool.ts'
import { LoggedQueryService } from './query/query-log.ts'
import { isEngineRequest, type QueryService } from './query/request.ts'
import { ScrapeManager } from './scrape/manager.ts'
import { setReady } from './telemetry/metrics.ts'
import { registerDatabase, StorageMetrics } from './telemetry/storage-metrics.ts'
import { NARTHEX_VERSION, PROMETHEUS_VERSION } from './version.ts'

export interface ServerOptions {
  flags: Flags
  configManager: ConfigManager
  logger: Logger
  registry: Registry
}

export interface RunningServer {
  /** Port of the first listen address. */
  readonly port: number
  /** Ends all of it; resolves when what was committed is on disk. */
  stop(): Promise<void>
}

/** Rejects when the data cannot be opened or an address not be listened on; then nothing is left running. */
export async function startServer({
  flags,
  configManager,
  logger,
  registry,
}: ServerOptions): Promise<RunningServer> {
  const log = logger.child({ source: 'server.ts' })
  const startTimeMs = Date.now()
  const state = { isReady: false, isStopping: false, isDiskFull: false }

  await warnOfForeignBlocks(flags.storagePath, log)
  const storageMetrics = new StorageMetrics(registry)
  const memoryLimitBytes =
    flags.memoryLimitBytes || defaultMemoryLimit(process.constrainedMemory(), totalmem())
  const retention = (config: Config) => resolveRetention(config.storage.retention, flags)
  const db = await Database.open({
    path: flags.storagePath,
    isThreaded: true,
    hasNoLockFile: flags.noLockfile,
    memoryLimitBytes,
    limits: {
      headBytesMax: headBytesFor(memoryLimitBytes),
      cutSpanMs: flags.headCutSpanMs,
      outOfOrderWindowMs: configManager.current.storage.outOfOrderWindowMs,
    },
    retention: retention(configManager.current),
    onTrouble: (err) => {
      storageMetrics.countFailure(err)
      log.error({ err }, 'Trouble in the storage')
    },
    onDamage: (note) => {
      storageMetrics.countDamage(note)
      log.error({ ...note, from: isoTime(note.mint), to: isoTime(note.maxt) }, 'Damage on the disk')
    },
    onDiskChange: (disk) => {
      const isRefusing = !disk.allowsSeries || !disk.allowsSamples
      if (isRefusing) log.error({ ...disk }, 'The disk is nearly full: series or samples are refused')
      else if (state.isDiskFull) log.info({ ...disk }, 'The disk has room again')
      state.isDiskFull = isRefusing
    },
    onMemoryChange: (memory) => {
      if (memory.allowsSeries) log.info({ ...memory }, 'There is memory again for new series')
      else
        log.error(
          { ...memory },
          'The memory limit is reached: new series are refused (--storage.memory-limit)',
        )
    },
    onSynced: (seconds) => storageMetrics.observeSync(seconds),
  })
  registerDatabase(registry, db)

  const engine = engineOptions(flags)
  const memoryBytes = flags.queryMemoryLimitBytes || Math.floor(memoryLimitBytes / 4)
  const queries = startQueries({ flags, logger, registry }, db, engine, memoryBytes)
  const scrapeManager = new ScrapeManager({
    storage: db,
    logger,
    registry,
    userAgent: `Narthex/${NARTHEX_VERSION}`,
    adjustTimestamps: flags.adjustTimestamps,
    timestampToleranceMs: flags.timestampToleranceMs,
  })

  let ports: number[] = []
  const api = createApi({
    queryService: queries.service,
    scrapeStatus: scrapeManager,
    getConfig: () => configManager.current,
    flags: flags.asMap(),
    engine: {
      lookbackMs: flags.lookbackMs,
      timeoutMs: flags.queryTimeoutMs,
      features: engine.features,
    },
    buildInfo: buildInfo(),
    runtimeInfo: () => runtimeInfo(configManager, startTimeMs, db),
    storageStatus: () => storageStatus(db, scrapeManager),
    registry,
    isReady: () => state.isReady && !state.isStopping,
    isStopping: () => state.isStopping,
    reload: () => configManager.reload(),
    isLifecycleEnabled: flags.enableLifecycle,
    isAdminEnabled: flags.enableAdminApi,
    storageAdmin: db,
    corsOrigin: flags.corsOrigin,
    externalUrl: `http://${hostname()}:${splitAddress(flags.listenAddresses[0]).port}/`,
    listenPort: () => ports[0],
    logger,
    maxConnections: flags.maxConnections,
    readTimeoutMs: flags.readTimeoutMs,
  })

  const front = new HttpFront(api, flags.maxConnections)
  const stop = async (): Promise<void> => {
    state.isStopping = true
    setReady(registry, false)
    await front.close()
    await scrapeManager.stop()
    await queries.service.close()
    queries.journal?.close()
    await db.close()
  }
  try {
    ports = await front.listen(flags.listenAddresses)
  } catch (error) {
    await stop()
    throw error
  }
  for (const [i, address] of flags.listenAddresses.entries()) {
    log.info({ address, port: ports[i] }, 'Listening')
  }
  configManager.subscribe('query_engine', ({ global }) => queries.log.setFile(global.queryLogFile))
  configManager.subscribe('scrape', (config) => scrapeManager.apply(config))
  configManager.subscribe('storage', async (config) => {
    db.setRetention(retention(config))
    db.setOutOfOrderWindow(config.storage.outOfOrderWindowMs)
  })
  try {
    await configManager.applyCurrent()
  } catch (error) {
    await stop()
    throw error
  }

  db.ready().then(
    () => {
      state.isReady = true
      if (!state.isStopping) setReady(registry, true)
      const { total } = db.replayStatus
      log.info(
        { generations: total, duration: `${Date.now() - startTimeMs}ms` },
        'Server is ready to receive web requests.',
      )
    },
    async (err: unknown) => {
      log.error({ err }, 'The data of before the start cannot be read')
      await stop()
      process.exit(1)
    },
  )
  return { port: ports[0], stop }
}

interface Queries {
  /** Closes the pool and the log, but not the journal. */
  service: QueryService
  log: LoggedQueryService
  journal: QueryJournal | undefined
}

/** The query threads, and around them who watches queries: activity, log, metrics. */
function startQueries(
  { flags, logger, registry }: Omit<ServerOptions, 'configManager'>,
  db: Database,
  engine: EngineOptions,
  memoryBytes: number,
): Queries {
  const log = logger.child({ source: 'server.ts' })
  const journal = openJournal(join(flags.storagePath, 'narthex', 'queries.active'), log)
  const pool = new QueryPool({
    storageHandle: db.handle,
    engine,
    memoryBytes,
    maxConcurrency: flags.queryMaxConcurrency,
    damage: () => db.damage.ofNoBlock(),
    onDamage: (note) => db.damage.add(note),
    onWorkerExit: (index) => releaseReader(db.handle, index),
    onWorkerError: (thread, err) => log.error({ thread, err }, 'A query thread died and is replaced'),
    onStart: (thread, request) => {
      if (isEngineRequest(request)) journal?.begin(thread, request.query)
      activity.start(request)
    },
    onEnd: (thread, request) => {
      journal?.end(thread)
      activity.end(request)
    },
  })
  const activity = new QueryActivity(pool, (request) => pool.cancel(request))
  const queryLog = new LoggedQueryService(activity, registry, logger)
  const service = new MeteredQueryService(queryLog, registry, flags.queryMaxConcurrency)
  return { service, log: queryLog, journal }
}

/**
 * Says which queries ran when the last process died, and begins anew. Requires: the storage is open, so that the file is
 * no other process'. A server without that file is still one.
 */
function openJournal(path: string, logger: Logger): QueryJournal | undefined {
  const log = logger.child({ component: 'activeQueryTracker' })
  try {
    const unfinished = readUnfinished(path)
    if (unfinished !== undefined) log.info(unfinished, "These queries didn't finish in prometheus' last run:")
    return new QueryJournal(path, defaultThreadCount(), (err) =>
      log.error({ file: path, err }, 'Running queries are no longer noted'),
    )
  } catch (err) {
    log.error({ file: path, err }, 'Error opening query log file')
    return undefined
  }
}

function engineOptions(flags: Flags): EngineOptions {
  const has = (name: string) => flags.features.has(name)
  return {
    lookbackMs: flags.lookbackMs,
    maxSamples: flags.queryMaxSamples,
    defaultSubqueryStepMs: 60_000,
    features: {
      experimentalFunctions: has('promql-experimental-functions'),
      extendedRangeSelectors: has('promql-extended-range-selectors'),
      binopFill: has('promql-binop-fill-modifiers'),
      delayedNameRemoval: has('promql-delayed-name-removal'),
      startTimestamps: has('use-start-timestamps'),
      perStepStats: has('promql-per-step-stats'),
    },
  }
}

function buildInfo(): BuildInfo {
  return {
    version: PROMETHEUS_VERSION,
    revision: `narthex-${NARTHEX_VERSION}`,
    branch: 'main',
    buildUser: 'narthex',
    buildDate: '',
    goVersion: `node${process.versions.node}`,
  }
}

function runtimeInfo(configManager: ConfigManager, startTimeMs: number, db: Database): RuntimeInfo {
  return {
    startTimeMs,
    cwd: process.cwd(),
    hostname: hostname(),
    isConfigGood: configManager.isGood,
    lastConfigTimeMs: configManager.lastSuccessMs,
    corruptionCount: db.damage.total,
    threadCount: 1 + defaultThreadCount(),
    storageRetention: formatRetention(db.retention),
  }
}

async function storageStatus(db: Database, scrapeManager: ScrapeManager): Promise<StorageStatus> {
  return {
    memory: db.memoryState,
    disk: db.diskState,
    refusedSamples: await scrapeManager.refusedSamples(),
    retention: db.retention,
    retentionText: formatRetention(db.retention),
    stats: db.stats(),
    blocks: db.blocks,
    damageTotal: db.damage.total,
    damage: db.damage.notes,
  }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : new Date(ms).toISOString()
}

async function warnOfForeignBlocks(path: string, log: Logger): Promise<void> {
  const blocks = await countForeignBlocks(path)
  if (blocks > 0) {
    log.warn(
      { path, blocks },
      "Prometheus' own blocks lie in the data path; they are neither read nor changed",
    )
  }
}

/** `host:port`, `[v6]:port` or `:port`; an empty host is all addresses. */
function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host === '' ? '::' : host, port: Number(address.slice(colon + 1)) }
}

/** One application on several addresses: fastify listens on the first, further ones hand their requests to it. */
class HttpFront {
  private readonly api: FastifyInstance
  private readonly maxConnections: number
  private readonly further: Server[] = []

  constructor(api: FastifyInstance, maxConnections: number) {
    this.api = api
    this.maxConnections = maxConnections
  }

  /** Ports in the order of the addresses. Rejects when one cannot be listened on. */
  async listen(addresses: readonly string[]): Promise<number[]> {
    await this.api.listen(splitAddress(addresses[0]))
    for (const address of addresses.slice(1)) {
      const server = createServer((request, response) => this.api.routing(request, response))
      server.maxConnections = this.maxConnections
      this.further.push(server)
      const { host, port } = splitAddress(address)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
    }
    return [this.api.server, ...this.further].map((server) => (server.address() as AddressInfo).port)
  }

  async close(): Promise<void> {
    for (const server of this.further) {
      server.close()
      server.closeAllConnections()
    }
    this.api.server.closeIdleConnections()
    await this.api.close()
  }
}
