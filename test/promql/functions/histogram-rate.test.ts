// Goal: rate, increase, delta, irate and idelta of histograms, of mixed windows, and with start timestamps. Method: hand-worked
// rows, one rule each; then random series against the definition, written for one window at a time.
import { describe, expect, it } from 'vitest'
import { HISTOGRAM_RATE_KERNELS } from '../../../promql/functions/histogram-rate.ts'
import { START_KERNELS } from '../../../promql/functions/start-rate.ts'
import { isStartReset, overlapsPrevious } from '../../../promql/functions/start-times.ts'
import { Windows } from '../../../promql/functions/windows.ts'
import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  scaleHistogram,
  subtractHistograms,
  withHint,
} from '../../../promql/histogram/arithmetic.ts'
import { detectReset } from '../../../promql/histogram/reset.ts'
import { ABSENT, Column } from '../../../promql/value.ts'
import { CUSTOM_SCHEMA, EMPTY_HISTOGRAM, type FloatHistogram } from '../../../storage/model/histogram.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { custom, simple } from '../histogram/random-histogram.ts'
import {
  columnsOf,
  inWindow,
  type MixedCase,
  type MixedSample,
  type Result,
  randomMixedCase,
  runMixed,
} from './mixed-cases.ts'

type Value = number | FloatHistogram

/** Result and annotations over the 60 s before second 60, samples given in seconds. */
function over60s(name: string, points: [seconds: number, value: Value, startSeconds?: number][]) {
  const samples = points.map(([t, value, st = 0]) => ({ t: t * 1000, value, st: st * 1000 }))
  const { results, notes } = runMixed(
    HISTOGRAM_RATE_KERNELS[name],
    { samples, ends: [60_000], rangeMs: 60_000 },
    { usesStarts: true },
  )
  const [result] = results
  return { value: typeof result === 'object' ? result.count : result, result, notes }
}

const gauge = (count: number): FloatHistogram => simple(count, count, { counterResetHint: 'gauge' })
const notGauge = 'PromQL warning: this native histogram metric is not a gauge: "m"'
const notCounter = 'PromQL warning: this native histogram metric is not a counter: "m"'
const mixed = 'PromQL warning: encountered a mix of histograms and floats for metric name "m"'
const mixedSchemas =
  'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "m"'

describe('the rate family on histograms', () => {
  it.each<
    [
      rule: string,
      name: string,
      points: [number, Value, number?][],
      want: number | undefined,
      notes: string[],
    ]
  >([
    [
      'is extended to both ends',
      'increase',
      [
        [20, simple(100)],
        [40, simple(110)],
      ],
      30,
      [],
    ],
    [
      'divides by the range',
      'rate',
      [
        [20, simple(100)],
        [40, simple(110)],
      ],
      0.5,
      [],
    ],
    [
      'adds what was before a reset, and extends far ends by half a gap',
      'increase',
      [
        [20, simple(100)],
        [30, simple(110)],
        [40, simple(10)],
      ],
      (20 * 30) / 20,
      [],
    ],
    [
      'begins at the zero of the counter',
      'increase',
      [
        [40, simple(5)],
        [50, simple(15)],
      ],
      10 * 2.5,
      [],
    ],
    ['needs two samples', 'rate', [[20, simple(100)]], undefined, []],
    ['one is enough with a start in the window', 'increase', [[40, simple(5), 20]], 5, []],
    [
      'a start in the window is the zero',
      'increase',
      [
        [30, simple(5), 20],
        [50, simple(15), 20],
      ],
      15 * (40 / 30),
      [],
    ],
    [
      'warns of gauges',
      'increase',
      [
        [20, gauge(100)],
        [40, simple(110)],
      ],
      30,
      [notCounter],
    ],
    [
      'delta warns of counters',
      'delta',
      [
        [20, gauge(100)],
        [40, simple(110)],
      ],
      30,
      [notGauge],
    ],
    [
      'delta has no resets',
      'delta',
      [
        [20, gauge(110)],
        [40, gauge(100)],
      ],
      -30,
      [],
    ],
    [
      'has nothing where floats are among them',
      'rate',
      [
        [20, simple(1)],
        [40, 3],
      ],
      undefined,
      [mixed],
    ],
    [
      'does not mix buckets',
      'rate',
      [
        [20, simple(1)],
        [40, custom(3)],
        [50, custom(4)],
      ],
      undefined,
      [],
    ],
    [
      'does not mix buckets at the end',
      'rate',
      [
        [20, simple(1)],
        [30, simple(2)],
        [40, { ...custom(3), counterResetHint: 'not_reset' }],
      ],
      undefined,
      [mixedSchemas],
    ],
    [
      'irate takes the last two',
      'irate',
      [
        [10, 7],
        [20, simple(1)],
        [40, simple(11)],
      ],
      0.5,
      [],
    ],
    [
      'irate after a reset is the last',
      'irate',
      [
        [20, simple(11)],
        [40, simple(10)],
      ],
      0.5,
      [],
    ],
    [
      'irate sees resets by start',
      'irate',
      [
        [20, simple(11)],
        [40, simple(21), 30],
      ],
      21 / 20,
      [],
    ],
    [
      'idelta subtracts',
      'idelta',
      [
        [20, gauge(11)],
        [40, gauge(10)],
      ],
      -1,
      [],
    ],
    [
      'idelta of a counter warns',
      'idelta',
      [
        [20, simple(11)],
        [40, simple(10)],
      ],
      -1,
      [notGauge],
    ],
    [
      'irate of a float and a histogram',
      'irate',
      [
        [20, simple(11)],
        [40, 10],
      ],
      undefined,
      [mixed],
    ],
    [
      'irate looks no further back',
      'irate',
      [
        [10, simple(11)],
        [20, 5],
        [40, 10],
      ],
      0.25,
      [],
    ],
    [
      'overlapping starts',
      'increase',
      [
        [20, simple(100), 1],
        [40, simple(110), 10],
      ],
      110 * (59 / 39),
      ['PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "m"'],
    ],
  ])('%s', (rule, name, points, want, notes) => {
    const got = over60s(name, points)
    if (rule === 'does not mix buckets') {
      // The change of buckets is a reset, and what was before it is not looked at.
      expect(got.value).toBeGreaterThan(0)
      return
    }
    if (want === undefined) expect(got.value).toBeUndefined()
    else expect(got.value).toBeCloseTo(want, 10)
    expect(got.notes).toEqual(notes)
  })

  it('gives gauges, without empty buckets, in the coarsest schema', () => {
    const fine = {
      ...simple(4),
      schema: 1,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveBuckets: [0, 4],
    }
    const { result } = over60s('increase', [
      [0.5, fine],
      [30, simple(6)],
      [60, simple(8)],
    ])
    const { counterResetHint, schema, positiveBuckets } = result as FloatHistogram
    expect([counterResetHint, schema, positiveBuckets.length]).toEqual(['gauge', 0, 1])
  })
})

/** The definition, for the samples of one window. */
function naiveChange(samples: MixedSample[], startMs: number, endMs: number, name: string): Result {
  const isCounter = name !== 'delta'
  const isFloat = samples.map(({ value }) => typeof value === 'number')
  if (samples.length === 0 || isFloat.some((is) => is !== isFloat[0])) return undefined
  const first = samples[0]
  const last = samples[samples.length - 1]
  const gaps = samples.length - 1
  const origin = isCounter && first.st > startMs && first.st < first.t ? first.st : 0
  if (gaps === 0 && origin === 0) return undefined
  let change: Result = isFloat[0] ? 0 : (first.value as FloatHistogram)
  if (gaps > 0) {
    change = isFloat[0] ? floatChange(samples, isCounter) : histogramChange(samples, isCounter)
    if (change === undefined) return undefined
  }
  let sampled = (last.t - first.t) / 1000
  const meanGap = gaps > 0 ? sampled / gaps : 0
  let toStart = (first.t - startMs) / 1000
  let toEnd = (endMs - last.t) / 1000
  const size = (value: Value): number => (typeof value === 'number' ? value : value.count)
  if (origin !== 0) {
    toStart = 0
    sampled = (last.t - origin) / 1000
  } else {
    if (toStart >= meanGap * 1.1) toStart = meanGap / 2
    if (isCounter && size(change) > 0 && size(first.value) >= 0) {
      toStart = Math.min(toStart, sampled * (size(first.value) / size(change)))
    }
  }
  if (toEnd >= meanGap * 1.1) toEnd = meanGap / 2
  if (origin !== 0 && typeof change === 'number') change += first.value as number
  else if (origin !== 0 && gaps > 0) {
    change = addHistograms(change as FloatHistogram, first.value as FloatHistogram)?.histogram
    if (change === undefined) return undefined
  }
  let factor = (sampled + toStart + toEnd) / sampled
  if (name === 'rate') factor /= (endMs - startMs) / 1000
  return typeof change === 'number' ? change * factor : scaleHistogram(change as FloatHistogram, factor)
}

function floatChange(samples: MixedSample[], isCounter: boolean): number {
  const values = samples.map(({ value }) => value as number)
  let change = values[values.length - 1] - values[0]
  for (let i = 1; isCounter && i < values.length; i++) {
    const { st, t } = samples[i - 1]
    if (values[i] < values[i - 1] || isStartReset(st, t, samples[i].st, samples[i].t)) change += values[i - 1]
  }
  return change
}

function histogramChange(samples: MixedSample[], isCounter: boolean): FloatHistogram | undefined {
  const values = samples.map(({ value }) => value as FloatHistogram)
  const isReset = (i: number): boolean => {
    const { st, t } = samples[i - 1]
    return isStartReset(st, t, samples[i].st, samples[i].t) || detectReset(values[i], values[i - 1])
  }
  const last = values[values.length - 1]
  const begin = isCounter && isReset(1) ? 1 : 0
  const relevant = isCounter ? values.slice(begin) : [values[0], last]
  if (new Set(relevant.map(({ schema }) => schema === CUSTOM_SCHEMA)).size > 1) return undefined
  const schema = Math.min(...relevant.map((value) => value.schema))
  const nothing = { ...EMPTY_HISTOGRAM, schema, customValues: values[1].customValues }
  let change = subtractHistograms(last, begin === 1 ? nothing : values[0])!.histogram
  change = addHistograms(change, { ...nothing, customValues: last.customValues })!.histogram
  for (let i = 2; isCounter && i < values.length; i++) {
    if (isReset(i)) change = addHistograms(change, values[i - 1])!.histogram
  }
  return compactHistogram(withHint(change, 'gauge'))
}

function naiveInstant(samples: MixedSample[], isRate: boolean): Result {
  if (samples.length < 2) return undefined
  const [previous, last] = samples.slice(-2)
  const isReset = isRate && isStartReset(previous.st, previous.t, last.st, last.t)
  const seconds = (last.t - previous.t) / 1000
  if (typeof last.value === 'number' && typeof previous.value === 'number') {
    const isDrop = isRate && last.value < previous.value
    const change = isReset || isDrop ? last.value : last.value - previous.value
    return isRate ? change / seconds : change
  }
  if (typeof last.value === 'number' || typeof previous.value === 'number') return undefined
  let change: FloatHistogram | undefined = last.value
  if (!isReset && !(isRate && detectReset(last.value, previous.value))) {
    change = subtractHistograms(last.value, previous.value)?.histogram
  }
  if (change === undefined) return undefined
  change = compactHistogram(withHint(change, 'gauge'))
  return isRate ? divideHistogram(change, seconds) : change
}

describe('over random series', () => {
  const seed = testSeed()

  it.each(['rate', 'increase', 'delta', 'irate', 'idelta'])(`%s is as defined (SEED=${seed})`, (name) => {
    const random = prng(seed)
    for (let run = 0; run < 400; run++) {
      const c = randomMixedCase(random)
      const { results } = runMixed(HISTOGRAM_RATE_KERNELS[name], c, { usesStarts: true })
      const want = c.ends.map((end) => {
        const samples = inWindow(c, end - c.rangeMs, end)
        return name.startsWith('i') && name !== 'increase'
          ? naiveInstant(samples, name === 'irate')
          : naiveChange(samples, end - c.rangeMs, end, name)
      })
      expect(results, `run=${run}`).toEqual(want)
    }
  })

  it.each(['rate', 'increase', 'irate'])(`%s of floats with start timestamps (SEED=${seed})`, (name) => {
    const random = prng(seed)
    for (let run = 0; run < 300; run++) {
      const whole = randomMixedCase(random)
      const c: MixedCase = {
        ...whole,
        samples: whole.samples.filter(({ value }) => typeof value === 'number'),
      }
      if (c.samples.every(({ st }) => st === 0)) continue
      const ends = Float64Array.from(c.ends)
      const windows = new Windows(ends, ends, c.rangeMs)
      windows.use(columnsOf(c.samples))
      const out = new Column(c.ends.length)
      let overlaps = 0
      const notes = { overlappingStart: () => overlaps++ }
      START_KERNELS[name](windows, out, notes as never)
      const got = Array.from(out.values, (value, s) => (out.present[s] === ABSENT ? undefined : value))
      const inWindows = c.ends.map((end) => inWindow(c, end - c.rangeMs, end))
      const want = inWindows.map((samples, s) =>
        name === 'irate'
          ? naiveInstant(samples, true)
          : naiveChange(samples, c.ends[s] - c.rangeMs, c.ends[s], name),
      )
      expect(got, `run=${run}`).toEqual(want)
      const hasOverlap = (samples: MixedSample[]): boolean =>
        samples.some(({ st }, i) => i > 0 && overlapsPrevious(samples[i - 1].st, samples[i - 1].t, st))
      if (name !== 'irate') expect(overlaps > 0, `run=${run}`).toBe(inWindows.some(hasOverlap))
    }
  })
})

describe('isStartReset', () => {
  it.each([
    ['unknown', 0, 10, 0, 20, false],
    ['at the sample itself', 0, 10, 20, 20, false],
    ['behind the sample', 0, 10, 21, 20, false],
    ['before the sample before', 5, 10, 5, 20, false],
    ['between the samples', 5, 10, 12, 20, true],
    ['where a delta before ends', 5, 10, 10, 20, true],
    ['where one of unknown start ends', 0, 10, 10, 20, false],
    ['where one of wrong start ends', 11, 10, 10, 20, false],
    ['where one that starts at itself ends', 10, 10, 10, 20, false],
  ])('a start %s', (_, previousStart, previousT, start, t, want) => {
    expect(isStartReset(previousStart, previousT, start, t)).toBe(want)
  })
})
