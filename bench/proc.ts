/** What Linux counts of a process and of a folder: CPU, memory, bytes written, disk space. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Clock ticks a second in /proc: 100 on every Linux that Node runs on. */
const TICKS = 100

/** User and system time of all threads of the process so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field, the name in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** Resident memory in bytes, by what it is backed by. */
export interface Memory {
  /** Anonymous and shared: what nobody can take back without swapping. */
  ownBytes: number
  /** Pages of mapped files, which the system may drop. */
  fileBytes: number
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
  return {
    ownBytes: (kilobytes('RssAnon') + kilobytes('RssShmem')) * 1024,
    fileBytes: kilobytes('RssFile') * 1024,
  }
}

/** Bytes that the process made the system write to a disk so far: dirtied pages, counted once each time. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1])
}

/** Space that a folder takes on the disk, as `du` counts it; a file with two names in it counts once. 0 without it. */
export function diskBytes(path: string, seen = new Set<number>()): number {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || seen.has(stat.ino)) return 0
  seen.add(stat.ino)
  let bytes = stat.blocks * 512
  if (stat.isDirectory()) {
    for (const name of readdirSync(path)) bytes += diskBytes(join(path, name), seen)
  }
  return bytes
}

/** Reads a process's memory at a steady pace, from its making to `stop`. */
export class MemoryWatch {
  readonly samples: Memory[] = []
  private readonly timer: NodeJS.Timeout

  constructor(pid: number, everyMs: number) {
    const read = () => this.samples.push(memory(pid))
    read()
    this.timer = setInterval(read, everyMs)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  get peakBytes(): number {
    return this.samples.reduce((most, { ownBytes }) => Math.max(most, ownBytes), 0)
  }

  /** The sample with the middle of own bytes among the last third: what the process has settled at. */
  settled(): Memory {
    const late = this.samples.slice(-Math.ceil(this.samples.length / 3))
    late.sort((a, b) => a.ownBytes - b.ownBytes)
    return late[late.length >> 1]
  }
}
