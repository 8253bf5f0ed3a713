// Goal: windows with anchored and smoothed. Method: hand-worked rows, one rule each; then random series against the definition,
// written for one window at a time.
import { describe, expect, it } from 'vitest'
import { extendedKernel } from '../../../promql/functions/extended-rate.ts'
import type { Extension } from '../../../promql/functions/extended-windows.ts'
import { addHistograms, scaleHistogram, subtractHistograms } from '../../../promql/histogram/arithmetic.ts'
import { detectReset } from '../../../promql/histogram/reset.ts'
import { CUSTOM_SCHEMA, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import { type MixedCase, type MixedSample, randomMixedCase, runExtended } from './mixed-cases.ts'

type Value = number | FloatHistogram

const LOOKBACK_MS = 300_000

/** Result over the 60 s before second 360, with a lookback of 300 s; samples given in seconds. */
function over60s(name: string, extension: Extension, points: [seconds: number, value: Value][]) {
  const samples = points.map(([t, value]) => ({ t: t * 1000, value, st: 0 }))
  const c = { samples, ends: [360_000], rangeMs: 60_000 }
  const { results, notes } = runExtended(extendedKernel(name, extension), extension, c, LOOKBACK_MS)
  const [result] = results
  return { value: typeof result === 'object' ? result.count : result, notes }
}

describe('extended windows', () => {
  it.each<
    [rule: string, name: string, extension: Extension, points: [number, Value][], want: number | undefined]
  >([
    [
      'anchored begins at the sample before',
      'increase',
      'anchored',
      [
        [200, 5],
        [320, 15],
        [350, 20],
      ],
      15,
    ],
    [
      'a sample at the start is the anchor',
      'increase',
      'anchored',
      [
        [200, 5],
        [300, 15],
        [350, 20],
      ],
      5,
    ],
    [
      'no anchor: the first inside',
      'increase',
      'anchored',
      [
        [320, 15],
        [350, 20],
      ],
      5,
    ],
    ['one sample inside without an anchor', 'increase', 'anchored', [[320, 15]], 0],
    [
      'nothing inside',
      'increase',
      'anchored',
      [
        [200, 5],
        [290, 15],
      ],
      undefined,
    ],
    [
      'the anchor is too old at the lookback',
      'increase',
      'anchored',
      [
        [0, 5],
        [320, 15],
      ],
      0,
    ],
    [
      'anchored divides by the whole range',
      'rate',
      'anchored',
      [
        [300, 0],
        [330, 30],
      ],
      0.5,
    ],
    [
      'anchored adds what resets lost',
      'increase',
      'anchored',
      [
        [290, 10],
        [320, 4],
        [350, 6],
      ],
      6,
    ],
    [
      'delta has no resets',
      'delta',
      'anchored',
      [
        [290, 10],
        [320, 4],
        [350, 6],
      ],
      -4,
    ],
    [
      'smoothed interpolates both ends',
      'increase',
      'smoothed',
      [
        [290, 0],
        [310, 20],
        [350, 60],
        [370, 80],
      ],
      60,
    ],
    [
      'smoothed without what follows',
      'increase',
      'smoothed',
      [
        [290, 0],
        [310, 20],
        [350, 60],
      ],
      50,
    ],
    [
      'smoothed without what goes before',
      'increase',
      'smoothed',
      [
        [310, 20],
        [350, 60],
        [370, 80],
      ],
      50,
    ],
    [
      'smoothed with all behind the window',
      'increase',
      'smoothed',
      [
        [370, 20],
        [380, 60],
      ],
      undefined,
    ],
    [
      'a reset across the start counts from 0',
      'increase',
      'smoothed',
      [
        [290, 50],
        [310, 20],
        [360, 20],
      ],
      10,
    ],
    [
      'of histograms: anchored',
      'increase',
      'anchored',
      [
        [290, simple(10)],
        [320, simple(4)],
        [350, simple(6)],
      ],
      6,
    ],
    [
      'of histograms: smoothed',
      'increase',
      'smoothed',
      [
        [290, simple(0)],
        [310, simple(20)],
        [350, simple(60)],
        [370, simple(80)],
      ],
      60,
    ],
    [
      'of histograms: a reset across the start',
      'increase',
      'smoothed',
      [
        [290, simple(50)],
        [310, simple(20)],
        [360, simple(20)],
      ],
      10,
    ],
    [
      'changes begin at the anchor',
      'changes',
      'anchored',
      [
        [100, 1],
        [200, 5],
        [320, 15],
        [350, 15],
      ],
      1,
    ],
    [
      'an anchor may be of another kind',
      'changes',
      'anchored',
      [
        [100, 1],
        [200, simple(5)],
        [320, 15],
        [350, 16],
      ],
      2,
    ],
    [
      'resets begin at the anchor',
      'resets',
      'anchored',
      [
        [100, 9],
        [200, 5],
        [320, 1],
        [350, 15],
      ],
      1,
    ],
    [
      'changes need a sample inside',
      'changes',
      'anchored',
      [
        [100, 1],
        [200, 5],
      ],
      undefined,
    ],
  ])('%s', (_, name, extension, points, want) => {
    expect(over60s(name, extension, points)).toEqual({ value: want, notes: [] })
  })

  it('warns of what has no result', () => {
    expect(
      over60s('rate', 'anchored', [
        [100, 1],
        [310, simple(2)],
      ]).notes,
    ).toEqual(['PromQL warning: encountered a mix of histograms and floats for metric name "m"'])
    expect(
      over60s('rate', 'anchored', [
        [290, simple(2)],
        [310, custom(2)],
      ]).notes,
    ).toEqual([
      'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m"',
    ])
  })

  it('are known to few functions', () => {
    expect(() => extendedKernel('sum_over_time', 'anchored')).toThrow(
      'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with sum_over_time',
    )
    expect(() => extendedKernel('resets', 'smoothed')).toThrow(
      'smoothed modifier can only be used with: delta, increase, rate - not with resets',
    )
  })
})

/** Sums and multiples of floats and of histograms alike. */
const plus = (a: Value, b: Value): Value =>
  typeof a === 'number' ? a + (b as number) : addHistograms(a, b as FloatHistogram)!.histogram
const minus = (a: Value, b: Value): Value =>
  typeof a === 'number' ? a - (b as number) : subtractHistograms(a, b as FloatHistogram)!.histogram
const times = (a: Value, f: number): Value => (typeof a === 'number' ? a * f : scaleHistogram(a, f))
const drops = (now: Value, before: Value): boolean =>
  typeof now === 'number' ? now < (before as number) : detectReset(now, before as FloatHistogram)
const size = (value: Value | undefined): number | undefined =>
  typeof value === 'object' ? value.count : value

function between(a: MixedSample, b: MixedSample, t: number): Value {
  const share = (t - a.t) / (b.t - a.t)
  if (drops(b.value, a.value)) return times(b.value, share)
  return plus(a.value, times(minus(b.value, a.value), share))
}

/**
 * Increase of a counter along its curve through the samples: level before each sample for anchored, straight between them, or
 * from 0 after a reset, for smoothed.
 */
function naiveIncrease(
  { samples }: MixedCase,
  startMs: number,
  endMs: number,
  isSmoothed: boolean,
): Value | undefined {
  const aheadMs = isSmoothed ? LOOKBACK_MS : 0
  const data = samples.filter(({ t }) => t > startMs - LOOKBACK_MS && t <= endMs + aheadMs)
  const before = data.filter(({ t }) => t <= startMs).at(-1)
  const inside = data.filter(({ t }) => t > startMs && t < endMs)
  const after = data.find(({ t }) => t >= endMs)
  const next = inside[0] ?? after
  if (next === undefined || (before === undefined && next.t > endMs)) return undefined
  const points = inside.map(({ value }) => value)
  let lostBefore = -1
  if (before !== undefined) {
    const isBetween = isSmoothed && before.t < startMs
    points.unshift(isBetween ? between(before, next, startMs) : before.value)
    // Where the curve comes from 0, nothing is lost until the next sample.
    if (isBetween && drops(next.value, before.value)) lostBefore = 1
  }
  const previous = inside.at(-1) ?? before
  if (after !== undefined) {
    const isBetween = isSmoothed && after.t > endMs && previous !== undefined
    points.push(isBetween ? between(previous, after, endMs) : after.value)
  }
  let total = minus(points[points.length - 1], points[0])
  for (let i = 1; i < points.length; i++) {
    if (i !== lostBefore && drops(points[i], points[i - 1])) total = plus(total, points[i - 1])
  }
  return total
}

/** Histograms of one kind: what there is to say of others has rows of its own. */
function isPlain(value: Value, type: 'number' | 'object'): boolean {
  if (typeof value === 'number') return type === 'number'
  return type === 'object' && value.schema !== CUSTOM_SCHEMA && value.counterResetHint === 'unknown'
}

describe('over random series', () => {
  const seed = testSeed()

  it.each([
    ['anchored', 'number'],
    ['smoothed', 'number'],
    ['anchored', 'object'],
    ['smoothed', 'object'],
  ] as const)(`%s increases of type %s are as defined (SEED=${seed})`, (extension, type) => {
    const random = prng(seed)
    for (let run = 0; run < 400; run++) {
      const whole = randomMixedCase(random)
      const c = { ...whole, samples: whole.samples.filter(({ value }) => isPlain(value, type)) }
      const { results } = runExtended(extendedKernel('increase', extension), extension, c, LOOKBACK_MS)
      const want = c.ends.map((end) => naiveIncrease(c, end - c.rangeMs, end, extension === 'smoothed'))
      for (const [s, value] of want.entries()) {
        if (value === undefined) expect(results[s], `run=${run} s=${s}`).toBeUndefined()
        else expect(size(results[s]), `run=${run} s=${s}`).toBeCloseTo(size(value)!, 8)
      }
    }
  })
})
