/** Reads a block's pages as the section "blocks/" of docs/FORMAT.md says, and in no other way. */
import { crc32 } from 'node:zlib'
import { Bytes } from './bytes.ts'
import { type ReadSample, readChunk } from './chunk.ts'

const HEADER = 16

export interface ReadSeries {
  /** By name. */
  labels: Record<string, string>
  samples: ReadSample[]
}

export interface ReadBlock {
  meta: Record<string, number | number[]>
  series: ReadSeries[]
  /** `name=value` → refs. */
  postings: Map<string, number[]>
}

/** `pages`: by kind and number, such as `c3`. */
export function readBlock(pages: ReadonlyMap<string, Uint8Array>): ReadBlock {
  const content = (kind: string, number: number, checksum?: number): Bytes => {
    const page = pages.get(`${kind}${number}`)
    if (page === undefined) throw new Error(`page ${kind}${number} is missing`)
    proveHeader(page, kind, number, checksum)
    return new Bytes(page, HEADER)
  }
  const { meta, chunkPages, seriesPages, postingsPages } = readMeta(content('m', 0))
  const chunks = chunkPages.map(({ checksum }, number) => content('c', number, checksum))
  const series = seriesPages.flatMap(({ checksum }, number) =>
    readSeriesPage(content('s', number, checksum), chunks),
  )
  const postings = new Map<string, number[]>()
  postingsPages.forEach(({ checksum }, number) => {
    readPostingsPage(content('p', number, checksum), postings)
  })
  return { meta, series, postings }
}

function proveHeader(page: Uint8Array, kind: string, number: number, checksum: number | undefined): void {
  const key = Buffer.alloc(5, kind)
  key.writeUInt32BE(number, 1)
  const header = new Bytes(page)
  const [version, itsKind] = [header.u8(), header.u8()]
  const magic = header.slice(2).toString()
  const [stored, itsNumber, size] = [header.u32(), header.u32(), header.u32()]
  const sum = crc32(page.subarray(8), crc32(page.subarray(0, 4), crc32(key)))
  const isRight =
    version === 1 &&
    itsKind === kind.charCodeAt(0) &&
    magic === 'Nx' &&
    itsNumber === number &&
    size === page.length
  if (!isRight || stored !== sum || (checksum !== undefined && checksum !== sum)) {
    throw new Error(`the header of page ${kind}${number}`)
  }
}

function readMeta(from: Bytes) {
  const names = [
    'id',
    'firstGeneration',
    'finalGeneration',
    'level',
    'mint',
    'maxt',
    'series',
    'samples',
    'chunks',
    'tombstone',
  ]
  const meta: Record<string, number | number[]> = {}
  for (const name of names) meta[name] = from.f64()
  meta.sources = Array.from({ length: from.varint() }, () => from.varint())
  const chunkPages = Array.from({ length: from.varint() }, () => {
    const [checksum] = [from.u32(), from.varint(), from.varint(), from.varint(), from.f64(), from.f64()]
    return { checksum }
  })
  const seriesPages = Array.from({ length: from.varint() }, () => {
    const [checksum] = [from.u32(), from.varint(), from.varint(), from.text()]
    return { checksum }
  })
  const postingsPages = Array.from({ length: from.varint() }, () => {
    const [checksum] = [from.u32(), from.varint(), from.varint(), from.text(), from.text()]
    return { checksum }
  })
  return { meta, chunkPages, seriesPages, postingsPages }
}

function readColumn(from: Bytes, count: number): number[] {
  const smallest = from.f64()
  const width = from.u8()
  if (width === 64) return Array.from({ length: count }, () => from.f64())
  return from.packed(count, width).map((number) => smallest + Number(number))
}

function readTexts(from: Bytes): string[] {
  let before = Buffer.alloc(0)
  return Array.from({ length: from.varint() }, () => {
    const shared = from.varint()
    before = Buffer.concat([before.subarray(0, shared), from.slice(from.varint())])
    return before.toString('utf8')
  })
}

function readSeriesPage(from: Bytes, chunkPages: readonly Bytes[]): ReadSeries[] {
  const [labelsAt, chunksAt] = [from.u32(), from.u32()]
  from.varint() // first ref
  const n = from.varint()
  const mint = readColumn(from, n)
  const maxt = readColumn(from, n).map((span, i) => mint[i] + span)
  if (from.at !== labelsAt) throw new Error('the labels begin elsewhere')
  const labels = readLabels(from, n)
  if (from.at !== chunksAt) throw new Error('the chunks begin elsewhere')
  const samples = readChunks(from, n, chunkPages)
  return labels.map((one, i) => {
    const mine = samples[i]
    if (mine[0].t !== mint[i] || mine[mine.length - 1].t !== maxt[i]) throw new Error('the times of a series')
    return { labels: one, samples: mine }
  })
}

function readLabels(from: Bytes, n: number): Record<string, string>[] {
  const names = readTexts(from)
  const shapes = Array.from({ length: from.varint() }, () =>
    Array.from({ length: from.varint() }, () => from.varint()),
  )
  const shapeOf = readColumn(from, n)
  const labels: Record<string, string>[] = Array.from({ length: n }, () => ({}))
  names.forEach((name, position) => {
    const size = from.varint()
    const end = from.at + size
    const mine = labels.filter((_, i) => shapes[shapeOf[i]].includes(position))
    const values = readColumn(from, mine.length)
    const texts = readTexts(from)
    mine.forEach((one, i) => {
      one[name] = texts[values[i]]
    })
    if (from.at !== end) throw new Error(`the values of ${name}`)
  })
  return labels
}

function readChunks(from: Bytes, n: number, pages: readonly Bytes[]): ReadSample[][] {
  const c = from.varint()
  let page = from.varint()
  let at = from.varint()
  const pageStarts = new Set<number>()
  let start = 0
  for (let further = from.varint(); further > 0; further--) {
    start += from.varint()
    pageStarts.add(start)
  }
  const counts = readColumn(from, n)
  const lastBytes = readColumn(from, n)
  const [bytes, spans, gaps] = [readColumn(from, c - n), readColumn(from, c - n), readColumn(from, c - n)]
  let chunk = 0
  let other = 0
  return counts.map((count, series) => {
    const samples: ReadSample[] = []
    for (let i = 0; i < count; i++, chunk++) {
      if (pageStarts.has(chunk)) {
        page++
        at = HEADER
      }
      const isLast = i === count - 1
      const size = isLast ? lastBytes[series] : bytes[other]
      const cursor = new Bytes(pages[page].bytes.slice(at, at + size))
      const read = readChunk(cursor)
      if (cursor.at !== size) throw new Error('the bytes of a chunk')
      // What the page says of times between chunks.
      if (i > 0 && read[0].t !== samples[samples.length - 1].t + gaps[other - 1]) throw new Error('a gap')
      if (!isLast && read[read.length - 1].t - read[0].t !== spans[other]) throw new Error('a span')
      samples.push(...read)
      at += size
      if (!isLast) other++
    }
    return samples
  })
}

function readPostingsPage(from: Bytes, into: Map<string, number[]>): void {
  for (let names = from.varint(); names > 0; names--) {
    const name = from.text()
    const values = readTexts(from)
    const counts = readColumn(from, values.length)
    const singles = readColumn(from, counts.filter((count) => count === 1).length)
    const sizes = readColumn(from, values.length - singles.length)
    values.forEach((value, i) => {
      const key = `${name}=${value}`
      const refs = counts[i] === 1 ? [singles.shift()!] : readList(from, counts[i], sizes.shift()!)
      into.set(key, [...(into.get(key) ?? []), ...refs])
    })
  }
}

function readList(from: Bytes, count: number, size: number): number[] {
  const end = from.at + size
  const form = from.u8()
  const refs: number[] = []
  if (form === 0) {
    let next = 0
    for (let runs = from.varint(); runs > 0; runs--) {
      next += from.varint()
      for (let left = from.varint() + 1; left > 0; left--) refs.push(next++)
    }
  } else if (form === 1) {
    refs.push(from.varint())
    while (refs.length < count) {
      const smallest = from.varint()
      const width = from.u8()
      for (const delta of from.packed(Math.min(128, count - refs.length), width)) {
        refs.push(refs[refs.length - 1] + 1 + smallest + Number(delta))
      }
    }
  } else {
    const first = from.varint()
    const bits = from.packed((end - from.at) * 8, 1)
    bits.forEach((bit, i) => {
      if (bit === 1n) refs.push(first + i)
    })
  }
  if (from.at !== end || refs.length !== count) throw new Error('a list of refs')
  return refs
}
