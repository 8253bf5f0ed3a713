/** Makes the series pages of a block: see series-page.ts for what is in one. */
import { ByteWriter } from '../codec/byte-writer.ts'
import { compareUtf8, Labels } from '../model/labels.ts'
import { PAGE_HEADER } from './format.ts'
import { writeTexts } from './front-coding.ts'
import { GrowingColumn } from './growing-column.ts'
import { writeColumn } from './packed-column.ts'

const SERIES_MAX = 1024
/** A page is closed when its labels have so many characters, or its series so many chunks. */
const CHARACTERS_MAX = 512 * 1024
const CHUNKS_MAX = 16 * 1024

/** Gathers series, then writes them as one page. */
export class SeriesPageBuilder {
  /** Pairs of each series. */
  private readonly series: (readonly string[])[] = []
  private characters = 0
  /** Ref of the first series. */
  firstRef = 0
  private firstPage = 0
  private firstOffset = 0
  /** Chunks at which a further page begins. */
  private readonly pageStarts: number[] = []
  private readonly counts = new GrowingColumn()
  private readonly lengths = new GrowingColumn()
  private readonly mints = new GrowingColumn()
  private readonly maxts = new GrowingColumn()
  /** For what is written behind its own length. */
  private readonly room = new ByteWriter()

  get isEmpty(): boolean {
    return this.series.length === 0
  }

  get isFull(): boolean {
    return (
      this.series.length >= SERIES_MAX ||
      this.characters >= CHARACTERS_MAX ||
      this.lengths.length >= CHUNKS_MAX
    )
  }

  /** Number of series. */
  get count(): number {
    return this.series.length
  }

  get firstLabels(): Labels {
    return new Labels(this.series[0])
  }

  /** Begins a series; its chunks are added next. Refs follow each other. */
  addSeries(ref: number, labels: Labels): void {
    if (this.series.length === 0) this.firstRef = ref
    const { pairs } = labels
    this.series.push(pairs)
    for (let i = 0; i < pairs.length; i++) this.characters += pairs[i].length
    this.counts.push(0)
  }

  /** Adds a chunk of the series that was added last. */
  addChunk(page: number, offset: number, length: number, mint: number, maxt: number): void {
    const chunk = this.lengths.length
    if (chunk === 0) {
      this.firstPage = page
      this.firstOffset = offset
    } else if (offset === PAGE_HEADER) {
      this.pageStarts.push(chunk)
    }
    this.counts.values[this.counts.length - 1]++
    this.lengths.push(length)
    this.mints.push(mint)
    this.maxts.push(maxt)
  }

  /** Writes the content of the page, and forgets its series. */
  write(out: ByteWriter): void {
    const start = out.length - PAGE_HEADER
    const n = this.series.length
    const directory = out.length
    out.u32(0)
    out.u32(0)
    out.varint(this.firstRef)
    out.varint(n)
    this.writeTimes(out)
    const labelsAt = out.length - start
    this.writeLabels(out)
    const chunksAt = out.length - start
    this.writeChunks(out)
    out.bytes.writeUInt32LE(labelsAt, directory)
    out.bytes.writeUInt32LE(chunksAt, directory + 4)
    this.clear()
  }

  private clear(): void {
    this.series.length = 0
    this.characters = 0
    this.pageStarts.length = 0
    for (const column of [this.counts, this.lengths, this.mints, this.maxts]) column.clear()
  }

  private writeTimes(out: ByteWriter): void {
    const n = this.series.length
    const first = new Float64Array(n)
    const span = new Float64Array(n)
    for (let i = 0, chunk = 0; i < n; i++) {
      first[i] = this.mints.values[chunk]
      chunk += this.counts.values[i]
      span[i] = this.maxts.values[chunk - 1] - first[i]
    }
    writeColumn(out, first, 0, n)
    writeColumn(out, span, 0, n)
  }

  private writeLabels(out: ByteWriter): void {
    const names = [...new Set(this.series.flatMap((pairs) => pairs.filter((_, i) => i % 2 === 0)))]
    names.sort(compareUtf8)
    writeTexts(out, names)
    const positions = new Map(names.map((name, position) => [name, position]))
    const columns = names.map(() => new ValueColumn())
    const shapes = new Map<string, number>()
    const shapeOf = new Float64Array(this.series.length)
    this.series.forEach((pairs, i) => {
      let shape = ''
      for (let p = 0; p < pairs.length; p += 2) {
        const position = positions.get(pairs[p])!
        columns[position].push(pairs[p + 1])
        shape += `${position},`
      }
      const number = shapes.get(shape) ?? shapes.size
      if (number === shapes.size) shapes.set(shape, number)
      shapeOf[i] = number
    })
    out.varint(shapes.size)
    for (const shape of shapes.keys()) {
      const list = shape.split(',').slice(0, -1)
      out.varint(list.length)
      for (const position of list) out.varint(Number(position))
    }
    writeColumn(out, shapeOf, 0, shapeOf.length)
    for (const column of columns) {
      this.room.clear()
      column.write(this.room)
      out.varint(this.room.length)
      out.copy(this.room.bytes, 0, this.room.length)
    }
  }

  private writeChunks(out: ByteWriter): void {
    const n = this.series.length
    const all = this.lengths.length
    const others = all - n
    out.varint(all)
    out.varint(this.firstPage)
    out.varint(this.firstOffset)
    out.varint(this.pageStarts.length)
    this.pageStarts.forEach((chunk, i) => {
      out.varint(chunk - (i === 0 ? 0 : this.pageStarts[i - 1]))
    })
    const finalLengths = new Float64Array(n)
    const lengths = new Float64Array(others)
    const spans = new Float64Array(others)
    const gaps = new Float64Array(others)
    let other = 0
    for (let i = 0, chunk = 0; i < n; i++, chunk++) {
      for (let left = this.counts.values[i]; left > 1; left--, chunk++, other++) {
        lengths[other] = this.lengths.values[chunk]
        spans[other] = this.maxts.values[chunk] - this.mints.values[chunk]
        gaps[other] = this.mints.values[chunk + 1] - this.maxts.values[chunk]
      }
      finalLengths[i] = this.lengths.values[chunk]
    }
    writeColumn(out, this.counts.values, 0, n)
    writeColumn(out, finalLengths, 0, n)
    writeColumn(out, lengths, 0, others)
    writeColumn(out, spans, 0, others)
    writeColumn(out, gaps, 0, others)
  }
}

/** Values of one name, in the order of the series that have it. */
class ValueColumn {
  private readonly positions = new Map<string, number>()
  private readonly column = new GrowingColumn()
  private lastText: string | undefined
  private lastPosition = 0

  push(text: string): void {
    // Neighbours often have the same value.
    if (text !== this.lastText) {
      this.lastText = text
      const known = this.positions.get(text)
      this.lastPosition = known ?? this.positions.size
      if (known === undefined) this.positions.set(text, this.lastPosition)
    }
    this.column.push(this.lastPosition)
  }

  write(out: ByteWriter): void {
    const texts = [...this.positions.keys()].sort(compareUtf8)
    const sorted = new Uint32Array(texts.length)
    texts.forEach((text, i) => {
      sorted[this.positions.get(text)!] = i
    })
    const { values, length } = this.column
    for (let i = 0; i < length; i++) values[i] = sorted[values[i]]
    writeColumn(out, values, 0, length)
    writeTexts(out, texts)
  }
}
