/**
 * Work of one kind that comes again and again: one piece at a time, and after a failure not before a pause that doubles
 * from RETRY_MS to RETRY_MAX_MS.
 */

const RETRY_MS = 5000
const RETRY_MAX_MS = 300_000

export class Chore {
  private readonly onFailure: (error: Error) => void
  private line: Promise<unknown> = Promise.resolve()
  private isBusy = false
  private failuresInRow = 0
  private retryAtMs = 0

  constructor(onFailure: (error: Error) => void) {
    this.onFailure = onFailure
  }

  /** Does it, unless such work runs, or the pause after a failure is not over. */
  start(work: () => Promise<unknown>): void {
    if (this.isBusy || performance.now() < this.retryAtMs) return
    this.isBusy = true
    this.inLine(work)
      .then(
        () => {
          this.failuresInRow = 0
        },
        (error: unknown) => {
          const pauseMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.failuresInRow++)
          this.retryAtMs = performance.now() + pauseMs
          this.onFailure(error instanceof Error ? error : new Error(String(error)))
        },
      )
      .finally(() => {
        this.isBusy = false
      })
  }

  /** Does it behind all that runs and waits, whatever failed before; rejects with what it fails of. */
  inLine<T>(work: () => Promise<T>): Promise<T> {
    const result = this.line.then(work)
    // Whoever asked hears of a failure; the line goes on.
    this.line = result.then(
      () => {},
      () => {},
    )
    return result
  }

  /** Resolves when nothing of it runs or waits. */
  async idle(): Promise<void> {
    await this.line
  }
}
