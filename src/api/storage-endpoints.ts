/** Endpoints about what is stored, and in what state the storage is. */
import { blockName, type CatalogBlock } from '../../storage/block/catalog.ts'
import type { Retention } from '../../storage/block/retention.ts'
import type { DamageNote } from '../../storage/damage.ts'
import type { DiskState } from '../../storage/disk-guard.ts'
import type { HeadStats } from '../../storage/head/head.ts'
import type { KeeperStats } from '../../storage/keeper.ts'
import type { MemoryState } from '../../storage/memory-guard.ts'
import type { QueryRequest } from '../query/request.ts'
import type { ApiAnswer, ApiEndpoint } from './call.ts'
import type { ApiDependencies } from './dependencies.ts'
import { badData } from './errors.ts'
import type { Form } from './form.ts'
import { type Json, successJson } from './json.ts'
import { parseInteger } from './parameters.ts'

/** What the storage says of itself. */
export interface StorageStatus {
  memory: Readonly<MemoryState>
  disk: Readonly<DiskState>
  /** By job: samples of scrapes that were not taken for want of room. */
  refusedSamples: ReadonlyMap<string, number>
  retention: Retention
  /** As text, such as `15d or 512MiB`. */
  retentionText: string
  stats: HeadStats & KeeperStats & { logBytesWritten: number }
  blocks: readonly CatalogBlock[]
  damageTotal: number
  /** The first ones. */
  damage: readonly DamageNote[]
}

type Dependencies = Pick<ApiDependencies, 'queryService' | 'storageStatus' | 'logger'>

const LIMIT_DEFAULT = 10
const LIMIT_MAX = 10_000

export function storageEndpoints({ queryService, storageStatus, logger }: Dependencies): ApiEndpoint[] {
  return [
    {
      path: '/status/tsdb',
      handle: async ({ form, signal }): Promise<ApiAnswer> => {
        const request: QueryRequest = { kind: 'headStatus', limit: limitOf(form) }
        // At 500,000 series it takes a query thread some hundred milliseconds.
        const { status, body, fault } = await queryService.run(request, signal)
        if (fault !== undefined) logger.error({ err: fault }, 'Counting what is in memory met a bug')
        return { status, body }
      },
    },
    {
      path: '/status/tsdb/blocks',
      handle: async () => {
        const { blocks } = await storageStatus()
        return { status: 200, body: successJson({ blocks: blocks.map(blockJson) }) }
      },
    },
    {
      path: '/status/storage',
      handle: async () => ({ status: 200, body: successJson(storageJson(await storageStatus())) }),
    },
  ]
}

function limitOf(form: Form): number {
  const text = form.get('limit')
  if (text === '') return LIMIT_DEFAULT
  let limit: number
  try {
    limit = parseInteger(text)
  } catch {
    // What exactly is wrong with it is not said, as upstream.
    limit = 0
  }
  if (limit < 1) throw badData('limit must be a positive number')
  if (limit > LIMIT_MAX) throw badData(`limit must not exceed ${LIMIT_MAX}`)
  return limit
}

/** As upstream's meta.json, whose end is exclusive and whose levels begin with 1; what is ours stands in `narthex`. */
function blockJson(block: CatalogBlock): Json {
  const { id, mint, maxt, samples, series, chunks, level, sources, bytes } = block
  const name = blockName(id)
  return {
    ulid: name,
    minTime: finite(mint),
    maxTime: finite(maxt + 1),
    stats: { numSamples: samples, numSeries: series, numChunks: chunks },
    compaction: { level: level + 1, sources: sources.length === 0 ? [name] : sources.map(blockName) },
    version: 1,
    narthex: {
      firstGeneration: block.firstGeneration,
      finalGeneration: block.finalGeneration,
      tombstone: block.tombstone,
      bytes,
    },
  }
}

function storageJson(status: StorageStatus): Json {
  const { memory, disk, refusedSamples, retention, retentionText, stats, blocks } = status
  const { allowsSeries, allowsSamples, hasBallast } = disk
  return {
    memory: { ...memory },
    disk: {
      freeBytes: finite(disk.freeBytes),
      totalBytes: finite(disk.totalBytes),
      allowsSeries,
      allowsSamples,
      hasBallast,
    },
    refusedSamples,
    retention: { text: retentionText, ...retention },
    head: {
      series: stats.series,
      generations: stats.generations,
      bytes: stats.usedBytes,
      minTime: finite(stats.mint),
      maxTime: finite(stats.maxt),
    },
    blocks: {
      count: blocks.length,
      bytes: stats.blockBytes,
      series: stats.blockSeries,
      samples: stats.blockSamples,
      minTime: finite(Math.min(...blocks.map(({ mint }) => mint))),
      maxTime: finite(Math.max(...blocks.map(({ maxt }) => maxt))),
      written: stats.written,
      merged: stats.merged,
      failed: stats.failed,
      droppedByTime: stats.droppedByTime,
      droppedBySize: stats.droppedBySize,
      tombstones: stats.tombstones,
    },
    log: { bytesWritten: stats.logBytesWritten },
    damage: { total: status.damageTotal, notes: status.damage.map(damageJson) },
  }
}

function damageJson({ place, what, series, mint, maxt, quarantine }: DamageNote): Json {
  return {
    place,
    what,
    series,
    minTime: mint === undefined ? undefined : finite(mint),
    maxTime: maxt === undefined ? undefined : finite(maxt),
    quarantine,
  }
}

/** What is not known is null. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
