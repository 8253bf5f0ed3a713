/**
 * A series page: up to some 1,000 neighbouring series of a block, their labels, times and the places of their
 * chunks. It needs no other page to be understood, so that a damaged one costs its own series only.
 *
 * Content, behind the header (see format.ts; columns as in packed-column.ts, texts as in front-coding.ts):
 *
 *   u32 byte of the page at which the labels begin    u32 the same for the chunks
 *   varint first ref    varint number of series n
 *   times:   column × n  first time    column × n  last time less first time
 *   labels:  texts: all names, k of them
 *            varint number of shapes s (sets of names); each: varint number of names, varint × that: name positions
 *            column × n  the shape of each series
 *            a name, k times: varint bytes of what follows
 *                             column, one a series with the name: position of its value
 *                             texts: the name's values in this page
 *   chunks:  varint number of all chunks c    varint page of the first one    varint its byte in that page
 *            varint number of further pages; each: varint chunks since the last page began (the first: since 0)
 *            column × n      chunks of each series
 *            column × n      bytes of each series' last chunk
 *            column × (c−n)  bytes of the other chunks
 *            column × (c−n)  their last time less first time
 *            column × (c−n)  first time of the chunk behind them, less their last time
 *
 * Chunks of a series ascend in time. Chunks of all series lie one behind the other in chunk pages that follow each
 * other; the first one in a page begins behind the header. A series has at least one chunk.
 */

import { ByteReader } from '../codec/byte-reader.ts'
import { Labels } from '../model/labels.ts'
import { PAGE_HEADER } from './format.ts'
import { readTexts, TextCursor } from './front-coding.ts'
import { readColumn } from './packed-column.ts'

/** A read page. What is needed of it is decoded when it is asked for, and stays. */
export class SeriesPage {
  readonly firstRef: number
  readonly count: number
  private readonly bytes: Buffer
  /** Where the times begin. */
  private readonly timesAt: number
  private timesPart: SeriesTimes | undefined
  private labelsPart: LabelsPart | undefined
  private chunksPart: ChunkPlaces | undefined

  /** `bytes`: the whole page, header included, its checksum proved right. */
  constructor(bytes: Buffer) {
    this.bytes = bytes
    const reader = new ByteReader(bytes, PAGE_HEADER + 8)
    this.firstRef = reader.varint()
    this.count = reader.varint()
    this.timesAt = reader.at
  }

  get times(): SeriesTimes {
    this.timesPart ??= readTimes(new ByteReader(this.bytes, this.timesAt), this.count)
    return this.timesPart
  }

  /** About the memory it takes once all of it is decoded. */
  get memoryBytes(): number {
    return 5 * this.bytes.length + this.count * 48
  }

  get labels(): LabelsPart {
    this.labelsPart ??= new LabelsPart(this.bytes, this.bytes.readUInt32LE(PAGE_HEADER), this.count)
    return this.labelsPart
  }

  get chunks(): ChunkPlaces {
    this.chunksPart ??= new ChunkPlaces(
      new ByteReader(this.bytes, this.bytes.readUInt32LE(PAGE_HEADER + 4)),
      this.times,
    )
    return this.chunksPart
  }
}

/** First and last time of each series of a page. */
export interface SeriesTimes {
  mint: Float64Array
  maxt: Float64Array
}

function readTimes(reader: ByteReader, count: number): SeriesTimes {
  const mint = new Float64Array(count)
  const maxt = new Float64Array(count)
  readColumn(reader, count, mint)
  readColumn(reader, count, maxt)
  for (let i = 0; i < count; i++) maxt[i] += mint[i]
  return { mint, maxt }
}

/** Labels of the series of a page, i = 0 … count − 1. */
export class LabelsPart {
  readonly names: readonly string[]
  /** Positions of the names of each shape, ascending. */
  readonly shapes: readonly (readonly number[])[]
  readonly shapeOf: Uint16Array
  private readonly bytes: Buffer
  /** Where the values of each name begin in the page. */
  private readonly valuesAt: number[] = []
  private readonly values: (NameValues | undefined)[]

  constructor(bytes: Buffer, at: number, count: number) {
    this.bytes = bytes
    const reader = new ByteReader(bytes, at)
    this.names = readTexts(reader)
    this.shapes = Array.from({ length: reader.varint() }, () =>
      Array.from({ length: reader.varint() }, () => reader.varint()),
    )
    this.shapeOf = new Uint16Array(count)
    readColumn(reader, count, this.shapeOf)
    for (let i = 0; i < this.names.length; i++) {
      const size = reader.varint()
      this.valuesAt.push(reader.at)
      reader.at += size
    }
    this.values = new Array(this.names.length)
  }

  labelsOf(i: number): Labels {
    const shape = this.shapes[this.shapeOf[i]]
    const pairs: string[] = new Array(2 * shape.length)
    for (let p = 0; p < shape.length; p++) {
      const { texts, valueIndex } = this.valuesOf(shape[p])
      pairs[2 * p] = this.names[shape[p]]
      pairs[2 * p + 1] = texts[valueIndex[i] - 1]
    }
    return new Labels(pairs)
  }

  valuesOf(name: number): NameValues {
    let values = this.values[name]
    if (values === undefined) {
      const reader = new ByteReader(this.bytes, this.valuesAt[name])
      const valueIndex = this.readValues(name, reader)
      values = { texts: readTexts(reader), valueIndex }
      this.values[name] = values
    }
    return values
  }

  /** The values one after the other, with the column of `NameValues.valueIndex`. Nothing of it stays with the page. */
  valueCursor(name: number): { cursor: TextCursor; valueIndex: Uint16Array } {
    const reader = new ByteReader(this.bytes, this.valuesAt[name])
    const valueIndex = this.readValues(name, reader)
    return { cursor: new TextCursor(reader), valueIndex }
  }

  private readValues(name: number, reader: ByteReader): Uint16Array {
    const has = this.shapes.map((shape) => shape.includes(name))
    const { shapeOf } = this
    const valueIndex = new Uint16Array(shapeOf.length)
    let count = 0
    for (let i = 0; i < shapeOf.length; i++) if (has[shapeOf[i]]) count++
    const packed = count === shapeOf.length ? valueIndex : new Uint16Array(count)
    readColumn(reader, count, packed, 1)
    if (packed === valueIndex) return valueIndex
    for (let i = 0, next = 0; i < shapeOf.length; i++) if (has[shapeOf[i]]) valueIndex[i] = packed[next++]
    return valueIndex
  }
}

/** Values that series of a page have for one name. */
export interface NameValues {
  texts: readonly string[]
  /** A series: 1 + position of its value, 0 when it has not the label. */
  valueIndex: Uint16Array
}

/** Where the chunks of the series of a page lie. */
export class ChunkPlaces {
  /** Chunks of series i are [from[i], from[i + 1]). */
  readonly from: Uint32Array
  readonly page: Uint32Array
  readonly offset: Uint32Array
  readonly length: Uint32Array
  readonly mint: Float64Array
  readonly maxt: Float64Array

  constructor(reader: ByteReader, times: SeriesTimes) {
    const n = times.mint.length
    const all = reader.varint()
    const firstPage = reader.varint()
    const firstOffset = reader.varint()
    const pageStarts = new Uint32Array(reader.varint())
    for (let i = 0, chunk = 0; i < pageStarts.length; i++) {
      chunk += reader.varint()
      pageStarts[i] = chunk
    }
    const counts = new Uint32Array(n)
    const finalLengths = new Uint32Array(n)
    const lengths = new Uint32Array(all - n)
    const spans = new Float64Array(all - n)
    const gaps = new Float64Array(all - n)
    readColumn(reader, n, counts)
    readColumn(reader, n, finalLengths)
    readColumn(reader, all - n, lengths)
    readColumn(reader, all - n, spans)
    readColumn(reader, all - n, gaps)

    this.from = new Uint32Array(n + 1)
    this.page = new Uint32Array(all)
    this.offset = new Uint32Array(all)
    this.length = new Uint32Array(all)
    this.mint = new Float64Array(all)
    this.maxt = new Float64Array(all)
    for (let i = 0, chunk = 0, other = 0; i < n; i++, chunk++) {
      this.from[i] = chunk
      this.mint[chunk] = times.mint[i]
      for (let left = counts[i]; left > 1; left--, chunk++, other++) {
        this.length[chunk] = lengths[other]
        this.maxt[chunk] = this.mint[chunk] + spans[other]
        this.mint[chunk + 1] = this.maxt[chunk] + gaps[other]
      }
      this.length[chunk] = finalLengths[i]
      this.maxt[chunk] = times.maxt[i]
    }
    this.from[n] = all
    for (let chunk = 0, page = firstPage, offset = firstOffset, start = 0; chunk < all; chunk++) {
      if (chunk === pageStarts[start]) {
        start++
        page++
        offset = PAGE_HEADER
      }
      this.page[chunk] = page
      this.offset[chunk] = offset
      offset += this.length[chunk]
    }
  }
}
