/**
 * From the series pages of a block to its postings.
 *
 * Each series page has, for each name, its values in order and a column that says which series has which. So for one
 * name after the other the pages' values are merged (a binary heap of cursors, by value, then by page, as in Knuth,
 * TAOCP 3, 5.4.1), and out come all pairs in order with ascending refs. It needs the pages as bytes, and for one name
 * 4 bytes a series.
 */
import { compareUtf8 } from '../model/labels.ts'
import type { TextCursor } from './front-coding.ts'
import type { LabelsPart, SeriesPage } from './series-page.ts'

/** Gets the pairs in order. Refs [0, count) ascend; the array is used again after the call. */
export type PairVisitor = (name: string, value: string, refs: Uint32Array, count: number) => void

/** Pages in the order of their refs. */
export function mergePostings(pages: readonly SeriesPage[], visit: PairVisitor): void {
  const names = new Map<string, ValueSource[]>()
  for (const page of pages) {
    page.labels.names.forEach((name, position) => {
      const sources = names.get(name)
      const source = new ValueSource(page.firstRef, page.labels, position)
      if (sources === undefined) names.set(name, [source])
      else sources.push(source)
    })
  }
  for (const name of [...names.keys()].sort(compareUtf8)) {
    mergeName(name, names.get(name)!, visit)
    // What the sources decoded goes with them.
    names.delete(name)
  }
}

function mergeName(name: string, sources: readonly ValueSource[], visit: PairVisitor): void {
  const heap = new SourceHeap(sources)
  let refs = new Uint32Array(1024)
  for (let source = heap.top; source !== undefined; ) {
    const value = source.text
    let count = 0
    while (source !== undefined && source.text === value) {
      if (count + source.size > refs.length) {
        const grown = new Uint32Array(2 * (count + source.size))
        grown.set(refs)
        refs = grown
      }
      count = source.read(refs, count)
      heap.advance()
      source = heap.top
    }
    visit(name, value, refs, count)
  }
}

/** The values of one name in one page, one after the other. */
class ValueSource {
  readonly firstRef: number
  private readonly labels: LabelsPart
  private readonly position: number
  private cursor: TextCursor | undefined
  /** Series of the page, those of one value together: value v has [starts[v], starts[v + 1]). */
  private series = new Uint16Array(0)
  private starts = new Uint32Array(0)

  constructor(firstRef: number, labels: LabelsPart, position: number) {
    this.firstRef = firstRef
    this.labels = labels
    this.position = position
  }

  get text(): string {
    return this.cursor!.text
  }

  /** Number of series of the present value. */
  get size(): number {
    const { position } = this.cursor!
    return this.starts[position + 1] - this.starts[position]
  }

  next(): boolean {
    if (this.cursor === undefined) this.open()
    return this.cursor!.next()
  }

  read(into: Uint32Array, end: number): number {
    const { position } = this.cursor!
    for (let i = this.starts[position]; i < this.starts[position + 1]; i++) {
      into[end++] = this.firstRef + this.series[i]
    }
    return end
  }

  /** Sorts the series by their values: a counting sort, which keeps the order of refs. */
  private open(): void {
    const { cursor, valueIndex } = this.labels.valueCursor(this.position)
    this.cursor = cursor
    this.starts = new Uint32Array(cursor.count + 2)
    for (let i = 0; i < valueIndex.length; i++) this.starts[valueIndex[i] + 1]++
    for (let v = 1; v < this.starts.length; v++) this.starts[v] += this.starts[v - 1]
    this.series = new Uint16Array(valueIndex.length)
    // Series without the label (0) come first; the starts are moved on and end up one value further.
    for (let i = 0; i < valueIndex.length; i++) this.series[this.starts[valueIndex[i]]++] = i
  }
}

/** The source with the smallest value is on top; of several, the one with the lowest refs. */
class SourceHeap {
  private readonly sources: ValueSource[] = []

  constructor(sources: readonly ValueSource[]) {
    for (const source of sources) if (source.next()) this.sources.push(source)
    for (let i = (this.sources.length >>> 1) - 1; i >= 0; i--) this.sink(i)
  }

  get top(): ValueSource | undefined {
    return this.sources[0]
  }

  /** Moves the top source to its next value. */
  advance(): void {
    const { sources } = this
    if (!sources[0].next()) {
      const final = sources.pop()!
      if (sources.length === 0) return
      sources[0] = final
    }
    this.sink(0)
  }

  private sink(i: number): void {
    const { sources } = this
    const source = sources[i]
    for (;;) {
      let child = 2 * i + 1
      if (child >= sources.length) break
      if (child + 1 < sources.length && isBefore(sources[child + 1], sources[child])) child++
      if (!isBefore(sources[child], source)) break
      sources[i] = sources[child]
      i = child
    }
    sources[i] = source
  }
}

function isBefore(a: ValueSource, b: ValueSource): boolean {
  const order = a.text === b.text ? 0 : compareUtf8(a.text, b.text)
  return order < 0 || (order === 0 && a.firstRef < b.firstRef)
}
