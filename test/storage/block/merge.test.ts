// Goal: a merge gives what its inputs gave together, no sample more or less; it can be stopped, and damage is not spread.
// Method: small blocks by hand; tables cut off on the disk.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlockMeta } from '../../../storage/block/format.ts'
import {
  holdsHidden,
  type MergeControl,
  type MergeOutcome,
  type MergeTask,
  mergeBlocks,
} from '../../../storage/block/merge.ts'
import { Pace } from '../../../storage/block/pace.ts'
import { BlockReader } from '../../../storage/block/reader.ts'
import type { Tombstone } from '../../../storage/block/tombstones.ts'
import { BlockWriter } from '../../../storage/block/writer.ts'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { Labels } from '../../../storage/model/labels.ts'
import {
  isHistogramKind,
  KIND_FLOAT,
  KIND_HISTOGRAM,
  KIND_STALE,
  SampleColumns,
} from '../../../storage/model/sample.ts'

/** A number is a float; a histogram has this count. */
type Value = number | 'stale' | { count: number }
type Series = [labels: Record<string, string>, samples: [t: number, value: Value][]]

const FREE: MergeControl = { shouldStop: () => false, pause: async () => {} }
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'narthex-merge-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const folderOf = (id: number) => join(root, `${id}`)

/** Series in block order. */
async function write(id: number, series: Series[], about: Partial<BlockMeta> = {}): Promise<BlockMeta> {
  const writer = await BlockWriter.create(folderOf(id))
  const columns = new SampleColumns(4)
  for (const [labels, samples] of series) {
    columns.clear()
    for (const [t, value] of samples) {
      if (value === 'stale') columns.push(t, 0, KIND_STALE)
      else if (typeof value === 'number') columns.push(t, value, KIND_FLOAT)
      else columns.pushHistogram(t, { ...EMPTY_HISTOGRAM, count: value.count }, KIND_HISTOGRAM)
    }
    writer.add(Labels.from(labels), columns)
  }
  const origin = { id, firstGeneration: id, finalGeneration: id, sources: [], level: 0, tombstone: 0 }
  return writer.finish({ ...origin, ...about })
}

async function read(id: number): Promise<Series[]> {
  const reader = await BlockReader.open(folderOf(id), () => {})
  const columns = new SampleColumns(4)
  const series: Series[] = []
  for (const ref of reader.select([], -1e15, 1e15)) {
    columns.clear()
    reader.read(ref, -1e15, 1e15, columns)
    series.push([
      reader.labels(ref).toObject(),
      Array.from({ length: columns.length }, (_, i) => sample(columns, i)),
    ])
  }
  reader.close()
  return series
}

function sample({ t, v, kind, histograms }: SampleColumns, i: number): [number, Value] {
  if (kind[i] === KIND_STALE) return [t[i], 'stale']
  return [t[i], isHistogramKind(kind[i]) ? { count: histograms[v[i]].count } : v[i]]
}

const TARGET = 99
function merge(
  inputs: number[],
  about: Partial<MergeTask> = {},
  control: Partial<MergeControl> = {},
): Promise<MergeOutcome> {
  return mergeBlocks(
    {
      inputs: inputs.map((id) => ({ id, folder: folderOf(id) })),
      target: folderOf(TARGET),
      id: TARGET,
      level: 1,
      tombstones: [],
      highestTombstone: 0,
      ...about,
    },
    { ...FREE, ...control },
  )
}

const tombstone = (some: Partial<Tombstone>): Tombstone => ({
  number: 1,
  matchers: [],
  mint: 0,
  maxt: 1e9,
  finalGeneration: 100,
  ...some,
})

const A = { __name__: 'a' }
const B = { __name__: 'b', job: 'x' }
const C = { __name__: 'c' }

describe('mergeBlocks', () => {
  it('goes by series, then by time; the earliest arrival stays', async () => {
    await write(1, [
      [
        A,
        [
          [10, 1],
          [30, 1],
        ],
      ],
      [B, [[50, 1]]],
    ])
    await write(2, [
      [
        A,
        [
          [20, 2],
          [30, 2],
          [40, 'stale'],
        ],
      ],
      [C, [[5, 2]]],
    ])
    await write(3, [
      [
        A,
        [
          [10, 'stale'],
          [40, 3],
          [60, 3],
        ],
      ],
      [
        B,
        [
          [50, 3],
          [60, 3],
        ],
      ],
    ])
    const outcome = await merge([1, 2, 3])
    expect(outcome).toEqual({
      kind: 'block',
      meta: expect.objectContaining({
        id: TARGET,
        level: 1,
        firstGeneration: 1,
        finalGeneration: 3,
        sources: [1, 2, 3],
        tombstone: 0,
        mint: 5,
        maxt: 60,
        series: 3,
        samples: 8,
      }),
    })
    expect(await read(TARGET)).toEqual([
      [
        A,
        [
          [10, 1],
          [20, 2],
          [30, 1],
          [40, 'stale'],
          [60, 3],
        ],
      ],
      [
        B,
        [
          [50, 1],
          [60, 3],
        ],
      ],
      [C, [[5, 2]]],
    ])
  })

  it('keeps histograms, and floats among them', async () => {
    await write(1, [
      [
        A,
        [
          [10, { count: 1 }],
          [30, 4],
          [50, { count: 5 }],
        ],
      ],
    ])
    await write(2, [
      [
        A,
        [
          [10, 7],
          [20, { count: 2 }],
          [50, { count: 7 }],
          [60, { count: 6 }],
        ],
      ],
    ])
    await merge([1, 2])
    expect(await read(TARGET)).toEqual([
      [
        A,
        [
          [10, { count: 1 }],
          [20, { count: 2 }],
          [30, 4],
          [50, { count: 5 }],
          [60, { count: 6 }],
        ],
      ],
    ])
  })

  it('leaves out what was deleted before it arrived, and a series that is gone', async () => {
    await write(1, [
      [
        A,
        [
          [10, 1],
          [20, 1],
        ],
      ],
      [B, [[10, 1]]],
      [C, [[10, 1]]],
    ])
    await write(2, [
      [
        A,
        [
          [10, 2],
          [20, 2],
        ],
      ],
      [C, [[10, 2]]],
    ])
    const matchers = (name: string) => [{ name: '__name__', op: '=' as const, value: name }]
    const tombstones = [
      tombstone({ number: 3, matchers: matchers('a'), maxt: 10, finalGeneration: 1 }),
      tombstone({ number: 4, matchers: matchers('b') }),
      tombstone({ number: 5, matchers: matchers('c'), finalGeneration: 1 }),
    ]
    const outcome = await merge([1, 2], { tombstones, highestTombstone: 7 })
    expect(outcome).toMatchObject({ kind: 'block', meta: { tombstone: 7, series: 2, samples: 3 } })
    expect(await read(TARGET)).toEqual([
      [
        A,
        [
          [10, 2],
          [20, 1],
        ],
      ],
      [C, [[10, 2]]],
    ])
  })

  it('does not apply a tombstone twice: what was written after it stays', async () => {
    await write(1, [[A, [[10, 1]]]], { tombstone: 4 })
    expect(
      await merge([1], { tombstones: [tombstone({ number: 4 })], highestTombstone: 4, level: 0 }),
    ).toMatchObject({
      meta: { level: 0, tombstone: 4, sources: [1] },
    })
    expect(await read(TARGET)).toEqual([[A, [[10, 1]]]])
  })

  it('makes no block of nothing', async () => {
    await write(1, [[A, [[10, 1]]]])
    expect(await merge([1], { tombstones: [tombstone({})], highestTombstone: 1 })).toEqual({ kind: 'empty' })
    expect(existsSync(folderOf(TARGET))).toBe(false)
  })

  it('can be stopped after any piece of work, and leaves nothing', async () => {
    const many: Series[] = Array.from({ length: 3000 }, (_, i) => [
      { __name__: 'm', i: String(i).padStart(4, '0') },
      [[i, i]],
    ])
    await write(1, many)
    await write(2, many)
    let pauses = 0
    await merge([1, 2], {}, { pause: async () => void pauses++ })
    rmSync(folderOf(TARGET), { recursive: true })
    expect(pauses).toBeGreaterThan(5)
    for (let after = 1; after <= pauses; after++) {
      let left = after
      const outcome = await merge([1, 2], {}, { pause: async () => void left--, shouldStop: () => left <= 0 })
      expect(outcome).toEqual({ kind: 'stopped' })
      expect(existsSync(folderOf(TARGET))).toBe(false)
    }
    expect((await read(1)).length).toBe(3000)
  })

  it('does not spread damage', async () => {
    await write(1, [[A, [[10, 1]]]])
    await write(2, [[A, [[20, 2]]]])
    const tables = readdirSync(folderOf(2)).filter((name) => name.endsWith('.ldb'))
    for (const name of tables) {
      const path = join(folderOf(2), name)
      // Every page's magic goes, wherever they are looked for.
      const bytes = readFileSync(path)
      writeFileSync(
        path,
        bytes.map((byte, i) => (i < bytes.length / 2 ? byte ^ 0x55 : byte)),
      )
    }
    expect(await merge([1, 2])).toMatchObject({ kind: 'damaged', id: 2 })
    expect(existsSync(folderOf(TARGET))).toBe(false)
    expect(await read(1)).toEqual([[A, [[10, 1]]]])
  })
})

describe('holdsHidden', () => {
  it.each([
    { of: { maxt: 15, mint: 5 }, want: true },
    { of: { mint: 11, maxt: 19 }, want: false },
    { of: { matchers: [{ name: '__name__', op: '!=' as const, value: 'a' }] }, want: false },
    { of: { finalGeneration: 0 }, want: false },
    { of: { number: 0 }, want: false },
  ])('of $of: $want', async ({ of, want }) => {
    await write(1, [
      [
        A,
        [
          [10, 1],
          [20, 1],
        ],
      ],
    ])
    expect(await holdsHidden({ id: 1, folder: folderOf(1) }, [tombstone(of)], FREE)).toBe(want)
  })
})

describe('Pace', () => {
  it('works for its share of the time', async () => {
    let nowMs = 100
    const slept: number[] = []
    const clock = {
      now: () => nowMs,
      sleep: async (ms: number) => {
        slept.push(ms)
        nowMs += ms
      },
    }
    const pace = new Pace(0.25, clock)
    for (const workMs of [10, 0, 4]) {
      nowMs += workMs
      await pace.pause()
    }
    expect(slept).toEqual([30, 0, 12])
  })
})
