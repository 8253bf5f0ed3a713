/**
 * The lines of one target's page, in the order of the page, in columns: some 30 bytes a line, and no objects.
 *
 *   column    of a series line                           of a comment (lines of HELP and TYPE about one metric)
 *   flags     what follows from the line, and its rôle   LINE_COMMENT, and the number of the type above bit 5
 *   refs      the series in storage; with LINE_REPEATED  53 bits of hash of the bytes
 *             the line that is repeated; else 0
 *   hashes    32 bits of hash of the bytes               how many bytes
 *   prefixes  bytes shared with the series line before   version of the metric's metadata that it led to
 *   places    of the other bytes in the pool             of the metric in the target's metadata
 *
 * Series lines are kept without their value: name and labels as written. They are front-coded (as in the tables of
 * LevelDB): a reader who confirms line after line compares the shared bytes within the page and the others with the
 * pool, and so knows the whole line. One line in KEY_EVERY at least is whole, so that the way back is short.
 */
import { commonLength, equalRuns } from '../exposition/byte-run.ts'
import { LinePool } from './line-pool.ts'

/** The scrape at hand had the line, so that its absence in the next one ends the series. */
export const LINE_TRACKED = 1
/** The same of the scrape before. */
export const LINE_TRACKED_BEFORE = 2
/** Relabelling drops the line. */
export const LINE_DROPPED = 4
/** The same bytes stand further up: `refs` has where. */
export const LINE_REPEATED = 8
/** Not a series line. */
export const LINE_COMMENT = 16
/** Another line became the same series. */
export const LINE_SHARED = 32
/** Labels `le` or `quantile` were taken as floats, by the TYPE line that was above when the line was new. */
export const LINE_FLOAT_LE = 64
export const LINE_FLOAT_QUANTILE = 128

const TRACKED_BITS = LINE_TRACKED | LINE_TRACKED_BEFORE
const TYPE_SHIFT = 5

const KEY_EVERY = 32
const PREFIX_MAX = 0xffff
const CAPACITY_MIN = 16
/** Bytes of pieces that no line has any more are given up when the pool has grown to twice its size, and this. */
const POOL_SLACK = 4096

export class LineLayout {
  count = 0
  flags = new Uint8Array(CAPACITY_MIN)
  refs = new Float64Array(CAPACITY_MIN)
  hashes = new Uint32Array(CAPACITY_MIN)
  prefixes = new Uint16Array(CAPACITY_MIN)
  places = new Uint32Array(CAPACITY_MIN)
  pool = new LinePool()
  /** Size of the pool when all of it was in use. */
  private poolBytes = 0
  /** Series lines since the last whole one. */
  private sinceKey = KEY_EVERY
  /** Length of the last series line. */
  private lastLength = 0
  private scratch = new Uint8Array(0)

  /**
   * Adds the series line at bytes [start, end) of `page` and returns its place. `before`: where the last series line
   * of the layout stands in `page`; −1 when it does not.
   */
  addSeries(page: Uint8Array, start: number, end: number, hash: number, before: number): number {
    let prefix = 0
    if (before >= 0 && this.sinceKey < KEY_EVERY) {
      prefix = commonLength(page, before, page, start, Math.min(end - start, this.lastLength, PREFIX_MAX))
    }
    this.lastLength = end - start
    return this.addLine(hash, prefix, this.pool.add(page, start + prefix, end))
  }

  /** Adds a comment of `length` bytes with this wide hash, on the metric at `place` of the metadata in this version. */
  addComment(wideHash: number, length: number, place: number, version: number, type: number): number {
    this.reserve(this.count + 1)
    const line = this.count++
    this.flags[line] = LINE_COMMENT | (type << TYPE_SHIFT)
    this.refs[line] = wideHash
    this.hashes[line] = length
    this.prefixes[line] = version
    this.places[line] = place
    return line
  }

  /** Of a comment: number of the type that it gives the metric, 0 for none. */
  typeOf(line: number): number {
    return this.flags[line] >>> TYPE_SHIFT
  }

  /** Bytes of a series line. */
  lengthOf(line: number): number {
    return this.prefixes[line] + this.pool.lengthAt(this.places[line])
  }

  /** Whether the series line is bytes [start, start + length) of `page`. */
  isLine(line: number, page: DataView, start: number, length: number): boolean {
    const { pool } = this
    if (this.lengthOf(line) !== length) return false
    for (let at = line, end = length; end > 0; at--) {
      if (this.flags[at] & LINE_COMMENT || this.prefixes[at] >= end) continue
      const prefix = this.prefixes[at]
      const text = pool.textAt(this.places[at])
      if (!equalRuns(pool.view, text, page, start + prefix, end - prefix)) return false
      end = prefix
    }
    return true
  }

  /** Writes the bytes of a series line to `into` from `start` on. Requires room for `lengthOf(line)`. */
  copyBytes(line: number, into: Uint8Array, start: number): void {
    const { pool } = this
    for (let at = line, end = this.lengthOf(line); end > 0; at--) {
      const prefix = this.prefixes[at]
      if (this.flags[at] & LINE_COMMENT || prefix >= end) continue
      const from = pool.textAt(this.places[at]) - prefix
      for (let k = prefix; k < end; k++) into[start + k] = pool.bytes[from + k]
      end = prefix
    }
  }

  /** At the end of a scrape: what it tracked is now what the scrape before had. */
  passTracked(): void {
    const { flags, count } = this
    for (let i = 0; i < count; i++) {
      if (flags[i] & LINE_COMMENT) continue
      flags[i] = (flags[i] & ~TRACKED_BITS) | ((flags[i] & LINE_TRACKED) << 1)
    }
  }

  /**
   * The layout of a page that had these lines: `runs` are pairs [from, to) of lines of this layout, which is not to
   * be used after it. A line that comes again becomes LINE_REPEATED.
   */
  arranged(runs: readonly number[]): LineLayout {
    const to = new LineLayout()
    let count = 0
    for (let r = 0; r < runs.length; r += 2) count += runs[r + 1] - runs[r]
    to.reserve(count)
    if (this.pool.used <= 2 * this.poolBytes + POOL_SLACK) {
      to.pool = this.pool
      to.poolBytes = this.poolBytes
    }
    const placeOf = new Int32Array(this.count).fill(-1)
    let before = -1
    for (let r = 0; r < runs.length; r += 2) before = this.copyRun(runs[r], runs[r + 1], before, to, placeOf)
    to.trim()
    return to
  }

  /** To be called when nothing is added for a while: gives back room that is not used. */
  trim(): void {
    if (this.flags.length > this.count) this.resize(this.count)
    this.pool.trim()
    if (this.poolBytes === 0) this.poolBytes = this.pool.used
  }

  /** `before`: the series line of this layout that was copied last, −1 for none. Returns the one that is now. */
  private copyRun(from: number, end: number, before: number, to: LineLayout, placeOf: Int32Array): number {
    // Whether `before` is the series line in front of the one at hand here too, so that their coding still holds.
    let isNext = false
    for (let line = from; line < end; line++) {
      if (this.flags[line] & LINE_COMMENT) {
        to.addComment(
          this.refs[line],
          this.hashes[line],
          this.places[line],
          this.prefixes[line],
          this.typeOf(line),
        )
        continue
      }
      if (!isNext) isNext = before >= 0 && this.seriesBefore(line) === before
      if (isNext && (to.sinceKey < KEY_EVERY || this.prefixes[line] === 0)) this.copyCoded(line, to)
      else this.copyBehind(before, line, to)
      this.copyMeaning(line, to, placeOf)
      before = line
      isNext = true
    }
    return before
  }

  private copyCoded(line: number, to: LineLayout): void {
    const { pool } = this
    let place = this.places[line]
    to.lastLength = this.prefixes[line] + pool.lengthAt(place)
    if (to.pool !== pool) {
      const text = pool.textAt(place)
      place = to.pool.add(pool.bytes, text, text + pool.lengthAt(place))
    }
    to.addLine(this.hashes[line], this.prefixes[line], place)
  }

  /** Copies a line that has another line before it than here. */
  private copyBehind(before: number, line: number, to: LineLayout): void {
    const start = before < 0 ? 0 : this.lengthOf(before)
    const end = start + this.lengthOf(line)
    if (this.scratch.length < end) this.scratch = new Uint8Array(2 * end)
    if (before >= 0) this.copyBytes(before, this.scratch, 0)
    this.copyBytes(line, this.scratch, start)
    to.addSeries(this.scratch, start, end, this.hashes[line], before < 0 ? -1 : 0)
  }

  private copyMeaning(line: number, to: LineLayout, placeOf: Int32Array): void {
    const copy = to.count - 1
    const first = this.firstOf(line)
    if (placeOf[first] >= 0) {
      to.flags[copy] = LINE_REPEATED
      to.refs[copy] = placeOf[first]
    } else {
      placeOf[first] = copy
      to.flags[copy] = this.flags[first]
      to.refs[copy] = this.refs[first]
    }
  }

  /** The line itself, or the one that it repeats. */
  firstOf(line: number): number {
    return this.flags[line] & LINE_REPEATED ? this.refs[line] : line
  }

  private seriesBefore(line: number): number {
    let before = line - 1
    while (before >= 0 && this.flags[before] & LINE_COMMENT) before--
    return before
  }

  private addLine(hash: number, prefix: number, place: number): number {
    this.reserve(this.count + 1)
    const line = this.count++
    this.flags[line] = 0
    this.refs[line] = 0
    this.hashes[line] = hash
    this.prefixes[line] = prefix
    this.places[line] = place
    this.sinceKey = prefix === 0 ? 1 : this.sinceKey + 1
    return line
  }

  private reserve(count: number): void {
    if (count > this.flags.length) this.resize(Math.max(count, Math.ceil(this.flags.length * 1.5)))
  }

  private resize(capacity: number): void {
    const { count } = this
    this.flags = resized(this.flags, count, new Uint8Array(capacity))
    this.refs = resized(this.refs, count, new Float64Array(capacity))
    this.hashes = resized(this.hashes, count, new Uint32Array(capacity))
    this.prefixes = resized(this.prefixes, count, new Uint16Array(capacity))
    this.places = resized(this.places, count, new Uint32Array(capacity))
  }
}

function resized<T extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  from: T,
  used: number,
  to: T,
): T {
  to.set(from.subarray(0, used))
  return to
}
