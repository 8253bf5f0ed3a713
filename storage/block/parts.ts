/**
 * Into which blocks a generation is written. Mostly one; a generation whose samples lie far apart, since some came late, is cut
 * along aligned windows of time, a block each, so that no block is longer than merges would make it, and so that late samples
 * meet the others of their time when they are merged.
 */
import { SampleColumns } from '../model/sample.ts'
import type { Span } from './arrival.ts'
import { mergeWindows, WINDOW_SLACK_MS } from './plan.ts'

/** Series with their samples. */
export interface PartSource {
  /** Around all samples. */
  readonly span: Span
  readonly count: number
  /** Puts the samples of a series with times in [mint, maxt] into `into`, ascending. */
  read(position: number, into: SampleColumns, mint?: number, maxt?: number): void
}

/** Each is a folder, and goes through all series: beyond it longer windows are taken, where the retention has any. */
const PARTS_MAX = 32

const TIME_MAX = Number.MAX_SAFE_INTEGER / 2

/** For retentions of some minutes: a block costs more than its samples are worth then. */
const WINDOW_MS_MIN = 60_000

const WHOLE: Span = { mint: Number.NEGATIVE_INFINITY, maxt: Number.POSITIVE_INFINITY }

/**
 * Ranges that hold all samples, each at least one; ascending, apart from each other, in whole milliseconds, both ends inclusive.
 * `retentionMs`: how long blocks are kept; 0 is for ever.
 */
export function partsOf(source: PartSource, retentionMs: number): Span[] {
  const windows = mergeWindows(retentionMs).map((windowMs) => Math.max(windowMs, WINDOW_MS_MIN))
  const [shortest] = windows
  const { mint, maxt } = source.span
  // Beyond it products of windows are not exact, and a sample might be in none.
  if (Math.max(-mint, maxt) > TIME_MAX) return [WHOLE]
  // Short windows are there where the retention asks for them; then there is no room for the slack.
  const slackMs = Math.min(WINDOW_SLACK_MS, shortest)
  if (!(maxt - mint > shortest + slackMs)) return [WHOLE]
  const used = usedWindows(source, shortest)
  for (const [i, windowMs] of windows.entries()) {
    const numbers = new Set<number>()
    for (const number of used) numbers.add(Math.floor((number * shortest) / windowMs))
    if (numbers.size > PARTS_MAX && i < windows.length - 1) continue
    return [...numbers]
      .sort((a, b) => a - b)
      .map((number) => ({ mint: number * windowMs, maxt: (number + 1) * windowMs - 1 }))
  }
  return [WHOLE]
}

/** Numbers of the windows, from the one that begins at 0 on, that samples are in. */
function usedWindows(source: PartSource, windowMs: number): Set<number> {
  const used = new Set<number>()
  const columns = new SampleColumns()
  for (let position = 0; position < source.count; position++) {
    source.read(position, columns)
    const { t, length } = columns
    let end = Number.NEGATIVE_INFINITY
    for (let i = 0; i < length; i++) {
      if (t[i] < end) continue
      const number = Math.floor(t[i] / windowMs)
      used.add(number)
      end = (number + 1) * windowMs
    }
  }
  return used
}
