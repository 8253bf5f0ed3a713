/** What the series pages of a block tell of its series. Series of damaged pages are left out, and their notes given. */
import { StorageError } from '../errors.ts'
import type { Labels } from '../model/labels.ts'
import type { Matcher } from '../model/matcher.ts'
import type { BlockPages } from './block-pages.ts'
import { type DamageNote, PAGE_SERIES } from './format.ts'
import type { SeriesPage } from './series-page.ts'

/** Gets refs [from, to) of a list, which are all in this page. */
type RunVisitor = (page: SeriesPage, from: number, to: number) => void

const UNKNOWN = 0
const PASSES = 1
const FAILS = 2

export class SeriesIndex {
  private readonly pages: BlockPages
  /** Whether the page was read and is good; its series need no other check then. */
  private readonly isGood: Uint8Array

  constructor(pages: BlockPages) {
    this.pages = pages
    this.isGood = new Uint8Array(pages.directory.series.length)
  }

  /** The page of a ref that a select gave. Throws CORRUPTION when it was damaged since. */
  page(ref: number): SeriesPage {
    const number = this.pages.seriesPageOf(ref)
    const page = this.pages.seriesPage(number)
    if (page === undefined) {
      const { block, page, what } = this.pages.noteOf(PAGE_SERIES, number)
      throw new StorageError('CORRUPTION', `${page} of block ${block}: ${what}`)
    }
    return page
  }

  labels(ref: number): Labels {
    const page = this.page(ref)
    return page.labels.labelsOf(ref - page.firstRef)
  }

  /** Refs, of those given, in pages that are good and with samples possibly in [mint, maxt]. In place. */
  keep(refs: Uint32Array, mint: number, maxt: number, suffered: Set<DamageNote> | undefined): Uint32Array {
    const { meta } = this.pages
    const isAll = mint <= meta.mint && maxt >= meta.maxt
    if (isAll && this.isGood.every((good) => good === 1)) return refs
    let end = 0
    this.forEachRun(refs, suffered, (page, from, to) => {
      if (isAll) {
        refs.copyWithin(end, from, to)
        end += to - from
        return
      }
      const { times, firstRef } = page
      for (let i = from; i < to; i++) {
        const series = refs[i] - firstRef
        if (times.mint[series] <= maxt && times.maxt[series] >= mint) refs[end++] = refs[i]
      }
    })
    return refs.subarray(0, end)
  }

  /** Refs, of those given, whose labels pass all matchers; each value of a page is tested once. In place. */
  filter(
    refs: Uint32Array,
    matchers: readonly Matcher[],
    suffered: Set<DamageNote> | undefined,
  ): Uint32Array {
    let end = 0
    this.forEachRun(refs, suffered, (page, from, to) => {
      refs.copyWithin(end, from, to)
      let count = to - from
      for (const matcher of matchers) count = filterRun(page, refs, end, end + count, matcher) - end
      end += count
    })
    return refs.subarray(0, end)
  }

  addNames(refs: Uint32Array, names: Set<string>, suffered: Set<DamageNote> | undefined): void {
    this.forEachRun(refs, suffered, (page, from, to) => {
      const { labels, firstRef } = page
      const seen = new Uint8Array(labels.shapes.length)
      for (let i = from; i < to; i++) seen[labels.shapeOf[refs[i] - firstRef]] = 1
      labels.shapes.forEach((shape, s) => {
        if (seen[s] === 1) for (const position of shape) names.add(labels.names[position])
      })
    })
  }

  addValues(refs: Uint32Array, name: string, into: Set<string>, suffered: Set<DamageNote> | undefined): void {
    this.forEachRun(refs, suffered, (page, from, to) => {
      const position = page.labels.names.indexOf(name)
      if (position < 0) return
      const { texts, valueIndex } = page.labels.valuesOf(position)
      const seen = new Uint8Array(texts.length + 1)
      for (let i = from; i < to; i++) {
        const value = valueIndex[refs[i] - page.firstRef]
        if (value === 0 || seen[value] === 1) continue
        seen[value] = 1
        into.add(texts[value - 1])
      }
    })
  }

  private forEachRun(refs: Uint32Array, suffered: Set<DamageNote> | undefined, visit: RunVisitor): void {
    const { series } = this.pages.directory
    for (let from = 0; from < refs.length; ) {
      const number = this.pages.seriesPageOf(refs[from])
      const end = series[number].firstRef + series[number].series
      let to = from + 1
      while (to < refs.length && refs[to] < end) to++
      const page = this.pages.seriesPage(number)
      if (page === undefined) {
        suffered?.add(this.pages.noteOf(PAGE_SERIES, number))
      } else {
        this.isGood[number] = 1
        visit(page, from, to)
      }
      from = to
    }
  }
}

/** Keeps those of refs [from, to) that pass, at `from` on. Returns their end. */
function filterRun(page: SeriesPage, refs: Uint32Array, from: number, to: number, matcher: Matcher): number {
  const { labels, firstRef } = page
  const position = labels.names.indexOf(matcher.name)
  if (position < 0) return matcher.matchesEmpty() ? to : from
  const { texts, valueIndex } = labels.valuesOf(position)
  const verdicts = new Uint8Array(texts.length + 1)
  let end = from
  for (let i = from; i < to; i++) {
    const value = valueIndex[refs[i] - firstRef]
    if (verdicts[value] === UNKNOWN) {
      verdicts[value] = matcher.matches(value === 0 ? '' : texts[value - 1]) ? PASSES : FAILS
    }
    if (verdicts[value] === PASSES) refs[end++] = refs[i]
  }
  return end
}
