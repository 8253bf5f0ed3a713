/**
 * The operators of a vector. Labels once, numbers after: an operator knows the labels of all its series when it
 * is made, and then fills a column for one series over all steps at a time.
 */
import type { Labels } from '../../storage/model/labels.ts'
import { sampleWeight } from '../histogram/size.ts'
import type { Frame } from '../plan/plan.ts'
import { ABSENT, Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import type { EvalContext } from './context.ts'

/** How many samples the places that are taken count as. */
function weighColumn({ present, histograms }: Column): number {
  let weight = 0
  for (let s = 0; s < present.length; s++) {
    if (present[s] === PRESENT_FLOAT) weight++
    else if (present[s] === PRESENT_HISTOGRAM) weight += sampleWeight(histograms[s]!)
  }
  return weight
}

/** Work of touching one series, beside that of its steps. */
const SERIES_WORK = 64
/** Work of a histogram for each sample that it counts as. */
const HISTOGRAM_WORK = 16

export abstract class Operator {
  readonly context: EvalContext
  readonly frame: Frame
  /** Of each output series. Two series may have equal labels only while names wait to be dropped. */
  readonly labels: readonly Labels[]
  /** 1 where the name of the series is to be dropped at the end; all 0 unless removal is delayed. */
  readonly drops: Uint8Array
  private held = 0
  private heldBytes = 0
  private filled = 0
  private isDone = false

  constructor(context: EvalContext, frame: Frame, labels: readonly Labels[], drops?: Uint8Array) {
    this.context = context
    this.frame = frame
    this.labels = labels
    this.drops = drops ?? new Uint8Array(labels.length)
    context.spend(SERIES_WORK * labels.length)
  }

  get size(): number {
    return this.labels.length
  }

  /**
   * Fills series i at all steps, and returns at how many it is present. Each series is filled once, in any order;
   * the samples count as held until `release`.
   */
  fill(i: number, out: Column): number {
    out.forgetHistograms()
    const found = this.compute(i, out)
    let weight = found
    if (out.mayHaveHistograms) {
      weight = weighColumn(out)
      this.heldBytes += this.context.takeHistograms(weight - found)
    }
    this.context.hold(weight)
    this.held += weight
    this.context.spend(SERIES_WORK + this.frame.count + (weight - found) * HISTOGRAM_WORK)
    if (++this.filled === this.labels.length) this.done()
    return found
  }

  /** As `fill`; sets `out.present` for every step. */
  protected abstract compute(i: number, out: Column): number

  /** Called once, when no series will be asked for any more: gives up what the operator holds of its inputs. */
  protected finish(): void {}

  private done(): void {
    if (this.isDone) return
    this.isDone = true
    this.finish()
  }

  /** The reader has what it wants: samples filled so far are not held any more. */
  release(): void {
    this.done()
    this.context.free(this.held)
    this.held = 0
    this.context.giveBytes(this.heldBytes)
    this.heldBytes = 0
  }
}

/** Evaluates an operator for what it counts, tells and refuses; nobody wants its series. */
export function drain(operator: Operator): void {
  const column = new Column(operator.frame.count)
  for (let i = 0; i < operator.size; i++) operator.fill(i, column)
  operator.release()
}

/** Series whose columns are all worked out; `fill` copies. */
export class MaterializedOperator extends Operator {
  private columns: readonly (Column | undefined)[]

  /** The columns are the context's; one that is left out has no samples. */
  constructor(
    context: EvalContext,
    frame: Frame,
    labels: readonly Labels[],
    columns: readonly (Column | undefined)[],
    drops?: Uint8Array,
  ) {
    super(context, frame, labels, drops)
    this.columns = columns
  }

  protected override compute(i: number, out: Column): number {
    const column = this.columns[i]
    if (column === undefined) {
      out.present.fill(ABSENT)
      return 0
    }
    out.copyFrom(column)
    return column.countPresent()
  }

  protected override finish(): void {
    freeColumns(this, this.columns)
    this.columns = []
  }
}

/** The columns, made by the context, are not needed any more. */
export function freeColumns({ context, frame }: Operator, columns: Iterable<Column | undefined>): void {
  let kept = 0
  for (const column of columns) if (column !== undefined) kept++
  context.freeColumns(kept, frame.count)
}

/** Fills all series into columns of their own; a series without samples gives none. */
export function materialize(operator: Operator): (Column | undefined)[] {
  const columns: (Column | undefined)[] = new Array(operator.size)
  let spare: Column | undefined
  for (let i = 0; i < operator.size; i++) {
    const column = spare ?? operator.context.newColumn(operator.frame.count)
    spare = undefined
    if (operator.fill(i, column) > 0) columns[i] = column
    else spare = column
  }
  return columns
}

/** The one value of a part that does not change, at all steps. */
export class RepeatOperator extends Operator {
  private readonly input: Operator
  private readonly once: Column

  constructor(frame: Frame, input: Operator) {
    super(input.context, frame, input.labels, input.drops)
    this.input = input
    this.once = new Column(1)
  }

  protected override compute(i: number, out: Column): number {
    const { input, once, frame } = this
    input.fill(i, once)
    out.values.fill(once.values[0])
    out.present.fill(once.present[0])
    if (once.present[0] === PRESENT_HISTOGRAM) {
      for (let s = 0; s < frame.count; s++) out.setHistogram(s, once.histograms[0]!)
    }
    return once.present[0] === ABSENT ? 0 : frame.count
  }

  protected override finish(): void {
    this.input.release()
  }
}
