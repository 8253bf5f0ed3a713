// Goal: pin the edge rules of the rate family. Method: hand-worked rows, one rule each; then random windows against
// a second writing of the definition that looks at one window at a time, and must agree in every bit.
import { describe, expect, it } from 'vitest'
import { durationSeconds, RATE_KERNELS } from '../../../promql/functions/rate.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { randomCase, runKernel, samplesOf } from './window-cases.ts'

/** Result over the 60 s before second 60, samples given in seconds. */
function over60s(name: string, t: number[], v: number[]): number | undefined {
  const times = t.map((seconds) => seconds * 1000)
  return runKernel(RATE_KERNELS[name], { t: times, v, ends: [60_000], rangeMs: 60_000 })[0]
}

const rows = [
  {
    rule: 'first sample near the edge: extend to the edge',
    f: 'rate',
    t: [15, 30, 45, 60],
    v: [10, 20, 30, 40],
    want: 40 / 60,
  },
  { rule: 'never extend below zero', f: 'rate', t: [15, 30, 45, 60], v: [1, 11, 21, 31], want: 31 / 60 },
  {
    rule: 'a drop is a reset: add the value before it',
    f: 'rate',
    t: [15, 30, 45, 60],
    v: [10, 20, 5, 15],
    want: (25 * 60) / 45 / 60,
  },
  {
    rule: 'first sample far away: extend by half a gap',
    f: 'rate',
    t: [45, 60],
    v: [100, 115],
    want: 22.5 / 60,
  },
  {
    rule: 'last sample far away: extend by half a gap',
    f: 'increase',
    t: [10, 20],
    v: [100, 110],
    want: (10 * (10 + 10 + 5)) / 10,
  },
  {
    rule: 'the gap to an end may be up to 1.1 mean gaps',
    f: 'delta',
    t: [21, 41],
    v: [0, 20],
    want: (20 * (20 + 21 + 19)) / 20,
  },
  {
    rule: 'at 1.1 mean gaps it is too long',
    f: 'delta',
    t: [22, 42],
    v: [0, 20],
    want: (20 * (20 + 10 + 18)) / 20,
  },
  {
    rule: 'a sample at the left end is outside',
    f: 'increase',
    t: [0, 30, 60],
    v: [0, 30, 60],
    want: (30 * (30 + 30)) / 30,
  },
  { rule: 'a gauge may fall', f: 'delta', t: [15, 30, 45, 60], v: [40, 30, 20, 10], want: -40 },
  { rule: 'one sample is not enough', f: 'rate', t: [30], v: [1], want: undefined },
  { rule: 'a counter that stays 0 has rate 0', f: 'rate', t: [30, 60], v: [0, 0], want: 0 },
  {
    rule: 'no clamp at zero for a first value below 0',
    f: 'increase',
    t: [30, 60],
    v: [-1, 2],
    want: (3 * (30 + 30)) / 30,
  },
  { rule: 'irate looks at the last two', f: 'irate', t: [15, 30, 45], v: [0, 10, 40], want: 2 },
  { rule: 'irate after a reset counts from 0', f: 'irate', t: [30, 45], v: [100, 30], want: 2 },
  { rule: 'idelta may be negative', f: 'idelta', t: [30, 45], v: [100, 30], want: -70 },
  { rule: 'NaN is no reset', f: 'irate', t: [30, 45], v: [1, Number.NaN], want: Number.NaN },
]

interface Sample {
  t: number
  v: number
}

function extrapolated(window: Sample[], end: number, rangeMs: number, isCounter: boolean, isRate: boolean) {
  if (window.length < 2) return undefined
  const first = window[0]
  const last = window[window.length - 1]
  let change = last.v - first.v
  if (isCounter) {
    for (const [i, sample] of window.slice(1).entries()) if (sample.v < window[i].v) change += window[i].v
  }
  const sampled = (last.t - first.t) / 1000
  const gap = sampled / (window.length - 1)
  let toStart = (first.t - (end - rangeMs)) / 1000
  let toEnd = (end - last.t) / 1000
  if (toStart >= gap * 1.1) toStart = gap / 2
  const toZero = isCounter && change > 0 && first.v >= 0 ? sampled * (first.v / change) : toStart
  if (toZero < toStart) toStart = toZero
  if (toEnd >= gap * 1.1) toEnd = gap / 2
  const factor = (sampled + toStart + toEnd) / sampled
  return change * (isRate ? factor / durationSeconds(rangeMs) : factor)
}

function instantly(window: Sample[], isRate: boolean) {
  if (window.length < 2) return undefined
  const [a, b] = window.slice(-2)
  const change = isRate && b.v < a.v ? b.v : b.v - a.v
  return isRate ? change / ((b.t - a.t) / 1000) : change
}

describe('the rate family', () => {
  it.each(rows)('$rule', ({ f, t, v, want }) => {
    const got = over60s(f, t, v)
    if (want === undefined || Number.isNaN(want)) expect(got).toBe(want)
    else expect(got).toBeCloseTo(want, 12)
  })

  it('agrees in every bit with the definition for one window', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 1000; run++) {
      const windows = randomCase(random, run % 4 === 0)
      const inside = samplesOf(windows)
      const { ends, rangeMs } = windows
      const wanted: Record<string, (number | undefined)[]> = {
        rate: inside.map((w, s) => extrapolated(w, ends[s], rangeMs, true, true)),
        increase: inside.map((w, s) => extrapolated(w, ends[s], rangeMs, true, false)),
        delta: inside.map((w, s) => extrapolated(w, ends[s], rangeMs, false, false)),
        irate: inside.map((w) => instantly(w, true)),
        idelta: inside.map((w) => instantly(w, false)),
      }
      for (const [name, want] of Object.entries(wanted)) {
        const got = runKernel(RATE_KERNELS[name], windows)
        expect(got, `SEED=${seed} run=${run} ${name} ${JSON.stringify(windows)}`).toStrictEqual(want)
      }
    }
  })

  it('adds whole seconds and the rest apart', () => {
    expect(durationSeconds(300_000)).toBe(300)
    expect(durationSeconds(1_001)).toBe(1 + 0.001)
    expect(durationSeconds(7)).toBe(0.007)
  })
})
