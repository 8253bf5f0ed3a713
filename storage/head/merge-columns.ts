/** Joins samples of one series that arrived one after the other, in two generations or blocks. */
import { isHistogramKind, type Kind, type SampleColumns } from '../model/sample.ts'

/**
 * Adds `later` (arrived later) to `into`; both ascending. At equal times the earlier arrival stays. Nearly always
 * all of `later` is newer, and this is a copy.
 */
export function mergeColumns(into: SampleColumns, later: SampleColumns): void {
  if (later.length === 0) return
  const isNewer = into.length === 0 || into.t[into.length - 1] < later.t[0]
  if (!isNewer) {
    interleave(into, later)
    return
  }
  into.reserve(into.length + later.length)
  if (later.allFloat) {
    into.t.set(later.t.subarray(0, later.length), into.length)
    into.v.set(later.v.subarray(0, later.length), into.length)
    into.kind.set(later.kind.subarray(0, later.length), into.length)
    copyStarts(later, into, into.length)
    into.length += later.length
    return
  }
  for (let i = 0; i < later.length; i++) copyPoint(later, i, into)
}

/** Takes the samples from `start` on out of `from` and adds them to `into`. */
export function moveTail(from: SampleColumns, start: number, into: SampleColumns): void {
  for (let i = start; i < from.length; i++) copyPoint(from, i, into)
  from.truncate(start)
}

function copyPoint(from: SampleColumns, i: number, into: SampleColumns): void {
  const kind = from.kind[i] as Kind
  if (isHistogramKind(kind)) into.pushHistogram(from.t[i], from.histograms[from.v[i]], kind)
  else into.push(from.t[i], from.v[i], kind)
  if (from.st.length > 0) into.setStart(into.length - 1, from.st[i])
}

/** Copies the start timestamps of all samples of `from` to those from `at` on. */
function copyStarts({ st, length }: SampleColumns, into: SampleColumns, at: number): void {
  if (st.length === 0) return
  for (let i = 0; i < length; i++) into.setStart(at + i, st[i])
}

function interleave(into: SampleColumns, later: SampleColumns): void {
  const count = into.length
  const t = into.t.slice(0, count)
  const v = into.v.slice(0, count)
  const kind = into.kind.slice(0, count)
  const st = into.st.slice(0, count)
  const histograms = into.histograms.slice()
  into.clear()
  let i = 0
  let j = 0
  while (i < count || j < later.length) {
    if (j === later.length || (i < count && t[i] <= later.t[j])) {
      if (j < later.length && t[i] === later.t[j]) j++
      const ofKind = kind[i] as Kind
      if (isHistogramKind(ofKind)) into.pushHistogram(t[i], histograms[v[i]], ofKind)
      else into.push(t[i], v[i], ofKind)
      if (st.length > 0) into.setStart(into.length - 1, st[i])
      i++
    } else copyPoint(later, j++, into)
  }
}
