/**
 * What a plan will cost at least, told from the index before any sample is read.
 *
 * Bytes are those of what is held at once for sure: label sets, columns of a vector that is the answer or one side
 * of an operator, the answer's text. Work counts units of some nanoseconds: samples to decode, steps to fill.
 */
import { type Binary, valueType } from '../syntax/ast.ts'
import type { CallNode, PlanNode } from './plan.ts'

export interface SelectionSize {
  readonly series: number
  /** About how many samples its series have in the range. */
  readonly samples: number
}

export interface Estimate {
  readonly bytes: number
  readonly work: number
  /** The selection that most bytes come from, or most work where bytes do not differ; −1 without any. */
  readonly costliest: number
}

/** A series' label set with its texts, and the places that refer to it. */
const SERIES_BYTES = 400
/** Value and presence of a step. */
const STEP_BYTES = 9
/** A sample in the answer, with the room that a growing buffer has on average. */
const ANSWER_BYTES = 40
/** Touching a series, in units of work. */
const SERIES_WORK = 64

/** Functions that no sum, and no window that slides, makes cheap. */
const RECOMPUTED: ReadonlySet<string> = new Set(
  (
    'quantile_over_time mad_over_time stddev_over_time stdvar_over_time deriv predict_linear ' +
    'double_exponential_smoothing'
  ).split(' '),
)

/** The series that a part gives, and the selection most of them come from. */
interface Output {
  readonly series: number
  readonly selection: number
}

const NOTHING: Output = { series: 0, selection: -1 }

export function estimate(root: PlanNode, sizes: readonly SelectionSize[]): Estimate {
  return new Estimator(sizes).estimate(root)
}

class Estimator {
  private readonly sizes: readonly SelectionSize[]
  private readonly bytes: Float64Array
  private readonly work: Float64Array

  constructor(sizes: readonly SelectionSize[]) {
    this.sizes = sizes
    this.bytes = Float64Array.from(sizes, ({ series }) => series * SERIES_BYTES)
    this.work = new Float64Array(sizes.length)
  }

  estimate(root: PlanNode): Estimate {
    const output = this.visit(root)
    this.hold(output, this.pointsEach(root) * (STEP_BYTES + ANSWER_BYTES))
    let bytes = 0
    let work = 0
    let costliest = -1
    for (let i = 0; i < this.sizes.length; i++) {
      bytes += this.bytes[i]
      work += this.work[i]
      const isMore =
        costliest < 0 ||
        this.bytes[i] > this.bytes[costliest] ||
        (this.bytes[i] === this.bytes[costliest] && this.work[i] > this.work[costliest])
      if (isMore) costliest = i
    }
    return { bytes, work, costliest }
  }

  /** Points of a series in the answer. */
  private pointsEach(root: PlanNode): number {
    if (root.kind === 'subquery') return root.inner.frame.count
    if (root.kind !== 'range' || root.selection < 0) return root.frame.count
    const { series, samples } = this.sizes[root.selection]
    return samples / Math.max(series, 1)
  }

  private hold({ series, selection }: Output, bytesEach: number): void {
    if (selection >= 0) this.bytes[selection] += series * bytesEach
  }

  private read(selection: number, steps: number): Output {
    if (selection < 0) return NOTHING
    const { series, samples } = this.sizes[selection]
    this.work[selection] += samples + series * (SERIES_WORK + steps)
    return { series, selection }
  }

  private visit(node: PlanNode): Output {
    switch (node.kind) {
      case 'number':
      case 'string':
        return NOTHING
      case 'selector':
      case 'range':
        return this.read(node.selection, node.frame.count)
      case 'subquery':
      case 'invariant':
      case 'negate':
        return this.visit(node.inner)
      case 'aggregate': {
        if (node.param !== null) this.visit(node.param)
        const inner = this.visit(node.inner)
        return oneAtLeast(inner)
      }
      case 'binary': {
        const output = this.binary(this.visit(node.lhs), this.visit(node.rhs), node.frame.count)
        return isFilter(node.expr) ? oneAtLeast(output) : output
      }
      case 'call': {
        const outputs = node.args.map((arg) => this.visit(arg))
        if (RECOMPUTED.has(node.expr.func.name)) this.countWindows(node, outputs)
        if (valueType(node.expr) === 'scalar') return NOTHING
        return outputs.reduce(larger, NOTHING)
      }
    }
  }

  /** The samples of each window are looked at again. */
  private countWindows({ args, frame }: CallNode, outputs: readonly Output[]): void {
    for (const [i, arg] of args.entries()) {
      const { series, selection } = outputs[i]
      if (selection < 0) continue
      if (arg.kind === 'range') {
        const spanMs = arg.refMs[arg.refMs.length - 1] - arg.refMs[0] + arg.rangeMs
        this.work[selection] += this.sizes[selection].samples * (arg.rangeMs / spanMs) * frame.count
      } else if (arg.kind === 'subquery') {
        this.work[selection] += series * (arg.rangeMs / arg.inner.frame.stepMs) * frame.count
      }
    }
  }

  /** The columns of one side at least are held. */
  private binary(lhs: Output, rhs: Output, steps: number): Output {
    if (lhs.series > 0 && rhs.series > 0) {
      this.hold(lhs.series < rhs.series ? lhs : rhs, steps * STEP_BYTES)
    }
    return larger(lhs, rhs)
  }
}

/** How many series are left is not known: an aggregation's groups, what passes a filter. */
function oneAtLeast({ series, selection }: Output): Output {
  return { series: Math.min(series, 1), selection }
}

const FILTERS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'and', 'unless'])

function isFilter({ op, returnBool }: Binary): boolean {
  return FILTERS.has(op) && !returnBool
}

function larger(a: Output, b: Output): Output {
  return a.series >= b.series ? a : b
}
