/** What the HTTP API needs from the rest of the server. The composition root provides it. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { EngineFeatures } from '../../promql/engine.ts'
import type { StorageAdmin } from '../../storage/interface.ts'
import type { Config } from '../config/model.ts'
import type { QueryService } from '../query/request.ts'
import type { ScrapeStatus } from '../scrape/status.ts'
import type { StorageStatus } from './storage-endpoints.ts'

/** As status/buildinfo shows it. No further keys: Grafana takes a `features` key for another product. */
export interface BuildInfo {
  version: string
  revision: string
  branch: string
  buildUser: string
  buildDate: string
  goVersion: string
}

export interface RuntimeInfo {
  /** Unix ms. */
  startTimeMs: number
  cwd: string
  hostname: string
  /** Whether the last reading of the configuration succeeded, and when (Unix ms) one last did. */
  isConfigGood: boolean
  lastConfigTimeMs: number
  /** Damage found in the write-ahead log since the start. */
  corruptionCount: number
  /** Stands for upstream's count of goroutines. */
  threadCount: number
  /** As `15d` or `1w or 512MiB`. */
  storageRetention: string
}

export interface ApiDependencies {
  queryService: QueryService
  scrapeStatus: ScrapeStatus
  /** The configuration in force. */
  getConfig(): Config
  /** By name, without dashes. */
  flags: Readonly<Record<string, string>>
  /** The server's own settings, where a request gives none. */
  engine: { lookbackMs: number; timeoutMs: number; features: EngineFeatures }
  buildInfo: BuildInfo
  runtimeInfo(): RuntimeInfo
  storageStatus(): Promise<StorageStatus>
  /** Holds what `/metrics` shows; the metrics of requests are registered in it. */
  registry: Registry
  /** False until the storage has read what was written before the last stop. */
  isReady(): boolean
  isStopping(): boolean
  /** Reads the configuration again. Rejects with what is wrong with it; then the old one stays in force. */
  reload(): Promise<void>
  /** Whether `/-/reload` may be called. */
  isLifecycleEnabled: boolean
  /** Whether samples may be deleted and snapshots taken by request. */
  isAdminEnabled: boolean
  /** Does that; undefined where the storage cannot, which is answered as a storage that is not ready. */
  storageAdmin: StorageAdmin | undefined
  /** Pattern of origins, anchored at both ends. */
  corsOrigin: string
  /** Prefix of all paths, as `/prometheus`; '' or '/' is none. */
  routePrefix?: string
  /** Under which people reach the server: the host of links to targets on this machine. */
  externalUrl: string
  /** Port that the server listens on; undefined while it is not known. */
  listenPort(): number | undefined
  logger: Logger
  /** Connections open at once; more are closed as they come. */
  maxConnections: number
  /** Time to read a request, and for a connection to be idle. */
  readTimeoutMs: number
  /** Unix ms. */
  now?(): number
}
