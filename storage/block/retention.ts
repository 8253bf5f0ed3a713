/** Which blocks are older, or more, than is kept. */

/** How much is kept; 0 is no such bound. */
export interface Retention {
  /** Against the newest block, not against the clock. */
  timeMs: number
  sizeBytes: number
  /** Of the file system that the data lies on, 0 to 100. Goes before `sizeBytes`. */
  percentage: number
}

export interface SizedBlock {
  id: number
  /** Last time, inclusive. */
  maxt: number
  /** What `du` shows of its folder. */
  bytes: number
}

/** Ids by the bound that they are beyond; a block that is beyond both counts by time. */
export interface ExpiredBlocks {
  byTime: number[]
  bySize: number[]
}

/** The bound by bytes that is in force, 0 for none. `fileSystemBytes`: size of the file system, NaN if not known. */
export function retentionBytesMax({ sizeBytes, percentage }: Retention, fileSystemBytes: number): number {
  if (percentage > 0 && fileSystemBytes > 0) return Math.floor((fileSystemBytes * percentage) / 100)
  return sizeBytes
}

/**
 * Blocks to drop, oldest first. By time: those that end `timeMs` or more before the newest block ends. By size: from
 * the newest on, the first block that does not fit any more, and all that end before it.
 *
 * `bytesMax` is what `retentionBytesMax` says. `otherBytes`: what lies in the data folder beside the blocks and stays there, the log
 * above all. What a running merge writes, and blocks that only wait for their last reader, do not belong to it, or a merge
 * would cost old samples.
 *
 * Source: Prometheus tsdb/db.go, BeyondTimeRetention and BeyondSizeRetention; there too it is whole blocks that go.
 */
export function expiredBlocks(
  blocks: readonly SizedBlock[],
  timeMs: number,
  bytesMax: number,
  otherBytes: number,
): ExpiredBlocks {
  const newestFirst = [...blocks].sort((a, b) => b.maxt - a.maxt || b.id - a.id)
  const expired: ExpiredBlocks = { byTime: [], bySize: [] }
  let bytes = otherBytes
  let isFull = false
  for (const { id, maxt, bytes: blockBytes } of newestFirst) {
    bytes += blockBytes
    isFull ||= bytesMax > 0 && bytes > bytesMax
    if (timeMs > 0 && newestFirst[0].maxt - maxt >= timeMs) expired.byTime.push(id)
    else if (isFull) expired.bySize.push(id)
  }
  expired.byTime.reverse()
  expired.bySize.reverse()
  return expired
}
