/**
 * From matchers to series of one table.
 *
 * Matchers on plain values are intersected first, shortest postings first. What is left is tested on the
 * candidates' own pairs, each distinct pair once, so that a costly regular expression sees distinct values only
 * and as few as possible. Only when no matcher names a value does a regular expression pick from all values of
 * its label.
 */
import type { SeriesTable } from '../head/series-table.ts'
import type { Matcher } from '../model/matcher.ts'

/** Indexes of the series below `seriesCount` that pass all matchers, ascending. */
export function selectSeries(
  table: SeriesTable,
  matchers: readonly Matcher[],
  seriesCount: number,
): Uint32Array {
  const literal: number[][] = []
  const rest: Matcher[] = []
  for (const matcher of matchers) {
    const values = matcher.matchesEmpty() ? undefined : matcher.literals()
    if (values === undefined) rest.push(matcher)
    else literal.push(pairsOfValues(table, matcher.name, values))
  }
  let candidates = intersect(table, literal, seriesCount)
  if (candidates === undefined) {
    // Regular expressions and inequalities that a series without the label fails: any one of them will do.
    const position = rest.findIndex((matcher) => !matcher.matchesEmpty())
    if (position < 0) candidates = allSeries(seriesCount)
    else candidates = unite(table, matchingPairs(table, rest[position]), seriesCount)
    if (position >= 0) rest.splice(position, 1)
  }
  for (const matcher of rest) {
    if (candidates.length === 0) break
    candidates = filter(table, candidates, matcher)
  }
  return candidates
}

function pairsOfValues(table: SeriesTable, name: string, values: readonly string[]): number[] {
  const { symbols } = table
  const nameSymbol = symbols.findText(name)
  const pairs = values.map((value) => table.findPair(nameSymbol, symbols.findText(value)))
  return pairs.filter((pair) => pair >= 0)
}

/** Pairs of the matcher's label whose value passes. */
function matchingPairs(table: SeriesTable, matcher: Matcher): number[] {
  const name = table.findName(matcher.name)
  if (name < 0) return []
  return table.pairsOfName(name).filter((pair) => matcher.matches(table.symbols.text(table.pairValue(pair))))
}

function allSeries(seriesCount: number): Uint32Array {
  return new Uint32Array(seriesCount).map((_, i) => i)
}

/** Series that have one of the pairs. A series has one value a name, so the lists are disjoint. */
function unite(table: SeriesTable, pairs: readonly number[], seriesCount: number): Uint32Array {
  let size = 0
  for (const pair of pairs) size += table.postingsCount(pair)
  const out = new Uint32Array(size)
  let end = 0
  for (const pair of pairs) end = table.readPostings(pair, seriesCount, out, end)
  const found = out.subarray(0, end)
  if (pairs.length <= 1) return found
  if (end * DENSE < seriesCount) return found.sort()
  return fromBitmap(bitmapOf(found, seriesCount), end)
}

/** A list of at least this part of all series is sorted by a bitmap. */
const DENSE = 64

function bitmapOf(series: Uint32Array, seriesCount: number): Uint8Array {
  const bitmap = new Uint8Array(seriesCount)
  for (let i = 0; i < series.length; i++) bitmap[series[i]] = 1
  return bitmap
}

function fromBitmap(bitmap: Uint8Array, count: number): Uint32Array {
  const series = new Uint32Array(count)
  let end = 0
  for (let i = 0; i < bitmap.length; i++) if (bitmap[i] === 1) series[end++] = i
  return series.subarray(0, end)
}

/** Series in every union of the lists; undefined when there are no lists. */
function intersect(
  table: SeriesTable,
  lists: readonly number[][],
  seriesCount: number,
): Uint32Array | undefined {
  if (lists.length === 0) return undefined
  const size = (pairs: readonly number[]) => pairs.reduce((sum, pair) => sum + table.postingsCount(pair), 0)
  const ordered = [...lists].sort((a, b) => size(a) - size(b))
  let found = unite(table, ordered[0], seriesCount)
  for (const pairs of ordered.slice(1)) {
    if (found.length === 0) return found
    found = intersectSorted(found, unite(table, pairs, seriesCount))
  }
  return found
}

/** In place of `a`. */
function intersectSorted(a: Uint32Array, b: Uint32Array): Uint32Array {
  let end = 0
  let j = 0
  for (let i = 0; i < a.length; i++) {
    const series = a[i]
    while (j < b.length && b[j] < series) j++
    if (j === b.length) break
    if (b[j] === series) a[end++] = series
  }
  return a.subarray(0, end)
}

/** A label with so many times fewer values than there are candidates is asked value by value. */
const FEW_PAIRS = 4

/** In place of `candidates`: takes the series of the values that fail away, or keeps those of the values that pass. */
function filterByPairs(
  table: SeriesTable,
  candidates: Uint32Array,
  matcher: Matcher,
  pairs: readonly number[],
): Uint32Array {
  const passesWithout = matcher.matchesEmpty()
  const counted = pairs.filter(
    (pair) => matcher.matches(table.symbols.text(table.pairValue(pair))) !== passesWithout,
  )
  const seriesCount = candidates[candidates.length - 1] + 1
  const bitmap = bitmapOf(unite(table, counted, seriesCount), seriesCount)
  let end = 0
  for (let i = 0; i < candidates.length; i++) {
    const isCounted = bitmap[candidates[i]] === 1
    if (isCounted !== passesWithout) candidates[end++] = candidates[i]
  }
  return candidates.subarray(0, end)
}

const UNKNOWN = 0
const PASSES = 1
const FAILS = 2

/** In place of `candidates`. */
function filter(table: SeriesTable, candidates: Uint32Array, matcher: Matcher): Uint32Array {
  const { u32 } = table.slab
  const passesWithout = matcher.matchesEmpty()
  // Not its symbol: the text may be there as another label's value alone.
  const name = table.findName(matcher.name)
  if (name < 0) return passesWithout ? candidates : candidates.subarray(0, 0)
  const nameSymbol = table.nameSymbol(name)
  const pairs = table.pairsOfName(name)
  if (pairs.length * FEW_PAIRS < candidates.length) return filterByPairs(table, candidates, matcher, pairs)
  const verdicts = new Uint8Array(table.pairCount)
  let end = 0
  for (let i = 0; i < candidates.length; i++) {
    const series = candidates[i]
    const record = table.labelsIndex(series)
    let passes = passesWithout
    for (let p = 1; p <= u32[record]; p++) {
      const pair = u32[record + p]
      if (table.pairName(pair) !== nameSymbol) continue
      if (verdicts[pair] === UNKNOWN) {
        const value = table.symbols.text(table.pairValue(pair))
        verdicts[pair] = matcher.matches(value) ? PASSES : FAILS
      }
      passes = verdicts[pair] === PASSES
      break
    }
    if (passes) candidates[end++] = series
  }
  return candidates.subarray(0, end)
}
