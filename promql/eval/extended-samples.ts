/** A range selector with `anchored` or `smoothed` that is itself the answer: the values at both ends, and what lies between. */
import type { SampleColumns } from '../../storage/model/sample.ts'
import { QueryError } from '../errors.ts'
import { endValues } from '../functions/extended-rate.ts'
import { ExtendedWindows } from '../functions/extended-windows.ts'
import { RangeNotes } from '../functions/range-notes.ts'
import type { RangeSource } from './range-source.ts'

/** Times and values in the only window; undefined where it has none. Throws QueryError where there are histograms. */
export function extendedSamples(
  { context, refMs, rangeMs, extension }: RangeSource,
  samples: SampleColumns,
): { t: Float64Array; v: Float64Array; histograms: [] } | undefined {
  if (!samples.allFloat) {
    throw new QueryError('execution', `${extension!} modifier is not supported with histograms`)
  }
  const notes = new RangeNotes(context.annotations, { start: 0, end: 0 })
  const spend = (work: number): void => context.spend(work)
  const { lookbackMs } = context.settings
  const windows = new ExtendedWindows(extension!, refMs, rangeMs, lookbackMs, spend, notes, false)
  windows.use(samples)
  const { t, v, from, to } = windows.data.all
  const ends = { left: 0, right: 0 }
  if (to[0] === from[0] || !endValues(windows, 0, false, ends)) return undefined
  const startMs = refMs[0] - rangeMs
  let first = windows.firstOf(0)
  let last = windows.lastOf(0)
  if (t[first] <= startMs) first++
  if (t[last] >= refMs[0]) last--
  const length = Math.max(last - first + 1, 0)
  const times = new Float64Array(length + 2)
  const values = new Float64Array(length + 2)
  times[0] = startMs
  values[0] = ends.left
  times.set(t.subarray(first, first + length), 1)
  values.set(v.subarray(first, first + length), 1)
  times[length + 1] = refMs[0]
  values[length + 1] = ends.right
  return { t: times, v: values, histograms: [] }
}
