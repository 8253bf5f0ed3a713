// Goal: any damage in LevelDB's files is noticed, no whole file is called damaged, and of a damaged one everything that
// is whole is found. Method: files that LevelDB wrote, each with a byte flipped, cut, or a block overwritten.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkLevelFolder, levelEntries } from '../../../storage/level/folder.ts'
import { findLogDamage, logRecords } from '../../../storage/level/log-file.ts'
import { unsnappy } from '../../../storage/level/snappy.ts'
import { findTableDamage, tableEntries } from '../../../storage/level/table-file.ts'
import { Store } from '../../../storage/store.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

let path: string
let written: Map<string, string>

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'narthex-level-'))
  written = new Map()
})
afterEach(() => rm(path, { recursive: true }))

/** Values of all sizes, half of them compressible. With `isTable` they end in tables, else in the log. */
async function write(random: Prng, isTable: boolean): Promise<void> {
  const store = await Store.open(path, { createIfMissing: true, isShared: false })
  for (let i = 0; i < 60; i++) {
    const top = random.chance(0.5) ? 255 : 2
    const value = Uint8Array.from({ length: random.int(0, random.pick([20, 9000, 40_000])) }, () =>
      random.int(1, top),
    )
    const key = Uint8Array.of(7, i, random.int(0, 255))
    written.set(latin1(key), latin1(value))
    await store.write([{ key, value }], false)
  }
  if (isTable) {
    const { db } = store as unknown as {
      db: { compactRange(from: Uint8Array, to: Uint8Array): Promise<void> }
    }
    await db.compactRange(Uint8Array.of(0), Uint8Array.of(255))
  }
  await store.close()
}

async function fileOf(ending: string): Promise<{ name: string; bytes: Uint8Array }> {
  const name = (await readdir(path)).find((entry) => entry.endsWith(ending))!
  return { name, bytes: new Uint8Array(await readFile(join(path, name))) }
}

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] ^= mask
  return copy
}

describe('LevelDB files', () => {
  it('of a log: any flipped byte is noticed, no cut end is, and the other records are found', async () => {
    const seed = testSeed()
    const random = prng(seed)
    await write(random, false)
    const { bytes } = await fileOf('.log')
    expect(findLogDamage(bytes)).toBe(-1)
    expect([...logRecords(bytes)]).toHaveLength(60)
    for (let run = 0; run < 200; run++) {
      const at = random.int(0, bytes.length - 1)
      const damaged = flipped(bytes, at, 1 << random.int(0, 7))
      expect(findLogDamage(damaged), `SEED=${seed} byte ${at}`).toBeGreaterThanOrEqual(0)
      const left = [...logRecords(damaged)].length
      expect(left, `SEED=${seed} byte ${at}`).toBe(59)
      const cut = bytes.slice(0, at)
      expect(findLogDamage(cut), `SEED=${seed} length ${at}`).toBe(-1)
    }
    // The length of the last record, grown beyond the end.
    const lengths = Array.from({ length: 3000 }, (_, i) => bytes.length - 1 - i)
    for (const at of lengths)
      expect(findLogDamage(flipped(bytes, at, 0x40)), `byte ${at}`).toBeGreaterThanOrEqual(0)
  })

  it('of a table: any flipped byte that counts is noticed, and the other entries are found', async () => {
    const seed = testSeed()
    const random = prng(seed)
    await write(random, true)
    const { bytes } = await fileOf('.ldb')
    expect(findTableDamage(bytes)).toBeUndefined()
    const entries = [...tableEntries(bytes)]
    expect(new Map(entries.map(({ key, value }) => [latin1(key), latin1(value)]))).toEqual(written)
    expect(entries.every(({ sequence, isDeleted }) => sequence > 0 && !isDeleted)).toBe(true)
    for (let run = 0; run < 200; run++) {
      // The last block and the footer, too, where there are few bytes.
      const at = random.chance(0.3) ? bytes.length - random.int(1, 400) : random.int(0, bytes.length - 1)
      const damaged = flipped(bytes, at, 1 << random.int(0, 7))
      const where = `SEED=${seed} byte ${at}`
      const right = [...tableEntries(damaged)].filter(
        ({ key, value }) => written.get(latin1(key)) === latin1(value),
      )
      // Keys are written whole, so that an entry is found whatever is in front of it.
      expect(right.length, where).toBeGreaterThanOrEqual(59)
      // In the footer there are zeros that nobody reads, and a number may be written in a longer way.
      const isFooter = at >= bytes.length - 48
      if (isFooter) expect(right.length, where).toBe(60)
      else expect(findTableDamage(damaged), where).toBeDefined()
    }
    expect(findTableDamage(bytes.slice(0, 40))).toBe('it is cut short')
    expect(findTableDamage(bytes.slice(0, -1))).toBe('it does not end as a table')
  })

  it('of a table full of nonsense end in damage', async () => {
    const seed = testSeed()
    const random = prng(seed)
    await write(random, true)
    const { bytes } = await fileOf('.ldb')
    for (let run = 0; run < 200; run++) {
      const copy = bytes.slice()
      const from = random.int(0, copy.length - 1)
      for (let i = from; i < Math.min(copy.length, from + random.int(1, 3000)); i++)
        copy[i] = random.int(0, 255)
      for (const { key, value } of tableEntries(copy)) expect(key.length + value.length).toBeLessThan(1e6)
      const noise = copy.subarray(from, from + 200)
      try {
        unsnappy(noise)
      } catch (error) {
        expect(error, `SEED=${seed} run=${run}`).toMatchObject({ code: 'CORRUPTION' })
      }
    }
  })

  it('of a folder are checked together, and read together', async () => {
    const random = prng(3)
    await write(random, true)
    await write(random, false)
    expect(await checkLevelFolder(path)).toEqual([])
    const found = new Map<string, string>()
    for await (const { key, value } of levelEntries(path)) found.set(latin1(key), latin1(value))
    expect(found).toEqual(written)
    for (const [ending, sentence] of [
      ['.ldb', /^\d+\.ldb is damaged: the checksum of the block at byte 0 does not fit$/],
      ['.log', /^\d+\.log is damaged at byte 0$/],
      ['CURRENT', /^CURRENT names no list of tables$/],
    ] as const) {
      const { name, bytes } = await fileOf(ending)
      await writeFile(join(path, name), flipped(bytes, 3, 1))
      expect(await checkLevelFolder(path)).toEqual([expect.stringMatching(sentence)])
      await writeFile(join(path, name), bytes)
    }
    // What a process that was killed had begun.
    await writeFile(join(path, '009999.ldb'), 'a table that is not finished')
    expect(await checkLevelFolder(path)).toEqual([])
    const table = (await fileOf('.ldb')).name
    await writeFile(join(path, table), 'cut')
    expect(await checkLevelFolder(path)).toEqual([
      expect.stringMatching(/is damaged: it has 3 bytes and not \d+$/),
    ])
    await rm(join(path, table))
    expect(await checkLevelFolder(path)).toEqual([`table ${Number.parseInt(table, 10)} is missing`])
    const manifest = (await readdir(path)).find((name) => name.startsWith('MANIFEST'))!
    const list = new Uint8Array(await readFile(join(path, manifest)))
    await writeFile(join(path, manifest), flipped(list, list.length - 1, 1))
    expect(await checkLevelFolder(path)).toEqual([
      expect.stringMatching(/^MANIFEST-\d+ is damaged at byte \d+$/),
    ])
    await rm(join(path, 'CURRENT'))
    expect(await checkLevelFolder(path)).toEqual(['CURRENT is missing'])
  })
})
