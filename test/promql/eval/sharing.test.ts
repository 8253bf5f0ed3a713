// Goal: what stands in a query twice gives what it gave when it was evaluated twice, with the same counts and annotations, and
// is read once. Method: queries beside ones whose text makes the parts differ, on a storage that counts its reads.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Queryable } from '../../../storage/interface.ts'
import type { MemoryStorage } from '../../../storage/memory-storage.ts'
import { newEngine, series, storageOf } from './fixture.ts'

const MINUTE = 60_000
let storage: MemoryStorage

beforeAll(async () => {
  storage = await storageOf([
    series('m', { i: '1' }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    series('m', { i: '2' }, [0, 2, 4, 6, 8, 10, 12, null, 16, 18, 20]),
    series('m_total', { i: '1' }, [0, 60, 120, 180, 240, 300]),
  ])
})

/** The result, with how many series were read from storage. */
async function run(query: string) {
  let reads = 0
  const counting: Queryable = {
    querier: (mint, maxt) => {
      const querier = storage.querier(mint, maxt)
      return {
        ...querier,
        select: async (matchers, hints) => {
          const set = await querier.select(matchers, hints)
          return {
            ...set,
            read: (i, into) => {
              reads++
              set.read(i, into)
            },
          }
        },
      }
    },
  }
  const result = await newEngine().rangeQuery(counting, query, 0, 10 * MINUTE, MINUTE)
  const { value, warnings, infos, samples } = result
  if (value.type !== 'matrix') throw new Error(value.type)
  const rows = value.series.map(({ labels, values, present }) => [
    labels.key(),
    Array.from(values, (v, s) => (present[s] === 0 ? null : v)),
  ])
  const { totalQueryableSamples, samplesRead } = samples
  return {
    rows,
    notes: [...warnings, ...infos].sort(),
    counts: { totalQueryableSamples, samplesRead },
    reads,
  }
}

describe('parts that stand in a query more than once', () => {
  // The second text says the same in other words, so that nothing is shared.
  it.each([
    ['m + m', 'm + m offset 0s', 2],
    ['rate(m_total[5m]) / rate(m_total[5m])', 'rate(m_total[5m]) / rate({__name__="m_total"}[5m])', 1],
    ['sum(m) / sum(m)', 'sum(m) / sum({__name__="m"})', 2],
    ['sum(m) / count(m)', 'sum(m) / count({__name__="m"})', 2],
    ['max(m) - min(m) + sum(m)', 'max(m) - min({__name__="m"}) + sum({__name__=~"m"})', 2],
    [
      'sum by (i) (m) + on (i) m - on (i) m',
      'sum by (i) (m) + on (i) {__name__="m"} - on (i) {__name__=~"m"}',
      2,
    ],
    ['sum(m) / count(m) + sum(m)', 'sum(m) / count({__name__="m"}) + sum({__name__=~"m"})', 2],
    ['max_over_time(sum(m)[3m:1m]) - sum(m)', 'max_over_time(sum(m)[3m:1m]) - sum({__name__="m"})', 4],
    ['(m > 3) or (m > 3)', '(m > 3) or ({__name__="m"} > 3)', 2],
  ])('%s', async (query, other, reads) => {
    const shared = await run(query)
    const apart = await run(other)
    expect(shared.rows).toEqual(apart.rows)
    expect(shared.counts).toEqual(apart.counts)
    expect(shared.reads).toBe(reads)
    expect(apart.reads).toBeGreaterThanOrEqual(reads)
  })

  it('are evaluated each time when they have something to tell', async () => {
    const { notes, reads } = await run('rate(m[5m]) + rate(m[5m])')
    expect(notes.length).toBeGreaterThan(0)
    expect(reads).toBe(4)
  })
})
