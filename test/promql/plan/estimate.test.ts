// Goal: what is told of a query before it reads anything is never more than it needs, and grows with what it costs.
import { describe, expect, it } from 'vitest'
import { type Estimate, estimate, type SelectionSize } from '../../../promql/plan/estimate.ts'
import { prepare } from '../../../promql/plan/prepare.ts'
import { parse } from '../../../promql/syntax/parser.ts'

const HOUR = {
  startMs: 0,
  endMs: 3_600_000,
  stepMs: 60_000,
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  perStepStats: false,
}

function estimateOf(query: string, ...sizes: SelectionSize[]): Estimate {
  return estimate(prepare(parse(query, {}), HOUR).root, sizes)
}

const SMALL = { series: 10, samples: 2400 }
const LARGE = { series: 20_000, samples: 4_800_000 }

describe('estimate', () => {
  it('an answer of many series needs their columns and its text', () => {
    const { bytes, work, costliest } = estimateOf('a', LARGE)
    expect(bytes).toBe(20_000 * (400 + 61 * 49))
    expect(work).toBe(4_800_000 + 20_000 * (64 + 61))
    expect(costliest).toBe(0)
  })

  it.each(['sum(rate(a[5m]))', 'a > 5', 'a and a', 'count by (x) (a)'])(
    '%s may have a single series',
    (query) => {
      expect(estimateOf(query, LARGE, LARGE).bytes).toBeLessThan(2 * 20_000 * 400 + 20_000 * 61 * 9 + 61 * 50)
    },
  )

  it.each(['rate(a[5m])', '-a', 'a * 2', 'a == bool 1', 'sort(a)', 'a or a'])('%s may have all', (query) => {
    expect(estimateOf(query, LARGE, LARGE).bytes).toBeGreaterThan(20_000 * 61 * 49)
  })

  it('an operator holds the columns of its smaller side', () => {
    const alone = estimateOf('a', LARGE).bytes
    const both = estimateOf('a + on (x) group_left b', LARGE, SMALL)
    expect(both.bytes).toBe(alone + 10 * 400 + 10 * 61 * 9)
    expect(both.costliest).toBe(0)
    expect(estimateOf('b + on (x) group_right a', SMALL, LARGE).costliest).toBe(1)
  })

  it('windows that are looked at again are more work', () => {
    const sliding = estimateOf('max_over_time(a[30m])', SMALL)
    const again = estimateOf('quantile_over_time(0.5, a[30m])', SMALL)
    expect(again.work - sliding.work).toBeCloseTo(61 * 2400 * (30 / 90), 6)
    const nested = estimateOf('quantile_over_time(0.5, a[30m:1s])', SMALL)
    expect(nested.work).toBeGreaterThan(10 * 61 * 1800)
  })

  it('a range is as many points as there are samples', () => {
    const raw = {
      startMs: 0,
      endMs: 0,
      stepMs: 0,
      lookbackMs: 300_000,
      defaultSubqueryStepMs: 60_000,
      perStepStats: false,
    }
    const { root } = prepare(parse('a[1h]', {}), raw)
    expect(estimate(root, [SMALL]).bytes).toBe(10 * 400 + 2400 * 49)
  })

  it('numbers cost nothing', () => {
    expect(estimateOf('1 + time()')).toEqual({ bytes: 0, work: 0, costliest: -1 })
  })
})
