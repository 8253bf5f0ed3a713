// Goal: whatever happens to blocks, all of them together hold what was written and neither deleted nor beyond the retention. Method: random
// histories of generations, late samples, deletes, merges, cleaning, retention and kills on real blocks, against plain maps.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { areInOrder, overlap } from '../../../storage/block/arrival.ts'
import { BlockCatalog } from '../../../storage/block/catalog.ts'
import { hide } from '../../../storage/block/intervals.ts'
import { BlockMaintenance, type DiskRoom } from '../../../storage/block/maintenance.ts'
import { holdsHidden, type MergeOutcome, type MergeTask, mergeBlocks } from '../../../storage/block/merge.ts'
import { blockSpanMax } from '../../../storage/block/plan.ts'
import { BlockReader } from '../../../storage/block/reader.ts'
import type { Retention } from '../../../storage/block/retention.ts'
import { TombstoneLog } from '../../../storage/block/tombstone-log.ts'
import { type MatcherText, TombstoneFilter } from '../../../storage/block/tombstones.ts'
import { BlockWriter } from '../../../storage/block/writer.ts'
import { mergeColumns } from '../../../storage/head/merge-columns.ts'
import { Labels } from '../../../storage/model/labels.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { KIND_FLOAT, KIND_STALE, SampleColumns } from '../../../storage/model/sample.ts'
import { Store } from '../../../storage/store.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const ROOMY: DiskRoom = { otherBytes: 0, fileSystemBytes: Number.NaN, freeBytes: Number.NaN }
const KEEP_ALL: Retention = { timeMs: 0, sizeBytes: 0, percentage: 0 }
const SERIES = Array.from({ length: 8 }, (_, i) =>
  Labels.from({ __name__: i < 4 ? 'a' : 'b', Zone: i % 2 === 0 ? 'x' : '', job: `j${i}` }),
)

/** time → value; a stale marker is NaN. */
type Samples = Map<number, number>

class Room {
  readonly path = mkdtempSync(join(tmpdir(), 'narthex-maintenance-'))
  readonly trouble: Error[] = []
  /** What must be read: by series. */
  readonly truth: Samples[] = SERIES.map(() => new Map())
  readonly retention: Retention
  generation = 0
  catalog!: BlockCatalog
  tombstones!: TombstoneLog
  maintenance!: BlockMaintenance
  merge: (task: MergeTask) => Promise<MergeOutcome> = (task) =>
    mergeBlocks(task, { shouldStop: () => false, pause: async () => {} })
  private store!: Store
  /** Blocks are removed at once, unless a query is said to run. */
  private published: Promise<void> = Promise.resolve()
  private isQuerying = false

  constructor(retention: Retention = KEEP_ALL) {
    this.retention = retention
  }

  /** As after a kill: nothing of what the last run had in memory. */
  async open(): Promise<void> {
    if (this.store !== undefined) {
      // What a killed process would not do any more must not go on beside the next one.
      if (!this.isQuerying) await this.maintenance.settle()
      await this.store.close()
    }
    this.isQuerying = false
    this.published = Promise.resolve()
    this.catalog = await BlockCatalog.open({
      path: this.path,
      readMeta: async (folder) => {
        const reader = await BlockReader.open(folder, () => {})
        reader.close()
        return reader.meta
      },
      onQuarantine: (_id, _folder, cause) => this.trouble.push(cause),
    })
    this.store = await Store.open(join(this.path, 'state'), { createIfMissing: true, isShared: false })
    const highest = Math.max(0, ...this.catalog.blocks.map(({ tombstone }) => tombstone))
    this.tombstones = await TombstoneLog.open(this.store, highest, (error) => this.trouble.push(error))
    this.maintenance = new BlockMaintenance({
      catalog: this.catalog,
      tombstones: this.tombstones,
      merge: (task) => this.merge(task),
      holdsHidden: (input, tombstones) => holdsHidden(input, tombstones, { pause: async () => {} }),
      publish: () => this.published,
      liveGeneration: () => this.generation + 1,
      onTrouble: (error) => this.trouble.push(error),
    })
  }

  async dispose(): Promise<void> {
    await this.maintenance.settle()
    await this.store.close()
    rmSync(this.path, { recursive: true })
  }

  /** Writes one generation as a block; samples that are there already stay as they are. */
  async write(samples: readonly Samples[]): Promise<void> {
    this.generation++
    const id = this.catalog.takeId()
    const writer = await BlockWriter.create(this.catalog.temporaryFolder(id))
    const columns = new SampleColumns(4)
    for (const i of blockOrder()) {
      columns.clear()
      for (const [t, v] of ascending(samples[i])) {
        if (Number.isNaN(v)) columns.push(t, 0, KIND_STALE)
        else columns.push(t, v, KIND_FLOAT)
        if (!this.truth[i].has(t)) this.truth[i].set(t, v)
      }
      writer.add(SERIES[i], columns)
    }
    const generations = { firstGeneration: this.generation, finalGeneration: this.generation }
    const meta = await writer.finish({ id, ...generations, sources: [], level: 0, tombstone: 0 })
    await this.catalog.commit(meta)
  }

  async delete(matchers: readonly MatcherText[], mint: number, maxt: number): Promise<void> {
    await this.tombstones.add(matchers, { mint, maxt, finalGeneration: this.generation })
    const compiled = matchers.map(({ name, op, value }) => new Matcher(name, op, value))
    for (const [i, labels] of SERIES.entries()) {
      if (!compiled.every((matcher) => matcher.matches(labels.get(matcher.name)))) continue
      for (const t of this.truth[i].keys()) if (t >= mint && t <= maxt) this.truth[i].delete(t)
    }
  }

  /** What a query sees. */
  async read(): Promise<Samples[]> {
    const merged = SERIES.map(() => new SampleColumns(4))
    const columns = new SampleColumns(4)
    for (const block of this.catalog.blocks) {
      const reader = await BlockReader.open(this.catalog.folderOf(block.id), () => {})
      const filter = TombstoneFilter.for(this.tombstones.all, block)
      for (const ref of reader.select([], -1e15, 1e15)) {
        const labels = reader.labels(ref)
        columns.clear()
        reader.read(ref, -1e15, 1e15, columns)
        hide(columns, filter.intervals(labels))
        mergeColumns(merged[SERIES.findIndex((series) => series.key() === labels.key())], columns)
      }
      reader.close()
    }
    return merged.map(({ length, t, v, kind }) => {
      const samples: Samples = new Map()
      for (let i = 0; i < length; i++) samples.set(t[i], kind[i] === KIND_STALE ? Number.NaN : v[i])
      return samples
    })
  }

  /** From now on a query is running that keeps all that was shown so far; it ends with the function. */
  async startQuery(): Promise<() => void> {
    // What no query keeps must not go on beside the process that follows a kill.
    await this.maintenance.settle()
    this.isQuerying = true
    let end = (): void => {}
    this.published = new Promise((resolve) => {
      end = () => {
        // In a process that was killed meanwhile, it has no end.
        if (this.published === query) resolve()
        this.isQuerying = false
      }
    })
    const query = this.published
    return end
  }
}

/** Positions of the series, sorted by metric name, then by labels. */
function blockOrder(): number[] {
  const text = (i: number) => `${SERIES[i].get('__name__')} ${SERIES[i].pairs.join(' ')}`
  return SERIES.map((_, i) => i).sort((a, b) => (text(a) < text(b) ? -1 : 1))
}

const ascending = (samples: Samples) => [...samples].sort(([a], [b]) => a - b)
const shown = (all: readonly Samples[]) => all.map(ascending)

/** Samples of some series in [mint, maxt], in whole minutes. */
function someSamples(random: Prng, mint: number, maxt: number, value: number): Samples[] {
  return SERIES.map(() => {
    const samples: Samples = new Map()
    if (random.chance(0.3)) return samples
    for (let t = Math.ceil(mint / MINUTE) * MINUTE; t <= maxt; t += random.int(1, 6) * MINUTE) {
      samples.set(t, random.chance(0.03) ? Number.NaN : value)
    }
    return samples
  })
}

const DELETES: MatcherText[][] = [
  [{ name: '__name__', op: '=', value: 'a' }],
  [{ name: 'job', op: '=~', value: 'j[1-3]' }],
  [
    { name: '__name__', op: '!=', value: 'a' },
    { name: 'Zone', op: '=', value: '' },
  ],
  [],
]

async function step(room: Room, random: Prng, nowMs: number): Promise<void> {
  const lateMs = random.chance(0.3) ? HOUR : MINUTE
  await room.write(
    someSamples(random, nowMs - 30 * MINUTE - random.int(0, lateMs), nowMs, room.generation + 1),
  )
  if (random.chance(0.15)) {
    const from = random.int(0, nowMs)
    await room.write(someSamples(random, from, from + random.int(0, 90) * MINUTE, room.generation + 1))
  }
  if (random.chance(0.1)) {
    const mint = random.int(0, nowMs)
    await room.delete(random.pick(DELETES), mint, mint + random.pick([0, HOUR, 100 * HOUR]))
  }
  const end = random.chance(0.2) ? await room.startQuery() : undefined
  for (let merges = random.int(0, 3); merges > 0; merges--) {
    if (!(await room.maintenance.mergeNext(room.retention, ROOMY))) break
  }
  if (random.chance(0.05)) await room.maintenance.cleanTombstones()
  if (random.chance(0.1)) {
    // Killed in the middle of a merge, with replaced blocks still there.
    room.merge = async (task) => {
      await mergeBlocks(task, { shouldStop: () => false, pause: async () => {} })
      return { kind: 'stopped' }
    }
    await room.maintenance.mergeNext(room.retention, ROOMY)
    room.merge = (task) => mergeBlocks(task, { shouldStop: () => false, pause: async () => {} })
    await room.open()
  }
  end?.()
}

describe('random histories', () => {
  it('keep what was written, and nothing that was deleted', { timeout: 120_000 }, async () => {
    const seed = testSeed()
    for (let run = 0; run < 3; run++) {
      const random = prng(seed + run)
      const timeMs = random.pick([0, 200 * HOUR])
      const room = new Room({ ...KEEP_ALL, timeMs })
      await room.open()
      for (let i = 1; i <= 60; i++) {
        const about = `SEED=${seed} run=${run} step=${i}`
        await step(room, random, i * 30 * MINUTE)
        for (const [n, a] of room.catalog.blocks.entries()) {
          for (const b of room.catalog.blocks.slice(n + 1)) {
            expect(overlap(a, b) && !areInOrder(a, b), `${about}: ${a.id}, ${b.id}`).toBe(false)
          }
          if (timeMs > 0 && a.level > 0)
            expect(a.maxt - a.mint, about).toBeLessThanOrEqual(blockSpanMax(timeMs))
        }
        if (i % 6 === 0) expect(shown(await room.read()), about).toEqual(shown(room.truth))
      }
      while (await room.maintenance.mergeNext(room.retention, ROOMY));
      await room.maintenance.cleanTombstones()
      await room.maintenance.settle()
      expect(room.tombstones.all, `SEED=${seed} run=${run}`).toEqual([])
      await room.open()
      expect(shown(await room.read()), `SEED=${seed} run=${run}`).toEqual(shown(room.truth))
      expect(readdirSync(join(room.path, 'blocks')).length).toBe(room.catalog.blocks.length)
      expect(room.trouble).toEqual([])
      await room.dispose()
    }
  })
})

describe('BlockMaintenance', () => {
  /** Half hours of one sample a minute in every series. */
  async function roomWith(count: number, retention = KEEP_ALL): Promise<Room> {
    const room = new Room(retention)
    await room.open()
    for (let i = 0; i < count; i++) {
      const samples = new Map(Array.from({ length: 30 }, (_, m) => [(i * 30 + m) * MINUTE, i]))
      await room.write(SERIES.map(() => samples))
    }
    return room
  }
  const ids = (room: Room) => room.catalog.blocks.map(({ id }) => id)

  it('drops by time and by size', async () => {
    const room = await roomWith(5)
    expect(room.maintenance.retain({ ...KEEP_ALL, timeMs: 90 * MINUTE }, ROOMY)).toEqual({
      byTime: 2,
      bySize: 0,
    })
    expect(ids(room)).toEqual([3, 4, 5])
    const bytes = room.catalog.blocks[0].bytes
    const size = { ...KEEP_ALL, sizeBytes: bytes * 3 }
    expect(room.maintenance.retain(size, ROOMY)).toEqual({ byTime: 0, bySize: 0 })
    expect(room.maintenance.retain(size, { ...ROOMY, otherBytes: 1 })).toEqual({ byTime: 0, bySize: 1 })
    const percentage = { ...KEEP_ALL, percentage: 10 }
    expect(room.maintenance.retain(percentage, { ...ROOMY, fileSystemBytes: 10 * bytes })).toEqual({
      byTime: 0,
      bySize: 1,
    })
    expect(ids(room)).toEqual([5])
    await room.dispose()
  })

  it('merges no more than there is room for', async () => {
    const room = await roomWith(5)
    expect(await room.maintenance.mergeNext(KEEP_ALL, { ...ROOMY, freeBytes: 10_000 })).toBe(false)
    expect(await room.maintenance.mergeNext({ ...KEEP_ALL, sizeBytes: 10_000 }, ROOMY)).toBe(false)
    expect(await room.maintenance.mergeNext(KEEP_ALL, ROOMY)).toBe(true)
    expect(ids(room)).toEqual([6, 5])
    expect(await room.maintenance.mergeNext(KEEP_ALL, ROOMY)).toBe(false)
    await room.dispose()
  })

  it('throws a merge away when an input went meanwhile', async () => {
    const room = await roomWith(5)
    const { merge } = room
    room.merge = async (task) => {
      const outcome = await merge(task)
      room.maintenance.retain({ ...KEEP_ALL, timeMs: 2 * HOUR }, ROOMY)
      return outcome
    }
    expect(await room.maintenance.mergeNext(KEEP_ALL, ROOMY)).toBe(false)
    expect(ids(room)).toEqual([2, 3, 4, 5])
    await room.maintenance.settle()
    expect(readdirSync(join(room.path, 'blocks')).length).toBe(4)
    await room.dispose()
  })

  it('leaves nothing of a merge whose thread died', async () => {
    const room = await roomWith(5)
    room.merge = async ({ target }) => {
      mkdirSync(target)
      throw new Error('the thread died')
    }
    await expect(room.maintenance.mergeNext(KEEP_ALL, ROOMY)).rejects.toThrow('the thread died')
    expect(readdirSync(join(room.path, 'blocks')).length).toBe(5)
    expect(ids(room)).toEqual([1, 2, 3, 4, 5])
    await room.dispose()
  })

  it('leaves a damaged block alone, and merges the others', async () => {
    const room = await roomWith(5)
    room.merge = async () => ({ kind: 'damaged', id: 2, what: 'chunk page 0: wrong checksum' })
    expect(await room.maintenance.mergeNext(KEEP_ALL, ROOMY)).toBe(false)
    expect(room.trouble.map(({ message }) => message)).toEqual(['chunk page 0: wrong checksum'])
    let inputs: number[] = []
    room.merge = async (task) => {
      inputs = task.inputs.map(({ id }) => id)
      return { kind: 'stopped' }
    }
    await room.maintenance.mergeNext(KEEP_ALL, ROOMY)
    expect(inputs).toEqual([3, 4])
    await room.dispose()
  })

  it('rewrites only what holds hidden samples', async () => {
    const room = await roomWith(3)
    // Between two samples of the first block, and all of the second one.
    await room.delete([], 30_000, 40_000)
    await room.delete([], 30 * MINUTE, 60 * MINUTE - 1)
    await room.maintenance.cleanTombstones()
    expect(ids(room)).toEqual([1, 3])
    await room.maintenance.settle()
    expect(room.tombstones.all).toEqual([])
    expect(shown(await room.read())).toEqual(shown(room.truth))
    await room.delete([{ name: 'job', op: '=', value: 'j1' }], 0, 0)
    await room.maintenance.cleanTombstones()
    expect(ids(room)).toEqual([5, 3])
    expect(room.catalog.blocks[0]).toMatchObject({ level: 0, sources: [1], samples: 239 })
    await room.dispose()
  })

  it('does not forget what was deleted while the block may come back', async () => {
    const room = await roomWith(1)
    const end = await room.startQuery()
    await room.delete([], 0, HOUR)
    await room.maintenance.cleanTombstones()
    expect([ids(room), room.tombstones.all.length]).toEqual([[], 1])
    await room.open()
    expect([ids(room), shown(await room.read())]).toEqual([[1], shown(room.truth)])
    end()
    await room.dispose()
  })
})
