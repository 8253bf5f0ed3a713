/**
 * The queries that run, in a file: should one of them take the process down, the next start says which they were.
 *
 *   byte 0   [
 *   then a slot of 1,000 bytes for each query thread: NULs, or while a query runs
 *            {"query":"…","timestamp_sec":1767366245} NUL … NUL ,
 *
 * As upstream: without the NULs, and with its last comma made a `]`, the file is a JSON list. `timestamp_sec` is when the
 * query began, Unix seconds. A query that does not fit is cut. The file is not synced: it is about processes that die,
 * not machines.
 *
 * A write costs as much as a fortieth of a small query. So the file follows what runs some milliseconds behind, and most
 * queries are over before they get there. None of those takes the process down: what does that has eaten its memory
 * first.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

const SLOT_BYTES = 1000
const OPEN = 0x5b
const COMMA = 0x2c
const BACKSLASH = 0x5c
const LETTER_U = 0x75

const HEAD = '{"query":"'

/** The file lags behind by one to two of these. */
const LOOK_EVERY_MS = 5

export interface Unfinished {
  /** JSON list of the entries as they stood in the file. */
  queries: string
  /** Slots with something else in them; left out where there are none. */
  unreadable?: number
}

/** What a journal says of queries that did not end; undefined where all did, or there is no file. */
export function readUnfinished(path: string): Unfinished | undefined {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const entries: string[] = []
  let unreadable = 0
  for (let at = 1; at < bytes.length; at += SLOT_BYTES) {
    const slot = bytes.subarray(at, at + SLOT_BYTES)
    if (slot.every((byte) => byte === 0)) continue
    const end = slot.indexOf(0)
    const text = slot.toString('utf8', 0, end < 0 ? SLOT_BYTES - 1 : end)
    if (isEntry(text)) entries.push(text)
    else unreadable++
  }
  if (entries.length + unreadable === 0) return undefined
  const queries = `[${entries.join(',')}]`
  return unreadable === 0 ? { queries } : { queries, unreadable }
}

function isEntry(text: string): boolean {
  try {
    return typeof (JSON.parse(text) as { query?: unknown }).query === 'string'
  } catch {
    return false
  }
}

interface Slot {
  /** Of the query that runs; undefined where none does. */
  query: string | undefined
  beganMs: number
  /** Whether the file says so. */
  isWritten: boolean
  /** It did not change since the last look at it. */
  isSteady: boolean
}

export class QueryJournal {
  private readonly file: number
  private readonly bytes: Buffer
  private readonly slots: Slot[]
  private readonly onFailure: (error: Error) => void
  private timer: NodeJS.Timeout | undefined
  /** After a failure nothing is written any more. */
  private isOpen = true

  /**
   * Makes the file, empty, for slots [0, slots). A write that fails later ends the journal and not the query; it is told
   * once. Throws the file system's error.
   */
  constructor(path: string, slots: number, onFailure: (error: Error) => void) {
    this.onFailure = onFailure
    this.slots = Array.from({ length: slots }, () => ({
      query: undefined,
      beganMs: 0,
      isWritten: true,
      isSteady: true,
    }))
    this.bytes = Buffer.alloc(1 + slots * SLOT_BYTES)
    this.bytes[0] = OPEN
    this.file = openSync(path, 'w', 0o666)
    try {
      // Whole at once, so that there is room on the disk for what comes.
      writeWhole(this.file, this.bytes)
    } catch (error) {
      closeSync(this.file)
      throw error
    }
  }

  /** Requires: no other query is in the slot. */
  begin(slot: number, query: string): void {
    this.change(slot, query)
  }

  /** Does nothing where no query was. */
  end(slot: number): void {
    if (this.slots[slot].query !== undefined) this.change(slot, undefined)
  }

  /** What still runs stays in the file. */
  close(): void {
    if (!this.isOpen) return
    this.follow()
    if (this.isOpen) this.shut()
  }

  private change(slot: number, query: string | undefined): void {
    if (!this.isOpen) return
    const state = this.slots[slot]
    state.query = query
    state.beganMs = Date.now()
    state.isWritten = false
    state.isSteady = false
    this.awaitLook()
  }

  private awaitLook(): void {
    this.timer ??= setTimeout(() => this.follow(), LOOK_EVERY_MS).unref()
  }

  /** Makes the file say what runs now, but for queries that only just began. */
  private follow(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    try {
      for (const [slot, state] of this.slots.entries()) {
        if (state.isWritten) continue
        const at = 1 + slot * SLOT_BYTES
        if (state.query === undefined || state.isSteady) {
          state.isWritten = true
          this.write(at, state.query, state.beganMs)
        } else {
          state.isSteady = true
          // The one before is over in any case.
          this.write(at, undefined, 0)
          this.awaitLook()
        }
      }
    } catch (error) {
      this.shut()
      this.onFailure(error as Error)
    }
  }

  private write(at: number, query: string | undefined, beganMs: number): void {
    const { bytes } = this
    // Most slots were empty, and are again.
    if (query === undefined && bytes[at] === 0) return
    bytes.fill(0, at, at + SLOT_BYTES)
    if (query !== undefined) putEntry(bytes, at, query, beganMs)
    writeSync(this.file, bytes, at, SLOT_BYTES, at)
  }

  private shut(): void {
    this.isOpen = false
    clearTimeout(this.timer)
    closeSync(this.file)
  }
}

function putEntry(bytes: Buffer, at: number, query: string, beganMs: number): void {
  const tail = `","timestamp_sec":${Math.floor(beganMs / 1000)}}`
  // A character takes a byte at least.
  const json = JSON.stringify(query.length > SLOT_BYTES ? query.slice(0, SLOT_BYTES) : query)
  const room = SLOT_BYTES - 1 - HEAD.length - tail.length
  bytes.write(HEAD, at, 'latin1')
  const end = putText(bytes, at + HEAD.length, room, json.slice(1, -1))
  bytes.write(tail, end, 'latin1')
  bytes[at + SLOT_BYTES - 1] = COMMA
}

function writeWhole(file: number, bytes: Uint8Array): void {
  let at = 0
  while (at < bytes.length) at += writeSync(file, bytes, at, bytes.length - at, at)
}

/** Writes what fits of the inside of a JSON string: whole characters, whole escapes. Returns its end. */
function putText(bytes: Buffer, at: number, room: number, text: string): number {
  const end = at + bytes.write(text, at, room, 'utf8')
  // Where a byte is left the text is whole, or was cut before a character of several bytes.
  if (end - at < room) return end
  // The last backslash that may begin an escape that was cut: it does if as many stand before it as make whole ones.
  for (let i = end - 1; i >= Math.max(at, end - 5); i--) {
    if (bytes[i] !== BACKSLASH) continue
    let first = i
    while (first > at && bytes[first - 1] === BACKSLASH) first--
    if ((i - first) % 2 === 1) break
    const escapeBytes = i + 1 < end && bytes[i + 1] === LETTER_U ? 6 : 2
    return i + escapeBytes > end ? i : end
  }
  return end
}
