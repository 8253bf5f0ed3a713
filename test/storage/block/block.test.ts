// Goal: a block gives back what was written. Method: random series against plain data, then hand-made ones at the
// edges: no labels but the name, none at all, large values, histograms, one sample, many chunks.
import { readdirSync, rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlockWriter } from '../../../storage/block/writer.ts'
import { EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { SampleColumns } from '../../../storage/model/sample.ts'
import { Store } from '../../../storage/store.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { BlockRoom, fill, ORIGIN, type PlainSeries, randomSeries, readAll, sorted } from './fixture.ts'

let room: BlockRoom
beforeEach(() => {
  room = new BlockRoom()
})
afterEach(() => room.dispose())

function series(labels: Record<string, string>, ...values: number[]): PlainSeries {
  return {
    labels: Labels.from(labels),
    samples: values.map((v, i) => ({ t: 1000 * (i + 1), v, kind: 0 })),
  }
}

async function expectRoundTrip(list: readonly PlainSeries[], options = {}): Promise<void> {
  const want = sorted(list)
  const reader = await room.open(await room.write(list, options))
  const refs = reader.select([], -1e15, 1e15)
  expect(refs.length).toBe(want.length)
  for (let ref = 0; ref < want.length; ref++) {
    expect(refs[ref]).toBe(ref)
    expect(reader.labels(ref).pairs).toEqual(want[ref].labels.pairs)
    expect(readAll(reader, ref)).toEqual(want[ref].samples)
  }
  expect(room.notes).toEqual([])
}

describe('a block', () => {
  it('gives back random series, whole and in part', async () => {
    const seed = testSeed()
    console.log(`SEED=${seed}`)
    const random = prng(seed)
    const list = randomSeries(seed, 3000, 400)
    await expectRoundTrip(list, { chunkSamplesMax: 120 })
    const want = sorted(list)
    const reader = await room.open(room.folder('00000007'))
    for (let run = 0; run < 500; run++) {
      const ref = random.int(0, want.length - 1)
      const { samples } = want[ref]
      const mint = random.pick(samples).t + random.int(-1, 1)
      const maxt = mint + random.int(0, 2_000_000)
      expect(readAll(reader, ref, mint, maxt), `SEED=${seed}`).toEqual(
        samples.filter(({ t }) => t >= mint && t <= maxt),
      )
    }
  })

  it('says what it is', async () => {
    const folder = await room.write([series({ __name__: 'a' }, 1, 2, 3), series({ __name__: 'b' }, 1)])
    const { meta } = await room.open(folder)
    const counts = { version: 1, mint: 1000, maxt: 3000, series: 2, samples: 4, chunks: 2 }
    expect(meta).toEqual({ ...ORIGIN, ...counts })
  })

  it('is a folder of LevelDB and nothing else', async () => {
    const folder = await room.write([series({ __name__: 'a' }, 1), series({ __name__: 'b' }, 1)])
    const before = readdirSync(folder)
    expect(before.filter((name) => !/^(CURRENT|MANIFEST-\d+|\d+\.ldb)$/.test(name))).toEqual([])
    await (await room.open(folder)).verify(async () => {})
    expect(readdirSync(folder)).toEqual(before)
    const store = await Store.open(folder, { createIfMissing: false, isShared: false })
    const keys: string[] = []
    const range = { gte: new Uint8Array([0]), lt: new Uint8Array([0xff]) }
    for await (const pages of store.scan(range)) {
      keys.push(...pages.map(({ key }) => Buffer.from(key).toString('latin1')))
    }
    await store.close()
    expect(keys).toEqual(['c', 'm', 'p', 's', 'z'].map((kind) => `${kind}\0\0\0\0`))
  })

  it('can be read on when its folder was removed', async () => {
    const folder = await room.write([series({ __name__: 'a' }, 1)])
    const reader = await room.open(folder)
    rmSync(folder, { recursive: true })
    expect(readAll(reader, 0)).toEqual([{ t: 1000, v: 1, kind: 0 }])
    reader.close()
  })

  it('orders by metric name first, then by names in UTF-8 order', async () => {
    const list = [
      series({ __name__: 'b' }, 1),
      series({ A: '1', __name__: 'b' }, 1),
      series({ A: '2', __name__: 'a', z: '1' }, 1),
      series({ __name__: '\ue000' }, 1),
      series({ __name__: '\u{10000}' }, 1),
      series({ A: '9' }, 1),
      series({ __name__: 'b', x: '\ue000' }, 1),
      series({ __name__: 'b', x: '\u{10000}' }, 1),
      series({ __name__: 'b', x: '\ue000', y: '1' }, 1),
    ]
    const reader = await room.open(await room.write(list))
    const order = [...reader.select([], 0, 1e15)].map((ref) => reader.labels(ref).pairs.join(' '))
    expect(order).toEqual([
      'A 9',
      'A 2 __name__ a z 1',
      '__name__ b',
      'A 1 __name__ b',
      '__name__ b x \ue000',
      '__name__ b x \ue000 y 1',
      '__name__ b x \u{10000}',
      '__name__ \ue000',
      '__name__ \u{10000}',
    ])
  })

  it('refuses series that are not in order, and removes itself', async () => {
    const writer = await BlockWriter.create(room.folder('x'))
    const columns = new SampleColumns()
    fill(columns, [{ t: 1, v: 1, kind: 0 }])
    writer.add(Labels.from({ __name__: 'b' }), columns)
    expect(() => writer.add(Labels.from({ __name__: 'b' }), columns)).toThrow(RangeError)
    expect(() => writer.add(Labels.from({ __name__: 'a', z: '1' }), columns)).toThrow(RangeError)
    await writer.abort()
    expect(readdirSync(room.root)).toEqual([])
  })

  it('can be empty', async () => {
    const reader = await room.open(await room.write([]))
    expect(reader.meta).toMatchObject({ series: 0, samples: 0, mint: Infinity, maxt: -Infinity })
    expect(reader.select([], -1e15, 1e15).length).toBe(0)
    expect(reader.labelNames(undefined).size).toBe(0)
  })

  it('holds series without any label but the name, and large texts', async () => {
    const names = Array.from({ length: 50 }, (_, i) => series({ __name__: `m${i}` }, i))
    const large = series({ __name__: 'm', text: 'x'.repeat(300_000), other: 'é'.repeat(100_000) }, 1, 2)
    await expectRoundTrip([...names, large])
  })

  it('holds times that lie far apart, and before 1970', async () => {
    const samples = [-8e14, -1, 0, 1, 8e14].map((t, v) => ({ t, v, kind: 0 }))
    await expectRoundTrip([{ labels: Labels.from({ __name__: 'a' }), samples }], { chunkSamplesMax: 1 })
  })

  it('holds histograms beside floats and stale markers', async () => {
    const histogram = (i: number): FloatHistogram => ({
      ...EMPTY_HISTOGRAM,
      schema: 2,
      count: 3 * i + 3,
      sum: 1.5 * i,
      positiveSpans: [{ offset: -1, length: 3 }],
      positiveBuckets: [i + 1, i + 1, i + 1],
    })
    const samples = Array.from({ length: 600 }, (_, i) => {
      const t = 15_000 * i
      if (i % 50 === 0) return { t, v: 0, kind: 1 }
      if (i % 50 === 1) return { t, v: i / 3, kind: 0 }
      return { t, v: 0, kind: i < 300 ? 2 : 3, histogram: histogram(i) }
    })
    await expectRoundTrip([{ labels: Labels.from({ __name__: 'h' }), samples }])
  })
})
