// Goal: docs/FORMAT.md is enough to write a reader from. Method: readers that were written from it and share no code with
// storage/ read what storage/ writes: random chunks, and a whole block and log through a LevelDB of their own.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { APPENDED } from '../../../storage/errors.ts'
import { HeadAppender } from '../../../storage/head/appender.ts'
import { Head } from '../../../storage/head/head.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import {
  type HistogramKind,
  isHistogramKind,
  KIND_FLOAT,
  KIND_FLOAT_HISTOGRAM,
  KIND_HISTOGRAM,
  KIND_STALE,
  type SampleColumns,
} from '../../../storage/model/sample.ts'
import { Slab } from '../../../storage/slab/slab.ts'
import { Store } from '../../../storage/store.ts'
import { CommitLog } from '../../../storage/wal/commit-log.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { BlockRoom, ORIGIN, type PlainSeries, randomSeries, sorted } from '../block/fixture.ts'
import { columnsOf, encode, randomColumns, randomHistogram, SHAPES } from '../codec/chunk-shapes.ts'
import { readBlock } from './block.ts'
import { Bytes, bitsOf } from './bytes.ts'
import { type ReadHistogram, type ReadSample, readChunk } from './chunk.ts'
import { readLogPages } from './log.ts'

const seed = testSeed()

function samplesOf(columns: SampleColumns): ReadSample[] {
  const halves = new Uint32Array(columns.v.buffer, columns.v.byteOffset, columns.v.length * 2)
  return Array.from({ length: columns.length }, (_, i) => {
    const kind = columns.kind[i]
    const sample = { t: columns.t[i], kind, ...(columns.st[i] && { st: columns.st[i] }) }
    if (isHistogramKind(kind)) {
      return { ...sample, histogram: columns.histograms[columns.v[i]] as ReadSample['histogram'] }
    }
    if (kind === 1) return sample
    return { ...sample, bits: (BigInt(halves[2 * i + 1]) << 32n) | BigInt(halves[2 * i]) }
  })
}

describe(`chunks as drawn (seed ${seed})`, () => {
  it('the example of the document', () => {
    const columns = columnsOf(
      new Array<number>(8).fill(5),
      Array.from({ length: 8 }, (_, i) => 1_700_000_000_000 + i * 1000),
    )
    expect(Buffer.from(encode(columns)).toString('hex')).toBe('800980a0abfef962030005')
  })

  it('random series of all kinds', () => {
    const random = prng(seed)
    for (let run = 0; run < 400; run++) {
      const columns = randomColumns(random, random.pick([1, 2, 3, random.int(1, 20), random.int(1, 300)]))
      const bytes = encode(columns)
      const reader = new Bytes(bytes)
      expect(readChunk(reader), `SEED=${seed} run ${run}`).toEqual(samplesOf(columns))
      expect(reader.at).toBe(bytes.length)
    }
  })

  it.each(Object.keys(SHAPES))('%s', (name) => {
    const random = prng(seed)
    for (const count of [1, 17, 120, 500]) {
      const value = SHAPES[name](random)
      const columns = columnsOf(Array.from({ length: count }, (_, i) => value(i)))
      expect(readChunk(new Bytes(encode(columns))), `SEED=${seed} ${count}`).toEqual(samplesOf(columns))
    }
  })
})

describe(`a block as drawn (seed ${seed})`, () => {
  let room: BlockRoom
  beforeEach(() => {
    room = new BlockRoom()
  })
  afterEach(() => room.dispose())

  /** The pages of a copy of the folder, by kind and number. */
  async function pagesOf(folder: string): Promise<Map<string, Uint8Array>> {
    const copy = room.folder('copy')
    cpSync(folder, copy, { recursive: true })
    const store = await Store.open(copy, { createIfMissing: false, isShared: false })
    const pages = new Map<string, Uint8Array>()
    for await (const batch of store.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) })) {
      for (const { key, value } of batch) {
        pages.set(`${String.fromCharCode(key[0])}${Buffer.from(key).readUInt32BE(1)}`, value)
      }
    }
    await store.close()
    return pages
  }

  async function expectRead(series: readonly PlainSeries[], chunkSamplesMax: number): Promise<void> {
    const pages = await pagesOf(await room.write(series, { chunkSamplesMax }))
    const { meta, series: read, postings } = readBlock(pages)
    const written = sorted(series)
    const samples = written.reduce((sum, one) => sum + one.samples.length, 0)
    expect(meta).toMatchObject({ ...ORIGIN, series: written.length, samples })
    expect(read.map(({ labels }) => labels)).toEqual(written.map(({ labels }) => labels.toObject()))
    expect(read.map((one) => one.samples)).toEqual(
      written.map((one) =>
        one.samples.map(({ t, v, kind }) => (kind === 1 ? { t, kind } : { t, kind, bits: bitsOf(v) })),
      ),
    )
    const expected = new Map<string, number[]>()
    for (const [ref, { labels }] of written.entries()) {
      for (const [name, value] of Object.entries(labels.toObject())) {
        const key = `${name}=${value}`
        expected.set(key, [...(expected.get(key) ?? []), ref])
      }
    }
    expect([...postings.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [key, refs] of postings) expect(refs, key).toEqual(expected.get(key))
    expect(pages.get('z0')?.subarray(16)).toEqual(pages.get('m0')?.subarray(16))
  }

  it('of many series', () => expectRead(randomSeries(seed, 2500, 12), 480))
  it('of many chunks', () => expectRead(randomSeries(seed, 250, 900), 40))
})

describe(`a log as drawn (seed ${seed})`, () => {
  let path: string
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'narthex-format-'))
  })
  afterEach(() => rmSync(path, { recursive: true }))

  async function pagesOf(folder: string): Promise<{ key: Uint8Array; value: Uint8Array }[]> {
    const store = await Store.open(folder, { createIfMissing: false, isShared: false })
    const pages: { key: Uint8Array; value: Uint8Array }[] = []
    for await (const batch of store.scan({ gte: Buffer.from('r'), lt: Buffer.from('s') }))
      pages.push(...batch)
    await store.close()
    return pages
  }

  it('of all kinds of samples, late ones too, through cuts', async () => {
    const random = prng(seed)
    const store = await Store.open(path, { createIfMissing: true, isShared: false })
    const log = new CommitLog(store, 1, {
      turnMs: 0,
      syncIntervalMs: 1000,
      retryMs: 1000,
      bufferBytesMax: 2 ** 24,
      onDurable: (commit) => head.directory.publish(commit),
      onError: (error) => expect.fail(String(error)),
    })
    const head = new Head(Slab.reserve(128 * 2 ** 20), log, 1, {
      headBytesMax: 64 * 2 ** 20,
      cutSpanMs: 3_600_000,
      cutBytesMax: 64 * 2 ** 20,
      outOfOrderWindowMs: 3_600_000,
    })
    const shapes = Object.values(SHAPES)
    const series = Array.from({ length: 40 }, (_, i) => ({
      labels: Labels.from({ __name__: `m${i % 7}`, pod: `é${i}` }),
      value: random.pick(shapes)(random),
      isMixed: random.chance(0.3),
    }))
    const expected = new Map<string, ReadSample[]>()
    for (let round = 0; round < 60; round++) {
      const appender = new HeadAppender(head)
      for (const { labels, value, isMixed } of series) {
        if (random.chance(0.1)) continue
        const t =
          1_700_000_000_000 + round * 15_000 - (random.chance(0.05) ? 40_000 : 0) + random.pick([0, 0, 1])
        const ref = appender.register(labels)
        // A signalling NaN may become a quiet one in any call of JavaScript.
        const v = value(round)
        const sample = randomSample(t, Number.isNaN(v) ? Number.NaN : v, isMixed)
        const st =
          round % 3 > 0 && random.chance(0.5) ? random.pick([1_699_999_000_123, t - (t % 60_000), -0.5]) : 0
        if (st !== 0) sample.read.st = st
        const outcome =
          sample.histogram === undefined
            ? appender.append(ref, t, sample.v, sample.kind as typeof KIND_FLOAT | typeof KIND_STALE, st)
            : appender.appendHistogram(ref, t, sample.histogram, sample.kind as HistogramKind, st)
        if (outcome !== APPENDED) continue
        const name = labels.pairs.map((part, i) => (i % 2 === 0 ? `${part}=` : `${part},`)).join('')
        expected.set(name, [...(expected.get(name) ?? []), sample.read])
      }
      await appender.commit()
      if (round % 25 === 24) head.cut()
    }
    await log.close()
    await store.close()
    const read = readLogPages(await pagesOf(path))
    expect([...read.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [name, samples] of read) expect(samples, `SEED=${seed} ${name}`).toEqual(expected.get(name))

    function randomSample(t: number, v: number, isMixed: boolean) {
      const kind = isMixed
        ? random.pick([KIND_FLOAT, KIND_STALE, KIND_HISTOGRAM, KIND_FLOAT_HISTOGRAM] as const)
        : 0
      if (!isHistogramKind(kind)) {
        const read: ReadSample = kind === KIND_FLOAT ? { t, kind, bits: bitsOf(v) } : { t, kind }
        return { kind, v, histogram: undefined as FloatHistogram | undefined, read }
      }
      const histogram = randomHistogram(random, kind)
      // That a counter goes on is found out, and not believed.
      const { counterResetHint: given } = histogram
      const counterResetHint = given === 'not_reset' ? 'unknown' : given
      const read: ReadSample = { t, kind, histogram: { ...(histogram as ReadHistogram), counterResetHint } }
      return { kind, v: 0, histogram, read }
    }
  })
})
