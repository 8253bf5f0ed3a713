/** Windows over series with floats, histograms and start timestamps, for the tests of range functions. */
import { Annotations } from '../../../promql/annotations.ts'
import { ExtendedWindows, type Extension } from '../../../promql/functions/extended-windows.ts'
import { type MixedKernel, MixedWindows } from '../../../promql/functions/mixed-windows.ts'
import { RangeNotes } from '../../../promql/functions/range-notes.ts'
import { addHistograms } from '../../../promql/histogram/arithmetic.ts'
import { ABSENT, Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../../../promql/value.ts'
import type { FloatHistogram } from '../../../storage/model/histogram.ts'
import { KIND_FLOAT, KIND_FLOAT_HISTOGRAM, SampleColumns } from '../../../storage/model/sample.ts'
import type { Prng } from '../../harness/prng.ts'
import { custom, simple } from '../histogram/random-histogram.ts'

/** One value of a series at t: a float or a histogram. */
export interface MixedSample {
  t: number
  value: number | FloatHistogram
  /** 0: unknown. */
  st: number
}

export interface MixedCase {
  samples: MixedSample[]
  /** Right ends, ascending. */
  ends: number[]
  rangeMs: number
}

export type Result = number | FloatHistogram | undefined

export interface Outcome {
  results: Result[]
  /** Annotations, each once, without the place. */
  notes: string[]
}

export function columnsOf(samples: readonly MixedSample[]): SampleColumns {
  const columns = new SampleColumns(1)
  for (const { t, value, st } of samples) {
    if (typeof value === 'number') columns.push(t, value, KIND_FLOAT)
    else columns.pushHistogram(t, value, KIND_FLOAT_HISTOGRAM)
    columns.setStart(columns.length - 1, st)
  }
  return columns
}

function resultsOf(out: Column, found: number): Result[] {
  const results = Array.from(out.present, (present, s): Result => {
    if (present === ABSENT) return undefined
    return present === PRESENT_HISTOGRAM ? out.histograms[s] : out.values[s]
  })
  const present = results.filter((result) => result !== undefined).length
  if (present !== found) throw new Error(`the kernel says ${found} results, but there are ${present}`)
  return results
}

/** Filled with what must not be taken for a result. */
function dirtyColumn(count: number): Column {
  const out = new Column(count)
  out.values.fill(-12345)
  out.present.fill(PRESENT_FLOAT)
  return out
}

function run(count: number, kernel: (out: Column, notes: RangeNotes) => number): Outcome {
  const annotations = new Annotations('x')
  const notes = new RangeNotes(annotations, { start: 0, end: 0 })
  notes.metricName = 'm'
  const out = dirtyColumn(count)
  const results = resultsOf(out, kernel(out, notes))
  const { warnings, infos } = annotations.texts()
  return { results, notes: [...warnings, ...infos].map((text) => text.replace(/ \(1:1\)$/, '')) }
}

export function runMixed(
  kernel: MixedKernel,
  { samples, ends, rangeMs }: MixedCase,
  options: { args?: number[]; usesStarts?: boolean } = {},
): Outcome {
  const endMs = Float64Array.from(ends)
  const { args = [], usesStarts = false } = options
  return run(ends.length, (out, notes) => {
    const windows = new MixedWindows(endMs, endMs, rangeMs, () => {}, notes, usesStarts)
    windows.use(columnsOf(samples))
    return kernel(
      windows,
      args.map((arg) => new Float64Array(ends.length).fill(arg)),
      out,
    )
  })
}

export function runExtended(
  kernel: (windows: ExtendedWindows, out: Column) => number,
  extension: Extension,
  { samples, ends, rangeMs }: MixedCase,
  lookbackMs: number,
): Outcome {
  return run(ends.length, (out, notes) => {
    const endMs = Float64Array.from(ends)
    const windows = new ExtendedWindows(extension, endMs, rangeMs, lookbackMs, () => {}, notes, false)
    windows.use(columnsOf(samples))
    return kernel(windows, out)
  })
}

/** The samples of the window (end − rangeMs, end]. */
export function inWindow({ samples }: MixedCase, startMs: number, endMs: number): MixedSample[] {
  return samples.filter(({ t }) => t > startMs && t <= endMs)
}

/**
 * Counters in runs of floats and of histograms, some with resets, gauge hints, custom buckets and start timestamps. Few runs, so
 * that many windows hold one kind only.
 */
export function randomMixedCase(random: Prng): MixedCase {
  const samples: MixedSample[] = []
  let t = random.int(0, 20_000)
  for (let runs = random.int(1, 4); runs > 0; runs--) {
    const isFloat = random.chance(0.3)
    const isCustom = random.chance(0.2)
    const customValues = random.pick([
      [1, 5],
      [1, 5],
      [5, 7],
    ])
    let histogram: FloatHistogram = isCustom ? custom(1, customValues) : simple(1)
    let float = 0
    for (let n = random.int(1, 12); n > 0; n--) {
      const previousT = t
      t += random.int(1, 4) * 5000
      const st = random.chance(0.6) ? 0 : random.pick([previousT, previousT + 1000, t, previousT - 2000])
      const isReset = random.chance(0.15)
      if (isFloat) {
        float = isReset ? 0 : float + random.int(0, 5)
        samples.push({ t, value: float, st })
        continue
      }
      const more = random.int(0, 5)
      const schema = isCustom ? undefined : { schema: random.chance(0.1) ? 1 : 0 }
      const increment = isCustom ? custom(more, customValues) : simple(more, more, schema)
      histogram = isReset ? increment : addHistograms(histogram, increment)!.histogram
      const counterResetHint = random.chance(0.05) ? 'gauge' : 'unknown'
      samples.push({ t, value: { ...histogram, counterResetHint }, st })
    }
  }
  const stepMs = random.int(1, 6) * 5000
  const ends = Array.from({ length: random.int(1, 20) }, (_, i) => i * stepMs)
  return { samples, ends, rangeMs: random.int(1, 12) * 5000 }
}
