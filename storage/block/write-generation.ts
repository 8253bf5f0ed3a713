/** Writes a closed generation of the head out as a block. */
import type { BlockSource } from '../head/block-source.ts'
import { SampleColumns } from '../model/sample.ts'
import type { BlockMeta } from './format.ts'
import { hide } from './intervals.ts'
import { type Tombstone, TombstoneFilter } from './tombstones.ts'
import { type BlockOrigin, BlockWriter } from './writer.ts'

/** Pages that wait for LevelDB are written at this many bytes. */
const PENDING_BYTES_MAX = 2 ** 20

/**
 * Writes all series of the source, without what the tombstones hide of them, into a block below `folder`, which does not
 * exist yet. Undefined when there is nothing to write; then there is no folder. Throws WRITE_FAILED; then there is
 * none either.
 */
export async function writeGeneration(
  source: BlockSource,
  folder: string,
  origin: BlockOrigin,
  tombstones: readonly Tombstone[],
): Promise<BlockMeta | undefined> {
  const writer = await BlockWriter.create(folder)
  const { finalGeneration } = origin
  const filter = TombstoneFilter.for(tombstones, { ...source.span, finalGeneration, tombstone: 0 })
  let isEmpty = true
  try {
    const columns = new SampleColumns()
    for (let position = 0; position < source.count; position++) {
      source.read(position, columns)
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
