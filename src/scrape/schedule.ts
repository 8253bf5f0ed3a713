/** Ticks of one target: Unix times that are its offset modulo its interval. All times in ms. */

/** Largest distance between a scrape and its tick at which the tick is stored as its time, unless configured. */
export const SNAP_MAX_MS = 2

export interface Schedule {
  intervalMs: number
  /** 0 ≤ offset < interval. */
  offsetMs: number
}

/** The first tick after `ms`. */
export function tickAfter(ms: number, { intervalMs, offsetMs }: Schedule): number {
  const phase = (((ms - offsetMs) % intervalMs) + intervalMs) % intervalMs
  return ms - phase + intervalMs
}

/** How early a timer may fire to count as the tick's: Node's are off by up to a millisecond. */
export function isDue(nowMs: number, tickMs: number, intervalMs: number): boolean {
  return tickMs - nowMs <= Math.min(intervalMs / 100, SNAP_MAX_MS)
}

/**
 * The time under which a scrape that began at `ms` for `tickMs` is stored: the tick, when they are at most
 * `toleranceMs` and 1 % of the interval apart, since even times compress better; else `ms`.
 */
export function snappedMs(ms: number, tickMs: number, intervalMs: number, toleranceMs = SNAP_MAX_MS): number {
  return Math.abs(ms - tickMs) <= Math.min(intervalMs / 100, toleranceMs) ? tickMs : ms
}

/**
 * The tick after `tickMs`, seen at `nowMs`. When several have passed, the last of them: it is overdue and the others
 * are dropped. When the clock was set back, the next on the new time.
 */
export function nextTick(tickMs: number, nowMs: number, schedule: Schedule): number {
  const { intervalMs } = schedule
  if (tickMs - nowMs > intervalMs) return tickAfter(nowMs, schedule)
  const passed = Math.floor((nowMs - tickMs) / intervalMs)
  return tickMs + Math.max(1, passed) * intervalMs
}
