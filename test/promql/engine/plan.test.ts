// Goal: what a plan reads and when: windows of selectors, steps of subqueries, parts that do not change. Method: rows
// of queries at 10:00 to 20:00 minutes every 2 minutes.
import { describe, expect, it } from 'vitest'
import type { CallNode, SubqueryNode } from '../../../promql/plan/plan.ts'
import { prepare } from '../../../promql/plan/prepare.ts'
import { parse } from '../../../promql/syntax/parser.ts'

const MINUTE = 60_000

function plan(query: string) {
  return prepare(parse(query, { experimentalFunctions: true }), {
    startMs: 10 * MINUTE,
    endMs: 20 * MINUTE,
    stepMs: 2 * MINUTE,
    lookbackMs: 5 * MINUTE,
    defaultSubqueryStepMs: MINUTE,
    perStepStats: false,
  })
}

/** Minutes of the first and last sample that may be read; the window's open left end is a millisecond earlier. */
function windowsOf(query: string): [number, number][] {
  return plan(query).selections.map(({ mint, maxt }) => [(mint - 1) / MINUTE, maxt / MINUTE])
}

describe('selections', () => {
  it.each<{ query: string; want: [number, number][] }>([
    { query: 'm', want: [[5, 20]] },
    { query: 'm offset 1m', want: [[4, 19]] },
    { query: 'm offset -1m', want: [[6, 21]] },
    { query: 'm @ 60', want: [[-4, 1]] },
    { query: 'm @ start() offset 2m', want: [[3, 8]] },
    { query: 'm @ end()', want: [[15, 20]] },
    { query: 'rate(m[1m])', want: [[9, 20]] },
    { query: 'rate(m[step()])', want: [[8, 20]] },
    { query: 'rate(m[range() * 2])', want: [[-10, 20]] },
    { query: 'rate(m[1m] @ 60)', want: [[0, 1]] },
    // The inner steps are 8:30, 9:00, … 20:00; the window of the first of them begins a minute before.
    { query: 'max_over_time(rate(m[1m])[2m:30s])', want: [[7.5, 20]] },
    { query: 'max_over_time(m[3m:7m])', want: [[9, 14]] },
    { query: 'max_over_time(m[3m:7m] offset 1m)', want: [[2, 14]] },
    { query: 'max_over_time(m[3m:] @ 600)', want: [[3, 10]] },
    {
      query: 'a + sum(b offset 1m)',
      want: [
        [5, 20],
        [4, 19],
      ],
    },
    { query: 'time()', want: [] },
  ])('$query', ({ query, want }) => {
    expect(windowsOf(query)).toStrictEqual(want)
  })

  it('are covered by one range', () => {
    const { mint, maxt } = plan('m offset 30m + m offset -10m')
    expect([mint, maxt]).toStrictEqual([-25 * MINUTE + 1, 30 * MINUTE])
    expect(plan('1')).toMatchObject({ mint: 0, maxt: 0 })
  })

  it('hint at the nearest function around them', () => {
    const hints = plan('sum(rate(a[1m])) + topk(3, b)').selections.map((selection) => selection.hints)
    expect(hints).toStrictEqual([
      { func: 'rate', stepMs: 2 * MINUTE, rangeMs: MINUTE, labelsOnly: false },
      { func: 'topk', stepMs: 2 * MINUTE, rangeMs: 0, labelsOnly: false },
    ])
  })
})

describe('subqueries', () => {
  const stepsOf = (query: string): number[] => {
    const { root } = plan(query)
    const call = (root.kind === 'invariant' ? root.inner : root) as CallNode
    return Array.from((call.args[0] as SubqueryNode).inner.frame.times, (t) => t / MINUTE)
  }

  it('step at the multiples of their step inside their windows, which are open on the left', () => {
    expect(stepsOf('max_over_time(m[2m:4m])')).toStrictEqual([12, 16, 20])
    expect(stepsOf('max_over_time(m[2m:5m] offset 1m)')).toStrictEqual([10, 15])
    expect(stepsOf('max_over_time(m[3m:] @ 0)')).toStrictEqual([-2, -1, 0])
    expect(stepsOf('max_over_time(m[1m:7m] @ 600)')).toStrictEqual([])
  })
})

describe('parts that do not change', () => {
  it.each([
    { query: 'm @ 60', kind: 'invariant' },
    { query: 'sum(rate(m[5m] @ end()))', kind: 'invariant' },
    { query: 'm', kind: 'selector' },
    { query: 'm @ 60 + m', kind: 'binary' },
    { query: 'm @ 60 + 1', kind: 'invariant' },
    { query: 'vector(time())', kind: 'call' },
    { query: 'vector(1)', kind: 'invariant' },
    { query: 'predict_linear(m[5m] @ 60, 1)', kind: 'call' },
    { query: 'timestamp(m @ 60)', kind: 'call' },
    { query: 'topk(scalar(m), m @ 60)', kind: 'invariant' },
    { query: 'max_over_time(m[5m:] @ 60)', kind: 'invariant' },
    { query: '(1)', kind: 'number' },
    { query: '+m', kind: 'selector' },
  ])('$query: $kind', ({ query, kind }) => expect(plan(query).root.kind).toBe(kind))
})
