/** Series of several places as one sorted list; what has the same labels is one series. */
import { compareLabels, type Labels } from './model/labels.ts'

/** Series of one place. */
export interface PlaceSeries {
  /** Where each series lies there. */
  positions: ArrayLike<number>
  /** Of each. */
  labels: readonly Labels[]
  /** Gives series i an equal label set, which another place has already. */
  replace(i: number, labels: Labels): void
}

export interface SeriesUnion {
  readonly labels: readonly Labels[]
  /** `positions[i × places + p]`: where series i lies in place p, −1 where it has none of it. */
  readonly positions: Float64Array
}

/** Of each place the series' labels are all different. */
export function uniteSeries(places: readonly PlaceSeries[]): SeriesUnion {
  const orders = places.map(({ labels }) => orderOf(labels))
  const count = places.length
  const next = new Int32Array(count)
  const labels: Labels[] = []
  const rows = new Rows(count, Math.max(0, ...places.map((place) => place.labels.length)))
  for (;;) {
    let first: Labels | undefined
    for (let p = 0; p < count; p++) {
      const head = places[p].labels[indexAt(orders[p], next[p])]
      if (head === undefined || head === first) continue
      if (first === undefined || compareLabels(head, first) < 0) first = head
    }
    if (first === undefined) return { labels, positions: rows.finish(labels.length) }
    const row = rows.add(labels.length)
    labels.push(first)
    for (let p = 0; p < count; p++) {
      const place = places[p]
      const i = indexAt(orders[p], next[p])
      const head = place.labels[i]
      if (head === undefined || (head !== first && compareLabels(head, first) !== 0)) continue
      if (head !== first) place.replace(i, first)
      rows.positions[row + p] = place.positions[i]
      next[p]++
    }
  }
}

/** Which series of a place comes `next`; beyond the last one there is none of this index. */
function indexAt(order: Uint32Array | undefined, next: number): number {
  return order === undefined ? next : order[next]
}

/** Their places when sorted; undefined where they are so already, as a block's nearly always are. */
function orderOf(labels: readonly Labels[]): Uint32Array | undefined {
  for (let i = 1; i < labels.length; i++) {
    if (compareLabels(labels[i - 1], labels[i]) <= 0) continue
    return Uint32Array.from(labels.keys()).sort((a, b) => compareLabels(labels[a], labels[b]))
  }
  return undefined
}

class Rows {
  positions: Float64Array
  private readonly width: number

  constructor(width: number, count: number) {
    this.width = width
    this.positions = new Float64Array(width * count).fill(-1)
  }

  /** Where row i begins. */
  add(i: number): number {
    const at = i * this.width
    if (at + this.width > this.positions.length) {
      const grown = new Float64Array(Math.max(2 * this.positions.length, at + this.width)).fill(-1)
      grown.set(this.positions)
      this.positions = grown
    }
    return at
  }

  finish(count: number): Float64Array {
    return this.positions.subarray(0, count * this.width)
  }
}
