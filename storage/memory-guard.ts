/**
 * Keeps the process under its memory limit: over it, known series go on and new ones are refused.
 *
 * What counts is the process' anonymous and shared memory, which is what a container is killed for: V8's heaps, buffers,
 * columns of queries, the slab. Of the slab, extents that are free count as free, since what comes next is put there.
 */
import { readFile } from 'node:fs/promises'
import type { Slab } from './slab/slab.ts'

export interface MemoryState {
  usedBytes: number
  limitBytes: number
  allowsSeries: boolean
}

export interface MemoryGuardOptions {
  /** 0: no limit. */
  limitBytes: number
  slab: Slab
  intervalMs?: number
  onChange?: (state: MemoryState) => void
  /** The memory cannot be asked, as where no file can be opened any more. The state stays as it was. */
  onError?: (error: unknown) => void
  /** For tests. */
  readBytes?: () => Promise<number>
}

/** A refusal ends when this share of the limit is free again: else it would come and go. */
const RESUME_SHARE = 0.05

export class MemoryGuard {
  private readonly options: MemoryGuardOptions
  private readonly timer: NodeJS.Timeout
  private current: MemoryState
  private hasReported = false

  constructor(options: MemoryGuardOptions) {
    this.options = options
    this.current = { usedBytes: 0, limitBytes: options.limitBytes, allowsSeries: true }
    this.timer = setInterval(() => void this.check(), options.intervalMs ?? 1000)
    this.timer.unref()
  }

  get state(): Readonly<MemoryState> {
    return this.current
  }

  get allowsSeries(): boolean {
    return this.current.allowsSeries
  }

  /** Looks now. Never rejects. */
  async check(): Promise<void> {
    try {
      await this.look()
      this.hasReported = false
    } catch (error) {
      // Once until it works again: this runs each second.
      if (!this.hasReported) this.options.onError?.(error)
      this.hasReported = true
    }
  }

  private async look(): Promise<void> {
    const { limitBytes, slab, readBytes = readProcessBytes, onChange } = this.options
    const usedBytes = (await readBytes()) - slab.freedBytes
    const before = this.current.allowsSeries
    const mark = before ? limitBytes : limitBytes * (1 - RESUME_SHARE)
    this.current = { usedBytes, limitBytes, allowsSeries: limitBytes === 0 || usedBytes <= mark }
    if (this.current.allowsSeries !== before) onChange?.(this.current)
  }

  close(): void {
    clearInterval(this.timer)
  }
}

/** Anonymous and shared memory; where /proc does not tell, all that is resident. */
async function readProcessBytes(): Promise<number> {
  try {
    const status = await readFile('/proc/self/status', 'utf8')
    const kib = [...status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)].map(([, value]) => Number(value))
    if (kib.length === 2) return (kib[0] + kib[1]) * 1024
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return process.memoryUsage.rss()
}

/**
 * The limit where none is given: nine tenths of a container's memory, or three quarters of a machine's.
 * `constrainedBytes`: of the container, 0 where there is none.
 */
export function defaultMemoryLimit(constrainedBytes: number, machineBytes: number): number {
  const isConstrained = constrainedBytes > 0 && constrainedBytes < machineBytes
  return Math.floor(isConstrained ? constrainedBytes * 0.9 : machineBytes * 0.75)
}

/** Bytes of the head under a limit of all memory: the rest is for queries, heaps and buffers. */
export function headBytesFor(limitBytes: number): number {
  const mib = 2 ** 20
  return Math.max(16 * mib, Math.min(4096 * mib - 64 * mib, Math.floor((limitBytes * 0.6) / mib) * mib))
}
