/** Time that a test turns by hand. Timers fire in the order of their times, and what they started settles. */
import type { Clock, Timer } from '../../src/scrape/clock.ts'

interface Pending {
  /** On the monotonic scale. */
  atMs: number
  call: () => void
}

/** Turns of the event loop in which promises and setImmediate settle after each timer. */
const SETTLE_TURNS = 6

export class FakeClock implements Clock {
  private wallMs: number
  private elapsedMs = 0
  private readonly pending = new Set<Pending>()

  constructor(startMs: number) {
    this.wallMs = startMs
  }

  now(): number {
    return this.wallMs
  }

  monotonicMs(): number {
    return this.elapsedMs
  }

  setTimer(call: () => void, delayMs: number): Timer {
    const pending = { atMs: this.elapsedMs + delayMs, call }
    this.pending.add(pending)
    return { cancel: () => this.pending.delete(pending) }
  }

  get timers(): number {
    return this.pending.size
  }

  /** Sets the wall clock, as an operator or NTP would. Timers go by the other scale. */
  setWall(ms: number): void {
    this.wallMs = ms
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms
    await settle()
    for (;;) {
      const next = this.nextUntil(endMs)
      this.moveTo(next?.atMs ?? endMs)
      if (next === undefined) break
      this.pending.delete(next)
      next.call()
      await settle()
    }
    await settle()
  }

  private nextUntil(endMs: number): Pending | undefined {
    let next: Pending | undefined
    for (const pending of this.pending) {
      if (pending.atMs <= endMs && (next === undefined || pending.atMs < next.atMs)) next = pending
    }
    return next
  }

  private moveTo(elapsedMs: number): void {
    const target = Math.max(elapsedMs, this.elapsedMs)
    this.wallMs += target - this.elapsedMs
    this.elapsedMs = target
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await new Promise((resolve) => setImmediate(resolve))
}
