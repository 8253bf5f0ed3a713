// Goal: whatever happens in whatever order, the store answers as the oracle does. Method: random histories of
// appends (in order, late, repeated, stale), cuts, views, clean stops and crashes on both, and all answers compared.
// A crash is a copy of the folder taken while the store is open, as the disk would be after kill -9.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Database } from '../../storage/db.ts'
import type { Storage } from '../../storage/interface.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { Matcher } from '../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_STALE, type PlainKind } from '../../storage/model/sample.ts'
import { dump, labelsOf } from '../conformance/storage.suite.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'

const OPERATIONS = 250

interface Row {
  series: string
  t: number
  v: number
  kind: PlainKind
}

function randomBatch(random: Prng, now: number): Row[] {
  return Array.from({ length: random.int(1, 12) }, () => ({
    series: `m${random.int(0, 2)} a=${random.int(0, 5)}${random.chance(0.5) ? ` b=${random.int(0, 3)}` : ''}`,
    // Mostly now; sometimes late, too late, or the same again.
    t: random.chance(0.85) ? now : now - random.pick([1, 1000, 60_000, 3_599_999, 3_600_001, 4_000_000]),
    v: random.pick([0, -0, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, random.int(0, 3)]),
    kind: random.chance(0.1) ? KIND_STALE : KIND_FLOAT,
  }))
}

async function write(storage: Storage, rows: readonly Row[], isRolledBack: boolean): Promise<unknown> {
  const appender = storage.appender()
  const outcomes = rows.map(({ series, t, v, kind }) =>
    appender.append(appender.register(labelsOf(series)), t, v, kind),
  )
  if (isRolledBack) appender.rollback()
  return { outcomes, counts: isRolledBack ? undefined : await appender.commit() }
}

const SELECTIONS: Matcher[][] = [
  [],
  [new Matcher('__name__', '=', 'm1')],
  [new Matcher('__name__', '=~', 'm[02]'), new Matcher('b', '!=', '')],
  [new Matcher('b', '=', ''), new Matcher('a', '!~', '[135]')],
  [new Matcher('a', '=~', '1|3|none'), new Matcher('b', '=~', '0|')],
]

it('answers as the oracle does through any history', async () => {
  const seed = testSeed()
  const random = prng(seed)
  const folders: string[] = []
  const newFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'narthex-history-'))
    folders.push(folder)
    return folder
  }
  const open = async (path: string): Promise<Database> => {
    const db = await Database.open({ path, turnMs: 0 })
    await db.ready()
    return db
  }
  let path = await newFolder()
  let db = await open(path)
  const oracle = new MemoryStorage()
  let now = 10_000_000
  for (let step = 0; step < OPERATIONS; step++) {
    const about = `SEED=${seed} step=${step}`
    now += random.pick([0, 1, 15_000, 15_000, 15_000, 600_000])
    const choice = random.next()
    if (choice < 0.75) {
      const rows = randomBatch(random, now)
      const isRolledBack = random.chance(0.1)
      expect(await write(db, rows, isRolledBack), about).toEqual(await write(oracle, rows, isRolledBack))
    } else if (choice < 0.85) {
      db.cut()
      db.maintain()
    } else if (choice < 0.9) {
      await db.close()
      db = await open(path)
    } else if (choice < 0.95) {
      const copy = await newFolder()
      await cp(path, copy, { recursive: true })
      await db.close()
      path = copy
      db = await open(path)
    } else {
      const matchers = random.pick(SELECTIONS)
      const mint = now - random.int(0, 5_000_000)
      const maxt = mint + random.int(0, 5_000_000)
      expect(await dump(db, matchers, mint, maxt), about).toEqual(await dump(oracle, matchers, mint, maxt))
    }
  }
  for (const matchers of SELECTIONS) expect(await dump(db, matchers)).toEqual(await dump(oracle, matchers))
  await db.close()
  for (const folder of folders) await rm(folder, { recursive: true })
}, 60_000)
