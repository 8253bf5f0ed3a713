/**
 * Which blocks to merge next. Pure: looks at what blocks say of themselves, and names the inputs of one merge.
 *
 * Time is cut into aligned windows of 2 h, 8 h, 1 d, 3 d … A block counts in the window that holds the middle of its times, if it
 * is not much longer than the window. A window that no longer grows becomes one block; so each sample is rewritten
 * about once a kind of window. Small blocks beside a large one, such as out-of-order samples of an old window, would have
 * the large one rewritten for each of them: they wait until together they are worth it, and once they are many, they
 * are merged among themselves. The same keeps the number of blocks down in a window that still grows.
 *
 * What never happens: that a block of another merge's middle is passed over. When an input arrived before, and
 * another one after some third block, and that overlaps them in time, then who arrived first could no longer be
 * told; so the third one is merged with them, or there is no merge (see arrival.ts).
 */
import { type Arrived, areInOrder, compareArrival, overlap, type Span } from './arrival.ts'

export interface PlannedBlock extends Arrived, Span {
  /** 0: written from the head. */
  level: number
  bytes: number
}

export interface MergeLimits {
  /** How long blocks are kept by time; 0 is for ever. No merge makes a block longer than a tenth of it. */
  retentionMs: number
  /** Of all inputs of one merge together: as much room on the disk is needed until they are gone. */
  inputBytesMax: number
  /** Generations from this one on are in memory still, and so that no sample is seen twice or not at all their blocks wait. */
  liveGeneration: number
  /** Ids of blocks that are left as they are: they could not be read whole. */
  excluded?: ReadonlySet<number>
}

export interface MergePlan<B extends PlannedBlock = PlannedBlock> {
  /** At least two, in the order of arrival. */
  inputs: B[]
  /** Of the block to be made. */
  level: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WINDOWS_MS = [2 * HOUR_MS, 8 * HOUR_MS, DAY_MS, 3 * DAY_MS, 9 * DAY_MS, 27 * DAY_MS]
/** As upstream: no block spans over 31 days. */
const SPAN_MAX_MS = 31 * DAY_MS
/** What a block may be longer than its window: generations are not aligned, and samples come up to an hour late. */
export const WINDOW_SLACK_MS = HOUR_MS
/** A window is made one block if its largest one is at most this share of it. */
const LARGEST_SHARE = 3 / 4
/** So many blocks in a window are too many, whatever their sizes. */
const CROWD = 8
const RUN_MIN = 4
const LARGEST_SHARE_OF_RUN = 1 / 2

/** Milliseconds; a merge does not make a longer block, but of inputs that are longer already. */
export function blockSpanMax(retentionMs: number): number {
  return retentionMs > 0 ? Math.min(SPAN_MAX_MS, retentionMs / 10) : SPAN_MAX_MS
}

/** The merge to do next, undefined when there is none. Small windows go before large ones, old ones before new ones. */
export function planMerge<B extends PlannedBlock>(
  blocks: readonly B[],
  limits: MergeLimits,
): MergePlan<B> | undefined {
  const all = [...blocks].sort(compareArrival)
  const newest = all.reduce((last, { maxt }) => Math.max(last, maxt), Number.NEGATIVE_INFINITY)
  const newestMiddle = all
    .filter(({ maxt }) => maxt === newest)
    .reduce((last, block) => Math.max(last, middle(block)), Number.NEGATIVE_INFINITY)
  const planner = new Planner(all, limits)
  for (const windowMs of mergeWindows(limits.retentionMs)) {
    for (const { start, members } of windowsOf(planner.settled, windowMs)) {
      const isOver = start + windowMs <= newestMiddle
      const plan = (isOver ? planner.whole(members) : undefined) ?? planner.crowd(members)
      if (plan !== undefined) return plan
    }
  }
  return undefined
}

/** Lengths of the windows, ascending, in whole milliseconds: each but the first is a multiple of the one before. Never none. */
export function mergeWindows(retentionMs: number): number[] {
  const spanMax = blockSpanMax(retentionMs)
  const windows = WINDOWS_MS.filter((windowMs) => windowMs + WINDOW_SLACK_MS <= spanMax)
  return windows.length > 0 ? windows : [Math.max(1, Math.floor(spanMax / 2))]
}

interface Window<B> {
  start: number
  /** In the order of arrival. */
  members: B[]
}

/** Windows with two blocks or more, oldest first. */
function windowsOf<B extends PlannedBlock>(blocks: readonly B[], windowMs: number): Window<B>[] {
  const windows = new Map<number, B[]>()
  for (const block of blocks) {
    if (block.maxt - block.mint > windowMs + WINDOW_SLACK_MS) continue
    const start = Math.floor(middle(block) / windowMs) * windowMs
    const members = windows.get(start)
    if (members === undefined) windows.set(start, [block])
    else members.push(block)
  }
  return [...windows]
    .filter(([, members]) => members.length >= 2)
    .map(([start, members]) => ({ start, members }))
    .sort((a, b) => a.start - b.start)
}

class Planner<B extends PlannedBlock> {
  /** Blocks that may be merged. */
  readonly settled: readonly B[]
  private readonly all: readonly B[]
  private readonly limits: MergeLimits

  /** `all`: in the order of arrival. */
  constructor(all: readonly B[], limits: MergeLimits) {
    this.all = all
    this.limits = limits
    // A block without samples has no times, and nothing to merge.
    this.settled = all.filter((block) => this.isSettled(block) && block.mint <= block.maxt)
  }

  /** Makes a window one block; or, where that would be too large, fewer ones. */
  whole(members: readonly B[]): MergePlan<B> | undefined {
    for (const part of this.parts(members)) {
      if (part.length < 2 || largestOf(part) > LARGEST_SHARE * bytesOf(part)) continue
      const plan = this.plan(part)
      if (plan !== undefined) return plan
    }
    return undefined
  }

  /** Of a window with too many blocks, merges the neighbours that are of a like size and the least to write. */
  crowd(members: readonly B[]): MergePlan<B> | undefined {
    if (members.length < CROWD) return undefined
    const runs: { from: number; to: number; bytes: number }[] = []
    for (let from = 0; from + RUN_MIN <= members.length; from++) {
      let bytes = 0
      let largest = 0
      for (let to = from; to < members.length && bytes <= this.limits.inputBytesMax; to++) {
        bytes += members[to].bytes
        largest = Math.max(largest, members[to].bytes)
        const count = to + 1 - from
        if (count >= RUN_MIN && largest <= LARGEST_SHARE_OF_RUN * bytes)
          runs.push({ from, to: to + 1, bytes })
      }
    }
    runs.sort((a, b) => a.bytes - b.bytes || b.to - b.from - (a.to - a.from) || a.from - b.from)
    for (const { from, to } of runs) {
      const plan = this.plan(members.slice(from, to))
      if (plan !== undefined) return plan
    }
    return undefined
  }

  /** Neighbours in arrival that fit one merge. */
  private *parts(members: readonly B[]): Generator<B[]> {
    const hull = hullOf(members)
    const obstacles = this.all.filter((block) => !this.isSettled(block) && overlap(block, hull))
    let part: B[] = []
    let bytes = 0
    for (const block of members) {
      const isApart = obstacles.some(
        (obstacle) =>
          part.length > 0 && compareArrival(part[0], obstacle) < 0 && compareArrival(obstacle, block) < 0,
      )
      if (isApart || bytes + block.bytes > this.limits.inputBytesMax) {
        yield part
        part = []
        bytes = 0
      }
      part.push(block)
      bytes += block.bytes
    }
    yield part
  }

  /** The merge of these and of what must go with them; undefined when it would be too long or too large. */
  private plan(chosen: readonly B[]): MergePlan<B> | undefined {
    const inputs = new Set(chosen)
    const hull = hullOf(chosen)
    for (let hasGrown = true; hasGrown; ) {
      hasGrown = false
      for (const block of this.all) {
        if (inputs.has(block) || !overlap(block, hull) || areInOrder(block, hull)) continue
        if (!this.isSettled(block)) return undefined
        inputs.add(block)
        grow(hull, block)
        hasGrown = true
      }
    }
    const sorted = [...inputs].sort(compareArrival)
    const longest = sorted.reduce((span, { mint, maxt }) => Math.max(span, maxt - mint), 0)
    if (hull.maxt - hull.mint > Math.max(longest, blockSpanMax(this.limits.retentionMs))) return undefined
    if (bytesOf(sorted) > this.limits.inputBytesMax) return undefined
    return { inputs: sorted, level: 1 + sorted.reduce((level, block) => Math.max(level, block.level), 0) }
  }

  private isSettled({ id, finalGeneration }: B): boolean {
    return finalGeneration < this.limits.liveGeneration && this.limits.excluded?.has(id) !== true
  }
}

interface Hull extends Span {
  firstGeneration: number
  finalGeneration: number
}

function hullOf(blocks: readonly PlannedBlock[]): Hull {
  const [{ mint, maxt, firstGeneration, finalGeneration }] = blocks
  const hull = { mint, maxt, firstGeneration, finalGeneration }
  for (const block of blocks) grow(hull, block)
  return hull
}

function grow(hull: Hull, block: PlannedBlock): void {
  hull.mint = Math.min(hull.mint, block.mint)
  hull.maxt = Math.max(hull.maxt, block.maxt)
  hull.firstGeneration = Math.min(hull.firstGeneration, block.firstGeneration)
  hull.finalGeneration = Math.max(hull.finalGeneration, block.finalGeneration)
}

function middle({ mint, maxt }: Span): number {
  return mint + (maxt - mint) / 2
}

function bytesOf(blocks: readonly PlannedBlock[]): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes, 0)
}

function largestOf(blocks: readonly PlannedBlock[]): number {
  return blocks.reduce((most, { bytes }) => Math.max(most, bytes), 0)
}
