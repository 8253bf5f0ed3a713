/** What was found damaged on the disk: noted by whoever finds it, read by the status API, the log and queries. */

export interface DamageNote {
  /** Part of the storage: `wal`, or a block by its folder, as `blocks/0000002a`. */
  place: string
  /** A sentence without its full stop: what is damaged, and how it shows. */
  what: string
  /** Series that lost samples, as text, where they are known; maybe not all of them. */
  series?: readonly string[]
  /** Samples from `mint` to `maxt` may be lost, both inclusive; what is not known is left out. */
  mint?: number
  maxt?: number
  /** Where the bytes as they were found are kept, relative to the data folder. */
  quarantine?: string
}

/** Notes kept at most: a disk that dies must not fill the memory too. */
const NOTES_MAX = 1000
const KNOWN_MAX = 100_000
/** Notes that a query is told of, and series of each. */
const TOLD_MAX = 20
const SERIES_TOLD = 3

export class DamageRegistry {
  private readonly list: DamageNote[] = []
  /** Those that were taken, also beyond those that are kept. */
  private readonly known = new Set<string>()
  private totalCount = 0
  private readonly onNote: (note: DamageNote) => void

  /** `onNote` hears of each new note, for the log. */
  constructor(onNote: (note: DamageNote) => void) {
    this.onNote = onNote
  }

  /** The first notes, at most 1000, oldest first. */
  get notes(): readonly DamageNote[] {
    return this.list
  }

  /** How many there were, for the metric. */
  get total(): number {
    return this.totalCount
  }

  /** Takes a note, unless the same was taken before: a damaged page is met by every query that reads it. */
  add(note: DamageNote): void {
    const key = `${note.place}\0${note.what}`
    if (this.known.has(key)) return
    if (this.known.size < KNOWN_MAX) this.known.add(key)
    this.totalCount++
    if (this.list.length < NOTES_MAX) this.list.push(note)
    this.onNote(note)
  }

  /** Notes of all but the blocks, the newest few of those kept: what a block has lost its readers tell themselves. */
  ofNoBlock(): DamageNote[] {
    return this.list.filter(({ place }) => !place.startsWith('blocks/')).slice(-TOLD_MAX)
  }
}

/** What is missing, in a sentence, where a query of [mint, maxt] may miss it; a note without a bound always may. */
export function warningOf(note: DamageNote, mint: number, maxt: number): string | undefined {
  if ((note.mint ?? mint) > maxt || (note.maxt ?? maxt) < mint) return undefined
  const { place, what, series = [] } = note
  const time = (ms: number | undefined, unknown: string) =>
    ms === undefined ? unknown : new Date(ms).toISOString()
  const of = series.length === 0 ? '' : ` of ${series.slice(0, SERIES_TOLD).join(', ')}`
  const more = series.length > SERIES_TOLD ? ` and ${series.length - SERIES_TOLD} more` : ''
  const span = `from ${time(note.mint, 'the beginning')} to ${time(note.maxt, 'the end')}`
  return `${place}: ${what}: samples ${span}${of}${more} may be missing`
}
