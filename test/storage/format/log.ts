/** Reads the pages of the write-ahead log as the section "wal/" of docs/FORMAT.md says, and in no other way. */
import { crc32 } from 'node:zlib'
import { Bytes, bitsOf, floatOf } from './bytes.ts'
import type { ReadHistogram, ReadSample } from './chunk.ts'

/** `name=value,…` → samples in the order of the log, through all generations. */
export type ReadLog = Map<string, ReadSample[]>

interface Generation {
  number: number
  pages: number
  names: Map<number, string>
  before: Map<number, number>
}

/** `pages`: all with keys that begin with 'r', in the order of their keys. */
export function readLogPages(pages: readonly { key: Uint8Array; value: Uint8Array }[]): ReadLog {
  const log: ReadLog = new Map()
  let generation: Generation | undefined
  for (const { key, value } of pages) {
    const [number, page] = [Buffer.from(key).readUInt32BE(1), Buffer.from(key).readUInt32BE(5)]
    const from = new Bytes(value)
    const version = from.u8()
    if ((version !== 2 && version !== 3) || from.slice(3).some((byte) => byte !== 0))
      throw new Error('the version')
    const sum = crc32(value.subarray(8), crc32(value.subarray(0, 4), crc32(key)))
    if (from.u32() !== sum) throw new Error(`the checksum of page ${page} of ${number}`)
    const last: Generation | undefined = generation
    if (generation?.number !== number) {
      generation = { number, pages: 0, names: new Map(), before: new Map() }
    }
    if (generation!.pages++ !== page) throw new Error(`page ${page} of ${number} comes out of turn`)
    readRecords(from, generation!, last, log)
  }
  return log
}

function readRecords(from: Bytes, generation: Generation, last: Generation | undefined, log: ReadLog): void {
  let labels: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  let next = 0
  while (from.at < from.bytes.length) {
    const type = from.u8()
    if (type === 1 || type === 2) {
      const index = type === 2 ? from.varint() : next
      const shared = from.varint()
      labels = Buffer.concat([labels.subarray(0, shared), from.slice(from.varint())])
      generation.names.set(index, nameOf(labels))
      next = index + 1
    } else if (type === 3 || (type === 6 && from.bytes[0] === 3)) {
      readSamples(from, type === 6, generation, log)
    } else if (type === 4) {
      const [number, pages] = [from.varint(), from.varint()]
      if (last !== undefined && (last.number !== number || last.pages !== pages))
        throw new Error('the one before')
    } else throw new Error(`a record of type ${type}`)
  }
}

function nameOf(labels: Buffer): string {
  const parts: string[] = []
  for (let from = 0; from < labels.length; ) {
    const to = labels.indexOf(0xff, from)
    parts.push(labels.toString('utf8', from, to))
    from = to + 1
  }
  return parts.map((part, i) => (i % 2 === 0 ? `${part}=` : `${part},`)).join('')
}

function readStarts(from: Bytes, n: number): number[] {
  if (from.u8() === 1) return Array.from({ length: n }, () => from.f64())
  const starts: number[] = []
  let known = 0
  while (starts.length < n) {
    const code = from.varint()
    const c = Math.floor(code / 2)
    const z = c - 1
    if (c > 0) known += z % 2 === 0 ? z / 2 : -(z + 1) / 2
    for (let left = code % 2 === 0 ? 1 : from.varint(); left > 0; left--) starts.push(c === 0 ? 0 : known)
  }
  return starts
}

function readSamples(from: Bytes, isStarted: boolean, { names, before }: Generation, log: ReadLog): void {
  const n = from.varint()
  const form = from.u8()
  const times: number[] = []
  const one = form === 0 ? from.zigzag() : 0
  for (let i = 0; i < n; i++) {
    if (form === 0) times.push(one)
    else if (form === 1) times.push((times[i - 1] ?? 0) + from.zigzag())
    else times.push(from.f64())
  }
  const indexes: number[] = []
  let end = 0
  for (let runs = from.varint(); runs > 0; runs--) {
    const start = end + from.zigzag()
    end = start + from.varint()
    for (let index = start; index < end; index++) indexes.push(index)
  }
  if (indexes.length !== n) throw new Error('the runs')
  const starts = isStarted ? readStarts(from, n) : []
  let i = 0
  const add = (kind: number, value?: number | ReadHistogram): void => {
    const index = indexes[i]
    const name = names.get(index)
    if (name === undefined) throw new Error(`series ${index} has no labels`)
    const st = starts[i]
    const sample = { t: times[i++], kind, ...(st && { st }) }
    const samples = log.get(name) ?? []
    log.set(name, samples)
    if (typeof value === 'number') {
      before.set(index, value)
      samples.push({ ...sample, bits: bitsOf(value) })
    } else {
      before.delete(index)
      samples.push(value === undefined ? sample : { ...sample, histogram: value })
    }
  }
  const valueBefore = (): number => {
    const value = before.get(indexes[i])
    if (value === undefined) throw new Error('there is no value before')
    return value
  }
  let isSelfContained = false
  let isOther = false
  while (i < n) {
    const code = from.u8()
    if (code < 0x40) for (let left = code + 1; left > 0; left--) add(0, valueBefore())
    else if (code === 0xfe) isOther = true
    else if (code === 0xff) isSelfContained = !isSelfContained
    else if (code === 0xf8) add(1)
    else if (code === 0xf9 || code === 0xfa) add(code - 0xf9 + 2, readHistogram(from))
    else {
      const base = isSelfContained === isOther ? valueBefore() : 0
      isOther = false
      add(0, readFloat(from, code, base))
    }
  }
}

function readFloat(from: Bytes, code: number, base: number): number {
  const scaled = (z: number, s: number): number => {
    const d = z % 2 === 0 ? z / 2 : -(z + 1) / 2
    return s === 1 ? base + d : (Math.round(base * s) + d) / s
  }
  if (code < 0x80) return scaled(code - 0x40, 1)
  if (code < 0xa0) return scaled((code - 0x80) * 256 + from.u8(), 1)
  if (code < 0xc0) return scaled((code - 0xa0) * 256 + from.u8(), 100)
  const size = (code % 8) + 1
  const number = from.bitsFrom(from.at, 0, 8 * size)
  from.at += size
  if (code < 0xe8) return scaled(Number(number), [1, 100, 1e3, 1e6, 1e9][Math.floor((code - 0xc0) / 8)])
  return floatOf(bitsOf(base) ^ number)
}

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge']

function readHistogram(from: Bytes): ReadHistogram {
  const flags = from.u8()
  const count = (): number => ((flags & 4) === 0 ? from.f64() : from.varint())
  const spans = () =>
    Array.from({ length: from.varint() }, () => ({ offset: from.zigzag(), length: from.varint() }))
  const buckets = () => Array.from({ length: from.varint() }, count)
  return {
    counterResetHint: HINTS[flags & 3],
    schema: from.zigzag(),
    zeroThreshold: from.f64(),
    sum: from.f64(),
    zeroCount: count(),
    count: count(),
    positiveSpans: spans(),
    positiveBuckets: buckets(),
    negativeSpans: spans(),
    negativeBuckets: buckets(),
    customValues: Array.from({ length: from.varint() }, () => from.f64()),
  }
}
