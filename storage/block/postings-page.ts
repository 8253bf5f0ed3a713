/**
 * A postings page: label pairs in the order of (name, value) by UTF-8 bytes, each with the refs of its series.
 *
 * Content, behind the header (columns as in packed-column.ts, texts as in front-coding.ts):
 *
 *   varint number of names; each name:
 *     varint length, UTF-8 text     the name
 *     texts                         its values, m of them
 *     column × m                    number of refs of each
 *     column × (values of one ref)  that ref
 *     column × (the other values)   bytes of their lists
 *     the lists (see postings-list.ts), one behind the other
 *
 * A value with very many refs comes several times in a row, each time with the next refs; so it may go on in the
 * next page.
 */

import { ByteReader } from '../codec/byte-reader.ts'
import { ByteWriter } from '../codec/byte-writer.ts'
import { compareUtf8 } from '../model/labels.ts'
import { PAGE_HEADER } from './format.ts'
import { readTexts, writeTexts } from './front-coding.ts'
import { GrowingColumn } from './growing-column.ts'
import { readColumn, writeColumn } from './packed-column.ts'
import { readRefs, writeRefs } from './postings-list.ts'

/** Refs that a value has in one place at most. */
const SEGMENT_REFS = 64 * 1024
/** A page is closed when its texts and lists have so many bytes. */
const PAGE_BYTES = 32 * 1024

/** Gathers pairs in order, then writes them as one page. */
export class PostingsPageBuilder {
  firstName = ''
  firstValue = ''
  entries = 0
  private bytes = 0
  private readonly content = new ByteWriter()
  private names = 0
  private name: string | undefined
  private values: string[] = []
  private readonly counts = new GrowingColumn()
  private readonly singles = new GrowingColumn()
  private readonly sizes = new GrowingColumn()
  private readonly lists = new ByteWriter()

  get isFull(): boolean {
    return this.bytes >= PAGE_BYTES
  }

  get isEmpty(): boolean {
    return this.entries === 0
  }

  /** Adds refs [from, to) of a pair, as many as one place may hold. Returns the end of what was added. */
  add(name: string, value: string, refs: Uint32Array, from: number, to: number): number {
    if (this.entries === 0) {
      this.firstName = name
      this.firstValue = value
    }
    if (name !== this.name) {
      this.endName()
      this.name = name
    }
    const end = Math.min(to, from + SEGMENT_REFS)
    this.entries++
    this.values.push(value)
    this.counts.push(end - from)
    const start = this.lists.length
    if (end - from === 1) {
      this.singles.push(refs[from])
    } else {
      writeRefs(this.lists, refs, from, end)
      this.sizes.push(this.lists.length - start)
    }
    this.bytes += 4 + value.length + this.lists.length - start
    return end
  }

  /** Writes the content of the page, and forgets its pairs. */
  write(out: ByteWriter): void {
    this.endName()
    out.varint(this.names)
    out.copy(this.content.bytes, 0, this.content.length)
    this.content.clear()
    this.name = undefined
    this.names = 0
    this.entries = 0
    this.bytes = 0
  }

  private endName(): void {
    if (this.name === undefined) return
    const out = this.content
    const name = Buffer.from(this.name, 'utf8')
    out.varint(name.length)
    out.copy(name)
    writeTexts(out, this.values)
    for (const column of [this.counts, this.singles, this.sizes]) {
      writeColumn(out, column.values, 0, column.length)
      column.clear()
    }
    out.copy(this.lists.bytes, 0, this.lists.length)
    this.lists.clear()
    this.values = []
    this.names++
  }
}

/** Values of one name in one page. */
export class PostingsGroup {
  readonly name: string
  readonly values: readonly string[]
  /** Number of refs of each value. */
  readonly counts: Uint32Array
  private readonly bytes: Uint8Array
  /** Where the list of each value begins in the page; for one of a single ref, that ref. */
  private readonly places: Uint32Array

  constructor(reader: ByteReader) {
    this.bytes = reader.bytes
    this.name = reader.text()
    this.values = readTexts(reader)
    const m = this.values.length
    this.counts = new Uint32Array(m)
    readColumn(reader, m, this.counts)
    let lists = 0
    for (let i = 0; i < m; i++) if (this.counts[i] > 1) lists++
    const singles = new Uint32Array(m - lists)
    const sizes = new Uint32Array(lists)
    readColumn(reader, m - lists, singles)
    readColumn(reader, lists, sizes)
    this.places = new Uint32Array(m)
    for (let i = 0, single = 0, list = 0; i < m; i++) {
      if (this.counts[i] === 1) {
        this.places[i] = singles[single++]
      } else {
        this.places[i] = reader.at
        reader.at += sizes[list++]
      }
    }
  }

  /** Puts the refs of value i into `into` from position `end` on. Returns the new end. */
  read(i: number, into: Uint32Array, end: number): number {
    const count = this.counts[i]
    if (count > 1) return readRefs(this.bytes, this.places[i], count, into, end)
    into[end] = this.places[i]
    return end + 1
  }

  /** Position of the first value at or behind the text. */
  seek(text: string): number {
    let low = 0
    let high = this.values.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareUtf8(this.values[middle], text) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A read page. */
export class PostingsPage {
  readonly groups: readonly PostingsGroup[]
  /** About the memory it takes. */
  readonly memoryBytes: number

  /** `bytes`: the whole page, header included, its checksum proved right. */
  constructor(bytes: Buffer) {
    const reader = new ByteReader(bytes, PAGE_HEADER)
    const groups: PostingsGroup[] = []
    for (let left = reader.varint(); left > 0; left--) groups.push(new PostingsGroup(reader))
    this.groups = groups
    let values = 0
    for (const group of groups) values += group.values.length
    this.memoryBytes = 3 * bytes.length + 48 * values
  }
}
