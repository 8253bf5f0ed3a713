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
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { EngineOptions } from '../promql/engine.ts'
import { countForeignBlocks, Database, defaultHeadBytes, releaseReader } from '../storage/db.ts'
import { StorageError } from '../storage/errors.ts'
import { createApi } from './api/api.ts'
import type { BuildInfo, RuntimeInfo } from './api/dependencies.ts'
import type { Flags } from './cli/flags.ts'
import type { ConfigManager } from './config/reload.ts'
import { formatSize } from './config/size.ts'
import { MeteredQueryService } from './query/metrics.ts'
import { defaultThreadCount, QueryPool } from './query/pool.ts'
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
  const state = { isReady: false, isStopping: false, corruptionCount: 0 }

  await warnOfForeignBlocks(flags.storagePath, log)
  const storageMetrics = new StorageMetrics(registry)
  const db = await Database.open({
    path: flags.storagePath,
    isThreaded: true,
    limits: { headBytesMax: flags.headLimitBytes || defaultHeadBytes(memoryBytes()) },
    onTrouble: (err) => {
      if (err instanceof StorageError && err.code === 'CORRUPTION') {
        state.corruptionCount++
        storageMetrics.countCorruption()
      } else {
        storageMetrics.countWriteFailure()
      }
      log.error({ err }, 'Trouble in the storage')
    },
    onSynced: (seconds) => storageMetrics.observeSync(seconds),
    onDropped: ({ number, mint, maxt, sampleCount }) => {
      const about = { generation: number, from: isoTime(mint), to: isoTime(maxt), samples: sampleCount }
      log.warn(about, 'The head is full: its oldest samples were dropped (see --storage.head-limit)')
    },
  })
  registerDatabase(registry, db)

  const pool = new QueryPool({
    storageHandle: db.handle,
    engine: engineOptions(flags),
    maxConcurrency: flags.queryMaxConcurrency,
    onWorkerExit: (index) => releaseReader(db.handle, index),
    onWorkerError: (thread, err) => log.error({ thread, err }, 'A query thread died and is replaced'),
  })
  const scrapeManager = new ScrapeManager({
    storage: db,
    logger,
    registry,
    userAgent: `Narthex/${NARTHEX_VERSION}`,
    adjustTimestamps: flags.adjustTimestamps,
    timestampToleranceMs: flags.timestampToleranceMs,
  })
  const queryService = new MeteredQueryService(pool, registry, flags.queryMaxConcurrency)

  let ports: number[] = []
  const api = createApi({
    queryService,
    scrapeStatus: scrapeManager,
    getConfig: () => configManager.current,
    flags: flags.asMap(),
    engine: { lookbackMs: flags.lookbackMs, timeoutMs: flags.queryTimeoutMs },
    buildInfo: buildInfo(),
    runtimeInfo: () => runtimeInfo(configManager, startTimeMs, state.corruptionCount, db.headBytesMax),
    registry,
    isReady: () => state.isReady && !state.isStopping,
    isStopping: () => state.isStopping,
    reload: () => configManager.reload(),
    isLifecycleEnabled: flags.enableLifecycle,
    isAdminEnabled: flags.enableAdminApi,
    storageAdmin: undefined,
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
    await queryService.close()
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
  configManager.subscribe('scrape', (config) => scrapeManager.apply(config))
  await configManager.applyCurrent()

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

function runtimeInfo(
  configManager: ConfigManager,
  startTimeMs: number,
  corruptionCount: number,
  headBytesMax: number,
): RuntimeInfo {
  return {
    startTimeMs,
    cwd: process.cwd(),
    hostname: hostname(),
    isConfigGood: configManager.isGood,
    lastConfigTimeMs: configManager.lastSuccessMs,
    corruptionCount,
    threadCount: 1 + defaultThreadCount(),
    // The one bound so far.
    storageRetention: formatSize(headBytesMax),
  }
}

/** A generation without a sample has no times. */
function isoTime(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : ''
}

/** Of the container, where there is a bound, else of the machine. */
function memoryBytes(): number {
  const bound = process.constrainedMemory()
  return bound > 0 ? Math.min(bound, totalmem()) : totalmem()
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
