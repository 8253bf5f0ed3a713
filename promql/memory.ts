/**
 * How much memory queries may have, all together and each.
 *
 * The threads share one array: a cell a thread says how many KiB its present query has reserved. What a query needs is
 * known in part before it reads a sample (`plan/estimate.ts`); that part waits for other queries to end. What turns
 * out later is had at once, or the query fails: it must not wait while it holds what another one waits for.
 */
import { checkRunning, type EndConditions, QueryError } from './errors.ts'

/** Threads that can have a query at once; cells of the shared array. */
export const MEMORY_CELLS = 64

const KIB = 1024
/** What is reserved beyond the need, so that few reservations touch the shared array. */
const GRAIN_KIB = 256
const WAIT_MS = 5

export interface MemoryShare {
  /** MEMORY_CELLS cells over shared memory. */
  readonly cells: Int32Array<SharedArrayBuffer>
  /** This thread's cell. */
  readonly cell: number
  /** KiB that all cells together may have. */
  readonly totalKib: number
}

/** What one query has. To be closed at its end, when its answer is written. */
export class QueryMemory {
  readonly maxBytes: number
  private readonly share: MemoryShare | undefined
  private usedBytes = 0
  private reservedKib = 0
  private peak = 0

  /** Without a share, only `maxBytes` bounds it. */
  constructor(maxBytes: number, share?: MemoryShare) {
    this.maxBytes = maxBytes
    this.share = share
  }

  static unlimited(): QueryMemory {
    return new QueryMemory(Number.POSITIVE_INFINITY)
  }

  get peakBytes(): number {
    return this.peak
  }

  /** Takes bytes now. Throws QueryError when the query, or all together, would have too many. */
  take(bytes: number): void {
    this.usedBytes += bytes
    if (this.usedBytes > this.peak) this.peak = this.usedBytes
    if (this.usedBytes > this.maxBytes) throw tooMuchMemory(this.usedBytes, this.maxBytes)
    if (this.share === undefined || this.usedBytes <= this.reservedKib * KIB) return
    if (!this.reserve(this.share)) throw memoryTaken(this.usedBytes)
  }

  give(bytes: number): void {
    this.usedBytes -= bytes
  }

  /**
   * Sees to it that `bytes` can be taken, and waits for other queries where it has to. Blocks the thread.
   * Requires: bytes ≤ maxBytes. Throws QueryError when the query is cancelled or its time is up.
   */
  await(bytes: number, end: EndConditions): void {
    const { share } = this
    if (share === undefined) return
    const sleep = new Int32Array(new SharedArrayBuffer(4))
    while (!this.reserve(share, bytes)) {
      checkRunning(end, 'query execution')
      Atomics.wait(sleep, 0, 0, WAIT_MS)
    }
  }

  close(): void {
    this.usedBytes = 0
    this.reservedKib = 0
    if (this.share !== undefined) Atomics.store(this.share.cells, this.share.cell, 0)
  }

  /** Whether the cell says at least `bytes` now. */
  private reserve({ cells, cell, totalKib }: MemoryShare, bytes = this.usedBytes): boolean {
    const needKib = Math.ceil(bytes / KIB)
    if (needKib <= this.reservedKib) return true
    const kib = Math.min(needKib + GRAIN_KIB, Math.max(totalKib, needKib))
    // First said, then looked at: of two threads that ask at once, one sees the other.
    Atomics.store(cells, cell, kib)
    let sum = 0
    for (let i = 0; i < cells.length; i++) sum += Atomics.load(cells, i)
    if (sum > totalKib) {
      Atomics.store(cells, cell, this.reservedKib)
      return false
    }
    this.reservedKib = kib
    return true
  }
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let unit = 0
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024
    unit++
  }
  return `${bytes < 10 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`
}

function tooMuchMemory(bytes: number, maxBytes: number): QueryError {
  const text = `query needs more than ${formatBytes(bytes)} of memory, and may have ${formatBytes(maxBytes)}`
  return new QueryError('execution', `${text} (--query.memory-limit)`)
}

function memoryTaken(bytes: number): QueryError {
  const text = `query needs more than ${formatBytes(bytes)} of memory, which other queries have at the moment`
  return new QueryError('execution', `${text} (--query.memory-limit)`)
}
