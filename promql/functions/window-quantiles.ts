/**
 * The φ-quantile of each window over one series.
 *
 * The window's values are kept sorted; from step to step those that left are taken out and those that came are put in at
 * their places. Where most of the window changes it is sorted anew.
 */
import { ABSENT, type Column, PRESENT_FLOAT } from '../value.ts'
import { quantileOfSorted } from './quantile.ts'
import type { Windows } from './windows.ts'

/** A change of more than this share of the window is a new sort. */
const RESORT_SHARE = 4

class SortedWindow {
  /** [0, length) ascending, NaN last; -0 before 0, as typed arrays sort. */
  readonly values: Float64Array
  length = 0
  nans = 0

  constructor(capacity: number) {
    this.values = new Float64Array(capacity)
  }

  reset(v: Float64Array, from: number, to: number): void {
    const { values } = this
    this.length = to - from
    values.set(v.subarray(from, to))
    values.subarray(0, this.length).sort()
    this.nans = 0
    while (this.nans < this.length && Number.isNaN(values[this.length - 1 - this.nans])) this.nans++
  }

  add(x: number): void {
    const { values } = this
    if (Number.isNaN(x)) {
      values[this.length++] = x
      this.nans++
      return
    }
    const at = this.placeOf(x)
    values.copyWithin(at + 1, at, this.length)
    values[at] = x
    this.length++
  }

  /** Requires: it is there. */
  remove(x: number): void {
    this.length--
    if (Number.isNaN(x)) {
      this.nans--
      return
    }
    const at = this.placeOf(x)
    this.values.copyWithin(at, at + 1, this.length + 1)
  }

  /** First place whose value is not below x. */
  private placeOf(x: number): number {
    const { values } = this
    let low = 0
    let high = this.length - this.nans
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBelow(values[middle], x)) low = middle + 1
      else high = middle
    }
    return low
  }
}

function isBelow(a: number, b: number): boolean {
  return a < b || (a === 0 && b === 0 && 1 / a < 1 / b)
}

export function quantileWindows(w: Windows, phi: Float64Array, out: Column): number {
  const { v, from, to, count } = w
  const { values, present } = out
  let most = 0
  for (let s = 0; s < count; s++) if (to[s] - from[s] > most) most = to[s] - from[s]
  const window = new SortedWindow(most + 1)
  let first = 0
  let end = 0
  let found = 0
  for (let s = 0; s < count; s++) {
    const length = to[s] - from[s]
    if (length === 0) {
      present[s] = ABSENT
      continue
    }
    const moved = Math.max(from[s] - first, 0) + (to[s] - end)
    if (from[s] >= end || moved * RESORT_SHARE > length) {
      w.spend(4 * length)
      window.reset(v, from[s], to[s])
    } else {
      w.spend(16 * moved)
      for (; first < from[s]; first++) window.remove(v[first])
      for (; end < to[s]; end++) window.add(v[end])
    }
    first = from[s]
    end = to[s]
    values[s] = quantileOfSorted(phi[s], window.values, window.length, window.nans)
    present[s] = PRESENT_FLOAT
    found++
  }
  return found
}
