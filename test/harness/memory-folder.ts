/** Where tests put many small stores whose syncs are not what is tried. */
import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'

const SHARED_MEMORY = '/dev/shm'
/** Containers often have 64 MiB there: stores would take it for a disk that is nearly full. */
const FREE_BYTES_MIN = 2 ** 30

/** A folder in memory that temporary folders can be made in; where there is none, or a small one, that of the disk. */
export function memoryFolder(): string {
  if (!existsSync(SHARED_MEMORY)) return tmpdir()
  const { bavail, bsize } = statfsSync(SHARED_MEMORY)
  return bavail * bsize >= FREE_BYTES_MIN ? SHARED_MEMORY : tmpdir()
}
