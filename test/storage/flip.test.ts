// Goal: whatever byte of a store is wrong, it starts, says so or has everything, never answers with what was not
// written, loses no more than what lies in the damaged file, merges and goes on ingesting. Method: a small store with a
// log, tombstones and blocks; its bytes flipped in turn, LevelDB's own files included, each in a copy that then goes
// through a start, queries, appends, upkeep and another start. In a process of its own: a crash is seen as such.
//
// A seeded sample of bytes; FLIPS=all flips each one, FLIPS=<number> so many.
import { fork } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Matcher } from '../../storage/model/matcher.ts'
import { append, labelsOf } from '../conformance/storage.suite.ts'
import { type Contents, contentsOf } from '../harness/arrivals.ts'
import { memoryFolder } from '../harness/memory-folder.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'
import { APPENDED_SERIES, type Flip, type FlipResult, openStore, readFiles } from './flip-process.ts'

const FLIPS = process.env.FLIPS ?? '200'
/** Files that hold no data: locks and LevelDB's messages; and what is there for its size alone. */
const NO_DATA = /(^|\/)(LOCK|LOG|LOG\.old|lock|ballast)$/
const FRESH = labelsOf(APPENDED_SERIES).key()

let folder: string
let base: string
let newestT = 0
/** What is shown, and what a tombstone hides of what there is. */
let whole: Contents
let hidden: Contents
/** By folder in `narthex`, the times of what lies in it: [mint, maxt]. */
const spans = new Map<string, [number, number]>()

/** Two blocks, a log with what is in none, and two tombstones, one of them for samples in a block. */
async function makeStore(): Promise<void> {
  const fail = (what: unknown) => expect.unreachable(JSON.stringify(what))
  let db = await openStore(base, fail, fail)
  const write = async (count: number): Promise<void> => {
    for (; count > 0; count--) {
      newestT += 15_000
      await append(db, [
        ['m a=1', newestT, newestT / 8],
        ['m a=2', newestT, -newestT],
        [`m a=3 b=${newestT % 4}`, newestT, 1],
      ])
    }
  }
  const note = (place: string, mint: number): void => {
    spans.set(place, [mint, newestT])
  }
  for (const id of [1, 2]) {
    const mint = newestT + 1
    await write(40)
    db.cut()
    await db.settle()
    note(`blocks/0000000${id}`, mint)
  }
  const mint = newestT + 1
  const before = await contentsOf(db, [])
  await db.deleteSeries([new Matcher('a', '=', '2')], 15_000, 150_000)
  await write(30)
  // A part of log and tombstones in a table, a part of them in LevelDB's own log.
  await db.close()
  db = await openStore(base, fail, fail)
  await db.deleteSeries([new Matcher('b', '=~', '[01]')], 45_000, 800_000)
  await write(10)
  note('wal', mint)
  note('state', newestT + 1)
  whole = await contentsOf(db, [])
  hidden = new Map(
    [...before].map(([series, samples]) => [
      series,
      new Map([...samples].filter(([t]) => !whole.get(series)?.has(t))),
    ]),
  )
  await db.close()
}

beforeAll(async () => {
  folder = await mkdtemp(join(memoryFolder(), 'narthex-flip-'))
  base = join(folder, 'base')
  await makeStore()
  // It is there, and costs nothing to copy.
  await writeFile(join(base, 'narthex', 'ballast'), '')
})
afterAll(() => rm(folder, { recursive: true }))

async function chooseFlips(random: Prng): Promise<Flip[]> {
  const flips: Flip[] = []
  for (const [file, { length }] of await readFiles(base)) {
    if (NO_DATA.test(file)) continue
    for (let at = 0; at < length; at++) flips.push({ file, at, mask: 1 << random.int(0, 7) })
  }
  if (FLIPS === 'all') return flips
  // Each file its share, and the small ones more than that: in them each byte counts.
  const files = [...new Set(flips.map(({ file }) => file))]
  return files.flatMap((file) => {
    const own = flips.filter((flip) => flip.file === file)
    const count = Math.min(own.length, Math.ceil(Number(FLIPS) / files.length))
    return Array.from({ length: count }, () => random.pick(own))
  })
}

/** Runs the flips in processes, a new one after each crash. */
async function tryFlips(flips: readonly Flip[], onResult: (result: FlipResult) => void): Promise<Flip[]> {
  const crashes: Flip[] = []
  let left = [...flips]
  while (left.length > 0) {
    const child = fork(new URL('./flip-process.ts', import.meta.url), { execArgv: [] })
    let begun: Flip | undefined
    let done = 0
    child.on('message', (message: { begun: Flip } | FlipResult) => {
      if ('begun' in message) {
        begun = message.begun
        return
      }
      done++
      onResult(message)
    })
    child.send({ base, folder: join(folder, 'copy'), newestT, flips: left })
    const code = await new Promise((resolve) => child.once('close', resolve))
    left = left.slice(done)
    if (code === 0) break
    if (begun !== undefined) crashes.push(begun)
    left = left.slice(1)
  }
  return crashes
}

function faultsOf({ flip, readings, notes, warnings, troubles, error }: FlipResult): string[] {
  if (error !== undefined) return [error]
  const faults: string[] = []
  const place = [...spans.keys()].find((name) => flip.file.startsWith(`narthex/${name}`))
  const span = spans.get(place ?? '')
  let before: Contents | undefined
  for (const [i, reading] of readings.entries()) {
    const contents: Contents = new Map(reading.map(([series, samples]) => [series, new Map(samples)]))
    const fresh = contents.get(FRESH)
    contents.delete(FRESH)
    if ((fresh?.size ?? 0) !== [0, 2, 3][i])
      faults.push(`reading ${i} has ${fresh?.size} of what was appended`)
    let lost = 0
    for (const [series, samples] of whole) {
      for (const [t, text] of samples) {
        const got = contents.get(series)?.get(t)
        if (got === text) continue
        lost++
        if (got !== undefined) faults.push(`wrong value ${got} instead of ${text} at ${t}`)
        if (span === undefined || t < span[0] || t > span[1])
          faults.push(`lost a sample of another place: ${t}`)
        if (before?.get(series)?.has(t)) faults.push(`reading ${i} has lost a sample at ${t}`)
      }
    }
    for (const [series, samples] of contents) {
      for (const [t, text] of samples) {
        if (whole.get(series)?.has(t)) continue
        const was = hidden.get(series)?.get(t) === text ? 'deleted before' : 'never written'
        faults.push(`reading ${i} shows ${text} at ${t}, ${was}`)
      }
    }
    if (lost > 0 && notes.length === 0) faults.push(`${lost} samples lost without a word`)
    if (lost > 0 && place?.startsWith('blocks') && warnings.length === 0) faults.push('no query warned')
    before = contents
  }
  // What cannot be read whole is not merged, which is trouble; but nothing else is.
  const strange = troubles.filter((text) => !place?.startsWith('blocks') || !/block|damage/i.test(text))
  return [...faults, ...strange]
}

it('survives any flipped byte of any file, says so, and shows nothing but the truth', async () => {
  const seed = testSeed()
  const flips = await chooseFlips(prng(seed))
  const failed: string[] = []
  let said = 0
  const crashes = await tryFlips(flips, (result) => {
    if (result.notes.length > 0) said++
    for (const fault of faultsOf(result).slice(0, 2)) failed.push(`${JSON.stringify(result.flip)}: ${fault}`)
  })
  expect(crashes, `SEED=${seed}`).toEqual([])
  expect(failed.slice(0, 20), `SEED=${seed}, ${failed.length} faults`).toEqual([])
  process.stdout.write(`flip.test.ts: SEED=${seed}, ${flips.length} flips, damage was told of ${said}\n`)
  expect(said).toBeGreaterThan(0)
}, 3_600_000)
