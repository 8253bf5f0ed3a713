/**
 * From matchers to series of a block.
 *
 * Matchers that name their values are looked up in the postings, the one with the fewest series first, and
 * intersected. The others are answered from the distinct values of their label (of a regular expression with a known
 * beginning, from that range of values), or, when fewer series are left than the label has values, from the labels of
 * those series. A matcher that a series without the label passes takes away the series whose value fails. With a
 * damaged postings page in the way all of it is answered from the series pages. Chunks are not looked at.
 */
import type { Matcher } from '../model/matcher.ts'
import type { DamageNote } from './format.ts'
import { type PostingsIndex, PostingsLost } from './postings-index.ts'
import type { PostingsGroup } from './postings-page.ts'
import { RefBitmap } from './ref-bitmap.ts'
import type { SeriesIndex } from './series-index.ts'

/** Refs of one pair or of several, not yet read. */
interface PairList {
  groups: PostingsGroup[]
  positions: number[]
  /** How many values the refs belong to, and how many refs there are. */
  values: number
  size: number
}

/** Refs whose labels pass all matchers, ascending; of `seriesCount` series in all. */
export function selectRefs(
  postings: PostingsIndex,
  series: SeriesIndex,
  seriesCount: number,
  matchers: readonly Matcher[],
  suffered: Set<DamageNote> | undefined,
): Uint32Array {
  if (matchers.length === 0) return allRefs(seriesCount)
  try {
    return new Selection(postings, series, seriesCount, suffered).select(matchers)
  } catch (error) {
    if (!(error instanceof PostingsLost)) throw error
    return series.filter(allRefs(seriesCount), matchers, suffered)
  }
}

export function allRefs(count: number): Uint32Array {
  const refs = new Uint32Array(count)
  for (let i = 0; i < count; i++) refs[i] = i
  return refs
}

class Selection {
  private readonly postings: PostingsIndex
  private readonly series: SeriesIndex
  private readonly seriesCount: number
  private readonly suffered: Set<DamageNote> | undefined

  constructor(
    postings: PostingsIndex,
    series: SeriesIndex,
    seriesCount: number,
    suffered: Set<DamageNote> | undefined,
  ) {
    this.postings = postings
    this.series = series
    this.seriesCount = seriesCount
    this.suffered = suffered
  }

  select(matchers: readonly Matcher[]): Uint32Array {
    const lists: PairList[] = []
    const required: Matcher[] = []
    const optional: Matcher[] = []
    for (const matcher of matchers) {
      if (matcher.matchesEmpty()) {
        optional.push(matcher)
        continue
      }
      const values = matcher.literals()
      if (values === undefined) required.push(matcher)
      else lists.push(this.listOfValues(matcher.name, values))
    }
    let refs = this.intersect(lists)
    for (const matcher of required) refs = this.require(refs, matcher)
    refs ??= allRefs(this.seriesCount)
    for (const matcher of optional) refs = this.subtract(refs, matcher)
    return refs
  }

  private intersect(lists: PairList[]): Uint32Array | undefined {
    lists.sort((a, b) => a.size - b.size)
    let refs: Uint32Array | undefined
    for (const list of lists) {
      if (refs === undefined) refs = this.read(list)
      else if (refs.length > 0) refs = this.intersectList(refs, list)
    }
    return refs
  }

  /** Keeps the refs with a value that passes. */
  private require(refs: Uint32Array | undefined, matcher: Matcher): Uint32Array {
    if (refs !== undefined && this.hasFewer(refs, matcher)) {
      return this.series.filter(refs, [matcher], this.suffered)
    }
    const passing = this.listOfRange(matcher, true)
    return refs === undefined ? this.read(passing) : this.intersectList(refs, passing)
  }

  /** Takes away the refs with a value that fails. */
  private subtract(refs: Uint32Array, matcher: Matcher): Uint32Array {
    if (refs.length === 0) return refs
    const values = matcher.excluded()
    if (values !== undefined) return this.bitmap(this.listOfValues(matcher.name, values)).filter(refs, false)
    if (this.hasFewer(refs, matcher)) return this.series.filter(refs, [matcher], this.suffered)
    return this.bitmap(this.listOfRange(matcher, false)).filter(refs, false)
  }

  /** Whether it is less work to look at the labels of the refs than at all values of the matcher's label. */
  private hasFewer(refs: Uint32Array, matcher: Matcher): boolean {
    return refs.length < this.postings.valuesAtMost(matcher.name)
  }

  private listOfValues(name: string, values: readonly string[]): PairList {
    const list: PairList = { groups: [], positions: [], values: values.length, size: 0 }
    for (const value of values) {
      this.postings.find(name, value, (_, group, i) => add(list, group, i))
    }
    return list
  }

  /** Refs with a value that passes, or with one that fails. */
  private listOfRange(matcher: Matcher, passes: boolean): PairList {
    const list: PairList = { groups: [], positions: [], values: 0, size: 0 }
    // Of `=~` all values that pass begin with the prefix, of `!~` all that fail.
    const prefix = passes === (matcher.op === '=~') ? matcher.prefix() : ''
    this.postings.forEach(matcher.name, prefix, (value, group, i) => {
      if (matcher.matches(value) !== passes) return
      add(list, group, i)
      list.values++
    })
    return list
  }

  private intersectList(refs: Uint32Array, list: PairList): Uint32Array {
    if (list.size === 0) return refs.subarray(0, 0)
    if (list.values > 1) return this.bitmap(list).filter(refs, true)
    return intersectSorted(refs, this.read(list))
  }

  /** The refs of the list, ascending. */
  private read(list: PairList): Uint32Array {
    if (list.values > 1) return this.bitmap(list).toRefs()
    const refs = new Uint32Array(list.size)
    let end = 0
    list.groups.forEach((group, n) => {
      end = group.read(list.positions[n], refs, end)
    })
    return refs
  }

  private bitmap(list: PairList): RefBitmap {
    const bitmap = new RefBitmap(this.seriesCount)
    list.groups.forEach((group, n) => {
      bitmap.addList(group, list.positions[n])
    })
    return bitmap
  }
}

function add(list: PairList, group: PostingsGroup, i: number): void {
  list.groups.push(group)
  list.positions.push(i)
  list.size += group.counts[i]
}

/** In place of `a`. Looks for each ref of the shorter list in the other one, with steps that double. */
function intersectSorted(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  let end = 0
  let at = 0
  for (let i = 0; i < short.length && at < long.length; i++) {
    const ref = short[i]
    at = seek(long, at, ref)
    if (long[at] === ref) a[end++] = ref
  }
  return a.subarray(0, end)
}

/** Position of the first ref at or above the given one, from `from` on. */
function seek(refs: Uint32Array, from: number, ref: number): number {
  let step = 1
  let low = from
  let high = from
  while (high < refs.length && refs[high] < ref) {
    low = high + 1
    high += step
    step *= 2
  }
  high = Math.min(high, refs.length)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (refs[middle] < ref) low = middle + 1
    else high = middle
  }
  return low
}
