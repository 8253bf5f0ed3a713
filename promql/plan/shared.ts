/**
 * Parts of a plan that stand in it more than once, to be evaluated once; and aggregations over one vector, to be evaluated in
 * one pass over it.
 *
 * Equal parts have equal canonical text, the same steps, and read their histograms in the same way.
 */
import { valueType } from '../syntax/ast.ts'
import { print } from '../syntax/printer.ts'
import type { AggregateNode, PlanNode } from './plan.ts'

/** A part that is evaluated for several places, one object for all of them. */
export interface SharedPart {
  /** How many ask for it. */
  uses: number
}

/** Aggregations of equal vectors, in the order of the query. The vector is evaluated as that of the last one. */
export type Siblings = readonly AggregateNode[]

export interface Sharing {
  readonly parts: ReadonlyMap<PlanNode, SharedPart>
  readonly siblings: ReadonlyMap<AggregateNode, Siblings>
}

/** Aggregations that take a series at a time, and no parameter. */
const ONE_PASS: ReadonlySet<string> = new Set([
  'sum',
  'avg',
  'count',
  'group',
  'min',
  'max',
  'stddev',
  'stdvar',
])

export function findSharing(root: PlanNode): Sharing {
  const finder = new Finder()
  finder.visit(root)
  return finder.result()
}

class Finder {
  private readonly byKey = new Map<string, SharedPart>()
  private readonly byNode = new Map<PlanNode, SharedPart>()
  private readonly byInner = new Map<string, AggregateNode[]>()

  visit(node: PlanNode): void {
    if (!isVector(node)) {
      for (const child of childrenOf(node)) this.visit(child)
      return
    }
    const key = keyOf(node)
    const known = this.byKey.get(key)
    if (known !== undefined) {
      known.uses++
      this.byNode.set(node, known)
      return
    }
    const part = { uses: 1 }
    this.byKey.set(key, part)
    this.byNode.set(node, part)
    if (node.kind === 'aggregate' && ONE_PASS.has(node.expr.op)) this.addSibling(node)
    for (const child of childrenOf(node)) this.visit(child)
  }

  private addSibling(node: AggregateNode): void {
    const key = keyOf(node.inner)
    const others = this.byInner.get(key)
    if (others === undefined) this.byInner.set(key, [node])
    else others.push(node)
  }

  result(): Sharing {
    const siblings = new Map<AggregateNode, Siblings>()
    for (const [inner, nodes] of this.byInner) {
      if (nodes.length < 2) continue
      for (const node of nodes) siblings.set(node, nodes)
      // They ask for their vector once, together.
      const part = this.byKey.get(inner)
      if (part !== undefined) part.uses -= nodes.length - 1
    }
    const parts = new Map([...this.byNode].filter(([, part]) => part.uses > 1))
    return { parts, siblings }
  }
}

function isVector(node: PlanNode): boolean {
  switch (node.kind) {
    case 'selector':
    case 'aggregate':
      return true
    case 'call':
    case 'binary':
    case 'negate':
      return valueType(node.expr) === 'vector'
    // What does not change is cheap to repeat; its inside is looked at.
    case 'invariant':
    case 'number':
    case 'string':
    case 'range':
    case 'subquery':
      return false
  }
}

/** The parts inside a part, in the order of the query. */
export function childrenOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'aggregate':
      return node.param === null ? [node.inner] : [node.param, node.inner]
    case 'binary':
      return [node.lhs, node.rhs]
    case 'call':
      return node.args
    case 'negate':
    case 'invariant':
    case 'subquery':
      return [node.inner]
    case 'number':
    case 'string':
    case 'range':
    case 'selector':
      return []
  }
}

function keyOf(node: PlanNode): string {
  const { times, stepMs, countsSteps } = node.frame
  const text = node.kind === 'invariant' ? keyOf(node.inner) : print(node.expr)
  return `${node.kind} ${times[0]} ${stepMs} ${times.length} ${countsSteps} ${readsOf(node)} ${text}`
}

/** Selections and how their histograms are read, for all selectors of a part. */
function readsOf(node: PlanNode): string {
  if (node.kind === 'selector' || node.kind === 'range') {
    return `${node.selection}${node.isStatsOnly ? 's' : ''};`
  }
  return childrenOf(node).map(readsOf).join('')
}
