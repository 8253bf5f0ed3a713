/** Writes a closed generation of the head out: as one block, or as a block a window of time (parts.ts). */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import type { Labels } from '../model/labels.ts'
import { SampleColumns } from '../model/sample.ts'
import type { Span } from './arrival.ts'
import { BlockIds } from './block-ids.ts'
import { blockName, syncFolder } from './catalog.ts'
import type { BlockMeta } from './format.ts'
import { hide } from './intervals.ts'
import { type PartSource, partsOf } from './parts.ts'
import { type Tombstone, TombstoneFilter } from './tombstones.ts'
import { type BlockOrigin, BlockWriter } from './writer.ts'

/** Series in block order. */
export interface GenerationSource extends PartSource {
  labels(position: number): Labels
}

/** Plain data, so that a thread can be given it. */
export interface WriteOrder {
  /** The folder that the blocks are written in, each in one named by its id. It must not be there yet. */
  folder: string
  /** Of the first block. */
  id: number
  /** Where further ids are taken from: see BlockIds. */
  ids: Uint32Array<SharedArrayBuffer>
  firstGeneration: number
  finalGeneration: number
  /** All that there are. */
  tombstones: readonly Tombstone[]
  /** The highest number of a tombstone given so far. */
  highestTombstone: number
  /** How long blocks are kept by time; 0 is for ever. */
  retentionMs: number
}

/** Pages that wait for LevelDB are written at this many bytes. */
const PENDING_BYTES_MAX = 2 ** 20

/**
 * Writes all series of the source, without what the tombstones hide of them. Returns the blocks that lie in the folder then,
 * synced; without any there is no folder. Throws WRITE_FAILED; then there is none either.
 */
export async function writeGeneration(source: GenerationSource, order: WriteOrder): Promise<BlockMeta[]> {
  const { folder, firstGeneration, finalGeneration } = order
  const ids = new BlockIds(order.ids)
  const metas: BlockMeta[] = []
  try {
    await makeFolder(folder)
    for (const part of partsOf(source, order.retentionMs)) {
      const id = metas.length === 0 ? order.id : ids.take()
      const origin = {
        firstGeneration,
        finalGeneration,
        sources: [],
        level: 0,
        tombstone: order.highestTombstone,
      }
      const meta = await writePart(source, part, folder, { id, ...origin }, order.tombstones)
      if (meta !== undefined) metas.push(meta)
    }
    if (metas.length > 0) await syncFolder(folder)
    else await rm(folder, { recursive: true })
    return metas
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    throw new StorageError('WRITE_FAILED', `cannot make ${path}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Writes what is in the range; undefined when there is nothing: then there is no folder. Throws WRITE_FAILED. */
async function writePart(
  source: GenerationSource,
  part: Span,
  folder: string,
  origin: BlockOrigin,
  tombstones: readonly Tombstone[],
): Promise<BlockMeta | undefined> {
  const writer = await BlockWriter.create(join(folder, blockName(origin.id)))
  const { finalGeneration } = origin
  const filter = TombstoneFilter.for(tombstones, { ...source.span, finalGeneration, tombstone: 0 })
  let isEmpty = true
  try {
    const columns = new SampleColumns()
    for (let position = 0; position < source.count; position++) {
      source.read(position, columns, part.mint, part.maxt)
      if (columns.length === 0) continue
      const labels = source.labels(position)
      if (!filter.isEmpty) hide(columns, filter.intervals(labels))
      if (columns.length === 0) continue
      writer.add(labels, columns)
      isEmpty = false
      if (writer.pendingBytes > PENDING_BYTES_MAX) await writer.drain()
    }
    if (!isEmpty) return await writer.finish(origin)
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.abort()
  return undefined
}
