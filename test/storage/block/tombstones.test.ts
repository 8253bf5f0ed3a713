// Goal: a tombstone hides what it was made for, and nothing else, also after a restart. Method: hand-worked rows; the
// union of intervals and the filter against sets of times, on random input; the log on a real database.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addInterval, hide, type Interval } from '../../../storage/block/intervals.ts'
import { TombstoneLog } from '../../../storage/block/tombstone-log.ts'
import {
  mayHide,
  spentTombstones,
  type Tombstone,
  TombstoneFilter,
} from '../../../storage/block/tombstones.ts'
import type { StorageError } from '../../../storage/errors.ts'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import type { MatchOp } from '../../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_HISTOGRAM, KIND_STALE, SampleColumns } from '../../../storage/model/sample.ts'
import { Store } from '../../../storage/store.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const matchers = (...texts: [string, MatchOp, string][]) =>
  texts.map(([name, op, value]) => ({ name, op, value }))
const tombstone = (some: Partial<Tombstone>): Tombstone => ({
  number: 1,
  matchers: [],
  mint: 0,
  maxt: 100,
  finalGeneration: 5,
  ...some,
})

describe('intervals', () => {
  it.each([
    { into: [], add: [1, 1], want: [[1, 1]] },
    { into: [[1, 2]], add: [3, 4], want: [[1, 4]] },
    {
      into: [[1, 2]],
      add: [4, 5],
      want: [
        [1, 2],
        [4, 5],
      ],
    },
    {
      into: [
        [5, 6],
        [9, 9],
      ],
      add: [1, 2],
      want: [
        [1, 2],
        [5, 6],
        [9, 9],
      ],
    },
    {
      into: [
        [1, 2],
        [5, 6],
        [9, 9],
      ],
      add: [3, 8],
      want: [[1, 9]],
    },
    { into: [[1, 9]], add: [3, 4], want: [[1, 9]] },
  ])('$into and $add', ({ into, add, want }) => {
    const interval = ([mint, maxt]: number[]): Interval => ({ mint, maxt })
    expect(addInterval(into.map(interval), interval(add))).toEqual(want.map(interval))
  })

  it('hide what lies in them, as a set of times would', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 300; run++) {
      const hidden = new Set<number>()
      let intervals: Interval[] = []
      for (let i = random.int(0, 6); i > 0; i--) {
        const mint = random.int(0, 60)
        const maxt = mint + random.int(0, 8)
        intervals = addInterval(intervals, { mint, maxt })
        for (let t = mint; t <= maxt; t++) hidden.add(t)
      }
      const columns = new SampleColumns(4)
      const want: number[][] = []
      for (let t = 0; t < 70; t += random.int(1, 3)) {
        const kind = random.chance(0.1) ? KIND_STALE : KIND_FLOAT
        columns.push(t, -t, kind)
        if (!hidden.has(t)) want.push([t, -t, kind])
      }
      hide(columns, intervals)
      const got = Array.from({ length: columns.length }, (_, i) => [
        columns.t[i],
        columns.v[i],
        columns.kind[i],
      ])
      expect(got, `SEED=${seed} run=${run}`).toEqual(want)
      expect(columns.allFloat).toBe(want.every(([, , kind]) => kind === KIND_FLOAT))
    }
  })

  it('leave histograms with their samples', () => {
    const columns = new SampleColumns()
    for (const t of [1, 2, 3]) columns.pushHistogram(t, { ...EMPTY_HISTOGRAM, count: t }, KIND_HISTOGRAM)
    hide(columns, [{ mint: 2, maxt: 2 }])
    const counts = [0, 1].map((i) => columns.histograms[columns.v[i]].count)
    expect([columns.length, counts]).toEqual([2, [1, 3]])
  })
})

describe('a tombstone', () => {
  const samples = { mint: 10, maxt: 20, finalGeneration: 5, tombstone: 0 }
  it.each([
    { rule: 'hides what was there', of: {}, in: {}, want: true },
    { rule: 'not what came later', of: {}, in: { finalGeneration: 6 }, want: false },
    { rule: 'not where it was applied', of: { number: 3 }, in: { tombstone: 3 }, want: false },
    { rule: 'where only an earlier one was', of: { number: 3 }, in: { tombstone: 2 }, want: true },
    { rule: 'to its last millisecond', of: { maxt: 10 }, in: {}, want: true },
    { rule: 'not beyond', of: { maxt: 9 }, in: {}, want: false },
  ])('$rule', ({ of, in: place, want }) =>
    expect(mayHide(tombstone(of), { ...samples, ...place })).toBe(want),
  )

  it('is spent when there is nothing left that it may hide', () => {
    const [old, wide] = [tombstone({ number: 1 }), tombstone({ number: 2, maxt: 1e9, finalGeneration: 9 })]
    const numbers = (blocks: (typeof samples)[], live = 10) => spentTombstones([old, wide], blocks, live)
    expect(numbers([])).toEqual([1, 2])
    expect(numbers([], 9)).toEqual([1])
    expect(numbers([{ ...samples, finalGeneration: 6 }])).toEqual([1])
    expect(numbers([{ ...samples, tombstone: 1 }])).toEqual([1])
    expect(numbers([{ ...samples, tombstone: 2 }])).toEqual([1, 2])
    expect(numbers([samples, { ...samples, tombstone: 2 }])).toEqual([])
  })
})

describe('TombstoneFilter', () => {
  it('unites what hides a series', () => {
    const filter = new TombstoneFilter([
      tombstone({ matchers: matchers(['job', '=', 'a']), mint: 0, maxt: 4 }),
      tombstone({ matchers: matchers(['job', '=~', 'a|b'], ['x', '=', '']), mint: 5, maxt: 9 }),
      tombstone({ matchers: matchers(['job', '!~', 'a.*']), mint: 20, maxt: 30 }),
    ])
    const hidden = (labels: Record<string, string>) => filter.intervals(Labels.from(labels))
    expect(hidden({ job: 'a' })).toEqual([{ mint: 0, maxt: 9 }])
    expect(hidden({ job: 'a', x: '1' })).toEqual([{ mint: 0, maxt: 4 }])
    expect(hidden({ job: 'b' })).toEqual([
      { mint: 5, maxt: 9 },
      { mint: 20, maxt: 30 },
    ])
    expect(hidden({ job: 'ab' })).toEqual([])
    expect(hidden({})).toEqual([{ mint: 20, maxt: 30 }])
    expect(hidden({ job: 'a', y: '1' })).toBe(hidden({ job: 'a', y: '2' }))
  })

  it('takes only those that concern the block', () => {
    const block = { mint: 0, maxt: 9, finalGeneration: 5, tombstone: 1 }
    expect(TombstoneFilter.for([tombstone({}), tombstone({ number: 2, mint: 10 })], block).isEmpty).toBe(true)
    const filter = TombstoneFilter.for([tombstone({ number: 2, maxt: 3 })], block)
    expect(filter.intervals(Labels.EMPTY)).toEqual([{ mint: 0, maxt: 3 }])
  })
})

describe('TombstoneLog', () => {
  let folder: string
  let store: Store
  let damage: StorageError[] = []

  const open = async (highestApplied = 0) => {
    store = await Store.open(join(folder, 'state'), { createIfMissing: true, isShared: false })
    return TombstoneLog.open(store, highestApplied, (error) => damage.push(error))
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'narthex-tombstones-'))
    damage = []
  })
  afterEach(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })

  const MATCHERS = matchers(['job', '=', 'é😀'], ['x', '!=', ''], ['y', '=~', 'a.*'], ['z', '!~', '(b|c)+'])
  const RANGE = { mint: Number.MIN_SAFE_INTEGER, maxt: Number.MAX_SAFE_INTEGER, finalGeneration: 2 ** 32 - 1 }

  it('is there again after a restart, and goes on counting', async () => {
    let log = await open()
    expect([log.all, log.highest]).toEqual([[], 0])
    const first = await log.add(MATCHERS, RANGE)
    const second = await log.add([], { mint: -5, maxt: 7, finalGeneration: 3 })
    expect(first).toEqual({ number: 1, matchers: MATCHERS, ...RANGE })
    expect(log.all).toEqual([first, second])
    await store.close()
    log = await open()
    expect([log.all, log.highest, damage]).toEqual([[first, second], 2, []])
    await log.forget([1])
    expect(log.all).toEqual([second])
    await store.close()
    log = await open(8)
    expect(log.all).toEqual([second])
    expect(await log.add([], RANGE)).toMatchObject({ number: 9 })
  })

  it('does not count one that is being written', async () => {
    const log = await open()
    await log.add([], RANGE)
    expect([log.highest, log.boundary]).toEqual([1, Number.POSITIVE_INFINITY])
    const adding = [6, 4, 5].map((finalGeneration) => log.add([], { ...RANGE, finalGeneration }))
    expect([log.highest, log.boundary, log.all.length]).toEqual([1, 5, 1])
    await Promise.all(adding)
    expect([log.highest, log.boundary, log.all.length]).toEqual([4, Number.POSITIVE_INFINITY, 4])
    // A number whose page may be there or not is not given again, and is not waited for.
    await store.close()
    await expect(log.add([], RANGE)).rejects.toThrow()
    expect([log.highest, log.boundary, log.all.length]).toEqual([5, Number.POSITIVE_INFINITY, 4])
    await open()
  })

  it('is taken again after a write that failed', async () => {
    const log = await open()
    const broken = { key: new Uint8Array([2]), value: undefined as unknown as Uint8Array }
    await expect(store.write([broken], true)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(store.hasFailed).toBe(true)
    const tombstone = await log.add([], RANGE)
    await expect(store.write([broken], true)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    await log.forget([])
    expect(log.all).toEqual([tombstone])
    await log.forget([tombstone.number])
    await store.close()
    expect((await open()).all).toEqual([])
  })

  it('can be copied', async () => {
    const log = await open()
    await log.add(MATCHERS, RANGE)
    await log.copyTo(join(folder, 'copy', 'state'))
    const copied = await Store.open(join(folder, 'copy', 'state'), {
      createIfMissing: false,
      isShared: false,
    })
    expect((await TombstoneLog.open(copied, 0, () => {})).all).toEqual(log.all)
    await copied.close()
  })

  it('says what is damaged, keeps the rest, and gives no number twice', async () => {
    const log = await open()
    await log.add(MATCHERS, RANGE)
    await log.add([], RANGE)
    const [key, copyKey] = [new Uint8Array([0x74, 0, 0, 0, 2]), new Uint8Array([0x75, 0, 0, 0, 2])]
    const page = Buffer.from((await store.get(key))!)
    const copy = (await store.get(copyKey))!
    for (const spoil of [(bytes: Buffer) => bytes.subarray(0, 9), (bytes: Buffer) => bytes.fill(7, 20, 21)]) {
      const spoilt = { key, value: spoil(Buffer.from(page)) }
      for (const [value, left] of [
        [copy, [1, 2]],
        [copy.subarray(1), [1]],
      ] as const) {
        await store.write([spoilt, { key: copyKey, value }], true)
        damage = []
        const again = await TombstoneLog.open(store, 0, (error) => damage.push(error))
        expect(again.all.map(({ number }) => number)).toEqual(left)
        expect(again.highest).toBe(2)
        expect(damage.map(({ code }) => code)).toEqual(
          left.length === 2 ? ['CORRUPTION'] : ['CORRUPTION', 'CORRUPTION'],
        )
        expect(damage[0].message).toContain('tombstone 2 is damaged')
      }
    }
  })

  it('refuses what a later program wrote', async () => {
    const log = await open()
    await log.add([], RANGE)
    const key = new Uint8Array([0x74, 0, 0, 0, 1])
    const page = Buffer.from((await store.get(key))!)
    page[0] = 2
    page.writeUInt32LE(crc32(page.subarray(8), crc32(page.subarray(0, 4), crc32(key))), 4)
    await store.write([{ key, value: page }], true)
    await expect(TombstoneLog.open(store, 0, () => {})).rejects.toMatchObject({ code: 'NEWER_FORMAT' })
  })
})
