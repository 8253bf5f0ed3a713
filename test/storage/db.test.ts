// Goal: the real storage does what the interface says, and keeps it through a stop. Method: the suite that
// memory-storage runs too, then reopenings, damage and drops of its own.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database, type DatabaseOptions } from '../../storage/db.ts'
import { APPEND_SAME, APPEND_UNKNOWN_REF, APPENDED } from '../../storage/errors.ts'
import type { DroppedGeneration } from '../../storage/head/head.ts'
import { LabelBytes } from '../../storage/head/label-bytes.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_STALE } from '../../storage/model/sample.ts'
import { Slab } from '../../storage/slab/slab.ts'
import { Store } from '../../storage/store.ts'
import { oldestPage } from '../../storage/wal/oldest.ts'
import { PageBuilder, pageKey, sealPage } from '../../storage/wal/record.ts'
import { append, dump, labelsOf, storageSuite } from '../conformance/storage.suite.ts'

const ALL = [new Matcher('__name__', '!=', '')]
let path: string

async function open(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const db = await Database.open({ path, turnMs: 0, ...options })
  await db.ready()
  return db
}

/** Gives all memory that is left to `owner`. */
function fill(slab: Slab, owner: number): void {
  while (slab.usedBytes < slab.capacityBytes) slab.allocate(owner)
}

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'narthex-db-'))
})
afterEach(() => rm(path, { recursive: true }))

storageSuite('Database', async () => {
  const db = await open()
  return { storage: db, close: () => db.close(), cut: () => db.cut() }
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

  it('is refused to a second process, with its path in the message', async () => {
    const db = await open()
    const module = new URL('../../storage/db.ts', import.meta.url).href
    const script = `import { Database } from '${module}'
      await Database.open({ path: process.argv[1] }).catch((error) => console.log(error.code, error.message))`
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      script,
      path,
    ])
    expect(stdout.trim()).toBe(`LOCKED ${join(path, 'narthex', 'wal')} is in use by another process`)
    await db.close()
  })

  it('drops the oldest generation at the byte bound, log and all, and tells refs to it', async () => {
    const limits = { headBytesMax: 3 * 2 ** 20, cutSpanMs: 1e12, cutBytesMin: 0, cutBytesMax: 2 ** 20 }
    const dropped: DroppedGeneration[] = []
    let db = await open({ limits, onDropped: (generation) => dropped.push(generation) })
    const first = db.appender()
    const oldRef = first.register(labelsOf('old'))
    first.append(oldRef, 1, 1, KIND_FLOAT)
    await first.commit()
    for (let round = 0; round < 40; round++) {
      const appender = db.appender()
      for (let series = 0; series < 1000; series++) {
        appender.append(
          appender.register(labelsOf(`s r=${round} n=${series}`)),
          1000 + round,
          series,
          KIND_FLOAT,
        )
      }
      await appender.commit()
      db.maintain()
    }
    expect(db.stats().usedBytes).toBeLessThanOrEqual(limits.headBytesMax)
    expect(db.stats().seriesRemoved).toBeGreaterThan(1000)
    const late = db.appender()
    expect(late.append(oldRef, 2000, 1, KIND_FLOAT)).toBe(APPEND_UNKNOWN_REF)
    late.rollback()
    const left = await dump(db, ALL)
    expect(left).toHaveLength(db.stats().series)
    // Each drop is told, with what went: nothing is gone that nobody heard of.
    expect(dropped[0]).toMatchObject({ number: 1, mint: 1 })
    expect(dropped.map(({ number }) => number)).toEqual(dropped.map((_, i) => i + 1))
    const gone = dropped.reduce((sum, { sampleCount }) => sum + sampleCount, 0)
    expect(gone + left.length).toBe(40_001)
    await db.close()
    db = await open({ limits })
    expect(await dump(db, ALL)).toEqual(left)
    await db.close()
  })

  it('keeps a dropped generation for the query that reads it', async () => {
    const limits = { headBytesMax: 2 ** 20, cutSpanMs: 1e12, cutBytesMin: 0, cutBytesMax: 2 ** 20 }
    const db = await open({ limits })
    await append(db, [['old', 1, 1]])
    const querier = db.querier(0, 10)
    const set = await querier.select(ALL, { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false })
    for (let round = 0; round < 5; round++) {
      db.cut()
      const appender = db.appender()
      for (let i = 0; i < 2000; i++)
        appender.append(appender.register(labelsOf(`s n=${i}`)), round + 2, i, KIND_FLOAT)
      await appender.commit()
      db.maintain()
    }
    expect(await dump(db, [new Matcher('__name__', '=', 'old')])).toEqual([])
    expect(set.labels(0).get('__name__')).toBe('old')
    const usedBefore = db.stats().usedBytes
    querier.close()
    db.maintain()
    expect(db.stats().usedBytes).toBeLessThan(usedBefore)
    await db.close()
  })

  it('loses only what stood in a damaged or missing page, and says so', async () => {
    let db = await open()
    for (let t = 1; t <= 6; t++) await append(db, [['a', t, t]])
    await append(db, [['b', 7, 7]])
    await append(db, [
      ['b', 8, 8],
      ['a', 8, 8],
    ])
    await db.close()
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: false, isShared: false })
    const damagedKey = pageKey(1, 2)
    const value = new Uint8Array((await store.get(damagedKey))!)
    value[value.length - 1] ^= 0x10
    await store.write([{ key: damagedKey, value }], true)
    await store.clear({ gte: pageKey(1, 6), lt: pageKey(1, 7) })
    await store.close()
    const troubles: string[] = []
    db = await open({ onTrouble: (error) => troubles.push(error.message) })
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2 4:4 5:5 6:6 8:8'])
    const gaps = [
      'generation 1: pages 2 to 2 are missing',
      'generation 1: pages 6 to 6 are missing',
      '1 samples lost their series to damage',
    ]
    expect(troubles).toEqual([
      'the write-ahead log was damaged: page 2 of generation 1 is damaged: its checksum does not fit; ' +
        'generation 1: pages 6 to 6 are missing; 2 gaps are left in it',
      ...gaps,
    ])
    await db.close()
    // The next start finds a log that is whole, and says what is not in it.
    troubles.length = 0
    db = await open({ onTrouble: (error) => troubles.push(error.message) })
    expect(troubles).toEqual(gaps)
    const [first] = db.damage.notes
    expect(first).toMatchObject({ place: 'wal', mint: 2, maxt: 4 })
    expect(existsSync(join(path, 'narthex', first.quarantine!))).toBe(true)
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
      const [index, kind, isKey] = [new Uint32Array(1), new Uint8Array(1), Uint8Array.of(1)]
      builder.addSamples({ length: 1, index, t, v, kind, lastV, isKey, histograms: [] }, 0, 1)
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

  it('does not join generations where that would lose a sample', async () => {
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
      expect(db.stats().generations).toBe(3)
      await db.close()
    }
  })

  it('starts with a smaller bound than its log has, and drops the oldest then', async () => {
    let db = await open()
    for (let round = 0; round < 8; round++) {
      const appender = db.appender()
      for (let i = 0; i < 2000; i++)
        appender.append(appender.register(labelsOf(`s r=${round} n=${i}`)), round, i, KIND_FLOAT)
      await appender.commit()
      db.cut()
    }
    await db.close()
    const limits = { headBytesMax: 6 * 2 ** 20, cutBytesMin: 0 }
    for (const isThreaded of [true, false]) {
      db = await open({ limits, isThreaded })
      const left = await dump(db, ALL)
      expect(db.stats().usedBytes).toBeLessThanOrEqual(limits.headBytesMax + 2 ** 20)
      expect(left.length).toBeGreaterThan(2000)
      expect(left.length).toBeLessThan(16_000)
      expect(left[0]).toMatch(/^s n=0 r=[1-6] /)
      expect(left.at(-1)).toBe('s n=999 r=7 7:999')
      await db.close()
    }
  })

  it('is not cut because of samples that come late', async () => {
    const limits = { headBytesMax: 64 * 2 ** 20, cutSpanMs: 1_800_000, cutBytesMin: 0 }
    const db = await open({ limits })
    await append(db, [['on', 1e12, 1]])
    db.cut()
    for (let t = 1e12 + 1000; t <= 1e12 + 30_000; t += 1000) {
      await append(db, [
        ['on', t, 1],
        ['late', t - 2_400_000, 1],
      ])
      db.maintain()
    }
    expect(db.stats().generations).toBe(2)
    await append(db, [['on', 1e12 + 1_800_000, 1]])
    db.maintain()
    expect(db.stats().generations).toBe(3)
    await db.close()
  })

  it('is not cut again and again when live series alone are many', async () => {
    // 10,000 series take some 4 MiB: more than an eighth of the head, less than half.
    const db = await open({ limits: { headBytesMax: 16 * 2 ** 20 } })
    for (let t = 1000; t <= 20_000; t += 1000) {
      const appender = db.appender()
      for (let i = 0; i < 10_000; i++)
        appender.append(appender.register(labelsOf(`m n=${i}`)), t, i, KIND_FLOAT)
      await appender.commit()
      db.maintain()
    }
    expect(await dump(db, [new Matcher('n', '=', '7')])).toEqual([
      `m n=7 ${Array.from({ length: 20 }, (_, i) => `${(i + 1) * 1000}:7`).join(' ')}`,
    ])
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
    db.maintain()
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
    sealPage(pageKey(1, 0), value, 3)
    await store.write([{ key: pageKey(1, 0), value }], true)
    await store.close()
    await expect(Database.open({ path })).rejects.toThrow(
      'the write-ahead log has format 3, this version reads 2',
    )
  })
})
