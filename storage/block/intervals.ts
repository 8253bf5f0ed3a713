/** Closed intervals of time, and taking what lies in them out of columns. */
import { KIND_FLOAT, type SampleColumns } from '../model/sample.ts'

/** [mint, maxt], both inclusive, Unix ms. */
export interface Interval {
  mint: number
  maxt: number
}

/**
 * The union with one more interval. Intervals are ascending and do not touch: [1, 2] and [3, 4] are [1, 4], since times
 * are whole milliseconds. Requires: mint ≤ maxt. Source: Prometheus tsdb/tombstones, Intervals.Add.
 */
export function addInterval(intervals: readonly Interval[], { mint, maxt }: Interval): Interval[] {
  const union: Interval[] = []
  const added = { mint, maxt }
  let i = 0
  for (; i < intervals.length && intervals[i].maxt < mint - 1; i++) union.push(intervals[i])
  for (; i < intervals.length && intervals[i].mint <= maxt + 1; i++) {
    added.mint = Math.min(added.mint, intervals[i].mint)
    added.maxt = Math.max(added.maxt, intervals[i].maxt)
  }
  union.push(added)
  for (; i < intervals.length; i++) union.push(intervals[i])
  return union
}

/**
 * Takes samples with times in the intervals out of the columns; the others close up. `intervals` as `addInterval` makes
 * them. Histograms that nothing points to any more stay in their pool until the columns are cleared.
 */
export function hide(columns: SampleColumns, intervals: readonly Interval[]): void {
  const { t, v, kind, st, length } = columns
  if (length === 0 || intervals.length === 0) return
  let next = 0
  let kept = 0
  let kinds = KIND_FLOAT
  for (let i = 0; i < length; i++) {
    const time = t[i]
    while (next < intervals.length && intervals[next].maxt < time) next++
    if (next < intervals.length && intervals[next].mint <= time) continue
    if (kept !== i) {
      t[kept] = time
      v[kept] = v[i]
      kind[kept] = kind[i]
      if (st.length > 0) st[kept] = st[i]
    }
    kinds |= kind[kept]
    kept++
  }
  columns.truncate(kept)
  columns.allFloat = kinds === KIND_FLOAT
}
