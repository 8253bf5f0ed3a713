// Goal: the journal is upstream's file to the byte, whatever the query, and says at the next start what did not end.
// Method: hand-worked bytes; then random queries, many of them too long and full of escapes, read back both slot by slot
// and in the way upstream does. Writes fail on demand; the clock of the timers is the test's.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { QueryJournal, readUnfinished } from '../../src/query/journal.ts'
import { prng, testSeed } from '../harness/prng.ts'

const disk = vi.hoisted(() => ({ isBroken: false, writes: 0 }))
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const writeSync = (...parameters: Parameters<typeof fs.writeSync>) => {
    disk.writes++
    if (disk.isBroken) throw new Error('input/output error')
    return fs.writeSync(...parameters)
  }
  return { ...fs, writeSync }
})

let folder: string
let path: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-journal-'))
  path = join(folder, 'queries.active')
})
beforeEach(() => {
  rmSync(path, { force: true })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => vi.useRealTimers())
afterAll(() => rmSync(folder, { recursive: true }))

const never = () => {
  throw new Error('nothing fails')
}

interface Entry {
  query: string
  timestamp_sec: number
}

/** The file has caught up. */
const settle = () => vi.advanceTimersByTime(10)

/** As upstream reads such a file. */
function asUpstream(): Entry[] {
  const text = readFileSync(path, 'utf8').replaceAll('\0', '')
  return JSON.parse(`${text.slice(0, -1)}]`) as Entry[]
}

describe('the journal of running queries', () => {
  it('has a slot a thread, empty again when its query ended', () => {
    const journal = new QueryJournal(path, 3, never)
    const empty = `[${'\0'.repeat(3000)}`
    expect(readFileSync(path, 'latin1')).toBe(empty)
    const before = Math.floor(Date.now() / 1000)
    journal.begin(1, 'sum("ü")')
    expect(readFileSync(path, 'latin1')).toBe(empty)
    settle()
    const bytes = readFileSync(path)
    expect(bytes.length).toBe(3001)
    const [{ timestamp_sec }] = asUpstream()
    expect(timestamp_sec - before).toBeLessThanOrEqual(1)
    const entry = `{"query":"sum(\\"ü\\")","timestamp_sec":${timestamp_sec}}`
    const slot = Buffer.alloc(1000)
    slot.write(entry)
    slot[999] = 0x2c
    expect(bytes.subarray(1001, 2001).equals(slot)).toBe(true)
    expect(readUnfinished(path)).toEqual({ queries: `[${entry}]` })
    journal.end(1)
    journal.end(2)
    settle()
    expect(readFileSync(path, 'latin1')).toBe(empty)
    expect(readUnfinished(path)).toBeUndefined()
    journal.close()
  })

  it('is not written for queries that are over at once, and has the newest one of a slot', () => {
    const journal = new QueryJournal(path, 2, never)
    disk.writes = 0
    for (let i = 0; i < 100; i++) {
      journal.begin(i % 2, `quick ${i}`)
      // A look falls amid every other one.
      if (i % 4 === 0) vi.advanceTimersByTime(5)
      journal.end(i % 2)
    }
    settle()
    expect(disk.writes).toBe(0)
    journal.begin(0, 'first')
    settle()
    journal.end(0)
    journal.begin(0, 'next')
    journal.begin(1, 'other')
    settle()
    expect(asUpstream().map(({ query }) => query)).toEqual(['next', 'other'])
    settle()
    journal.end(1)
    settle()
    expect(asUpstream().map(({ query }) => query)).toEqual(['next'])
    // The first one, its end, the next one and the other; its end.
    expect(disk.writes).toBe(5)
    // Quick ones take its place, at every look another one.
    for (let i = 0; i < 3; i++) {
      journal.end(0)
      journal.begin(0, `quick ${i}`)
      vi.advanceTimersByTime(5)
      expect(readUnfinished(path)).toBeUndefined()
    }
    journal.end(0)
    journal.close()
    expect(readUnfinished(path)).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('holds whole characters and whole escapes of a query that is too long', () => {
    const seed = testSeed()
    const random = prng(seed)
    const journal = new QueryJournal(path, 4, never)
    const pieces = ['a', '\\', '"', '\n', '\u0001', 'é', '€', '😀', '\\\\', '{}', '']
    for (let run = 0; run < 2000; run++) {
      const note = `SEED=${seed} run=${run}`
      const few = Array.from({ length: 3 }, () => random.pick(pieces))
      const query = Array.from({ length: random.int(0, 1200) }, () => random.pick(few)).join('')
      const slot = random.int(0, 3)
      journal.begin(slot, query)
      journal.begin((slot + 1) % 4, 'up')
      settle()
      const entries = asUpstream()
      expect(entries.length, note).toBe(2)
      const kept = entries.find((entry) => entry.query !== 'up')?.query ?? 'up'
      expect(query.startsWith(kept), note).toBe(true)
      // What is left over is less than the longest character takes.
      const keptBytes = Buffer.byteLength(JSON.stringify(kept)) - 2
      if (kept !== query) expect(keptBytes, note).toBeGreaterThan(960 - 6)
      else expect(keptBytes, note).toBeLessThanOrEqual(960)
      const unfinished = readUnfinished(path)!
      expect(JSON.parse(unfinished.queries), note).toEqual(entries)
      expect(unfinished.unreadable, note).toBeUndefined()
      journal.end(slot)
      journal.end((slot + 1) % 4)
      settle()
    }
    expect(readUnfinished(path)).toBeUndefined()
    journal.close()
  })

  it('is read whatever a crash left, and begun anew', () => {
    const journal = new QueryJournal(path, 3, never)
    journal.begin(0, 'a')
    journal.begin(2, 'b')
    settle()
    journal.close()
    const bytes = readFileSync(path)
    bytes.write('{"query":7}', 1001)
    writeFileSync(path, bytes)
    const unfinished = readUnfinished(path)!
    expect((JSON.parse(unfinished.queries) as Entry[]).map(({ query }) => query)).toEqual(['a', 'b'])
    expect(unfinished.unreadable).toBe(1)
    writeFileSync(path, bytes.subarray(0, 2500))
    expect(readUnfinished(path)).toMatchObject({ unreadable: 1 })
    new QueryJournal(path, 1, never).close()
    expect(readFileSync(path, 'latin1')).toBe(`[${'\0'.repeat(1000)}`)
    expect(readUnfinished(join(folder, 'none'))).toBeUndefined()
    expect(() => readUnfinished(folder)).toThrow('EISDIR')
  })

  it('ends, and the query does not, when it cannot be written', () => {
    const failures: string[] = []
    const journal = new QueryJournal(path, 2, (error) => failures.push(error.message))
    journal.begin(0, 'a')
    settle()
    disk.isBroken = true
    try {
      journal.begin(1, 'b')
      settle()
      journal.end(0)
      settle()
      expect(() => new QueryJournal(join(folder, 'other'), 2, never)).toThrow('input/output error')
    } finally {
      disk.isBroken = false
    }
    journal.begin(1, 'c')
    settle()
    journal.close()
    expect(failures).toEqual(['input/output error'])
    expect(asUpstream().map(({ query }) => query)).toEqual(['a'])
    expect(() => new QueryJournal(join(folder, 'none', 'f'), 2, never)).toThrow('ENOENT')
  })
})
