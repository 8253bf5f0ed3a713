// Goal: merges keep who arrived first, keep every sample, come to an end, and rewrite a sample only a few times. Method:
// hand-worked rows for what is merged when; then random histories of one series, where blocks are plain maps and
// planned merges are done on them, against a map that no merge touches.
import { describe, expect, it } from 'vitest'
import { areInOrder, compareArrival, overlap } from '../../../storage/block/arrival.ts'
import { blockSpanMax, type MergeLimits, type PlannedBlock, planMerge } from '../../../storage/block/plan.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NO_LIMITS: MergeLimits = {
  retentionMs: 0,
  inputBytesMax: 1e12,
  liveGeneration: Number.POSITIVE_INFINITY,
}

/** A block of its own generation, from and to these hours. */
const block = (generation: number, from: number, to: number, bytes = 100): PlannedBlock => ({
  id: generation,
  firstGeneration: generation,
  finalGeneration: generation,
  level: 0,
  mint: from * HOUR,
  maxt: to * HOUR,
  bytes,
})
const halfHours = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => block(i + 1, from + i / 2, from + i / 2 + 0.5))
const planned = (blocks: PlannedBlock[], limits: Partial<MergeLimits> = {}) =>
  planMerge(blocks, { ...NO_LIMITS, ...limits })?.inputs.map(({ id }) => id)

describe('planMerge', () => {
  it('makes a window one block when a later block has begun', () => {
    expect(planned(halfHours(4))).toBeUndefined()
    expect(planned(halfHours(5))).toEqual([1, 2, 3, 4])
    expect(planned([...halfHours(4)].reverse().concat(block(5, 2, 2.5)))).toEqual([1, 2, 3, 4])
  })

  it('goes on to longer windows', () => {
    const twoHours = [0, 2, 4, 6].map((from, i) => ({ ...block(i + 1, from, from + 2), level: 1 }))
    expect(planned(twoHours)).toBeUndefined()
    const plan = planMerge([...twoHours, block(5, 8, 8.5)], NO_LIMITS)
    expect(plan).toMatchObject({ inputs: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }], level: 2 })
  })

  it('takes the old window first, and the small one', () => {
    const day = [0, 2, 4, 6].map((from, i) => block(i + 1, from, from + 2))
    const late = [block(5, 24, 24.5), block(6, 24.5, 25), block(7, 28, 28.5)]
    expect(planned([...day, ...late])).toEqual([5, 6])
  })

  it('leaves generations alone that are in memory', () => {
    expect(planned(halfHours(5), { liveGeneration: 4 })).toEqual([1, 2, 3])
    expect(planned(halfHours(5), { liveGeneration: 2 })).toBeUndefined()
    expect(planned(halfHours(5), { excluded: new Set([2]) })).toEqual([3, 4])
  })

  it('does not rewrite a large block for a small one', () => {
    const large = block(1, 0, 2, 1000)
    const newer = block(9, 9, 9.5)
    expect(planned([large, block(2, 0.1, 1.9, 300), newer])).toBeUndefined()
    expect(planned([large, block(2, 0.1, 1.9, 400), newer])).toEqual([1, 2])
  })

  it('merges many small ones among themselves, in a window that grows too', () => {
    const small = Array.from({ length: 7 }, (_, i) => block(i + 2, 0.2, 1.8, 5))
    expect(planned([block(1, 0, 2, 1000), ...small])).toEqual([2, 3, 4, 5])
    expect(planned([block(1, 0, 2, 1000), ...small.slice(1)])).toBeUndefined()
  })

  it('keeps to a tenth of the retention', () => {
    const retentionMs = 20 * HOUR
    expect(blockSpanMax(retentionMs)).toBe(2 * HOUR)
    expect(planned(halfHours(5), { retentionMs })).toEqual([1, 2])
    const hours = [0, 1, 2, 3].map((from, i) => block(i + 1, from, from + 1))
    expect(planned(hours, { retentionMs })).toBeUndefined()
    expect(blockSpanMax(0)).toBe(31 * DAY)
    expect(blockSpanMax(15 * DAY)).toBe(36 * HOUR)
  })

  it('bounds the bytes of a merge', () => {
    expect(planned(halfHours(5), { inputBytesMax: 300 })).toEqual([1, 2, 3])
    expect(planned(halfHours(5), { inputBytesMax: 199 })).toBeUndefined()
  })

  it('takes along what came in between and overlaps, but not what only came in between', () => {
    // Of generations 1 and 3 in the first window; 2 begins in it, but its middle is in the next one.
    const blocks = [block(1, 0, 0.5), block(2, 1.4, 3), block(3, 1, 1.5), block(4, 4, 5)]
    expect(planned(blocks)).toEqual([1, 2, 3])
    expect(planned([blocks[0], block(2, 1.6, 3), blocks[2], blocks[3]])).toEqual([1, 3])
    // It is in memory still: no merge at all.
    const live = { ...blocks[1], finalGeneration: 9 }
    expect(planned([blocks[0], live, blocks[2], blocks[3]], { liveGeneration: 9 })).toBeUndefined()
  })

  it('has nothing to do without samples', () => {
    expect(planned([])).toBeUndefined()
    const none = { mint: Number.POSITIVE_INFINITY, maxt: Number.NEGATIVE_INFINITY }
    expect(
      planned([
        { ...block(1, 0, 0), ...none },
        { ...block(2, 0, 0), ...none },
      ]),
    ).toBeUndefined()
  })
})

/** A block with its samples: time → the generation that the sample arrived in. */
interface Held extends PlannedBlock {
  samples: Map<number, number>
}

class History {
  blocks: Held[] = []
  /** What a query must see. */
  readonly truth = new Map<number, number>()
  readonly limits: MergeLimits
  private readonly random: Prng
  private nextId = 1
  private generation = 0
  written = 0
  rewritten = 0

  constructor(random: Prng) {
    this.random = random
    this.limits = {
      retentionMs: random.pick([0, DAY, 5 * DAY, 15 * DAY, 100 * DAY]),
      inputBytesMax: random.pick([2000, 20_000, 1e9]),
      liveGeneration: 0,
    }
  }

  /** What arrived up to `nowMs`: most of it now, some of it late, and old windows as blocks of their own. */
  arrive(nowMs: number): void {
    const { random } = this
    this.generation++
    const lateMs = random.chance(0.3) ? HOUR : 2 * MINUTE
    this.write(
      Array.from({ length: random.int(1, 40) }, () => nowMs - random.int(0, 30 * MINUTE)),
      lateMs,
    )
    while (random.chance(0.15)) {
      const at = Math.max(0, nowMs - random.int(HOUR, random.pick([DAY, 10 * DAY])))
      const start = Math.floor(at / (2 * HOUR)) * 2 * HOUR
      this.write(
        Array.from({ length: random.int(1, 10) }, () => start + random.int(0, 2 * HOUR - 1)),
        0,
      )
    }
    this.limits.liveGeneration = this.generation - random.int(0, 2)
  }

  private write(times: number[], lateMs: number): void {
    const samples = new Map<number, number>()
    for (const time of times) {
      const t = Math.round((time - this.random.int(0, lateMs)) / MINUTE) * MINUTE
      // Of a generation, each sample is in one block.
      if (this.truth.get(t) === this.generation) continue
      samples.set(t, this.generation)
      if (!this.truth.has(t)) this.truth.set(t, this.generation)
    }
    if (samples.size === 0) return
    this.add(samples, [this.generation, this.generation], 0)
    this.written += samples.size
  }

  private add(
    samples: Map<number, number>,
    [firstGeneration, finalGeneration]: number[],
    level: number,
  ): void {
    const times = [...samples.keys()]
    const [mint, maxt] = [Math.min(...times), Math.max(...times)]
    const bytes = samples.size * 10
    this.blocks.push({
      id: this.nextId++,
      firstGeneration,
      finalGeneration,
      level,
      mint,
      maxt,
      bytes,
      samples,
    })
  }

  /** One merge; false when there is none to do. */
  merge(): boolean {
    const plan = planMerge(this.blocks, this.limits)
    if (plan === undefined) return false
    expect(plan.inputs.length).toBeGreaterThanOrEqual(2)
    const longest = Math.max(...plan.inputs.map(({ mint, maxt }) => maxt - mint))
    this.blocks = this.blocks.filter((held) => !plan.inputs.includes(held))
    const generations = [
      Math.min(...plan.inputs.map(({ firstGeneration }) => firstGeneration)),
      Math.max(...plan.inputs.map(({ finalGeneration }) => finalGeneration)),
    ]
    const samples = joined(plan.inputs)
    this.add(samples, generations, plan.level)
    this.rewritten += samples.size
    const made = this.blocks[this.blocks.length - 1]
    expect(made.finalGeneration).toBeLessThan(this.limits.liveGeneration)
    expect(made.maxt - made.mint).toBeLessThanOrEqual(
      Math.max(longest, blockSpanMax(this.limits.retentionMs)),
    )
    expect(plan.inputs.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(
      this.limits.inputBytesMax,
    )
    return true
  }

  read(): Map<number, number> {
    return joined([...this.blocks].sort(compareArrival))
  }

  /** Pairs of blocks of which nobody could tell who was first. */
  muddles(): string[] {
    const found: string[] = []
    for (const [i, a] of this.blocks.entries()) {
      for (const b of this.blocks.slice(i + 1)) {
        if (overlap(a, b) && !areInOrder(a, b)) found.push(`${a.id}, ${b.id}`)
      }
    }
    return found
  }
}

/** Of blocks in the order of arrival: the earliest sample of each time. */
function joined(blocks: readonly Held[]): Map<number, number> {
  const samples = new Map<number, number>()
  for (const held of blocks) {
    for (const [t, generation] of held.samples) if (!samples.has(t)) samples.set(t, generation)
  }
  return samples
}

const sorted = (samples: Map<number, number>) => [...samples].sort(([a], [b]) => a - b)

describe('random histories', () => {
  it('keep every sample and who was first, come to an end, and rewrite little', { timeout: 60_000 }, () => {
    const seed = testSeed()
    for (let run = 0; run < 12; run++) {
      const about = `SEED=${seed} run=${run}`
      const history = new History(prng(seed + run))
      for (let step = 1; step <= 300; step++) {
        history.arrive(step * 30 * MINUTE)
        let merges = 0
        while (history.merge()) expect(++merges, about).toBeLessThan(100)
        expect(history.muddles(), `${about} step=${step}`).toEqual([])
        if (step % 50 === 0)
          expect(sorted(history.read()), `${about} step=${step}`).toEqual(sorted(history.truth))
      }
      const levels = history.blocks.map(({ level }) => level)
      expect(Math.max(...levels), about).toBeLessThanOrEqual(12)
      expect(history.rewritten / history.written, about).toBeLessThan(8)
    }
  })
})
