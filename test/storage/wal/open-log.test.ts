// Goal: of a log in which any byte is wrong, or any file is gone, what can be read is read, nothing else is, and it is
// said. Method: small real databases; every byte of every file flipped in turn; leftovers of killed starts.
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DamageNote } from '../../../storage/damage.ts'
import { LabelBytes } from '../../../storage/head/label-bytes.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Store } from '../../../storage/store.ts'
import { CommitLog } from '../../../storage/wal/commit-log.ts'
import { GenerationReader } from '../../../storage/wal/generation-reader.ts'
import { openLog } from '../../../storage/wal/open-log.ts'
import { generationsRange, pageKey, sealPage } from '../../../storage/wal/record.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const NOW = Date.UTC(2026, 10, 25, 2, 48)
/** FLIP_STEP=1 flips every byte. */
const FLIP_STEP = Number(process.env.FLIP_STEP ?? 0)
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'narthex-open-'))
})
afterEach(() => rm(folder, { recursive: true }))

const wal = (...names: string[]) => join(folder, 'wal', ...names)

async function newLog(
  store: Store,
  generation: number,
  previous?: { generation: number; pageCount: number },
) {
  return new CommitLog(store, generation, {
    turnMs: 0,
    syncIntervalMs: 1e6,
    bufferBytesMax: 1e7,
    retryMs: 1,
    onDurable: () => {},
    onError: (error) => expect.unreachable(String(error)),
    previous,
  })
}

/** Text that does not compress well. */
function noise(seed: number, length: number): string {
  const random = prng(seed)
  return Array.from({ length: length + 1 }, () => String.fromCharCode(random.int(33, 126))).join('')
}

/** One session: the log is opened, `commits` of three series are written, one page each, with a cut in the middle. */
async function write(commits: number, filler = 0): Promise<void> {
  const { store, generations } = await openLog(folder, NOW, (note) => expect.unreachable(note.what))
  const newest = generations.at(-1)
  let generation = (newest?.number ?? 0) + 1
  const log = await newLog(
    store,
    generation,
    newest && { generation: newest.number, pageCount: newest.pageCount },
  )
  const labels = new LabelBytes()
  for (let commit = 0; commit < commits; commit++) {
    if (commit === Math.floor(commits / 2)) log.setGeneration(++generation)
    for (let i = 0; i < 3; i++) {
      labels.set(Labels.from({ __name__: `s${i}`, filler: noise(commit, filler) }))
      log.addSeries(i, labels)
    }
    const t = generation * 1000 + commit
    log.addSamples({
      length: 3,
      index: Uint32Array.of(0, 1, 2),
      t: new Float64Array(3).fill(t),
      v: Float64Array.of(t, t / 8, -t),
      kind: new Uint8Array(3),
      st: new Float64Array(0),
      lastV: new Float64Array(3),
      isKey: new Uint8Array(3).fill(1),
      histograms: [],
    })
    await log.durable()
  }
  await log.close()
  await store.close()
}

/** Opens it, reads all samples, checks each by its value, and closes it. */
async function readAll(now = NOW): Promise<{ samples: string[]; notes: DamageNote[] }> {
  const notes: DamageNote[] = []
  const { store, generations } = await openLog(folder, now, (note) => notes.push(note))
  const samples: string[] = []
  for (const { number, pageCount } of generations) {
    const reader = new GenerationReader(number, {
      series: () => {},
      samples: ({ length, index, t, v }) => {
        for (let i = 0; i < length; i++) {
          expect(v[i]).toBe([t[i], t[i] / 8, -t[i]][index[i]])
          samples.push(`${index[i]}@${t[i]}`)
        }
      },
    })
    for await (const pages of store.scan(generationsRange(number, number + 1)))
      for (const page of pages) reader.read(page)
    reader.end(pageCount)
  }
  // It takes writes, also a compaction of everything.
  await store.write([{ key: pageKey(0xfffffffe, 0), value: sealed(pageKey(0xfffffffe, 0)) }], true)
  await store.clear(generationsRange(0xfffffffe, 0xffffffff))
  await store.close()
  return { samples, notes }
}

function sealed(key: Uint8Array): Uint8Array {
  const value = new Uint8Array(8)
  sealPage(key, value)
  return value
}

async function saved<T>(run: (restore: () => Promise<void>) => Promise<T>): Promise<T> {
  const copy = `${folder}-copy`
  await cp(folder, copy, { recursive: true })
  try {
    return await run(async () => {
      await rm(folder, { recursive: true })
      await cp(copy, folder, { recursive: true })
    })
  } finally {
    await rm(copy, { recursive: true })
  }
}

describe('openLog', () => {
  it('makes a log where there is none, opens it again, and leaves nothing beside it', async () => {
    await write(4)
    await write(4)
    const { samples, notes } = await readAll()
    expect(samples).toHaveLength(24)
    expect(notes).toEqual([])
    expect(await readdir(folder)).toEqual(['wal'])
  })

  it('survives any flipped byte of any file, and says so or has all of it', async () => {
    const seed = testSeed()
    const random = prng(seed)
    await write(6)
    // Its pages are in a table now, those of this session in a log.
    await write(6)
    const all = (await readAll()).samples
    await write(6)
    const before = await saved(async (restore) => {
      const whole = new Set((await readAll()).samples)
      await restore()
      for (const name of await readdir(wal())) {
        // LevelDB's messages and its lock are no data.
        if (name.startsWith('LO')) continue
        const { length } = await readFile(wal(name))
        // Of the larger files a sample, another one each time.
        const step = FLIP_STEP || (name.includes('.') ? random.int(17, 29) : random.int(1, 5))
        for (let at = random.int(0, step - 1); at < length; at += step) {
          const where = `SEED=${seed} ${name} byte ${at}`
          const bytes = await readFile(wal(name))
          bytes[at] ^= 1 << random.int(0, 7)
          await writeFile(wal(name), bytes)
          const { samples, notes } = await readAll()
          for (const sample of samples) expect(whole.has(sample), where).toBe(true)
          expect(new Set(samples).size, where).toBe(samples.length)
          if (samples.length < whole.size) {
            expect(notes, where).not.toEqual([])
            expect(existsSync(join(folder, notes[0].quarantine!, name)), where).toBe(true)
          }
          // What was mended is whole, and opens without a word.
          const again = await readAll()
          expect(again, where).toEqual({ samples, notes: [] })
          await restore()
        }
      }
      return whole
    })
    expect(before.size).toBe(all.length + 18)
  }, 300_000)

  it('loses the samples of a damaged page of a large table alone', async () => {
    await write(20, 5000)
    await write(2)
    const tables = (await readdir(wal())).filter((name) => name.endsWith('.ldb'))
    const sizes = await Promise.all(tables.map(async (name) => (await readFile(wal(name))).length))
    const table = tables[sizes.indexOf(Math.max(...sizes))]
    const bytes = await readFile(wal(table))
    bytes[Math.floor(bytes.length / 2)] ^= 4
    await writeFile(wal(table), bytes)
    const { samples, notes } = await readAll()
    expect(samples.length).toBeGreaterThanOrEqual(66 - 6)
    expect(samples.length).toBeLessThan(66)
    expect(notes).toHaveLength(1)
    expect(notes[0]).toMatchObject({ place: 'wal', quarantine: 'quarantine/wal-20261125T024800Z' })
    expect(notes[0].what).toMatch(/^the write-ahead log was damaged: .*; [12] gaps are left in it$/)
    expect(await readdir(join(folder, 'quarantine', 'wal-20261125T024800Z'))).toContain(table)
  })

  it('says at each replay what is missing since then, and where the original is', async () => {
    await write(6)
    const store = await Store.open(wal(), { createIfMissing: false, isShared: false })
    await store.clear({ gte: pageKey(1, 1), lt: pageKey(1, 3) })
    await store.close()
    expect((await readAll()).notes[0].what).toContain('generation 1: pages 1 to 2 are missing; 1 gaps')
    const { store: mended, generations } = await openLog(folder, NOW, (note) => expect.unreachable(note.what))
    expect(generations).toEqual([
      { number: 1, pageCount: 3 },
      { number: 2, pageCount: 4 },
    ])
    const reader = new GenerationReader(1, { series: () => {}, samples: () => {} })
    for await (const pages of mended.scan(generationsRange(1, 2))) for (const page of pages) reader.read(page)
    expect(reader.damage).toMatchObject([
      { firstPage: 1, finalPage: 2, kept: 'quarantine/wal-20261125T024800Z', mint: 1000 },
    ])
    await mended.close()
  })

  it.each([/^CURRENT$/, /^MANIFEST/, /\.ldb$/, /\.log$/])('goes on without %s', async (pattern) => {
    await write(6)
    await write(6)
    const whole = await saved(async (restore) => {
      const { samples } = await readAll()
      await restore()
      return samples
    })
    for (const name of await readdir(wal())) if (pattern.test(name)) await rm(wal(name))
    const { samples, notes } = await readAll()
    const isData = pattern.test('1.ldb') || pattern.test('1.log')
    expect(samples.length).toBe(isData ? whole.length / 2 : whole.length)
    // The newest pages of all are in the log: that a whole file of it is gone cannot be told from its never having been.
    if (!pattern.test('1.log')) expect(notes[0].quarantine).toBeDefined()
  })

  it('begins anew, and says so, when nothing can be read', async () => {
    await write(6)
    for (const name of await readdir(wal())) await writeFile(wal(name), 'nonsense')
    const { samples, notes } = await readAll()
    expect(samples).toEqual([])
    expect(notes[0].what).toContain('CURRENT names no list of tables')
    expect(notes[0].quarantine).toBe('quarantine/wal-20261125T024800Z')
    // Another time on the same second.
    for (const name of await readdir(wal())) await writeFile(wal(name), 'nonsense')
    expect((await readAll()).notes[0].quarantine).toBe('quarantine/wal-20261125T024800Z-2')
  })

  it('takes an end that is cut off for what a power cut leaves', async () => {
    await write(6)
    const [name] = (await readdir(wal())).filter((entry) => entry.endsWith('.log'))
    const { length } = await readFile(wal(name))
    await truncate(wal(name), length - 60)
    const { samples, notes } = await readAll()
    expect(samples).toHaveLength(15)
    expect(notes).toEqual([])
  })

  it('refuses a newer format, and changes nothing', async () => {
    await write(2)
    const store = await Store.open(wal(), { createIfMissing: false, isShared: false })
    const value = new Uint8Array((await store.get(pageKey(1, 0)))!)
    sealPage(pageKey(1, 0), value, 7)
    await store.write([{ key: pageKey(1, 0), value }], true)
    await store.close()
    const opening = openLog(folder, NOW, (note) => expect.unreachable(note.what))
    await expect(opening).rejects.toThrow('the write-ahead log has format 7, this version reads 2')
    // Also the next time.
    await expect(openLog(folder, NOW, () => {})).rejects.toMatchObject({ code: 'NEWER_FORMAT' })
  })

  it('goes back to the copy aside of a start that was killed before it was done', async () => {
    await write(6)
    await cp(wal(), join(folder, 'wal-aside'), { recursive: true })
    for (const name of await readdir(wal())) if (/ldb|log/.test(name)) await rm(wal(name))
    expect((await readAll()).samples).toHaveLength(18)
    expect(await readdir(folder)).toEqual(['wal'])
    // Killed between the two renames.
    await rename(wal(), join(folder, 'wal-damaged'))
    await mkdir(join(folder, 'wal-new'))
    expect((await readAll()).samples).toHaveLength(18)
    expect(await readdir(folder)).toEqual(['wal'])
  })
})
