/**
 * How many samples a query looks at and reads, as its statistics have it.
 *
 * Upstream evaluates each part of a query for itself and counts while it does. Here equal parts are evaluated once, and
 * all steps of a series together; so selectors and windows count for themselves, and what they counted is put together at
 * the end, along the plan. Source of the rules: Prometheus util/stats/query_stats.go, promql/engine.go.
 */
import type { QueryMemory } from '../memory.ts'
import type { Frame, PlanNode, SubqueryNode } from '../plan/plan.ts'
import { childrenOf } from '../plan/shared.ts'
import { ABSENT, type StepCounts } from '../value.ts'

/** Bytes of a step's counts. */
const STEP_BYTES = 16

/** Samples of a part at the steps of one frame. A histogram counts as several. */
export class SampleCounts {
  /** Those that the windows of all steps hold, each counted at each step. */
  queryable = 0
  /** Those that storage was asked for. */
  read = 0
  /** Both a step; only where the frame asks for it. */
  readonly steps: StepCounts | undefined

  constructor({ count, countsSteps }: Frame) {
    if (countsSteps) this.steps = { queryable: new Float64Array(count), read: new Float64Array(count) }
  }

  add(step: number, queryable: number, read: number): void {
    this.queryable += queryable
    this.read += read
    if (this.steps === undefined) return
    this.steps.queryable[step] += queryable
    this.steps.read[step] += read
  }

  /** A column of floats with so many that are there: each of them was read. */
  addFloats(found: number, present: Uint8Array): void {
    this.queryable += found
    this.read += found
    if (this.steps === undefined) return
    const { queryable, read } = this.steps
    for (let s = 0; s < present.length; s++) {
      if (present[s] === ABSENT) continue
      queryable[s]++
      read[s]++
    }
  }

  addAll(other: SampleCounts): void {
    this.queryable += other.queryable
    this.read += other.read
    const { steps } = this
    if (steps === undefined) return
    if (other.steps === undefined) throw new Error('the counts of a part lack its steps')
    for (let s = 0; s < steps.read.length; s++) {
      steps.queryable[s] += other.steps.queryable[s]
      steps.read[s] += other.steps.read[s]
    }
  }

  /** A part that was evaluated at the first of `count` steps, for all of them. */
  addInvariant({ queryable, read }: SampleCounts, count: number): void {
    this.queryable += queryable * count
    this.read += read
    if (this.steps === undefined) return
    for (let s = 0; s < count; s++) this.steps.queryable[s] += queryable
    this.steps.read[0] += read
  }
}

export class QueryCounts {
  private readonly memory: QueryMemory
  private readonly own = new Map<PlanNode, SampleCounts>()
  /** Parts that were not evaluated, and those whose results they took. */
  private readonly taken = new Map<PlanNode, PlanNode>()

  constructor(memory: QueryMemory) {
    this.memory = memory
  }

  /** What a selector, or the windows over a subquery, count in. Throws QueryError when memory is short. */
  of(node: PlanNode): SampleCounts {
    let counts = this.own.get(node)
    if (counts === undefined) {
      const { count, countsSteps } = node.frame
      if (countsSteps) this.memory.take(count * STEP_BYTES)
      counts = new SampleCounts(node.frame)
      this.own.set(node, counts)
    }
    return counts
  }

  /** `node` counts as `evaluated`, an equal part, did. */
  take(node: PlanNode, evaluated: PlanNode): void {
    if (node !== evaluated) this.taken.set(node, evaluated)
  }

  /** The counts of a whole query, as far as it has been evaluated. */
  total(root: PlanNode): SampleCounts {
    const total = new SampleCounts(root.frame)
    if (root.kind === 'subquery') {
      // The only one that is not under a function: its points are no windows, and what it read is all for the one step.
      const inner = this.sum(root.inner)
      total.add(0, inner.queryable, inner.read)
    } else this.addPart(root, total)
    return total
  }

  private sum(node: PlanNode): SampleCounts {
    const sum = new SampleCounts(node.frame)
    this.addPart(node, sum)
    return sum
  }

  private addPart(node: PlanNode, into: SampleCounts): void {
    const evaluated = this.taken.get(node)
    if (evaluated !== undefined) {
      this.addPart(evaluated, into)
      return
    }
    const own = this.own.get(node)
    if (own !== undefined) into.addAll(own)
    if (node.kind === 'invariant') into.addInvariant(this.sum(node.inner), node.frame.count)
    else if (node.kind === 'subquery') addReads(node, this.sum(node.inner), into)
    else for (const child of childrenOf(node)) this.addPart(child, into)
  }
}

/**
 * What the steps of a subquery read is read for the first step of `into` whose window they lie in; steps in a gap between two
 * windows have results that nobody sees, and do not count.
 */
function addReads(
  { frame, refMs, rangeMs, inner }: SubqueryNode,
  reads: SampleCounts,
  into: SampleCounts,
): void {
  if (frame.count === 1 || reads.steps === undefined) {
    into.add(0, 0, reads.read)
    return
  }
  const { read } = reads.steps
  const { times } = inner.frame
  let s = 0
  for (let k = 0; k < read.length; k++) {
    while (s < frame.count - 1 && refMs[s] < times[k]) s++
    if (times[k] > refMs[s] - rangeMs) into.add(s, 0, read[k])
  }
}
