// Goal: the real storage does what the interface says, and keeps it through a stop. Method: the suite that
// memory-storage runs too, then reopenings, damage and drops of its own.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database, type DatabaseOptions } from '../../storage/db.ts'
import { APPEND_SAME, APPEND_UNKNOWN_REF, APPENDED } from '../../storage/errors.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_STALE } from '../../storage/model/sample.ts'
import { Store } from '../../storage/store.ts'
import { pageKey } from '../../storage/wal/record.ts'
import { append, dump, labelsOf, storageSuite } from '../conformance/storage.suite.ts'

const ALL = [new Matcher('__name__', '!=', '')]
let path: string

async function open(options: Partial<DatabaseOptions> = {}): Promise<Database> {
  const db = await Database.open({ path, turnMs: 0, ...options })
  await db.ready()
  return db
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
    let db = await open({ limits })
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
    value[value.length - 9] ^= 0x10
    await store.write([{ key: damagedKey, value }], true)
    await store.clear({ gte: pageKey(1, 6), lt: pageKey(1, 7) })
    await store.close()
    const troubles: string[] = []
    db = await open({ onTrouble: (error) => troubles.push(error.message) })
    expect(await dump(db, ALL)).toEqual(['a 1:1 2:2 4:4 5:5 6:6 8:8'])
    expect(troubles).toEqual([
      'page 2 of generation 1 is damaged: its checksum does not fit',
      'generation 1: pages 6 to 6 are missing',
      '1 samples lost their series to damage',
    ])
    await db.close()
  })

  it('refuses a log of a newer format with a sentence', async () => {
    let db = await open()
    await append(db, [['a', 1, 1]])
    await db.close()
    const store = await Store.open(join(path, 'narthex', 'wal'), { createIfMissing: false, isShared: false })
    const value = new Uint8Array((await store.get(pageKey(1, 0)))!)
    value[0] = 2
    await store.write([{ key: pageKey(1, 0), value }], true)
    await store.close()
    db = await Database.open({ path })
    await expect(db.ready()).rejects.toThrow('the write-ahead log has format 2, this version reads 1')
    await db.close()
  })
})
