/**
 * What was deleted: a tombstone hides samples by matchers and time, of generations up to the one that was the newest when it
 * was made. What arrives later is not hidden, whatever its time.
 *
 * A block says up to which tombstone all were applied to it, when it was merged or rewritten. A generation is cut when a tombstone
 * is made, so that a block to which one was not applied lies before it as a whole, or after it.
 */
import type { Labels } from '../model/labels.ts'
import { Matcher, type MatchOp } from '../model/matcher.ts'
import { overlap, type Span } from './arrival.ts'
import { addInterval, type Interval } from './intervals.ts'

/** As data, for disks and threads. */
export interface MatcherText {
  name: string
  op: MatchOp
  value: string
}

export interface Tombstone extends Interval {
  /** From 1, in the order of making. */
  number: number
  /** All must pass; none means every series. */
  matchers: readonly MatcherText[]
  /** The newest generation that it hides samples of. */
  finalGeneration: number
}

/** Samples that stand together: a block, or a generation in memory (with `tombstone` 0). */
export interface Hideable extends Span {
  finalGeneration: number
  /** Tombstones up to this number were applied, or are known to hide nothing in it. */
  tombstone: number
}

/** Whether the tombstone may hide samples that are in there. */
export function mayHide(tombstone: Tombstone, samples: Hideable): boolean {
  return (
    tombstone.number > samples.tombstone &&
    tombstone.finalGeneration >= samples.finalGeneration &&
    overlap(tombstone, samples)
  )
}

/**
 * Numbers of tombstones that have done their work: no block is left that they may hide samples of.
 * `liveGeneration`: the oldest one that is in no block yet, neither in memory nor in the log.
 */
export function spentTombstones(
  tombstones: readonly Tombstone[],
  blocks: readonly Hideable[],
  liveGeneration: number,
): number[] {
  return tombstones
    .filter(
      (tombstone) =>
        tombstone.finalGeneration < liveGeneration && !blocks.some((block) => mayHide(tombstone, block)),
    )
    .map(({ number }) => number)
}

/** Outcomes of one regular expression that are remembered. */
const OUTCOMES_MAX = 10_000

/** Tells which times of a series are hidden. Made for the tombstones that may hide samples of one block. */
export class TombstoneFilter {
  private readonly tombstones: readonly { interval: Interval; matchers: readonly CachedMatcher[] }[]
  /** By the positions of the tombstones that a series passes: most series share a few combinations. */
  private readonly unions = new Map<string, readonly Interval[]>()

  constructor(tombstones: readonly Tombstone[]) {
    this.tombstones = tombstones.map(({ mint, maxt, matchers }) => ({
      interval: { mint, maxt },
      matchers: compileMatchers(matchers).map((matcher) => new CachedMatcher(matcher)),
    }))
  }

  /** The tombstones among these that may hide something of a block. */
  static for(tombstones: readonly Tombstone[], samples: Hideable): TombstoneFilter {
    return new TombstoneFilter(tombstones.filter((tombstone) => mayHide(tombstone, samples)))
  }

  get isEmpty(): boolean {
    return this.tombstones.length === 0
  }

  /** The union of what is hidden of the series, as `addInterval` makes it. The same object for each such series. */
  intervals(labels: Labels): readonly Interval[] {
    let key = ''
    for (let i = 0; i < this.tombstones.length; i++) {
      if (passes(labels, this.tombstones[i].matchers)) key += `${i} `
    }
    let union = this.unions.get(key)
    if (union === undefined) {
      const hiding = key.split(' ').slice(0, -1)
      union = hiding.reduce<Interval[]>(
        (intervals, i) => addInterval(intervals, this.tombstones[Number(i)].interval),
        [],
      )
      this.unions.set(key, union)
    }
    return union
  }
}

/** Throws RegexError. */
export function compileMatchers(matchers: readonly MatcherText[]): Matcher[] {
  return matchers.map(({ name, op, value }) => new Matcher(name, op, value))
}

function passes(labels: Labels, matchers: readonly CachedMatcher[]): boolean {
  for (const matcher of matchers) if (!matcher.matches(labels)) return false
  return true
}

/** Neighbours in a block share most values: a regular expression is asked once a value. */
class CachedMatcher {
  private readonly matcher: Matcher
  private readonly outcomes: Map<string, boolean> | undefined

  constructor(matcher: Matcher) {
    this.matcher = matcher
    this.outcomes = matcher.op === '=~' || matcher.op === '!~' ? new Map() : undefined
  }

  matches(labels: Labels): boolean {
    const value = labels.get(this.matcher.name)
    if (this.outcomes === undefined) return this.matcher.matches(value)
    let outcome = this.outcomes.get(value)
    if (outcome === undefined) {
      if (this.outcomes.size >= OUTCOMES_MAX) this.outcomes.clear()
      outcome = this.matcher.matches(value)
      this.outcomes.set(value, outcome)
    }
    return outcome
  }
}
