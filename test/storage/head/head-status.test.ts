// Goal: what is in memory is counted once, however many generations and tables have it. Method: random label sets over cuts,
// starts and generations that leave, against a count of the label sets that a querier of what is in memory gives.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database } from '../../../storage/db.ts'
import { LabelCounter, topCounts } from '../../../storage/model/cardinality.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { KIND_FLOAT } from '../../../storage/model/sample.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const seed = testSeed()
let path: string

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'narthex-status-'))
})
afterEach(() => rm(path, { recursive: true }))

function open(): Promise<Database> {
  return Database.open({ path, turnMs: 0, limits: { headBytesMax: 64 * 2 ** 20 } })
}

it(`counts each series once (seed ${seed})`, async () => {
  const random = prng(seed)
  const inMemory = new Map<string, Labels>()
  let db = await open()
  await db.ready()
  let t = 0
  for (let round = 0; round < 12; round++) {
    const appender = db.appender()
    t += 1000
    for (let i = 0; i < 40; i++) {
      const labels = Labels.from({
        __name__: `metric_${random.int(0, 5)}`,
        pod: `p${random.int(0, 9)}`,
        'a=b': random.int(0, 1) === 0 ? '' : `é${random.int(0, 3)}`,
        [`only_${round}`]: '1',
      })
      inMemory.set(labels.key(), labels)
      appender.append(appender.register(labels), t, i, KIND_FLOAT)
    }
    await appender.commit()
    if (random.int(0, 2) === 0) db.cut()
    if (round % 4 === 3) {
      await db.close()
      db = await open()
      await db.ready()
    }
    const counter = new LabelCounter()
    for (const labels of inMemory.values()) counter.add(labels)
    const { chunks, mint, maxt, ...counts } = db.headStatus(10_000)
    expect(counts, `round ${round}`).toEqual(counter.result(10_000))
    expect([mint, maxt], `round ${round}`).toEqual([1000, t])
    expect(chunks).toBe(db.stats().chunks)
  }
  // What is in blocks is not in memory.
  db.cut()
  await db.settle()
  expect(db.headStatus(10)).toMatchObject({ series: 0, labelPairs: 0, seriesByPair: [] })
  await db.close()
})

describe('topCounts', () => {
  it.each<[string, number[], number, string]>([
    ['the largest first', [1, 5, 3], 2, '1:5 2:3'],
    ['without those of 0', [0, 2, 0], 5, '1:2'],
    ['equal ones by name', [2, 2, 2], 3, '0:2 1:2 2:2'],
    ['the first ones of equals', [1, 1, 7, 1], 2, '2:7 0:1'],
    ['nothing of nothing', [], 3, ''],
  ])('%s', (_, counts, limit, want) => {
    const top = topCounts(Float64Array.from(counts), limit, String)
    expect(top.map(({ name, count }) => `${name}:${count}`).join(' ')).toBe(want)
  })
})
