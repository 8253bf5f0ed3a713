// Goal: damage costs the smallest unit, is said once, and never gives a wrong answer. Method: each page of a block
// flipped in turn in the table file; each file of LevelDB flipped byte by byte, cut short or removed; every answer
// compared with plain data.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DamageNote, isPageKind, PAGE_HEADER } from '../../../storage/block/format.ts'
import type { BlockReader } from '../../../storage/block/reader.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { SampleColumns } from '../../../storage/model/sample.ts'
import { FolderBuilder } from '../../../storage/store.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { BlockRoom, bruteForce, type PlainSeries, plain, randomSeries, sorted } from './fixture.ts'

let room: BlockRoom
beforeEach(() => {
  room = new BlockRoom()
})
afterEach(() => room.dispose())

function tables(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ldb'))
    .map((name) => join(folder, name))
}

interface PageSpot {
  path: string
  kind: string
  number: number
  at: number
  bytes: number
}

/** Places of all pages in the tables, by their headers. */
function pageSpots(folder: string): PageSpot[] {
  return tables(folder).flatMap((path) => {
    const table = readFileSync(path)
    const spots: PageSpot[] = []
    for (let at = table.indexOf('Nx'); at >= 0; at = table.indexOf('Nx', at + 1)) {
      const start = at - 2
      if (start < 0 || table[start] !== 1 || !isPageKind(table[start + 1])) continue
      const kind = String.fromCharCode(table[start + 1])
      const [number, bytes] = [table.readUInt32LE(start + 8), table.readUInt32LE(start + 12)]
      spots.push({ path, kind, number, at: start, bytes })
    }
    return spots
  })
}

function flip(path: string, at: number, bit = 0): void {
  const bytes = readFileSync(path)
  bytes[at] ^= 1 << bit
  writeFileSync(path, bytes)
}

interface Losses {
  series: number
  samples: number
}

/** Compares all of the block with the plain data. What is missing must be in the notes that come with the answer. */
function compare(reader: BlockReader, want: readonly PlainSeries[], told: string): Losses {
  const losses = { series: 0, samples: 0 }
  const suffered = new Set<DamageNote>()
  const refs = reader.select([], -1e15, 1e15, suffered)
  losses.series = want.length - refs.length
  if (losses.series > 0) expect([...suffered].some(isLoss), told).toBe(true)
  const columns = new SampleColumns()
  for (const ref of refs) {
    expectEqual(reader.labels(ref).pairs, want[ref].labels.pairs, told)
    const notes = new Set<DamageNote>()
    columns.clear()
    reader.read(ref, -1e15, 1e15, columns, notes)
    const got = plain(columns)
    const { samples } = want[ref]
    if (notes.size === 0) {
      expectEqual(got, samples, told)
      continue
    }
    losses.samples += samples.length - got.length
    const isLost = (t: number) => [...notes].some((note) => note.isLost && t >= note.mint && t <= note.maxt)
    const byTime = new Map(got.map((sample) => [sample.t, sample]))
    for (const sample of samples) {
      if (byTime.has(sample.t)) expect(byTime.get(sample.t), told).toEqual(sample)
      else expect(isLost(sample.t), told).toBe(true)
    }
    expect(got.length, told).toBeLessThan(samples.length)
  }
  return losses
}

/** Quicker than `expect` by far while all is well. */
function expectEqual(got: unknown, want: unknown, told: string): void {
  if (!isDeepStrictEqual(got, want)) expect(got, told).toEqual(want)
}

function isLoss(note: DamageNote): boolean {
  return note.isLost
}

describe('a damaged page', () => {
  it('costs only what is in it, and is said once', async () => {
    const seed = testSeed()
    console.log(`SEED=${seed}`)
    const random = prng(seed)
    const list = randomSeries(seed, 2500, 30)
    const want = sorted(list)
    const folder = await room.write(list)
    const spots = pageSpots(folder)
    const kinds = new Set(spots.map(({ kind }) => kind))
    expect([...kinds].sort()).toEqual(['c', 'm', 'p', 's', 'z'])
    expect(spots.filter(({ kind }) => kind === 's').length).toBeGreaterThan(2)
    for (const { path, kind, number, at, bytes } of spots) {
      const told = `SEED=${seed} ${kind} ${number}`
      const position = at + random.int(0, bytes - 1)
      flip(path, position)
      room.notes.length = 0
      const reader = await room.open(folder)
      const losses = compare(reader, want, told)
      compare(reader, want, told)
      const matchers = [new Matcher('job', '=~', '.+'), new Matcher('zone', '!=', want[0].labels.get('zone'))]
      const suffered = new Set<DamageNote>()
      const refs = [...reader.select(matchers, -1e15, 1e15, suffered)]
      const expected = bruteForce(want, matchers, -1e15, 1e15)
      if (kind === 's') expect(expected, told).toEqual(expect.arrayContaining(refs))
      else expect(refs, told).toEqual(expected)
      reader.labelNames(undefined)
      expect(reader.labelValues('job', undefined).size, told).toBeGreaterThan(0)
      expect(await reader.verify(async () => {}), told).toBe(kind === 'm' || kind === 'z' ? 0 : 1)
      expect(room.notes.length, told).toBe(kind === 'z' ? 0 : 1)
      expect(losses.series > 0, told).toBe(kind === 's')
      expect(losses.samples > 0, told).toBe(kind === 'c')
      if (kind !== 'z') {
        const name = {
          c: `chunk page ${number}`,
          s: `series page ${number}`,
          p: `postings page ${number}`,
          m: '',
        }
        expect(room.notes[0]).toMatchObject({
          block: folder,
          page: name[kind as 'c' | 's' | 'p' | 'm'],
          isLost: kind === 's' || kind === 'c',
        })
        expect(room.notes[0].series !== '', told).toBe(kind === 's' || kind === 'c')
      }
      reader.close()
      flip(path, position)
    }
    const reader = await room.open(folder)
    expect(compare(reader, want, 'whole again')).toEqual({ series: 0, samples: 0 })
  })

  it('leaves no block when both meta pages are gone', async () => {
    const folder = await room.write(randomSeries(1, 10, 10))
    for (const { path, kind, at } of pageSpots(folder)) {
      if (kind === 'm' || kind === 'z') flip(path, at + PAGE_HEADER)
    }
    await expect(room.open(folder)).rejects.toMatchObject({
      code: 'CORRUPTION',
      message: expect.stringContaining(folder),
    })
    expect(existsSync(folder)).toBe(true)
    await expect(room.open(room.folder('nowhere'))).rejects.toMatchObject({ code: 'CORRUPTION' })
  })

  it('is not another page under its key', async () => {
    // A block of which LevelDB gives the second chunk page for the first one, and lacks the second.
    const list = randomSeries(2, 400, 800)
    const want = sorted(list)
    const folder = await room.write(list)
    const pages = pageSpots(folder).map(({ path, kind, number, at, bytes }) => {
      const key = Buffer.from([kind.charCodeAt(0), 0, 0, 0, number])
      return { key, value: readFileSync(path).subarray(at, at + bytes) }
    })
    const second = pages.find(({ key }) => key.equals(Buffer.from([0x63, 0, 0, 0, 1])))!
    second.key[4] = 0
    const builder = await FolderBuilder.create(room.folder('mixed'))
    const isFirst = (key: Buffer) => key.equals(second.key)
    await builder.write(pages.filter((page) => page === second || !isFirst(page.key)))
    await builder.seal()
    const reader = await room.open(room.folder('mixed'))
    const { samples } = compare(reader, want, '')
    expect(samples).toBeGreaterThan(0)
    // The second page is found in the table where LevelDB does not give it.
    expect(room.notes.filter(isLoss).map(({ page }) => page)).toEqual(['chunk page 0'])
  })

  it('of a newer version is refused', async () => {
    const folder = await room.write(randomSeries(1, 10, 10))
    const pages = pageSpots(folder).map(({ path, kind, number, at, bytes }) => ({
      key: Buffer.from([kind.charCodeAt(0), 0, 0, 0, number]),
      value: readFileSync(path).subarray(at, at + bytes),
    }))
    const { crc32 } = await import('node:zlib')
    for (const { key, value } of pages) {
      value[0] = 2
      value.writeUInt32LE(crc32(value.subarray(8), crc32(value.subarray(0, 4), crc32(key))), 4)
    }
    const builder = await FolderBuilder.create(room.folder('newer'))
    await builder.write(pages)
    await builder.seal()
    await expect(room.open(room.folder('newer'))).rejects.toMatchObject({ code: 'NEWER_FORMAT' })
  })
})

describe("damage of LevelDB's own files", () => {
  const pieces = 8 * 1024

  it('costs nothing where CURRENT and MANIFEST are missing or empty', async () => {
    const list = randomSeries(3, 300, 20)
    const want = sorted(list)
    const folder = await room.write(list)
    const damages = [(path: string) => truncateSync(path, 0), (path: string) => rmSync(path)]
    for (const damage of damages) {
      for (const name of readdirSync(folder)) if (!name.endsWith('.ldb')) damage(join(folder, name))
      const reader = await room.open(folder)
      expect(compare(reader, want, '')).toEqual({ series: 0, samples: 0 })
      expect(room.notes).toEqual([])
      reader.close()
    }
  })

  it('costs nothing where the end of a table is missing', async () => {
    const list = randomSeries(3, 1500, 200)
    const want = sorted(list)
    const folder = await room.write(list)
    for (const path of tables(folder)) truncateSync(path, readFileSync(path).length - 20)
    const reader = await room.open(folder)
    expect(compare(reader, want, '')).toEqual({ series: 0, samples: 0 })
    expect(await reader.verify(async () => {})).toBe(0)
    expect(room.notes.map(({ isLost, page }) => ({ isLost, page }))).toEqual([{ isLost: false, page: '' }])
    reader.close()
  })

  it('costs the pages of a table that is gone or cut', async () => {
    const list = randomSeries(4, 1500, 200)
    const want = sorted(list)
    const folder = await room.write(list)
    const [table] = tables(folder)
    const kept = readFileSync(table)
    // Without its second half the meta page, behind the chunks, is gone with it.
    truncateSync(table, kept.length - 1000)
    const spots = pageSpots(folder)
    expect(spots.some(({ kind }) => kind === 'm')).toBe(true)
    const reader = await room.open(folder)
    compare(reader, want, 'cut')
    expect(await reader.verify(async () => {})).toBeGreaterThanOrEqual(0)
    reader.close()
    rmSync(table)
    await expect(room.open(folder)).rejects.toMatchObject({ code: 'CORRUPTION' })
  })

  it('never gives a wrong answer or ends the process, whichever byte is flipped', async () => {
    const seed = testSeed()
    console.log(`SEED=${seed}`)
    const random = prng(seed)
    const list = randomSeries(seed, 5, 10)
    const want = sorted(list)
    const folder = await room.write(list)
    const copy = room.folder('copy')
    let refused = 0
    for (const name of readdirSync(folder)) {
      const whole = readFileSync(join(folder, name))
      expect(whole.length).toBeLessThan(pieces)
      for (let at = 0; at < whole.length; at++) {
        const told = `SEED=${seed} ${name} byte ${at}`
        rmSync(copy, { recursive: true, force: true })
        cpSync(folder, copy, { recursive: true })
        flip(join(copy, name), at, random.int(0, 7))
        room.notes.length = 0
        let reader: BlockReader
        try {
          reader = await room.open(copy)
        } catch (error) {
          expect((error as { code?: string }).code, told).toBe('CORRUPTION')
          refused++
          continue
        }
        const losses = compare(reader, want, told)
        const lost = await reader.verify(async () => {})
        if (losses.series + losses.samples > 0) expect(lost, told).toBeGreaterThan(0)
        expect(lost, told).toBe(room.notes.filter((note) => note.page !== '').length)
        reader.close()
        expect(readFileSync(join(copy, basename(name))).length, told).toBe(whole.length)
      }
    }
    // One flip hits at most one of the two meta pages.
    expect(refused).toBe(0)
  }, 120_000)
})
