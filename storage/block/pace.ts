/** Keeps long work in the background down to a share of one core. */

export interface PaceClock {
  /** Milliseconds, of whatever origin. */
  now(): number
  sleep(ms: number): Promise<void>
}

const SYSTEM_CLOCK: PaceClock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => (ms < 1 ? setImmediate(resolve) : setTimeout(resolve, ms))),
}

export class Pace {
  private readonly share: number
  private readonly clock: PaceClock
  private since: number

  /** `share`: above 0, at most 1. The work begins now. */
  constructor(share: number, clock: PaceClock = SYSTEM_CLOCK) {
    this.share = share
    this.clock = clock
    this.since = clock.now()
  }

  /** To be awaited after each piece of work: rests as long as the piece took, and longer the smaller the share is. */
  async pause(): Promise<void> {
    const workedMs = this.clock.now() - this.since
    await this.clock.sleep(workedMs * (1 / this.share - 1))
    this.since = this.clock.now()
  }
}
