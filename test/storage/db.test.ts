// Goal: the real storage does what the interface says, and keeps it through a stop. Method: the suite that
// memory-storage runs too, then reopenings, damage and drops of its own.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Database, type DatabaseOptions } from '../../storage/db.ts'
import { APPEND_OUT_OF_ORDER, APPEND_SAME, APPENDED } from '../../storage/errors.ts'
import { LabelBytes } from '../../storage/head/label-bytes.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_STALE, SampleColumns } from '../../storage/model/sample.ts'
import { Slab } from '../../storage/slab/slab.ts'
import { Store } from '../../storage/store.ts'
import type { UpkeepTask } from '../../storage/upkeep.ts'
import { oldestPage } from '../../storage/wal/oldest.ts'
import { PageBuilder, pageKey, sealPage } from '../../storage/wal/record.ts'
import { append, dump, labelsOf, storageSuite } from '../conformance/storage.suite.ts'
import { memoryFolder } from '../harness/memory-folder.ts'

const HOUR = 3_600_000
const ALL = [new Matcher('__name__', '!=', '')]
let path: string

async function open(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  // Small reservations of memory: those of closed databases stay until they are collected.
  const limits = { headBytesMax: 64 * 2 ** 20, ...options.limits }
  const db = await Database.open({ path, turnMs: 0, ...options, limits })
  await db.ready()
  return db
}

/** Gives all memory that is left to `owner`. */
function fill(slab: Slab, owner: number): void {
  while (slab.usedBytes < slab.capacityBytes) slab.allocate(owner)
}

beforeEach(async () => {
  path = await mkdtemp(join(memoryFolder(), 'narthex-db-'))
})
afterEach(() => rm(path, { recursive: true }))

storageSuite('Database', async (limits) => {
  const db = await open({ limits })
  return {
    storage: db,
    close: () => db.close(),
    cut: () => db.cut(),
    settle: () => db.settle(),
    deleteSeries: (matchers, mint, maxt) => db.deleteSeries(matchers, mint, maxt),
  }
})

describe('Database', () => {
  it.each([false, true])(
    'keeps samples, kinds and order through a stop (in a thread: %s)',
    async (isThreaded) => {
      let db = await open()
      for (let t = 1; t <= 40; t++) {
        await append(db, [
          ['a', t, t],
          ['b x=1', t, -t, t % 7 === 0 ? KIND_STALE : KIND_FLOAT],
        ])
        if (t === 25) db.cut()
      }
      const before = await dump(db, ALL)
      await db.close()
      db = await open({ isThreaded })
      expect(await dump(db, ALL)).toEqual(before)
      expect(db.replayStatus).toEqual({ total: 2, done: 2 })
      expect(db.stats().series).toBe(2)
      // The append rules go on where they were.
      expect(
        await append(db, [
          ['a', 40, 40],
          ['a', 41, 41],
        ]),
      ).toEqual([APPEND_SAME, APPENDED])
      await db.close()
      db = await open({ isThreaded })
      expect((await dump(db, ALL))[0]).toBe(`${before[0]} 41:41`)
      await db.close()
    },
  )

  it('answers nothing before the replay is done, and takes samples meanwhile', async () => {
    let db = await open()
    await append(db, [['a', 1, 1]])
    await db.close()
    db = await Database.open({ path, turnMs: 0 })
    expect(() => db.querier(0, 10)).toThrow(expect.objectContaining({ code: 'NOT_READY' }))
    const appender = db.appender()
    appender.append(appender.register(labelsOf('a')), 2, 2, KIND_FLOAT)
    await appender.commit()
    await db.ready()
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2'])
    await db.close()
    expect(() => db.querier(0, 10)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    expect(() => db.appender()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('does not double what arrives again while the old data is replayed', async () => {
    let db = await open()
    await append(db, [
      ['a', 1, 1],
      ['a', 2, 2],
      ['a', 3, 3],
    ])
    await db.close()
    db = await Database.open({ path, turnMs: 0 })
    await append(db, [
      ['a', 2, 9],
      ['a', 3, 3],
      ['a', 4, 4],
    ])
    await db.ready()
    // At equal times the earlier arrival wins.
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2 3:3 4:4'])
    await db.close()
  })

  it('loses only what stood in a damaged or missing page, and says so', async () => {
    let db = await open()
    for (let t = 1; t <= 24; t++) await append(db, [['a', t, t]])
    await append(db, [['b', 25, 7]])
    await append(db, [
      ['b', 26, 8],
      ['a', 26, 8],
    ])
    await db.close()
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: false, isShared: false })
    const damagedKey = pageKey(1, 2)
    const value = new Uint8Array((await store.get(damagedKey))!)
    value[value.length - 1] ^= 0x10
    await store.write([{ key: damagedKey, value }], true)
    await store.clear({ gte: pageKey(1, 24), lt: pageKey(1, 25) })
    await store.close()
    const troubles: string[] = []
    db = await open({ onDamage: ({ what }) => troubles.push(what) })
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2 17:17 18:18 19:19 20:20 21:21 22:22 23:23 24:24'])
    const gaps = [
      'generation 1: pages 2 to 2 are missing; 13 samples of 1 series behind it are lost with it; ' +
        'it may have had samples of any of 1 series of the metric "a"',
      'generation 1: pages 24 to 24 are missing; 2 samples of 2 series behind it are lost with it; ' +
        'it may have had samples of any of 1 series of the metric "a"',
    ]
    expect(troubles).toEqual([
      'the write-ahead log was damaged: page 2 of generation 1 is damaged: its checksum does not fit; ' +
        'generation 1: pages 24 to 24 are missing; 2 gaps are left in it',
      ...gaps,
    ])
    await db.close()
    // The next start finds a log that is whole, and says what is not in it.
    troubles.length = 0
    db = await open({ onDamage: ({ what }) => troubles.push(what) })
    expect(troubles).toEqual(gaps)
    const [first] = db.damage.notes
    expect(first).toMatchObject({ place: 'wal', series: ['a{}'], mint: 2, maxt: 17 })
    expect(existsSync(join(path, 'narthex', first.quarantine!))).toBe(true)
    await db.close()
  })

  it('names the series that samples in a lost page of the log may have been of', async () => {
    let db = await open()
    const series = Array.from({ length: 30 }, (_, i) => `m${i % 7} i=${i}`)
    await append(
      db,
      series.map((labels): [string, number, number] => [labels, 1, 1]),
    )
    await append(db, [['m0 i=0', 2, 2]])
    await append(db, [['late', 3, 3]])
    await append(db, [['late', 4, 4]])
    await append(db, [['late', 5, 0, KIND_STALE]])
    await db.close()
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: false, isShared: false })
    await store.clear({ gte: pageKey(1, 1), lt: pageKey(1, 3) })
    await store.close()
    db = await open()
    const named = Array.from({ length: 20 }, (_, i) => `m${i % 7}{i="${i}"}`)
    expect(db.damage.notes.slice(1)).toMatchObject([
      {
        what:
          'generation 1: pages 1 to 2 are missing; 1 samples of 1 series behind it are lost with it; ' +
          'it may have had samples of any of 30 series of the metrics "m0", "m1", "m2", "m3", "m4" and 2 more',
        series: [...named, '10 more of the metrics "m0", "m1", "m2", "m3", "m4" and 2 more'],
        mint: 1,
        maxt: 5,
      },
      {
        what: 'generation 1: 1 samples of 1 series whose labels were lost are lost with them',
        mint: 5,
        maxt: 5,
      },
    ])
    await db.close()
  })

  it('starts after any number of starts, and small generations do not pile up', async () => {
    // The log of 300 starts that wrote one sample each.
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: true, isShared: false })
    const labels = new LabelBytes()
    labels.set(labelsOf('a'))
    const pages = Array.from({ length: 300 }, (_, i) => {
      const builder = new PageBuilder()
      builder.addSeries(0, labels)
      const [t, v, lastV] = [Float64Array.of(i + 1), Float64Array.of(-i), new Float64Array(1)]
      const [index, kind, st, isKey] = [
        new Uint32Array(1),
        new Uint8Array(1),
        new Float64Array(0),
        Uint8Array.of(1),
      ]
      builder.addSamples({ length: 1, index, t, v, kind, st, lastV, isKey, histograms: [] }, 0, 1)
      return builder.finish(pageKey(i + 1, 0))
    })
    await store.write([oldestPage(1), ...pages], true)
    await store.close()
    const limits = { headBytesMax: 2 ** 30 }
    let samples = pages.map((_, i) => `${i + 1}:${0 - i}`)
    for (let t = 301; t <= 303; t++) {
      const db = await open({ limits })
      expect(db.replayStatus).toEqual({ total: t - 1, done: t - 1 })
      expect(db.stats()).toMatchObject({ generations: 2, series: 1 })
      expect(await dump(db, ALL)).toEqual([`a ${samples.join(' ')}`])
      expect(await append(db, [['a', t, 1]])).toEqual([APPENDED])
      samples = [...samples, `${t}:1`]
      await db.close()
    }
  })

  it('joins generations of the log without losing what came late', async () => {
    let db = await open()
    await append(db, [['a', 10, 10]])
    await db.close()
    db = await Database.open({ path, turnMs: 0 })
    // Before what was written is known, an older one is taken.
    await append(db, [
      ['a', 5, 5],
      ['b', 5, 5],
    ])
    await db.ready()
    await db.close()
    for (let start = 0; start < 2; start++) {
      db = await open()
      expect(await dump(db, ALL)).toEqual(['a 5:5 10:10', 'b 5:5'])
      expect(db.stats().generations).toBe(2)
      await db.close()
    }
  })

  it('takes any number of samples of one series in one commit, and while a view is held', async () => {
    const db = await open()
    const write = async (from: number, to: number): Promise<void> => {
      const appender = db.appender()
      const ref = appender.register(labelsOf('a'))
      for (let t = from; t < to; t++) expect(appender.append(ref, t, t * 1.5, KIND_FLOAT)).toBe(APPENDED)
      await appender.commit()
    }
    // Behind single samples, which views see when their row is emptied, chunks are merged.
    const writeOneByOne = async (from: number): Promise<void> => {
      for (let t = from; t < from + 100; t++) await write(t, t + 1)
    }
    await write(0, 6000)
    await writeOneByOne(6000)
    const querier = db.querier(0, 1e6)
    await write(6100, 16_000)
    await writeOneByOne(16_000)
    querier.close()
    await writeOneByOne(16_100)
    const want = `a ${Array.from({ length: 16_200 }, (_, t) => `${t}:${t * 1.5}`).join(' ')}`
    expect(await dump(db, ALL)).toEqual([want])
    db.cut()
    await db.settle()
    expect(await dump(db, ALL)).toEqual([want])
    await db.close()
  })

  it('writes generations out as blocks, which leave memory and the log', async () => {
    let db = await open()
    for (let round = 1; round <= 3; round++) {
      for (let t = 1; t <= 20; t++) {
        await append(db, [
          ['a', round * 100 + t, t],
          [`b round=${round}`, round * 100 + t, -t, t === 20 ? KIND_STALE : KIND_FLOAT],
        ])
      }
      db.cut()
    }
    await append(db, [['a', 400, 1]])
    const before = await dump(db, ALL)
    await db.settle()
    expect(db.stats()).toMatchObject({ generations: 1, blocks: 3 })
    expect(await dump(db, ALL)).toEqual(before)
    // What left memory is still known to the append rules.
    expect(
      await append(db, [
        ['b round=1', 120, 0, KIND_STALE],
        ['b round=1', 119, 0],
        ['b round=1', 121, 1],
      ]),
    ).toEqual([APPEND_SAME, APPEND_OUT_OF_ORDER, APPENDED])
    const after = await dump(db, ALL)
    await db.close()
    db = await open()
    expect(db.replayStatus).toEqual({ total: 1, done: 1 })
    expect(await dump(db, ALL)).toEqual(after)
    await db.close()
  })

  it.each([false, true])('makes a block a window of late samples (in a thread: %s)', async (isThreaded) => {
    const limits = { outOfOrderWindowMs: 1000 * HOUR }
    let db = await open({ limits, isThreaded })
    await append(db, [
      ['a', 900 * HOUR, 1],
      ['b', 900 * HOUR, 2],
    ])
    await append(db, [
      ['a', 100 * HOUR, 3],
      ['b', 898 * HOUR, 4],
      ['b', 100 * HOUR + 1, 5],
      ['a', 899 * HOUR, 6],
      ['c', 900 * HOUR + 1, 7],
    ])
    const before = await dump(db, ALL)
    db.cut()
    await db.settle()
    expect(db.blocks.map(({ mint, maxt, samples }) => [mint, maxt, samples])).toEqual([
      [100 * HOUR, 100 * HOUR + 1, 2],
      [898 * HOUR, 899 * HOUR, 2],
      [900 * HOUR, 900 * HOUR + 1, 3],
    ])
    expect(db.blocks.every(({ firstGeneration, level }) => firstGeneration === 1 && level === 0)).toBe(true)
    expect((await readdir(join(path, 'narthex', 'blocks'))).length).toBe(3)
    expect(await dump(db, ALL)).toEqual(before)
    await db.close()
    db = await open({ limits, isThreaded })
    expect(db.replayStatus.total).toBe(1)
    expect(await dump(db, ALL)).toEqual(before)
    await db.close()
  })

  it('keeps a generation that was written out for the query that reads it', async () => {
    const db = await open()
    await append(db, [['old', 1, 1]])
    const querier = db.querier(0, 10)
    const set = await querier.select(ALL, { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false })
    db.cut()
    await append(db, [['new', 2, 2]])
    await db.settle()
    const usedBefore = db.stats().usedBytes
    const columns = new SampleColumns()
    set.read(0, columns)
    expect([set.count, columns.length, columns.t[0]]).toEqual([1, 1, 1])
    querier.close()
    db.maintain()
    expect(db.stats().usedBytes).toBeLessThan(usedBefore)
    await db.close()
  })

  it('hides what was deleted, and nothing that comes later, through cuts, blocks, merges and starts', async () => {
    let db = await open()
    const all = [new Matcher('__name__', '=~', '.+')]
    const a = [new Matcher('__name__', '=', 'a')]
    await append(db, [
      ['a', 10, 1],
      ['a', 20, 2],
      ['b', 10, 1],
    ])
    db.cut()
    await append(db, [['a', 30, 3]])
    await db.deleteSeries(a, 15, 100)
    expect(await dump(db, all)).toEqual(['a 10:1', 'b 10:1'])
    await append(db, [['a', 31, 4]])
    const want = ['a 10:1 31:4', 'b 10:1']
    expect(await dump(db, all)).toEqual(want)
    await db.settle()
    expect(await dump(db, all)).toEqual(want)
    await db.close()
    db = await open()
    expect(await dump(db, all)).toEqual(want)
    await db.cleanTombstones()
    expect(db.stats().tombstones).toBe(0)
    expect(await dump(db, all)).toEqual(want)
    await db.deleteSeries([new Matcher('__name__', '=', 'b')], 0, 1000)
    const querier = db.querier(0, 1000)
    expect(await querier.labelValues('__name__', [])).toEqual(['a'])
    querier.close()
    await db.cleanTombstones()
    await db.close()
    db = await open()
    expect(await dump(db, all)).toEqual(['a 10:1 31:4'])
    await db.close()
  })

  it('writes generations out while a merge takes its time', async () => {
    const db = await open()
    const upkeep = db as unknown as { run(task: UpkeepTask): Promise<unknown> }
    const run = upkeep.run.bind(db)
    let goOn = (): void => {}
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let merges = 0
    vi.spyOn(upkeep, 'run').mockImplementation(async (task) => {
      if (task.kind === 'merge' && merges++ === 0) await gate
      return run(task)
    })
    const want: string[] = []
    for (let t = 1; t <= 12; t++) {
      await append(db, [['a', t, t]])
      want.push(`${t}:${t}`)
      db.cut()
      db.maintain()
      await vi.waitFor(() => expect(db.stats()).toMatchObject({ generations: 1, blocks: t }), 10_000)
    }
    expect(merges).toBe(1)
    goOn()
    await db.settle()
    expect(db.stats().blocks).toBeLessThan(12)
    expect(await dump(db, ALL)).toEqual([`a ${want.join(' ')}`])
    await db.close()
  })

  it.each([
    { where: 'a block', settle: true },
    { where: 'the log', settle: false },
  ])('says that the tombstones are gone when samples are in $where', async ({ settle }) => {
    const state = join(path, 'narthex', 'state')
    const lost = expect.objectContaining({
      place: 'state',
      what: expect.stringMatching(/^the tombstones are gone/),
    })
    let db = await open()
    await db.close()
    // Nothing was ever taken: nothing is lost.
    await rm(state, { recursive: true })
    db = await open()
    expect(db.damage.notes).toEqual([])
    await append(db, [['a', 1, 1]])
    await append(db, [['a', 2, 2]])
    if (settle) {
      db.cut()
      await db.settle()
    }
    await db.deleteSeries(ALL, 1, 1)
    await db.close()
    db = await open()
    expect([await dump(db, ALL), db.damage.notes]).toEqual([['a 2:2'], []])
    await db.close()
    await rm(state, { recursive: true })
    db = await open()
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2'])
    expect(db.damage.notes).toEqual([lost])
    await db.close()
    db = await open()
    expect(db.damage.notes).toEqual([])
    await db.close()
  })

  it('takes a snapshot that a storage opens on', async () => {
    const db = await open()
    await append(db, [['a', 1, 1]])
    db.cut()
    await append(db, [['a', 2, 2]])
    await db.settle()
    const without = await db.snapshot('without', false)
    const whole = await db.snapshot('whole', true)
    await append(db, [['a', 3, 3]])
    await db.close()
    for (const [folder, want] of [
      [without, 'a 1:1'],
      [whole, 'a 1:1 2:2'],
    ]) {
      const copy = await open({ path: folder })
      expect(await dump(copy, ALL)).toEqual([want])
      await copy.close()
    }
  })

  it('starts with a smaller bound than its log has, and writes the oldest out as blocks', async () => {
    let db = await open()
    for (let round = 0; round < 8; round++) {
      const appender = db.appender()
      for (let i = 0; i < 2000; i++)
        appender.append(appender.register(labelsOf(`s r=${round} n=${i}`)), round, i, KIND_FLOAT)
      await appender.commit()
      db.cut()
    }
    const want = await dump(db, ALL)
    await db.close()
    const limits = { headBytesMax: 3 * 2 ** 20 }
    for (const isThreaded of [true, false]) {
      db = await open({ limits, isThreaded })
      expect(db.stats().usedBytes).toBeLessThanOrEqual(limits.headBytesMax + 2 * 2 ** 20)
      expect(db.stats().blocks).toBeGreaterThan(0)
      expect(await dump(db, ALL)).toEqual(want)
      await db.close()
    }
  })

  it('is not cut because of samples that come late', async () => {
    const limits = { headBytesMax: 64 * 2 ** 20, cutSpanMs: 1_800_000 }
    const db = await open({ limits })
    await append(db, [['on', 1e12, 1]])
    db.cut()
    await db.settle()
    for (let t = 1e12 + 1000; t <= 1e12 + 30_000; t += 1000) {
      await append(db, [
        ['on', t, 1],
        ['late', t - 2_400_000, 1],
      ])
      db.maintain()
    }
    expect(db.stats().generations).toBe(1)
    await append(db, [['on', 1e12 + 1_800_000, 1]])
    db.maintain()
    expect(db.stats().generations).toBe(2)
    await db.close()
  })

  it('refuses series and samples while a query holds the memory, and goes on after it', async () => {
    const db = await open({ limits: { headBytesMax: 16 * 2 ** 20 } })
    await append(db, [['old', 1, 1]])
    const querier = db.querier(0, 10)
    let refused = 0
    for (let t = 2; t < 200 && refused === 0; t++) {
      const appender = db.appender()
      for (let i = 0; i < 2000 && refused === 0; i++) {
        try {
          appender.append(appender.register(labelsOf(`s t=${t} i=${i}`)), t, i, KIND_FLOAT)
        } catch (error) {
          expect(error).toMatchObject({ code: 'NO_MEMORY' })
          refused++
        }
      }
      await appender.commit()
      db.maintain()
    }
    expect(refused).toBe(1)
    // Also should even the last of it be taken, upkeep goes on.
    const slab = new Slab(db.handle.buffer)
    const ballast = 0xfffffff0
    fill(slab, ballast)
    for (let i = 0; i < 3; i++) db.maintain()
    slab.free(ballast)
    querier.close()
    db.cut()
    await db.settle()
    expect(db.stats().usedBytes).toBeLessThanOrEqual(16 * 2 ** 20)
    expect(await append(db, [['new', 1000, 1]])).toEqual([APPENDED])
    await db.close()
  })

  it('takes all of a commit or nothing when memory is gone', async () => {
    const db = await open()
    const rows = (t: number) => Array.from({ length: 1000 }, (_, i) => [`m n=${i}`, t, i] as const)
    for (let t = 1; t <= 8; t++) await append(db, rows(t))
    const before = await dump(db, ALL)
    const appender = db.appender()
    for (const [series, , v] of rows(9))
      appender.append(appender.register(labelsOf(series)), 9, v, KIND_FLOAT)
    const slab = new Slab(db.handle.buffer)
    const ballast = 0xfffffff0
    fill(slab, ballast)
    await expect(appender.commit()).rejects.toMatchObject({ code: 'NO_MEMORY' })
    slab.free(ballast)
    await append(db, [['other', 9, 1]])
    expect(await dump(db, ALL)).toEqual([...before, 'other 9:1'])
    await append(db, rows(9))
    expect((await dump(db, ALL))[0]).toBe(`${before[0]} 9:0`)
    await db.close()
  })

  it('leaves nothing of a block that could not take its place, and writes it again', async () => {
    const db = await open()
    const blocks = join(path, 'narthex', 'blocks')
    await mkdir(join(blocks, '00000001', 'in the way'), { recursive: true })
    await append(db, [['a', 1, 1]])
    db.cut()
    await expect(db.settle()).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(await readdir(blocks)).toEqual(['00000001'])
    await db.settle()
    expect((await readdir(blocks)).sort()).toEqual(['00000001', '00000002'])
    expect(await dump(db, ALL)).toEqual(['a 1:1'])
    expect(db.stats()).toMatchObject({ generations: 1, blocks: 1 })
    await db.close()
  })

  it('counts a series once that several generations of the log have', async () => {
    let db = await open()
    // Rows of more than 2 MiB, or the generations would be joined.
    const rows = (t: number) => Array.from({ length: 20_000 }, (_, i) => [`m n=${i}`, t, i] as const)
    for (const t of [1, 2, 3]) {
      if (t > 1) db.cut()
      await append(db, rows(t))
    }
    await db.close()
    db = await Database.open({ path, turnMs: 0, limits: { headBytesMax: 64 * 2 ** 20 } })
    await append(db, [
      ['m n=7', 4, 1],
      ['other', 4, 1],
    ])
    await db.ready()
    expect(db.stats()).toMatchObject({ series: 20_001 })
    db.cut()
    await db.settle()
    expect(db.stats()).toMatchObject({ series: 0, seriesRemoved: 20_001 })
    await db.close()
  })

  it('closes though a query went after the last look at what nobody reads any more', async () => {
    const db = await open()
    await append(db, [
      ['a', 1, 1],
      ['b', 1, 1],
    ])
    db.cut()
    await db.settle()
    const querier = db.querier(0, 10)
    await db.deleteSeries([new Matcher('__name__', '=', 'a')], 0, 10)
    await db.cleanTombstones()
    querier.close()
    await db.close()
  })

  it('rejects the commits that come after its close, and closes once', async () => {
    const db = await open()
    const appender = db.appender()
    appender.append(appender.register(labelsOf('a')), 1, 1, KIND_FLOAT)
    const [first, second] = [db.close(), db.close()]
    expect(second).toBe(first)
    await first
    await expect(appender.commit()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('refuses a log of a newer format with a sentence', async () => {
    const db = await open()
    await append(db, [['a', 1, 1]])
    await db.close()
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: false, isShared: false })
    const value = new Uint8Array((await store.get(pageKey(1, 0)))!)
    sealPage(pageKey(1, 0), value, 4)
    await store.write([{ key: pageKey(1, 0), value }], true)
    await store.close()
    await expect(Database.open({ path })).rejects.toThrow(
      'the write-ahead log has format 4, this version reads 2 and 3',
    )
  })
})
