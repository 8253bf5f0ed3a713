/** What files take on the disk. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** In units of which the file system counts, whatever its own blocks are. */
const UNIT_BYTES = 512

/** Bytes that `du` shows of a file or folder; 0 when it is not there, or goes meanwhile. */
export async function diskBytes(path: string): Promise<number> {
  try {
    const about = await lstat(path)
    const own = about.blocks * UNIT_BYTES
    if (!about.isDirectory()) return own
    const inside = await Promise.all((await readdir(path)).map((name) => diskBytes(join(path, name))))
    return inside.reduce((sum, bytes) => sum + bytes, own)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
