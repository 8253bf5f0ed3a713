// Goal: no sample of a generation is in no part or in two, and no part is longer than merges would make blocks.
// Method: cases by hand, then random samples under random retentions.
import { describe, expect, it } from 'vitest'
import { type PartSource, partsOf } from '../../../storage/block/parts.ts'
import { blockSpanMax } from '../../../storage/block/plan.ts'
import { KIND_FLOAT } from '../../../storage/model/sample.ts'
import { prng, testSeed } from '../../harness/prng.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Series with samples at these times, ascending. */
function sourceOf(series: readonly (readonly number[])[]): PartSource {
  const all = series.flat()
  return {
    span: { mint: Math.min(...all), maxt: Math.max(...all) },
    count: series.length,
    read: (position, into, mint = Number.NEGATIVE_INFINITY, maxt = Number.POSITIVE_INFINITY) => {
      into.clear()
      for (const t of series[position]) if (t >= mint && t <= maxt) into.push(t, 0, KIND_FLOAT)
    },
  }
}
const window = (length: number, number: number) => ({
  mint: number * length,
  maxt: (number + 1) * length - 1,
})
const WHOLE = [{ mint: Number.NEGATIVE_INFINITY, maxt: Number.POSITIVE_INFINITY }]

describe('parts', () => {
  it.each([
    ['no samples at all', [[]], 0, WHOLE],
    [
      'ten minutes, and late samples of an hour before, across a window',
      [[3 * HOUR], [119 * MINUTE]],
      0,
      WHOLE,
    ],
    ['as long as a block of the shortest window may be', [[0, 3 * HOUR]], 0, WHOLE],
    ['longer than that', [[0, 3 * HOUR + 1]], 0, [window(2 * HOUR, 0), window(2 * HOUR, 1)]],
    [
      'a late sample, long ago; nothing between',
      [[100 * HOUR], [-1, 101 * HOUR], [7]],
      0,
      [window(2 * HOUR, -1), window(2 * HOUR, 0), window(2 * HOUR, 50)],
    ],
    [
      'so many windows that longer ones are taken',
      [Array.from({ length: 40 }, (_, i) => i * 2 * HOUR)],
      0,
      Array.from({ length: 10 }, (_, i) => window(8 * HOUR, i)),
    ],
    [
      'so many windows, and the retention has none that are longer',
      [Array.from({ length: 40 }, (_, i) => i * 2 * HOUR)],
      2 * DAY,
      Array.from({ length: 40 }, (_, i) => window(2 * HOUR, i)),
    ],
    ['a short retention', [[0, 7 * MINUTE]], HOUR, [window(3 * MINUTE, 0), window(3 * MINUTE, 2)]],
    ['times beyond what can be told apart', [[0, 2 ** 53]], 0, WHOLE],
  ])('%s', (_what, series, retentionMs, parts) => {
    expect(partsOf(sourceOf(series), retentionMs)).toEqual(parts)
  })

  it('have each sample once', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let round = 0; round < 200; round++) {
      const retentionMs = random.pick([0, HOUR, 36 * HOUR, 15 * DAY, 400 * DAY])
      const reach = random.pick([HOUR, 5 * HOUR, 3 * DAY, 40 * DAY, 400 * DAY])
      const series = Array.from({ length: random.int(1, 5) }, () => {
        const times = Array.from({ length: random.int(1, 30) }, () => random.int(-reach, reach))
        return [...new Set(times)].sort((a, b) => a - b)
      })
      const source = sourceOf(series)
      const parts = partsOf(source, retentionMs)
      const about = `SEED=${seed} round=${round}`
      for (const t of series.flat())
        expect(parts.filter(({ mint, maxt }) => t >= mint && t <= maxt).length, about).toBe(1)
      for (const { mint, maxt } of parts) {
        const inside = series.flat().filter((t) => t >= mint && t <= maxt)
        expect(inside.length, about).toBeGreaterThan(0)
        const spanMax = Math.max(blockSpanMax(retentionMs), 2 * MINUTE)
        expect(Math.max(...inside) - Math.min(...inside), about).toBeLessThanOrEqual(spanMax)
      }
      expect(parts, about).toEqual([...parts].sort((a, b) => a.mint - b.mint))
    }
  })
})
