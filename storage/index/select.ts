/**
 * From matchers to series of one generation.
 *
 * Matchers on plain values are intersected first, shortest postings first. What is left is tested on the
 * candidates' own pairs, each distinct pair once, so that a costly regular expression sees distinct values only
 * and as few as possible. Only when no matcher names a value does a regular expression pick from all values of
 * its label.
 */
import type { Generation } from '../head/generation.ts'
import type { Matcher } from '../model/matcher.ts'

/** Indexes of the series below `seriesCount` that pass all matchers, ascending. */
export function selectSeries(
  generation: Generation,
  matchers: readonly Matcher[],
  seriesCount: number,
): Uint32Array {
  const literal: number[][] = []
  const rest: Matcher[] = []
  for (const matcher of matchers) {
    const values = matcher.matchesEmpty() ? undefined : matcher.literals()
    if (values === undefined) rest.push(matcher)
    else literal.push(pairsOfValues(generation, matcher.name, values))
  }
  let candidates = intersect(generation, literal, seriesCount)
  if (candidates === undefined) {
    // Regular expressions and inequalities that a series without the label fails: any one of them will do.
    const position = rest.findIndex((matcher) => !matcher.matchesEmpty())
    if (position < 0) candidates = allSeries(seriesCount)
    else candidates = unite(generation, matchingPairs(generation, rest[position]), seriesCount)
    if (position >= 0) rest.splice(position, 1)
  }
  for (const matcher of rest) {
    if (candidates.length === 0) break
    candidates = filter(generation, candidates, matcher)
  }
  return candidates
}

function pairsOfValues(generation: Generation, name: string, values: readonly string[]): number[] {
  const { symbols } = generation
  const nameSymbol = symbols.findText(name)
  const pairs = values.map((value) => generation.findPair(nameSymbol, symbols.findText(value)))
  return pairs.filter((pair) => pair >= 0)
}

/** Pairs of the matcher's label whose value passes. */
function matchingPairs(generation: Generation, matcher: Matcher): number[] {
  const name = generation.findName(matcher.name)
  if (name < 0) return []
  return generation
    .pairsOfName(name)
    .filter((pair) => matcher.matches(generation.symbols.text(generation.pairValue(pair))))
}

function allSeries(seriesCount: number): Uint32Array {
  return new Uint32Array(seriesCount).map((_, i) => i)
}

/** Series that have one of the pairs. A series has one value a name, so the lists are disjoint. */
function unite(generation: Generation, pairs: readonly number[], seriesCount: number): Uint32Array {
  let size = 0
  for (const pair of pairs) size += generation.postingsCount(pair)
  const out = new Uint32Array(size)
  let end = 0
  for (const pair of pairs) end = generation.readPostings(pair, seriesCount, out, end)
  const found = out.subarray(0, end)
  return pairs.length > 1 ? found.sort() : found
}

/** Series in every union of the lists; undefined when there are no lists. */
function intersect(
  generation: Generation,
  lists: readonly number[][],
  seriesCount: number,
): Uint32Array | undefined {
  if (lists.length === 0) return undefined
  const size = (pairs: readonly number[]) =>
    pairs.reduce((sum, pair) => sum + generation.postingsCount(pair), 0)
  const ordered = [...lists].sort((a, b) => size(a) - size(b))
  let found = unite(generation, ordered[0], seriesCount)
  for (const pairs of ordered.slice(1)) {
    if (found.length === 0) return found
    found = intersectSorted(found, unite(generation, pairs, seriesCount))
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

const UNKNOWN = 0
const PASSES = 1
const FAILS = 2

/** In place of `candidates`. */
function filter(generation: Generation, candidates: Uint32Array, matcher: Matcher): Uint32Array {
  const { u32 } = generation.slab
  const nameSymbol = generation.symbols.findText(matcher.name)
  const passesWithout = matcher.matchesEmpty()
  if (nameSymbol < 0) return passesWithout ? candidates : candidates.subarray(0, 0)
  const verdicts = new Uint8Array(generation.pairCount)
  let end = 0
  for (let i = 0; i < candidates.length; i++) {
    const series = candidates[i]
    const record = generation.labelsIndex(series)
    let passes = passesWithout
    for (let p = 1; p <= u32[record]; p++) {
      const pair = u32[record + p]
      if (generation.pairName(pair) !== nameSymbol) continue
      if (verdicts[pair] === UNKNOWN) {
        const value = generation.symbols.text(generation.pairValue(pair))
        verdicts[pair] = matcher.matches(value) ? PASSES : FAILS
      }
      passes = verdicts[pair] === PASSES
      break
    }
    if (passes) candidates[end++] = series
  }
  return candidates.subarray(0, end)
}
