/** Windows over samples for the tests of range functions: given ones, and random ones. */
import type { RangeKernel } from '../../../promql/functions/windows.ts'
import { Windows } from '../../../promql/functions/windows.ts'
import { ABSENT, Column, PRESENT_FLOAT } from '../../../promql/value.ts'
import { KIND_FLOAT, SampleColumns } from '../../../storage/model/sample.ts'
import type { Prng } from '../../harness/prng.ts'

export interface WindowCase {
  t: number[]
  v: number[]
  /** Right ends, ascending. */
  ends: number[]
  rangeMs: number
}

/** The kernel's result for each window; undefined where it has none. */
export function runKernel(
  kernel: RangeKernel,
  { t, v, ends, rangeMs }: WindowCase,
  ...args: number[]
): (number | undefined)[] {
  const samples = new SampleColumns(1)
  for (const [i, time] of t.entries()) samples.push(time, v[i], KIND_FLOAT)
  const endMs = Float64Array.from(ends)
  const windows = new Windows(endMs, endMs, rangeMs)
  windows.use(samples)
  const count = ends.length
  // Filled with what must not be taken for a result.
  const out = new Column(count)
  out.values.fill(-12345)
  out.present.fill(PRESENT_FLOAT)
  const found = kernel(
    windows,
    args.map((arg) => new Float64Array(count).fill(arg)),
    out,
  )
  const results = Array.from(out.values, (value, s) => (out.present[s] === ABSENT ? undefined : value))
  const present = results.filter((result) => result !== undefined).length
  if (present !== found) throw new Error(`the kernel says ${found} results, but there are ${present}`)
  return results
}

/** The samples of each window, found by looking at all of them. */
export function samplesOf({ t, v, ends, rangeMs }: WindowCase): { t: number; v: number }[][] {
  const samples = t.map((time, i) => ({ t: time, v: v[i] }))
  return ends.map((end) => samples.filter((sample) => sample.t > end - rangeMs && sample.t <= end))
}

/** Values that make trouble, among ordinary ones. */
function randomValue(random: Prng, special: boolean): number {
  if (special && random.chance(0.2)) {
    return random.pick([Number.NaN, Infinity, -Infinity, 0, -0, 1e308, -1e308, 1e-308])
  }
  return random.chance(0.5) ? random.int(0, 20) : (random.next() - 0.3) * 1e3
}

export function randomCase(random: Prng, special: boolean): WindowCase {
  const t: number[] = []
  const v: number[] = []
  let time = random.int(-20_000, 20_000)
  for (let i = random.int(0, 60); i > 0; i--) {
    time += random.chance(0.8) ? 15_000 : random.int(1, 90_000)
    t.push(time)
    v.push(random.chance(0.2) && v.length > 0 ? v[v.length - 1] : randomValue(random, special))
  }
  const stepMs = random.pick([0, 1000, 15_000, 60_000, 300_000])
  const start = random.int(-60_000, 600_000)
  const ends = Array.from({ length: random.int(1, 40) }, (_, s) => start + s * stepMs)
  return { t, v, ends, rangeMs: random.pick([1, 15_000, 60_000, 299_999, 3_600_000]) }
}
