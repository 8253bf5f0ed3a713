// Goal: docs/FORMAT.md is enough to write a reader from. Method: readers that were written from it and share no code with
// storage/ read what storage/ writes: random chunks, and a whole block through a LevelDB of its own.
import { cpSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isHistogramKind, type SampleColumns } from '../../../storage/model/sample.ts'
import { Store } from '../../../storage/store.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { BlockRoom, ORIGIN, type PlainSeries, randomSeries, sorted } from '../block/fixture.ts'
import { columnsOf, encode, randomColumns, SHAPES } from '../codec/chunk-shapes.ts'
import { readBlock } from './block.ts'
import { Bytes, bitsOf } from './bytes.ts'
import { type ReadSample, readChunk } from './chunk.ts'

const seed = testSeed()

function samplesOf(columns: SampleColumns): ReadSample[] {
  const halves = new Uint32Array(columns.v.buffer, columns.v.byteOffset, columns.v.length * 2)
  return Array.from({ length: columns.length }, (_, i) => {
    const [t, kind] = [columns.t[i], columns.kind[i]]
    if (isHistogramKind(kind)) {
      return { t, kind, histogram: columns.histograms[columns.v[i]] as ReadSample['histogram'] }
    }
    if (kind === 1) return { t, kind }
    return { t, kind, bits: (BigInt(halves[2 * i + 1]) << 32n) | BigInt(halves[2 * i]) }
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
