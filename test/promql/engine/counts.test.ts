// Goal: how many samples a query looks at and reads, in all and at each step, is counted as upstream does. Method: one rule a
// row, counts worked out by hand from a series with a sample a minute, and steps and windows that do not all meet it.
import { beforeAll, describe, expect, it } from 'vitest'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { EMPTY_HISTOGRAM } from '../../../storage/model/histogram.ts'
import { newEngine, series, storageOf } from '../eval/fixture.ts'

const MINUTE = 60_000
/** What an empty histogram counts as. */
const WEIGHT = 11
let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('m', { job: 'j' }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    series('gone', {}, [1, 'stale']),
    series('h', {}, [EMPTY_HISTOGRAM, EMPTY_HISTOGRAM]),
    series('target_info', { job: 'j', version: '1' }, [1, 1, 1]),
    series('target_info', { job: 'other' }, [1, 1, 1]),
  ])
})

const FEATURES = {
  perStepStats: true,
  experimentalFunctions: true,
  extendedRangeSelectors: true,
}

/** Counts at the steps from 0 to `endMin` minutes; at `endMin` alone where there is no step. */
async function count(query: string, endMin: number, stepMs: number) {
  const engine = newEngine(FEATURES)
  const endMs = endMin * MINUTE
  const run = (perStepStats: boolean) =>
    stepMs === 0
      ? engine.instantQuery(storage, query, endMs, { perStepStats })
      : engine.rangeQuery(storage, query, 0, endMs, stepMs, { perStepStats })
  const { perStep, ...sums } = (await run(true)).samples
  expect((await run(false)).samples).toStrictEqual({ ...sums, perStep: undefined })
  const lists = { queryable: [...perStep!.queryable], read: [...perStep!.read] }
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0)
  expect(sums).toMatchObject({
    totalQueryableSamples: sum(lists.queryable),
    samplesRead: sum(lists.read),
  })
  return lists
}

interface Row {
  readonly query: string
  readonly end: number
  readonly step: number
  readonly queryable: readonly number[]
  /** As `queryable` where it is left out. */
  readonly read?: readonly number[]
}

async function check({ query, end, step, queryable, read = queryable }: Row): Promise<void> {
  expect(await count(query, end, step)).toStrictEqual({ queryable, read })
}

describe('an instant selector counts what it finds, as read at each step', () => {
  it.each<Row>([
    { query: 'm', end: 2, step: 30_000, queryable: [1, 1, 1, 1, 1] },
    { query: 'm', end: 10, step: 0, queryable: [1] },
    { query: 'm offset 90s', end: 2, step: 30_000, queryable: [0, 0, 0, 1, 1] },
    { query: 'gone', end: 2, step: 30_000, queryable: [1, 1, 0, 0, 0] },
    { query: 'h', end: 1, step: 30_000, queryable: [WEIGHT, WEIGHT, WEIGHT] },
    { query: 'timestamp(m)', end: 1, step: 30_000, queryable: [1, 1, 1] },
    // The time of a histogram is one number.
    { query: 'timestamp(h)', end: 1, step: 30_000, queryable: [1, 1, 1] },
    { query: 'start_timestamp(h)', end: 1, step: 30_000, queryable: [1, 1, 1] },
    { query: 'start_timestamp(abs(m))', end: 1, step: 30_000, queryable: [1, 1, 1] },
    { query: 'm smoothed', end: 1, step: 30_000, queryable: [0, 0, 0] },
    { query: 'm @ 120', end: 2, step: MINUTE, queryable: [1, 1, 1], read: [1, 0, 0] },
    { query: 'time()', end: 1, step: MINUTE, queryable: [0, 0] },
  ])('$query', check)
})

describe('a window counts at each step, and is read as far as it goes beyond the one before', () => {
  it.each<Row>([
    { query: 'sum_over_time(m[2m])', end: 3, step: MINUTE, queryable: [1, 2, 2, 2], read: [1, 1, 1, 1] },
    {
      query: 'sum_over_time(m[2m])',
      end: 2,
      step: 30_000,
      queryable: [1, 1, 2, 2, 2],
      read: [1, 0, 1, 0, 1],
    },
    { query: 'sum_over_time(m[2m])', end: 10, step: 5 * MINUTE, queryable: [1, 2, 2] },
    { query: 'sum_over_time(m[2m])', end: 10, step: 0, queryable: [2] },
    { query: 'absent_over_time(m[2m])', end: 2, step: MINUTE, queryable: [1, 2, 2], read: [1, 1, 1] },
    {
      query: 'count_over_time(h[2m])',
      end: 1,
      step: MINUTE,
      queryable: [WEIGHT, 2 * WEIGHT],
      read: [WEIGHT, WEIGHT],
    },
    // All samples since the lookback before the window, behind it too where it is smoothed.
    { query: 'rate(m[1m] anchored)', end: 10, step: 0, queryable: [6] },
    { query: 'rate(m[1m] smoothed)', end: 3, step: MINUTE, queryable: [6, 7, 8, 9], read: [6, 1, 1, 1] },
    // With @ the window is the first step's, whatever else changes.
    { query: 'predict_linear(m[2m] @ 300, 60)', end: 2, step: MINUTE, queryable: [2, 2, 2], read: [2, 0, 0] },
    { query: 'm[3m]', end: 10, step: 0, queryable: [3] },
    // The values at both ends, and what lies between.
    { query: 'm[90s] anchored', end: 10, step: 0, queryable: [3] },
  ])('$query', check)
})

describe('a subquery counts its points in each window, and what they read', () => {
  it.each<Row>([
    // Points at −30 s, 0, 30 s …; the first has no sample.
    { query: 'sum_over_time(m[1m:30s])', end: 1, step: 30_000, queryable: [1, 2, 2], read: [1, 1, 1] },
    // Points at 4:30 and 5:00, 9:30 and 10:00; the others are seen by no window.
    { query: 'sum_over_time(m[1m:30s])', end: 10, step: 5 * MINUTE, queryable: [1, 2, 2] },
    { query: 'sum_over_time(m[1m:1m])', end: 10, step: 5 * MINUTE, queryable: [1, 1, 1] },
    { query: 'sum_over_time(m[1m:1m] offset 2m)', end: 10, step: 5 * MINUTE, queryable: [0, 1, 1] },
    { query: 'sum_over_time(m[2m:30s])', end: 10, step: 0, queryable: [4] },
    // Windows of 2 samples each; of points at 1 m, 2 m, 3 m the first reads two.
    {
      query: 'sum_over_time(sum_over_time(m[2m])[3m:1m])',
      end: 10,
      step: 5 * MINUTE,
      queryable: [1, 3, 3],
      read: [1, 3, 3],
    },
    // Evaluated at the first point, at −4 m, which lies in the first window.
    {
      query: 'sum_over_time(sum(m @ 60)[5m:1m])',
      end: 10,
      step: 5 * MINUTE,
      queryable: [5, 5, 5],
      read: [1, 0, 0],
    },
    // The points inside are at −1:30, −1:00 … for windows that meet each other: each is read for the first that it lies in.
    {
      query: 'max_over_time(sum_over_time(m[1m:30s])[2m:1m])',
      end: 4,
      step: 2 * MINUTE,
      queryable: [1, 2, 2],
      read: [1, 4, 4],
    },
  ])('$query', check)

  it.each<Row>([
    // Its windows, and not the points that they give.
    { query: 'sum_over_time(m[3m])[2m:1m]', end: 10, step: 0, queryable: [6], read: [4] },
    { query: 'm[2m:30s]', end: 10, step: 0, queryable: [4] },
  ])('$query, which is the answer, counts as what is inside', check)
})

describe('parts', () => {
  it.each<Row>([
    { query: 'm + m', end: 1, step: 30_000, queryable: [2, 2, 2] },
    { query: 'sum(m) / count(m)', end: 1, step: 30_000, queryable: [2, 2, 2] },
    {
      query: 'max_over_time(m[2m:1m]) - max_over_time(m[2m:1m])',
      end: 1,
      step: MINUTE,
      queryable: [2, 4],
      read: [2, 2],
    },
    {
      query: 'sum(m @ 60) + count(m @ 60) + sum(m) + sum(m)',
      end: 1,
      step: MINUTE,
      queryable: [4, 4],
      read: [4, 2],
    },
    { query: 'topk(scalar(m), m)', end: 1, step: MINUTE, queryable: [2, 2] },
    { query: 'm unless gone', end: 1, step: MINUTE, queryable: [2, 1] },
    // With the info series of the jobs that there are.
    { query: 'info(m)', end: 1, step: MINUTE, queryable: [2, 2] },
    { query: 'info(gone)', end: 1, step: MINUTE, queryable: [1, 0] },
  ])('$query: those that are equal count each', check)

  it('have no counts a step where the engine or the query does not ask for them', async () => {
    const { samples } = await newEngine().instantQuery(storage, 'm', 0, { perStepStats: true })
    expect(samples.perStep).toBeUndefined()
  })
})
