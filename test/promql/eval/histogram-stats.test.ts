// Goal: where only counts and sums of histograms are wanted, and what is left of the histograms then. Method: hand-worked rows.
import { describe, expect, it } from 'vitest'
import { reduceToStats } from '../../../promql/eval/histogram-stats.ts'
import { sampleWeight } from '../../../promql/histogram/size.ts'
import { statsOnlySelectors } from '../../../promql/plan/stats-only.ts'
import { parse } from '../../../promql/syntax/parser.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, KIND_STALE, SampleColumns } from '../../../storage/model/sample.ts'
import { custom, simple } from '../histogram/random-histogram.ts'

describe('statsOnlySelectors', () => {
  it.each([
    ['m', []],
    ['histogram_count(m)', ['m']],
    ['histogram_sum(rate(m[5m]))', ['m']],
    ['histogram_avg(sum by (a) (rate(m[5m])))', ['m']],
    ['histogram_count(a + b) + c', ['a', 'b']],
    ['-histogram_count((m))', ['m']],
    ['histogram_quantile(0.9, m)', []],
    ['histogram_count(m) + histogram_quantile(0.9, n)', ['m']],
    ['histogram_fraction(0, scalar(histogram_count(m)), n)', []],
    ['histogram_count(sum_over_time(m[5m:1m]))', []],
    ['histogram_count(m </ 3)', []],
    ['histogram_count(m) > 3', ['m']],
  ])('%s', (query, names) => {
    const found = [...statsOnlySelectors(parse(query, { experimentalFunctions: true }))]
    expect(found.map(({ name }) => name)).toEqual(names)
  })
})

describe('reduceToStats', () => {
  it('leaves count and sum, and says where the counter began anew', () => {
    const samples = new SampleColumns()
    const histograms = [
      simple(3),
      simple(4),
      simple(1, 7),
      simple(2, 2, { counterResetHint: 'gauge' }),
      simple(3),
    ]
    for (const [i, histogram] of histograms.entries()) {
      samples.pushHistogram(i * 10, histogram, KIND_FLOAT_HISTOGRAM)
      if (i === 0) samples.push(5, 1, KIND_FLOAT)
      if (i === 1) samples.push(15, 0, KIND_STALE)
    }
    reduceToStats(samples)
    expect(
      samples.histograms.map(({ counterResetHint, count, sum }) => [counterResetHint, count, sum]),
    ).toEqual([
      ['unknown', 3, 3],
      ['not_reset', 4, 4],
      ['reset', 1, 7],
      ['gauge', 2, 2],
      ['not_reset', 3, 3],
    ])
    expect(samples.histograms.map(sampleWeight)).toEqual([11, 11, 11, 11, 11])
    expect(histograms[0]).toEqual(simple(3))
  })

  it('keeps the kind of buckets, which tells what goes together, and no bounds', () => {
    const samples = new SampleColumns()
    samples.pushHistogram(0, custom(3), KIND_FLOAT_HISTOGRAM)
    reduceToStats(samples)
    expect(samples.histograms[0]).toMatchObject({ schema: -53, customValues: [], positiveBuckets: [] })
  })
})
