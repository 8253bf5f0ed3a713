/** An API on plain storage, with everything around it made up; and short ways to call it. */
import type { FastifyInstance } from 'fastify'
import { createApi } from '../../src/api/api.ts'
import type { ApiDependencies } from '../../src/api/dependencies.ts'
import type { StorageStatus } from '../../src/api/storage-endpoints.ts'
import type { Config } from '../../src/config/model.ts'
import { QueryExecutor } from '../../src/query/executor.ts'
import { InThreadQueryService } from '../../src/query/service.ts'
import type { ActiveTarget, DroppedTarget, MetricMetadata, ScrapeStatus } from '../../src/scrape/status.ts'
import { createLogger } from '../../src/telemetry/log.ts'
import { createRegistry } from '../../src/telemetry/metrics.ts'
import { Labels } from '../../storage/model/labels.ts'
import { loadFixture } from '../query/fixture-storage.ts'
import { ENGINE } from '../query/requests.ts'

function target(overrides: Partial<ActiveTarget>): ActiveTarget {
  return {
    discoveredLabels: Labels.from({ __address__: '127.0.0.1:9090', job: 'self' }),
    labels: Labels.from({ instance: '127.0.0.1:9090', job: 'self', odd: 'a<b' }),
    scrapePool: 'self',
    scrapeUrl: 'http://127.0.0.1:9090/metrics',
    lastError: '',
    lastScrapeMs: 1435781451781,
    lastScrapeDurationSeconds: 0.0125,
    health: 'up',
    scrapeIntervalMs: 15_000,
    scrapeTimeoutMs: 90_000,
    ...overrides,
  }
}

const ACTIVE: ActiveTarget[] = [
  target({}),
  target({
    labels: Labels.from({ instance: 'other:80', job: 'zoo' }),
    scrapePool: 'zoo',
    scrapeUrl: 'http://other:80/metrics',
    lastError: 'status <500>',
    lastScrapeMs: 0,
    lastScrapeDurationSeconds: 0,
    health: 'unknown',
  }),
]

const DROPPED: DroppedTarget[] = [
  { discoveredLabels: Labels.from({ __address__: 'gone', job: 'zoo' }), scrapePool: 'zoo' },
]

const METADATA: [string, MetricMetadata][][] = [
  [
    ['up_total', { type: 'counter', help: 'Ups & downs.', unit: '' }],
    ['size_bytes', { type: 'gauge', help: 'Size.', unit: 'bytes' }],
  ],
  [
    ['up_total', { type: 'counter', help: 'Ups & downs.', unit: '' }],
    ['size_bytes', { type: 'unknown', help: 'Another size.', unit: '' }],
    ['alone', { type: 'gauge', help: '', unit: '' }],
  ],
]

const scrapeStatus: ScrapeStatus = {
  pools: () => ['self', 'zoo'],
  activeTargets: (pool) => ACTIVE.filter((active) => pool === undefined || active.scrapePool === pool),
  droppedTargets: (pool) => DROPPED.filter((dropped) => pool === undefined || dropped.scrapePool === pool),
  droppedCounts: () =>
    new Map([
      ['zoo', 3],
      ['self', 0],
    ]),
  metadata: () => ACTIVE.map((active, i) => ({ target: active, metrics: new Map(METADATA[i]) })),
}

/** A storage with one merged block, a full disk, and one page damaged. */
const STORAGE_STATUS: StorageStatus = {
  memory: { usedBytes: 1000, limitBytes: 2000, allowsSeries: true },
  disk: { allowsSeries: false, allowsSamples: true, hasBallast: false, freeBytes: 5, totalBytes: Number.NaN },
  refusedSamples: new Map([['zoo', 7]]),
  retention: { timeMs: 86_400_000, sizeBytes: 0, percentage: 0 },
  retentionText: '1d',
  stats: {
    series: 3,
    seriesCreated: 4,
    seriesRemoved: 1,
    samplesAppended: 50,
    histogramsAppended: 0,
    lateAppended: 0,
    chunks: 6,
    generations: 1,
    usedBytes: 65_536,
    mint: Number.NaN,
    maxt: 90,
    blocks: 1,
    blockBytes: 4096,
    blockSeries: 2,
    blockSamples: 40,
    written: 3,
    merged: 1,
    failed: 0,
    droppedByTime: 0,
    droppedBySize: 0,
    tombstones: 1,
    logBytesWritten: 123,
  },
  blocks: [
    {
      version: 1,
      id: 0x2a,
      firstGeneration: 1,
      finalGeneration: 3,
      sources: [1, 2],
      level: 1,
      mint: 10,
      maxt: 80,
      series: 2,
      samples: 40,
      chunks: 2,
      tombstone: 0,
      bytes: 4096,
    },
  ],
  damageTotal: 1,
  damage: [{ place: 'wal', what: 'page 3 is <bad>', mint: 5 }],
}

export const NOW_MS = 60_000

/** Lines that the API logged. */
export const logged: string[] = []

export async function startApi(overrides: Partial<ApiDependencies> = {}): Promise<FastifyInstance> {
  const executor = new QueryExecutor(ENGINE, await loadFixture())
  return createApi({
    queryService: new InThreadQueryService(executor),
    scrapeStatus,
    getConfig: () =>
      ({ yaml: 'global:\n  scrape_interval: <15s>\n', global: { evaluationIntervalMs: 60_000 } }) as Config,
    flags: { 'web.enable-lifecycle': 'false', 'config.file': 'a.yml' },
    engine: { lookbackMs: 300_000, timeoutMs: 120_000, features: {} },
    buildInfo: {
      version: '3.14.0',
      revision: 'r',
      branch: 'main',
      buildUser: 'u',
      buildDate: 'd',
      goVersion: 'node26',
    },
    runtimeInfo: () => ({
      startTimeMs: 1000,
      cwd: '/data',
      hostname: 'host',
      isConfigGood: true,
      lastConfigTimeMs: 2500,
      corruptionCount: 0,
      threadCount: 4,
      storageRetention: '15d',
    }),
    storageStatus: async () => STORAGE_STATUS,
    registry: createRegistry(),
    isReady: () => true,
    isStopping: () => false,
    reload: async () => {},
    isLifecycleEnabled: false,
    isAdminEnabled: false,
    storageAdmin: undefined,
    corsOrigin: '.*',
    externalUrl: 'http://outside:9091/',
    listenPort: () => 9090,
    logger: createLogger({
      level: 'info',
      format: 'logfmt',
      destination: { write: (line) => logged.push(line) },
    }),
    maxConnections: 512,
    readTimeoutMs: 300_000,
    now: () => NOW_MS,
    ...overrides,
  })
}
