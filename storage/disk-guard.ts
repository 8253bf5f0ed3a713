/**
 * Keeps the disk from being filled to the last byte: a full one fails LevelDB's writes in ways that lose what it
 * acknowledged before (measured), and leaves no room for opening and deleting.
 *
 * Free space    below `seriesMark` no new series, below `samplesMark` no samples. The first mark keeps what is known
 *               going while it can; behind the second one there must be room for what was let in before: a turn of the
 *               log, a table that LevelDB writes from its buffer.
 * Ballast       a file of zeros that is freed when the disk is full all the same (others write to it, too), so that
 *               opening, retention and deletes have room. While it is away its size counts as not free; so nothing is
 *               let in on it, and it is made again when there is room.
 *
 * The marks are shares of the disk, since on a small one the same bytes would be most of it, and bounded, since on a large
 * one a share would be much more than all of that takes: 5 % and at most 128 MiB, 2.5 % and at most 64 MiB. The ballast is an
 * eighth and at most 16 MiB: opening makes a table of a log of up to 8 MiB, which then exists twice.
 */
import { existsSync } from 'node:fs'
import { open, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'

const MIB = 2 ** 20
const SERIES_MARK_MAX = 128 * MIB
const SERIES_MARK_SHARE = 0.05
const BALLAST_MAX = 16 * MIB
const BALLAST_SHARE = 0.125
/** Space has to come back by this much more before a refusal ends: else it would begin and end with each table. */
const RESUME_FACTOR = 1.25

export interface DiskState {
  /** Whether new series may be made, and whether samples may be taken. */
  allowsSeries: boolean
  allowsSamples: boolean
  hasBallast: boolean
  /** Without what the ballast needs. */
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
  /** What is refused, or is so no more, or the ballast came or went. */
  onChange?: (state: DiskState) => void
  /** The space cannot be asked, or the ballast not be made or removed. The state stays as it was. */
  onError?: (error: unknown) => void
  /** For tests. */
  readSpace?: (folder: string) => Promise<DiskSpace>
}

export class DiskGuard {
  private readonly options: DiskGuardOptions
  private readonly ballastPath: string
  private readonly timer: NodeJS.Timeout
  private checking: Promise<void> | undefined
  private current: DiskState
  private isClosed = false
  private hasReported = false

  private constructor(options: DiskGuardOptions) {
    this.options = options
    this.ballastPath = join(options.folder, 'ballast')
    this.current = {
      allowsSeries: true,
      allowsSamples: true,
      hasBallast: existsSync(this.ballastPath),
      freeBytes: Number.NaN,
      totalBytes: Number.NaN,
    }
    this.timer = setInterval(() => void this.check(), options.intervalMs ?? 1000)
    this.timer.unref()
  }

  /** To be awaited before the databases are opened: on a full disk the ballast is freed for that. */
  static async open(options: DiskGuardOptions): Promise<DiskGuard> {
    const guard = new DiskGuard(options)
    await rm(guard.temporaryPath, { force: true })
    await guard.check()
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
      .then(
        () => {
          this.hasReported = false
        },
        (error) => this.report(error),
      )
      .finally(() => {
        this.checking = undefined
      })
    return this.checking
  }

  /** A write failed: what `statfs` calls free may not be for us. Frees the ballast when there is little, and looks. */
  async noteFailedWrite(): Promise<void> {
    await this.checking
    try {
      const { freeBytes, totalBytes } = await this.readSpace()
      if (freeBytes < marks(totalBytes).series) await this.freeBallast()
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
    let space = await this.readSpace()
    const { series, samples, ballast } = marks(space.totalBytes)
    if (this.current.hasBallast && space.freeBytes < samples / 2) {
      await this.freeBallast()
      space = await this.readSpace()
    }
    if (!this.current.hasBallast && !this.isClosed && space.freeBytes >= ballast + series * RESUME_FACTOR) {
      await this.makeBallast(ballast)
      space = await this.readSpace()
    }
    const { allowsSeries, allowsSamples, hasBallast } = this.current
    const freeBytes = space.freeBytes - (hasBallast ? 0 : ballast)
    this.change({
      allowsSeries: freeBytes >= series * (allowsSeries ? 1 : RESUME_FACTOR),
      allowsSamples: freeBytes >= samples * (allowsSamples ? 1 : RESUME_FACTOR),
      hasBallast,
      freeBytes: Math.max(0, freeBytes),
      totalBytes: space.totalBytes,
    })
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

  private async freeBallast(): Promise<void> {
    await rm(this.ballastPath, { force: true })
    this.change({ ...this.current, hasBallast: false })
  }

  /** Writes it under another name first: a part of it is no ballast. */
  private async makeBallast(size: number): Promise<void> {
    try {
      const file = await open(this.temporaryPath, 'w')
      try {
        const zeros = new Uint8Array(MIB)
        for (let left = size; left > 0; left -= zeros.length) {
          await file.write(zeros, 0, Math.min(left, zeros.length))
        }
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(this.temporaryPath, this.ballastPath)
      this.change({ ...this.current, hasBallast: true })
    } catch (error) {
      await rm(this.temporaryPath, { force: true })
      throw error
    }
  }

  private get temporaryPath(): string {
    return `${this.ballastPath}.tmp`
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

function marks(totalBytes: number): { series: number; samples: number; ballast: number } {
  const series = Math.min(SERIES_MARK_MAX, totalBytes * SERIES_MARK_SHARE)
  return {
    series,
    samples: series / 2,
    ballast: Math.floor(Math.min(BALLAST_MAX, totalBytes * BALLAST_SHARE)),
  }
}
