/**
 * Shares the main thread between pages: in each turn of the event loop at most SLICE_MS go to them, then timers and
 * sockets have their turn. Pages take turns, so that a small one never waits for the whole of a large one.
 */
const SLICE_MS = 2

interface Job {
  read(deadlineMs: number): boolean
  resolve(): void
  reject(error: unknown): void
}

export class Slices {
  private readonly jobs: Job[] = []
  private isScheduled = false

  /** Calls `read` until it answers false. Rejects with what it throws. */
  run(read: (deadlineMs: number) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.jobs.push({ read, resolve, reject })
      this.schedule()
    })
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.runSlice()
      if (this.jobs.length > 0) this.schedule()
    })
  }

  private runSlice(): void {
    const deadlineMs = performance.now() + SLICE_MS
    do {
      const job = this.jobs.shift()
      if (job === undefined) return
      try {
        if (job.read(deadlineMs)) this.jobs.push(job)
        else job.resolve()
      } catch (error) {
        job.reject(error)
      }
    } while (performance.now() < deadlineMs)
  }
}
