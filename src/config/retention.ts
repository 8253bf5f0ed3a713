/** How long samples are kept: the configuration file's word, else the flags', else 15 days. */
import type { Retention } from '../../storage/block/retention.ts'
import { formatDuration } from './duration.ts'
import type { WrittenRetention } from './model.ts'
import { formatSize } from './size.ts'

const DAY_MS = 86_400_000
const DEFAULT_TIME_MS = 15 * DAY_MS
const TIME_MS_MAX = 100 * 365 * DAY_MS

/** Of the flags `storage.tsdb.retention.time` and `.size`; 0 is not set. */
export interface RetentionFlags {
  retentionTimeMs: number
  retentionSizeBytes: number
}

/**
 * Key by key the file goes before the flag. When neither bounds anything, samples are kept for 15 days, unless the file
 * says so itself by `time: 0`.
 */
export function resolveRetention(written: WrittenRetention, flags: RetentionFlags): Retention {
  let timeMs = written.timeMs ?? flags.retentionTimeMs
  const sizeBytes = written.sizeBytes ?? flags.retentionSizeBytes
  const percentage = written.percentage ?? 0
  const isBound = timeMs > 0 || sizeBytes > 0 || percentage > 0
  if (!isBound && written.timeMs === undefined) timeMs = DEFAULT_TIME_MS
  return { timeMs: Math.min(timeMs, TIME_MS_MAX), sizeBytes, percentage }
}

/** As status/runtimeinfo shows it: `15d`, `1w or 512MiB`; '' when nothing is bound. */
export function formatRetention({ timeMs, sizeBytes, percentage }: Retention): string {
  const bounds: string[] = []
  if (timeMs > 0) bounds.push(formatDuration(timeMs))
  if (sizeBytes > 0) bounds.push(formatSize(sizeBytes))
  if (percentage > 0) bounds.push(`${percentage}%`)
  return bounds.join(' or ')
}
