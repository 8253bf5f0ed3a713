/**
 * Keeps the disk from being filled to the last byte: a full one fails LevelDB's writes in ways that lose what it
 * acknowledged before (measured), and leaves no room for opening and deleting.
 *
 * Marks     below the first one no new series, below the second one no samples. The first keeps what is known going
 *           while it can; behind the second there is room for what was let in before: a table that LevelDB writes from
 *           its buffer, while the log of it is still there.
 * Ballast   a file of zeros, `ballast`, of eight pieces, each as large as LevelDB's buffer. Others fill the disk, too; so
 *           pieces of it are freed when we need room on a full disk: at a start, after a failed write, before a delete.
 *           Only then, since whoever fills the disk would take what is freed. What is away counts as not free, so that
 *           nothing is let in on it; it is made again, a piece at a time, when there is room.
 *
 * Marks are shares of the disk, since on a small one the same bytes would be most of it, and bounded, since on a large one
 * the share would be much more than it takes: 8 % and at most 128 MiB, and half of that. The buffer is 1/64 of the disk
 * and at most 8 MiB: of 64 MiB the marks are 5.1 and 2.6 MiB, the ballast 8 MiB in pieces of 1 MiB.
 */
import { open, stat, statfs, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { writeBufferBytes } from './store.ts'

const MIB = 2 ** 20
const SERIES_MARK_MAX = 128 * MIB
const SERIES_MARK_SHARE = 0.08
const PIECES = 8
/** What one step of ours may need: two buffers as tables, and lists of tables. */
const PIECES_NEEDED = 3
/** Space has to come back by this much more before a refusal ends: else it would begin and end with each table. */
const RESUME_FACTOR = 1.25
/** So long after a failed write no piece is made: the write is tried again meanwhile. */
const PAUSE_MS = 10_000

export interface DiskState {
  /** Whether new series may be made, and whether samples may be taken. */
  allowsSeries: boolean
  allowsSamples: boolean
  /** Whether the ballast is whole. */
  hasBallast: boolean
  /** Without what the ballast lacks. */
  freeBytes: number
  totalBytes: number
}

export interface DiskSpace {
  freeBytes: number
  totalBytes: number
}

export interface DiskGuardOptions {
  /** Folder of our data, `narthex/`; the ballast lies in it. */
  folder: string
  intervalMs?: number
  /** What is refused, or is so no more; or the ballast is whole, or is so no more. */
  onChange?: (state: DiskState) => void
  /** The space cannot be asked, or the ballast not be made or shortened. The state stays as it was. */
  onError?: (error: unknown) => void
  /** For tests, both. */
  pauseMs?: number
  readSpace?: (folder: string) => Promise<DiskSpace>
}

export class DiskGuard {
  private readonly options: DiskGuardOptions
  private readonly ballastPath: string
  private readonly timer: NodeJS.Timeout
  private checking: Promise<void> | undefined
  private current: DiskState = {
    allowsSeries: true,
    allowsSamples: true,
    hasBallast: false,
    freeBytes: Number.NaN,
    totalBytes: Number.NaN,
  }
  private failedAtMs = Number.NEGATIVE_INFINITY
  private isClosed = false
  private hasReported = false

  private constructor(options: DiskGuardOptions) {
    this.options = options
    this.ballastPath = join(options.folder, 'ballast')
    this.timer = setInterval(() => void this.check(), options.intervalMs ?? 1000)
    this.timer.unref()
  }

  /** To be awaited before the databases are opened: on a full disk it makes room for that. */
  static async open(options: DiskGuardOptions): Promise<DiskGuard> {
    const guard = new DiskGuard(options)
    await guard.makeRoom()
    return guard
  }

  get state(): Readonly<DiskState> {
    return this.current
  }

  get allowsSeries(): boolean {
    return this.current.allowsSeries
  }

  get allowsSamples(): boolean {
    return this.current.allowsSamples
  }

  /** Looks now. Never rejects. */
  check(): Promise<void> {
    this.checking ??= this.look()
      .then(() => {
        this.hasReported = false
      })
      .catch((error) => this.report(error))
      .finally(() => {
        this.checking = undefined
      })
    return this.checking
  }

  /**
   * Frees as much of the ballast as one step of ours may need, where that is not free already: before what must be
   * done on a full disk, too, and after a write that failed. Never rejects.
   */
  async makeRoom(): Promise<void> {
    await this.checking
    try {
      const { freeBytes, totalBytes } = await this.readSpace()
      const { piece } = marks(totalBytes)
      const missing = Math.ceil((piece * PIECES_NEEDED - freeBytes) / piece)
      if (missing > 0) {
        this.failedAtMs = performance.now()
        const size = await this.ballastBytes()
        if (size > 0) await truncate(this.ballastPath, Math.max(0, size - missing * piece))
      }
    } catch (error) {
      this.report(error)
    }
    await this.check()
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearInterval(this.timer)
    await this.checking
  }

  private async look(): Promise<void> {
    const { freeBytes: free, totalBytes } = await this.readSpace()
    const { series, samples, piece } = marks(totalBytes)
    const size = await this.ballastBytes()
    const lacking = piece * PIECES - size
    const { allowsSeries, allowsSamples } = this.current
    const freeBytes = free - Math.max(0, lacking)
    this.change({
      allowsSeries: freeBytes >= series * (allowsSeries ? 1 : RESUME_FACTOR),
      allowsSamples: freeBytes >= samples * (allowsSamples ? 1 : RESUME_FACTOR),
      hasBallast: lacking <= 0,
      freeBytes: Math.max(0, freeBytes),
      totalBytes,
    })
    const isPaused = performance.now() < this.failedAtMs + (this.options.pauseMs ?? PAUSE_MS)
    if (lacking <= 0 || this.isClosed || isPaused || free < piece * (PIECES_NEEDED + 1)) return
    // All that is lacking where there is plenty, else a piece a look.
    await this.growBallast(size, freeBytes >= series ? lacking : Math.min(piece, lacking))
    if (lacking <= piece || freeBytes >= series) this.change({ ...this.current, hasBallast: true })
  }

  private change(next: DiskState): void {
    const before = this.current
    this.current = next
    if (
      before.allowsSeries !== next.allowsSeries ||
      before.allowsSamples !== next.allowsSamples ||
      before.hasBallast !== next.hasBallast
    ) {
      this.options.onChange?.(next)
    }
  }

  private async ballastBytes(): Promise<number> {
    try {
      return (await stat(this.ballastPath)).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
      throw error
    }
  }

  /** Writes zeros, since a file that was only made longer takes no space. */
  private async growBallast(size: number, by: number): Promise<void> {
    const file = await open(this.ballastPath, 'a')
    try {
      const zeros = new Uint8Array(MIB)
      for (let left = by; left > 0; left -= zeros.length) {
        await file.write(zeros, 0, Math.min(left, zeros.length))
      }
      await file.sync()
    } catch (error) {
      await file.truncate(size)
      throw error
    } finally {
      await file.close()
    }
  }

  private readSpace(): Promise<DiskSpace> {
    return (this.options.readSpace ?? readDiskSpace)(this.options.folder)
  }

  /** Once until it works again: this runs each second. */
  private report(error: unknown): void {
    if (this.hasReported) return
    this.hasReported = true
    this.options.onError?.(error)
  }
}

async function readDiskSpace(folder: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(folder)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

function marks(totalBytes: number): { series: number; samples: number; piece: number } {
  const series = Math.min(SERIES_MARK_MAX, totalBytes * SERIES_MARK_SHARE)
  return { series, samples: series / 2, piece: writeBufferBytes(totalBytes) }
}
