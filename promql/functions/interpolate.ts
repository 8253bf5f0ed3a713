/**
 * Values between two samples, for the smoothed modifier: linear; of a counter that began anew between them, from 0.
 *
 * Source: Prometheus promql/functions.go interpolate and interpolateHistograms.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { scaleHistogram } from '../histogram/arithmetic.ts'
import { detectReset } from '../histogram/reset.ts'
import { addNoted, subtractNoted } from './histogram-rate.ts'
import type { RangeNotes } from './range-notes.ts'

/** At time t between t1 and t2. Requires: t1 < t2. */
export function interpolate(
  t1: number,
  v1: number,
  t2: number,
  v2: number,
  t: number,
  isCounter: boolean,
): number {
  const base = isCounter && v2 < v1 ? 0 : v1
  return base + ((v2 - base) * (t - t1)) / (t2 - t1)
}

/** As interpolate; undefined, and noted, where the two do not go together. */
export function interpolateHistograms(
  t1: number,
  h1: FloatHistogram,
  t2: number,
  h2: FloatHistogram,
  t: number,
  isCounter: boolean,
  notes: RangeNotes,
): FloatHistogram | undefined {
  if (t === t1) return h1
  if (t === t2) return h2
  const fraction = (t - t1) / (t2 - t1)
  if (isCounter && detectReset(h2, h1)) return scaleHistogram(h2, fraction)
  const difference = subtractNoted(h2, h1, notes)
  return difference && addNoted(scaleHistogram(difference, fraction), h1, notes)
}
