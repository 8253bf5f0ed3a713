/**
 * The rows of a generation that is made anew from the log. Nobody reads it meanwhile, so its floats and stale markers
 * wait here until there are enough of a series for a chunk: each is encoded once, in a run that is worth it.
 *
 * The log has the samples of all series at one time side by side, a chunk those of one series. So what waits lies in
 * tiles of TILE series: first the oldest sample of each of them, then the next one of each, and so on. A commit is
 * written to places side by side, and a tile stays in the processor's cache while the chunks of its series are made.
 */
import type { FloatHistogram } from '../model/histogram.ts'
import {
  type HistogramKind,
  isHistogramKind,
  KIND_FLOAT,
  KIND_STALE,
  type Kind,
  SampleColumns,
} from '../model/sample.ts'
import type { GenerationWriter } from './generation.ts'
import { appendChunk } from './row-chunks.ts'
import {
  STAGED_MASK,
  STAGED_MAX,
  STAGED_STAMPS,
  STAGED_V,
  STAMP_KIND_SHIFT,
  STAMP_MASK,
  STATE,
} from './row-layout.ts'
import { pushStaged } from './row-reader.ts'
import { newestTime, noteStart, stage, stageLate } from './series-row.ts'
import { encodeHistogram, releaseHistogram, storeHistogram } from './staged-histogram.ts'

/** Samples that wait of a series at most; they become one chunk. */
const WAITING_MAX = 32
const TILE_SHIFT = 6
const TILE = 1 << TILE_SHIFT
const TILE_SAMPLES = TILE * WAITING_MAX

/** Memory comes a page at a time. */
const PAGE_SHIFT = 10
const PAGE_SERIES = 1 << PAGE_SHIFT
const PAGE_MASK = PAGE_SERIES - 1

/** Commit number of replayed samples: all views see them. */
const COMMIT_REPLAYED = 0

/** What waits of PAGE_SERIES series. */
class Page {
  readonly v = new Float64Array(PAGE_SERIES * WAITING_MAX)
  /** Stamp and kind, as a row has them. */
  readonly stamps = new Uint32Array(PAGE_SERIES * WAITING_MAX)
  readonly count = new Uint8Array(PAGE_SERIES)
  /** Time of the newest sample of each series, −Infinity when there is none. */
  readonly newestT = new Float64Array(PAGE_SERIES)
}

/** Serves one generation after the other; its memory is used again. */
export class BulkRows {
  private readonly pages: Page[] = []
  private readonly chunk = new SampleColumns(WAITING_MAX + STAGED_MAX)
  private writer: GenerationWriter
  private lastT = Number.NaN
  private lastStamp = 0
  /** Whether a row may have a start note. */
  private hasStarts = false

  constructor(writer: GenerationWriter) {
    this.writer = writer
  }

  /** What comes is of this generation. Requires: nothing waits. */
  turnTo(writer: GenerationWriter): void {
    if (writer !== this.writer) this.hasStarts = false
    this.writer = writer
    this.lastT = Number.NaN
  }

  /** Takes samples of series `index` from now on. Requires: its row is begun. */
  begin(index: number): void {
    const number = index >>> PAGE_SHIFT
    while (this.pages.length <= number) this.pages.push(new Page())
    const page = this.pages[number]
    const inPage = index & PAGE_MASK
    // Where samples wait, the row does not have the newest one.
    if (page.count[inPage] === 0) page.newestT[inPage] = newestTime(this.writer, this.writer.rowAt(index))
  }

  /**
   * Adds `v[i]` at time `t[i]`, a float or stale marker, with start timestamp `st[i]`, where `st` is not empty: columns, so
   * that V8 makes no number on the heap for the call. Samples were checked before they were logged; one that comes again
   * with a time that it had is left out. Returns whether it was added. Requires: the series was begun. Throws NO_MEMORY.
   */
  add(index: number, t: Float64Array, v: Float64Array, st: Float64Array, i: number, kind: number): boolean {
    const page = this.pages[index >>> PAGE_SHIFT]
    const inPage = index & PAGE_MASK
    if (!(t[i] > page.newestT[inPage])) {
      return this.addLate(page, index, t[i], v[i], kind as Kind, st.length > 0 ? st[i] : 0)
    }
    if (page.count[inPage] === WAITING_MAX) this.makeChunk(page, index, WAITING_MAX)
    if (t[i] !== this.lastT) this.turnToTime(t[i])
    if (st.length > 0 || this.hasStarts) this.noteStart(index, this.lastStamp, st.length > 0 ? st[i] : 0)
    const at = placeOf(inPage, page.count[inPage]++)
    page.v[at] = v[i]
    page.stamps[at] = ((kind << STAMP_KIND_SHIFT) | this.lastStamp) >>> 0
    page.newestT[inPage] = t[i]
    return true
  }

  /** As `add`, of a histogram, which goes into the row at once. */
  addHistogram(
    index: number,
    t: number,
    histogram: FloatHistogram,
    kind: HistogramKind,
    st: number,
  ): boolean {
    const { writer } = this
    const page = this.pages[index >>> PAGE_SHIFT]
    const newestT = page.newestT[index & PAGE_MASK]
    if (t === newestT) return false
    const recordAt = storeHistogram(writer, encodeHistogram(histogram, kind))
    if (t < newestT) return this.addLate(page, index, t, recordAt, kind, st)
    this.settle(page, index)
    const stamp = writer.stampOf(t, COMMIT_REPLAYED)
    this.noteStart(index, stamp, st)
    stage(writer, writer.rowAt(index), stamp, recordAt, kind)
    page.newestT[index & PAGE_MASK] = t
    return true
  }

  /** Puts all that waits into the rows. Throws NO_MEMORY. */
  settleAll(): void {
    for (let i = 0; i < this.pages.length; i++) {
      const page = this.pages[i]
      for (let inPage = 0; inPage < PAGE_SERIES; inPage++) {
        if (page.count[inPage] > 0) this.settle(page, (i << PAGE_SHIFT) + inPage)
      }
    }
  }

  private turnToTime(t: number): void {
    this.lastStamp = this.writer.stampOf(t, COMMIT_REPLAYED)
    this.lastT = t
  }

  /** Of a sample that comes in order. */
  private noteStart(index: number, stamp: number, st: number): void {
    const { writer } = this
    if (st !== 0) this.hasStarts = true
    noteStart(writer, writer.rowAt(index), stamp, st)
  }

  private addLate(page: Page, index: number, t: number, v: number, kind: Kind, st: number): boolean {
    if (kind === KIND_STALE || t === page.newestT[index & PAGE_MASK]) return false
    const { writer } = this
    stageLate(writer, writer.rowAt(index), writer.stampOf(t, COMMIT_REPLAYED), v, kind, st)
    return true
  }

  /** Leaves the newest samples of a series staged in its row, where the append rules look at them; the others become a chunk. */
  private settle(page: Page, index: number): void {
    const { writer } = this
    const at = writer.rowAt(index)
    const inPage = index & PAGE_MASK
    const count = page.count[inPage]
    const staged = writer.slab.u32[at * 2 + STATE] & STAGED_MASK
    let i = 0
    if (staged + count > STAGED_MAX) {
      i = Math.max(0, count - STAGED_MAX)
      this.makeChunk(page, index, i)
    }
    for (; i < count; i++) {
      const place = placeOf(inPage, i)
      const stamp = page.stamps[place]
      stage(writer, at, stamp & STAMP_MASK, page.v[place], (stamp >>> STAMP_KIND_SHIFT) as Kind)
    }
    page.count[inPage] = 0
  }

  /**
   * Makes a chunk of what is staged in the row of the series and of its first `count` samples that wait. A sample has to
   * be staged behind it, so that the row has the newest one again.
   */
  private makeChunk(page: Page, index: number, count: number): void {
    const { writer, chunk } = this
    const at = writer.rowAt(index)
    const inPage = index & PAGE_MASK
    const staged = writer.slab.u32[at * 2 + STATE] & STAGED_MASK
    chunk.clear()
    for (let slot = 0; slot < staged; slot++) pushStaged(writer, at, slot, chunk)
    const { t, v, kind } = chunk
    for (let i = 0; i < count; i++) {
      const place = placeOf(inPage, i)
      const stamp = page.stamps[place]
      const to = chunk.length++
      t[to] = writer.stampTime(stamp & STAMP_MASK)
      v[to] = page.v[place]
      kind[to] = stamp >>> STAMP_KIND_SHIFT
      if (kind[to] !== KIND_FLOAT) chunk.allFloat = false
    }
    appendChunk(writer, at, chunk)
    if (staged > 0) emptyRow(writer, at, staged)
    if (count === WAITING_MAX) page.count[inPage] = 0
  }
}

/** Where sample `i` of a series of a page waits. */
function placeOf(inPage: number, i: number): number {
  return (inPage >>> TILE_SHIFT) * TILE_SAMPLES + i * TILE + (inPage & (TILE - 1))
}

/** Takes the staged samples out of a row. */
function emptyRow(writer: GenerationWriter, at: number, staged: number): void {
  const { u32, f64 } = writer.slab
  for (let slot = 0; slot < staged; slot++) {
    const stampAt = at * 2 + STAGED_STAMPS + slot
    if (isHistogramKind(u32[stampAt] >>> STAMP_KIND_SHIFT))
      releaseHistogram(writer, f64[at + STAGED_V + slot])
    u32[stampAt] = 0
  }
  u32[at * 2 + STATE] &= ~STAGED_MASK
}
