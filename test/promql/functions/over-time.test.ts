// Goal: the functions over windows are exactly what they are for one window alone. Method: random windows against
// plain definitions, bit for bit; and hand-worked rows for what the definitions leave open (NaN, ties, overflow).
import { describe, expect, it } from 'vitest'
import { OVER_TIME_KERNELS } from '../../../promql/functions/over-time.ts'
import { REGRESSION_KERNELS } from '../../../promql/functions/regression.ts'
import { prng, testSeed } from '../../harness/prng.ts'
import { randomCase, runKernel, samplesOf } from './window-cases.ts'

interface Sample {
  t: number
  v: number
}

/** Kahan–Neumaier: adds x to [sum, compensation]. */
function inc(x: number, [sum, c]: [number, number]): [number, number] {
  const t = sum + x
  if (Math.abs(t) === Infinity) return [t, 0]
  return [t, Math.abs(sum) >= Math.abs(x) ? c + (sum - t + x) : c + (x - t + sum)]
}

function sum(window: Sample[]): number {
  let state: [number, number] = [0, 0]
  for (const { v } of window) state = inc(v, state)
  return Math.abs(state[0]) === Infinity ? state[0] : state[0] + state[1]
}

function average(window: Sample[]): number {
  let state: [number, number] = [window[0].v, 0]
  let mean: [number, number] | undefined
  for (const [i, { v }] of window.slice(1).entries()) {
    const count = i + 2
    if (mean === undefined) {
      const next = inc(v, state)
      if (Math.abs(next[0]) !== Infinity) {
        state = next
        continue
      }
      mean = [state[0] / (count - 1), state[1] / (count - 1)]
    }
    const q = (count - 1) / count
    mean = inc(v / count, [q * mean[0], q * mean[1]])
  }
  return mean === undefined ? state[0] / window.length + state[1] / window.length : mean[0] + mean[1]
}

function variance(window: Sample[]): number {
  let mean: [number, number] = [0, 0]
  let aux: [number, number] = [0, 0]
  for (const [i, { v }] of window.entries()) {
    const delta = v - (mean[0] + mean[1])
    mean = inc(delta / (i + 1), mean)
    aux = inc(delta * (v - (mean[0] + mean[1])), aux)
  }
  return (aux[0] + aux[1]) / window.length
}

function quantile(phi: number, window: Sample[]): number {
  const sorted = window.map(({ v }) => v)
  sorted.sort((a, b) => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
    return a === b ? Number(Object.is(b, -0)) - Number(Object.is(a, -0)) : a - b < 0 ? -1 : 1
  })
  const rank = phi * (sorted.length - 1)
  const lower = Math.floor(rank)
  const upper = Math.min(sorted.length - 1, lower + 1)
  const weight = rank - lower
  return sorted[lower] * (1 - weight) + sorted[upper] * weight
}

function best(window: Sample[], isBetter: (v: number, best: number) => boolean): Sample {
  let found = window[0]
  for (const sample of window) if (isBetter(sample.v, found.v) || Number.isNaN(found.v)) found = sample
  return found
}

function events(window: Sample[], isEvent: (a: number, b: number) => boolean): number {
  return window.slice(1).filter(({ v }, i) => isEvent(window[i].v, v)).length
}

function line(window: Sample[], t0: number): [number, number] {
  if (window.every(({ v }) => v === window[0].v)) {
    return Math.abs(window[0].v) === Infinity ? [Number.NaN, Number.NaN] : [0, window[0].v]
  }
  const total = (term: (x: number, y: number) => number) => {
    let state: [number, number] = [0, 0]
    for (const { t, v } of window) state = inc(term((t - t0) / 1e3, v), state)
    return state[0] + state[1]
  }
  const n = window.length
  const sumX = total((x) => x)
  const sumY = total((_, y) => y)
  const covariance = total((x, y) => x * y) - (sumX * sumY) / n
  const slope = covariance / (total((x) => x * x) - (sumX * sumX) / n)
  return [slope, sumY / n - (slope * sumX) / n]
}

function smoothed(window: Sample[], sf: number, tf: number): number {
  let before = 0
  let level = window[0].v
  let trend = window[1].v - window[0].v
  for (let i = 1; i < window.length; i++) {
    if (i > 1) trend = tf * (level - before) + (1 - tf) * trend
    const next = sf * window[i].v + (1 - sf) * (level + trend)
    before = level
    level = next
  }
  return level
}

const last = (window: Sample[]) => window[window.length - 1]

/** Definition for one window with at least `least` samples, and the scalar arguments. */
const definitions: Record<
  string,
  { least?: number; args?: number[]; of: (w: Sample[], end: number) => number }
> = {
  sum_over_time: { of: sum },
  avg_over_time: { of: average },
  stdvar_over_time: { of: variance },
  stddev_over_time: { of: (w) => Math.sqrt(variance(w)) },
  min_over_time: { of: (w) => best(w, (v, b) => v < b).v },
  max_over_time: { of: (w) => best(w, (v, b) => v > b).v },
  ts_of_min_over_time: { of: (w) => best(w, (v, b) => v <= b).t / 1000 },
  ts_of_max_over_time: { of: (w) => best(w, (v, b) => v >= b).t / 1000 },
  count_over_time: { of: (w) => w.length },
  present_over_time: { of: () => 1 },
  first_over_time: { of: (w) => w[0].v },
  last_over_time: { of: (w) => last(w).v },
  ts_of_first_over_time: { of: (w) => w[0].t / 1000 },
  ts_of_last_over_time: { of: (w) => last(w).t / 1000 },
  changes: { of: (w) => events(w, (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b))) },
  resets: { of: (w) => events(w, (a, b) => b < a) },
  quantile_over_time: { args: [0.37], of: (w) => quantile(0.37, w) },
  mad_over_time: {
    of: (w) => {
      if (w.some(({ v }) => Number.isNaN(v))) return Number.NaN
      const median = quantile(0.5, w)
      return quantile(
        0.5,
        w.map(({ t, v }) => ({ t, v: Math.abs(v - median) })),
      )
    },
  },
  deriv: { least: 2, of: (w) => line(w, w[0].t)[0] },
  predict_linear: {
    least: 2,
    args: [600],
    of: (w, end) => {
      const [slope, intercept] = line(w, end)
      return slope * 600 + intercept
    },
  },
  double_exponential_smoothing: { least: 2, args: [0.3, 0.1], of: (w) => smoothed(w, 0.3, 0.1) },
}

const kernels = { ...OVER_TIME_KERNELS, ...REGRESSION_KERNELS }

describe('functions over windows', () => {
  it('are all defined here', () => {
    expect(Object.keys(definitions).sort()).toStrictEqual(Object.keys(kernels).sort())
  })

  const isSum = (name: string) => name === 'sum_over_time' || name === 'avg_over_time'
  const exact = Object.keys(definitions).filter((name) => !isSum(name))

  it.each(exact)('%s agrees in every bit with the definition for one window', (name) => {
    const { least = 1, args = [], of } = definitions[name]
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 300; run++) {
      const windows = randomCase(random, run % 2 === 0)
      const want = samplesOf(windows).map((w, s) => (w.length < least ? undefined : of(w, windows.ends[s])))
      const got = runKernel(kernels[name], windows, ...args)
      expect(got, `SEED=${seed} run=${run} ${JSON.stringify(windows)}`).toStrictEqual(want)
    }
  })

  it.each(Object.keys(definitions).filter(isSum))('%s is the definition to the last bit but two', (name) => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 600; run++) {
      const windows = randomCase(random, run % 2 === 0)
      // Large values that leave the window, and small ones that stay.
      if (run % 3 === 0) windows.v = windows.v.map((v) => v * 10 ** random.int(-20, 20))
      const got = runKernel(kernels[name], windows)
      for (const [s, window] of samplesOf(windows).entries()) {
        const want = window.length === 0 ? undefined : definitions[name].of(window, windows.ends[s])
        const about = `SEED=${seed} run=${run} step=${s} ${JSON.stringify(windows)}`
        if (want === undefined || !Number.isFinite(want)) expect(got[s], about).toBe(want)
        else expect(Math.abs(got[s]! - want), about).toBeLessThanOrEqual(2 ** -51 * Math.abs(want))
      }
    }
  })

  const one = (name: string, v: number[], ...args: number[]) =>
    runKernel(kernels[name], { t: v.map((_, i) => i + 1), v, ends: [v.length], rangeMs: 1000 }, ...args)[0]

  it.each([
    { rule: 'NaN loses to every number', name: 'max_over_time', v: [Number.NaN, -1, Number.NaN], want: -1 },
    { rule: 'only NaN is NaN', name: 'min_over_time', v: [Number.NaN, Number.NaN], want: Number.NaN },
    {
      rule: 'the latest of equal extremes has the time',
      name: 'ts_of_max_over_time',
      v: [5, 5, 1],
      want: 0.002,
    },
    { rule: 'NaN to NaN is no change', name: 'changes', v: [Number.NaN, Number.NaN, 1], want: 1 },
    { rule: 'a small number survives a large one', name: 'sum_over_time', v: [1, 1e100, 1, -1e100], want: 2 },
    { rule: 'a mean does not overflow', name: 'avg_over_time', v: [1.5e308, 1.5e308], want: 1.5e308 },
    {
      rule: 'NaN is the smallest for a quantile',
      name: 'quantile_over_time',
      v: [1, Number.NaN],
      args: [1],
      want: 1,
    },
    { rule: 'φ below 0', name: 'quantile_over_time', v: [1], args: [-1], want: -Infinity },
    { rule: 'φ above 1', name: 'quantile_over_time', v: [1], args: [2], want: Infinity },
    { rule: 'φ NaN', name: 'quantile_over_time', v: [1], args: [Number.NaN], want: Number.NaN },
    { rule: 'a constant has slope 0', name: 'deriv', v: [7, 7, 7], want: 0 },
    { rule: 'infinity has no slope', name: 'deriv', v: [Infinity, Infinity], want: Number.NaN },
  ])('$name: $rule', ({ name, v, args = [], want }) => expect(one(name, v, ...args)).toBe(want))

  it('refuses smoothing factors outside (0, 1)', () => {
    const text = 'invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000'
    expect(() => one('double_exponential_smoothing', [1, 2], 1, 0.5)).toThrow(text)
    const trend = 'invalid trend factor. Expected: 0 < tf < 1, got: -0.500000'
    expect(() => one('double_exponential_smoothing', [1, 2], 0.5, -0.5)).toThrow(trend)
  })
})
