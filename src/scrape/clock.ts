/** Time as the schedule sees it; an argument, so that tests can turn it. */

export interface Clock {
  /** Wall clock, Unix ms. May jump when the machine's time is set. */
  now(): number
  /** Milliseconds since some moment, with fractions; never goes back. */
  monotonicMs(): number
  /** Calls once, after `delayMs`, at most MAX_DELAY_MS. */
  setTimer(call: () => void, delayMs: number): Timer
}

export interface Timer {
  cancel(): void
}

/** Node's timers hold 31 bits of milliseconds. */
export const MAX_DELAY_MS = 2 ** 31 - 1

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (call, delayMs) => {
    const timeout = setTimeout(call, delayMs)
    return { cancel: () => clearTimeout(timeout) }
  },
}
