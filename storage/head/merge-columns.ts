/** Joins samples of one series that arrived in two generations. */
import type { Kind, SampleColumns } from '../model/sample.ts'

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
  into.t.set(later.t.subarray(0, later.length), into.length)
  into.v.set(later.v.subarray(0, later.length), into.length)
  into.kind.set(later.kind.subarray(0, later.length), into.length)
  into.length += later.length
  if (!later.allFloat) into.allFloat = false
}

function interleave(into: SampleColumns, later: SampleColumns): void {
  const count = into.length
  const t = into.t.slice(0, count)
  const v = into.v.slice(0, count)
  const kind = into.kind.slice(0, count)
  into.clear()
  let i = 0
  let j = 0
  while (i < count || j < later.length) {
    if (j === later.length || (i < count && t[i] <= later.t[j])) {
      if (j < later.length && t[i] === later.t[j]) j++
      into.push(t[i], v[i], kind[i] as Kind)
      i++
    } else {
      into.push(later.t[j], later.v[j], later.kind[j] as Kind)
      j++
    }
  }
}
