// Goal: *_over_time, changes, resets and regressions over windows with floats and histograms. Method: hand-worked rows for what
// is said of them; then random series against the definitions, written for one window at a time.
import { describe, expect, it } from 'vitest'
import { MIXED_OVER_TIME_KERNELS } from '../../../promql/functions/mixed-over-time.ts'
import { OVER_TIME_KERNELS } from '../../../promql/functions/over-time.ts'
import { REGRESSION_KERNELS } from '../../../promql/functions/regression.ts'
import { isStartReset } from '../../../promql/functions/start-times.ts'
import { compactHistogram, equalHistograms } from '../../../promql/histogram/arithmetic.ts'
import { detectReset } from '../../../promql/histogram/reset.ts'
import { HistogramSum } from '../../../promql/histogram/sum.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { inWindow, type MixedSample, type Result, randomMixedCase, runMixed } from './mixed-cases.ts'
import { runKernel } from './window-cases.ts'

type Value = number | FloatHistogram

/** One window that holds these values, a second apart. */
function over(name: string, values: Value[], args: number[] = []) {
  const samples = values.map((value, i) => ({ t: (i + 1) * 1000, value, st: 0 }))
  const c = { samples, ends: [60_000], rangeMs: 60_000 }
  const { results, notes } = runMixed(MIXED_OVER_TIME_KERNELS[name], c, { args })
  return { result: results[0], notes }
}

const mixed = 'PromQL warning: encountered a mix of histograms and floats for metric name "m"'
const ignored =
  'PromQL info: ignored histograms in a range containing both floats and histograms for metric name "m"'

describe('what is said of a window', () => {
  it.each<[name: string, values: Value[], args: number[], want: Result, notes: string[]]>([
    ['sum_over_time', [1, simple(2)], [], undefined, [mixed]],
    ['avg_over_time', [1, simple(2)], [], undefined, [mixed]],
    ['sum_over_time', [1, 2], [], 3, []],
    ['min_over_time', [4, simple(2), 3], [], 3, [ignored]],
    ['max_over_time', [simple(2)], [], undefined, []],
    ['quantile_over_time', [4, simple(2), 6], [0.5], 5, [ignored]],
    ['stdvar_over_time', [4, simple(2), 6], [], 1, [ignored]],
    ['mad_over_time', [4, simple(2), 6], [], 1, [ignored]],
    ['ts_of_max_over_time', [4, simple(2), 6], [], 3, [ignored]],
    ['deriv', [4, simple(2), 6], [], 1, [ignored]],
    ['deriv', [4, simple(2)], [], undefined, [ignored]],
    ['predict_linear', [4, simple(2), 6], [0], 63, [ignored]],
    ['double_exponential_smoothing', [4, simple(2), 6], [0.5, 0.5], 6, [ignored]],
    ['count_over_time', [4, simple(2), 6], [], 3, []],
    ['present_over_time', [simple(2)], [], 1, []],
    ['first_over_time', [simple(2), 6], [], simple(2), []],
    ['last_over_time', [simple(2), 6], [], 6, []],
    ['last_over_time', [6, simple(2)], [], simple(2), []],
    ['ts_of_first_over_time', [simple(2), 6], [], 1, []],
    ['ts_of_last_over_time', [4, simple(2)], [], 2, []],
    ['changes', [1, simple(1), simple(1), simple(2), 2, Number.NaN, Number.NaN], [], 4, []],
    ['resets', [1, simple(1), simple(2), simple(1), 2, 1], [], 4, []],
  ])('%s of %j', (name, values, args, want, notes) => {
    expect(over(name, values, args)).toEqual({ result: want, notes })
  })

  it('sums of histograms that do not go together are none', () => {
    const text =
      'vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m"'
    expect(over('sum_over_time', [simple(1), custom(1)])).toEqual({
      result: undefined,
      notes: [`PromQL warning: ${text}`],
    })
  })

  it('sums tell of contradicting hints and of reconciled bounds', () => {
    const values = [
      simple(1, 1, { counterResetHint: 'reset' }),
      simple(1, 1, { counterResetHint: 'not_reset' }),
    ]
    expect(over('sum_over_time', values).notes).toEqual([
      'PromQL warning: conflicting counter resets during histogram aggregation',
    ])
    expect(over('avg_over_time', [custom(1), custom(1, [1])]).notes).toEqual([
      'PromQL info: mismatched custom buckets were reconciled during aggregation',
    ])
  })

  it('smoothing factors are looked at even where there are histograms only', () => {
    expect(() => over('double_exponential_smoothing', [simple(1)], [2, 0.5])).toThrow(
      'invalid smoothing factor',
    )
  })
})

const isFloat = ({ value }: MixedSample): boolean => typeof value === 'number'

function naiveSum(samples: MixedSample[], isMean: boolean): Result {
  const floats = samples.filter(isFloat)
  if (samples.length === 0 || (floats.length > 0 && floats.length < samples.length)) return undefined
  if (floats.length > 0) {
    const total = floats.reduce((sum, { value }) => sum + (value as number), 0)
    return isMean ? total / floats.length : total
  }
  const [first, ...rest] = samples.map(({ value }) => value as FloatHistogram)
  const sum = new HistogramSum(first, isMean)
  return rest.every((histogram) => sum.add(histogram) === 'ok') ? sum.value() : undefined
}

function naiveCount(samples: MixedSample[], isReset: boolean): Result {
  if (samples.length === 0) return undefined
  let events = 0
  for (let i = 1; i < samples.length; i++) {
    const { value: previous, st, t } = samples[i - 1]
    const { value } = samples[i]
    const byStart = isStartReset(st, t, samples[i].st, samples[i].t)
    if (typeof value !== typeof previous) events++
    else if (typeof value === 'number' || typeof previous === 'number') {
      if (isReset ? value < previous || byStart : value !== previous) events++
    } else if (isReset ? byStart || detectReset(value, previous) : !equalHistograms(value, previous)) events++
  }
  return events
}

/** Mean and sum of whole numbers are rounded alike in any order; those of histograms may differ in the last bit. */
function rounded(result: Result): Result {
  return typeof result === 'object' ? compactHistogram(result) : result
}

describe('over random series', () => {
  const seed = testSeed()

  it(`sums, means and counts are as defined (SEED=${seed})`, () => {
    const random = prng(seed)
    const definitions: Record<string, (samples: MixedSample[]) => Result> = {
      sum_over_time: (samples) => naiveSum(samples, false),
      avg_over_time: (samples) => naiveSum(samples, true),
      changes: (samples) => naiveCount(samples, false),
      resets: (samples) => naiveCount(samples, true),
      count_over_time: (samples) => (samples.length === 0 ? undefined : samples.length),
      first_over_time: (samples) => samples[0]?.value,
      last_over_time: (samples) => samples[samples.length - 1]?.value,
    }
    for (let run = 0; run < 300; run++) {
      const c = randomMixedCase(random)
      for (const [name, definition] of Object.entries(definitions)) {
        const { results } = runMixed(MIXED_OVER_TIME_KERNELS[name], c, { usesStarts: true })
        const want = c.ends.map((end) => definition(inWindow(c, end - c.rangeMs, end)))
        expect(results.map(rounded), `run=${run} ${name}`).toEqual(want.map(rounded))
      }
    }
  })

  it(`the others are what they are of the floats alone (SEED=${seed})`, () => {
    const random = prng(seed)
    for (let run = 0; run < 100; run++) {
      const c = randomMixedCase(random)
      const floats = c.samples.filter(isFloat)
      const t = floats.map((sample) => sample.t)
      const v = floats.map(({ value }) => value as number)
      const { ends, rangeMs } = c
      const hasBoth = ends.some((end) => {
        const held = inWindow(c, end - rangeMs, end)
        return held.some(isFloat) && !held.every(isFloat)
      })
      for (const name of [
        'min_over_time',
        'stddev_over_time',
        'ts_of_max_over_time',
        'deriv',
        'mad_over_time',
      ]) {
        const { results, notes } = runMixed(MIXED_OVER_TIME_KERNELS[name], c)
        const kernel = OVER_TIME_KERNELS[name] ?? REGRESSION_KERNELS[name]
        expect(results, `run=${run} ${name}`).toEqual(runKernel(kernel, { t, v, ends, rangeMs }))
        expect(notes, `run=${run} ${name}`).toEqual(hasBoth ? [ignored] : [])
      }
    }
  })
})
