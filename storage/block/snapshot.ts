/**
 * A copy of all blocks that a server can be started on:
 *
 *   <data>/snapshots/<name>/narthex/blocks/<id>/   tables as hard links, which take no room, and LevelDB's small files as copies,
 *                                                  since LevelDB writes in their place
 *   <data>/snapshots/<name>/narthex/state/         tombstones, without which what was deleted would be back
 *
 * It is made under `<name>.tmp` and renamed when it is whole and synced.
 */
import { copyFile, link, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../errors.ts'
import { type BlockCatalog, blockName, syncFolder } from './catalog.ts'
import type { TombstoneLog } from './tombstone-log.ts'

export interface SnapshotParts {
  catalog: BlockCatalog
  tombstones: TombstoneLog
}

/** Returns the folder. Throws WRITE_FAILED; then nothing is left of it. */
export async function takeSnapshot(dataPath: string, name: string, parts: SnapshotParts): Promise<string> {
  const snapshots = join(dataPath, 'snapshots')
  const folder = join(snapshots, name)
  const temporary = `${folder}.tmp`
  const hold = parts.catalog.hold()
  try {
    const blocks = join(temporary, 'narthex', 'blocks')
    await mkdir(blocks, { recursive: true })
    for (const { id } of hold.blocks) await copyBlock(parts.catalog.folderOf(id), join(blocks, blockName(id)))
    await parts.tombstones.copyTo(join(temporary, 'narthex', 'state'))
    for (const made of [blocks, join(temporary, 'narthex'), temporary]) await syncFolder(made)
    await rename(temporary, folder)
    await syncFolder(snapshots)
    return folder
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    if (error instanceof StorageError) throw error
    throw new StorageError('WRITE_FAILED', (error as Error).message, { cause: error })
  } finally {
    hold.release()
  }
}

async function copyBlock(from: string, to: string): Promise<void> {
  await mkdir(to)
  for (const name of await readdir(from)) {
    if (name.endsWith('.ldb')) await linkOrCopy(join(from, name), join(to, name))
    else await copySynced(join(from, name), join(to, name))
  }
  await syncFolder(to)
}

/** Not every file system knows hard links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error
    await copySynced(from, to)
  }
}

async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  const file = await open(to, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
