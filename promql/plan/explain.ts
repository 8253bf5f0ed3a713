/** A plan as text, a line a part: what it does, what it was expected to cost, and what it did cost. */
import { formatBytes } from '../memory.ts'
import { print, printMatcher } from '../syntax/printer.ts'
import type { Estimate, SelectionSize } from './estimate.ts'
import type { Plan, PlanNode } from './plan.ts'
import { childrenOf } from './shared.ts'

/** What a part took when it ran. */
export interface PartCost {
  /** Series that came out of it. */
  series: number
  /** Samples that came out of it. */
  samples: number
  /** With all parts inside it. */
  ms: number
}

export interface Explained {
  readonly sizes: readonly SelectionSize[]
  readonly estimate: Estimate
  /** Of those parts that ran by themselves; a part that was taken from another place has none. */
  readonly costs: ReadonlyMap<PlanNode, PartCost>
  readonly peakBytes: number
}

export function explain(plan: Plan, explained: Explained): string[] {
  const { estimate, peakBytes, sizes } = explained
  const { count, stepMs } = plan.root.frame
  const lines = [
    `${count} ${count === 1 ? 'step' : `steps of ${stepMs} ms`}, ${plan.selections.length} selections; expected at least ` +
      `${formatBytes(estimate.bytes)} and ${Math.round(estimate.work)} units of work, had ${formatBytes(peakBytes)} at most`,
  ]
  for (const [i, { matchers, mint, maxt }] of plan.selections.entries()) {
    const times = `${new Date(mint).toISOString()} to ${new Date(maxt).toISOString()}`
    const { series, samples } = sizes[i]
    const size = `${series} series, some ${Math.round(samples)} samples`
    lines.push(`selection ${i}: {${matchers.map(printMatcher).join(',')}}, ${times}: ${size}`)
  }
  addPart(plan, plan.root, explained, '', lines)
  return lines
}

function addPart(plan: Plan, node: PlanNode, explained: Explained, indent: string, lines: string[]): void {
  const cost = explained.costs.get(node)
  let line = `${indent}${describe(node)}`
  if (cost !== undefined) {
    line += `: ${cost.series} series, ${cost.samples} samples, ${cost.ms.toFixed(3)} ms`
  }
  const uses = plan.sharing.parts.get(node)?.uses ?? 1
  if (uses > 1) line += ` (for ${uses} places)`
  if (node.kind === 'aggregate') {
    const siblings = plan.sharing.siblings.get(node)
    if (siblings !== undefined) line += ` (one of ${siblings.length} in one pass)`
  }
  lines.push(line)
  for (const child of childrenOf(node)) addPart(plan, child, explained, `${indent}  `, lines)
}

function describe(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
    case 'string':
      return `${node.kind} ${print(node.expr)}`
    case 'selector':
    case 'range':
      return `${node.kind} ${print(node.expr)} of selection ${node.selection}`
    case 'subquery': {
      const { count, stepMs } = node.inner.frame
      return `subquery of ${node.rangeMs} ms, ${count} steps of ${stepMs} ms`
    }
    case 'invariant':
      return 'evaluated once, for all steps'
    case 'call':
      return `${node.expr.func.name}()`
    case 'aggregate': {
      const { op, grouping, without } = node.expr
      const labels =
        grouping.length > 0 || without ? ` ${without ? 'without' : 'by'} (${grouping.join(', ')})` : ''
      return op + labels
    }
    case 'binary': {
      const { op, matching } = node.expr
      const by =
        matching === null
          ? ''
          : ` ${matching.card} ${matching.on ? 'on' : 'ignoring'} (${matching.labels.join(', ')})`
      return `operator ${op}${by}`
    }
    case 'negate':
      return 'negation'
  }
}
