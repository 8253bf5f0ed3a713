/**
 * Operators between two samples of which one may be a histogram, and what they have to say of it.
 *
 * Source: Prometheus promql/engine.go vectorElemBinop.
 */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { Annotations } from '../annotations.ts'
import {
  addHistograms,
  areInConflict,
  type Combined,
  compactHistogram,
  divideHistogram,
  equalHistograms,
  scaleHistogram,
  subtractHistograms,
  withHint,
} from '../histogram/arithmetic.ts'
import { isCustom } from '../histogram/bounds.ts'
import { keepAbove, keepBelow } from '../histogram/trim.ts'
import type { Binary, BinaryOp } from '../syntax/ast.ts'
import { ABSENT, type Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import { calculate, holds, isArithmetic, isTrim } from './binary-operators.ts'

/** Whether the operator is defined between samples of these kinds. */
function areCompatible(op: BinaryOp, isLeftHistogram: boolean, isRightHistogram: boolean): boolean {
  if (!isLeftHistogram) return isRightHistogram ? op === '*' : !isTrim(op)
  if (isRightHistogram) return op === '+' || op === '-' || op === '==' || op === '!='
  return op === '*' || op === '/' || isTrim(op)
}

/** Whether two samples have a result, if only that a comparison does not hold. Requires: both are present at step s. */
export function haveResult(op: BinaryOp, lhs: Column, rhs: Column, s: number): boolean {
  const isLeftHistogram = lhs.present[s] === PRESENT_HISTOGRAM
  const isRightHistogram = rhs.present[s] === PRESENT_HISTOGRAM
  if (!areCompatible(op, isLeftHistogram, isRightHistogram)) return false
  if (!isLeftHistogram || !isRightHistogram || (op !== '+' && op !== '-')) return true
  const left = lhs.histograms[s]!
  const right = rhs.histograms[s]!
  return isCustom(left) === isCustom(right) && !areInConflict(left.counterResetHint, right.counterResetHint)
}

type Note = 'types' | 'layout' | 'resets' | 'reconciled'

interface StepNote {
  readonly note: Note
  readonly isLeftHistogram: boolean
  readonly isRightHistogram: boolean
  /** Of all notes of a step the one of the last sample is told, as upstream does. */
  readonly order: number
}

export class SampleOperator {
  private readonly expr: Binary
  private readonly notes: (StepNote | undefined)[] = []
  private note: Note | undefined
  private histogram: FloatHistogram | undefined

  constructor(expr: Binary) {
    this.expr = expr
  }

  /**
   * Works out `lhs op rhs` at step s into `out`, which may be one of the sides. A filter gives what `kept` has, which is one
   * of the sides. Returns whether there is a result. Requires: both are present.
   */
  apply(lhs: Column, rhs: Column, kept: Column, out: Column, s: number, order: number): boolean {
    const { op, returnBool } = this.expr
    const isLeftHistogram = lhs.present[s] === PRESENT_HISTOGRAM
    const isRightHistogram = rhs.present[s] === PRESENT_HISTOGRAM
    if (!areCompatible(op, isLeftHistogram, isRightHistogram)) {
      this.tell(s, { note: 'types', isLeftHistogram, isRightHistogram, order })
      out.present[s] = ABSENT
      return false
    }
    if (!isLeftHistogram && !isRightHistogram) return this.applyFloats(lhs, rhs, kept, out, s)
    this.note = undefined
    const isTrue = this.calculate(lhs, rhs, s)
    if (this.note !== undefined) this.tell(s, { note: this.note, isLeftHistogram, isRightHistogram, order })
    const { histogram } = this
    if (isTrue === undefined || (!isTrue && !returnBool)) {
      out.present[s] = ABSENT
      return false
    }
    if (returnBool) {
      out.values[s] = isTrue ? 1 : 0
      out.present[s] = PRESENT_FLOAT
    } else out.setHistogram(s, histogram!)
    return true
  }

  private applyFloats(lhs: Column, rhs: Column, kept: Column, out: Column, s: number): boolean {
    const { op, returnBool } = this.expr
    const x = lhs.values[s]
    const y = rhs.values[s]
    const isThere = isArithmetic(op) || returnBool || holds(op, x, y)
    if (isThere) {
      if (isArithmetic(op)) out.values[s] = calculate(op, x, y)
      else out.values[s] = returnBool ? Number(holds(op, x, y)) : kept.values[s]
    }
    out.present[s] = isThere ? PRESENT_FLOAT : ABSENT
    return isThere
  }

  /** Leaves the result in `histogram`. False where a comparison does not hold, undefined where there is no result. */
  private calculate(lhs: Column, rhs: Column, s: number): boolean | undefined {
    const { op } = this.expr
    if (lhs.present[s] === PRESENT_FLOAT) {
      this.histogram = compactHistogram(scaleHistogram(rhs.histograms[s]!, lhs.values[s]))
      return true
    }
    const left = lhs.histograms[s]!
    if (rhs.present[s] === PRESENT_FLOAT) {
      this.histogram = withFloat(op, left, rhs.values[s])
      return true
    }
    const right = rhs.histograms[s]!
    if (op === '+') return this.combined(addHistograms(left, right))
    if (op === '-') return this.combined(subtractHistograms(left, right))
    this.histogram = left
    return equalHistograms(left, right) === (op === '==')
  }

  private combined(result: Combined | undefined): boolean | undefined {
    if (result === undefined) {
      this.note = 'layout'
      return undefined
    }
    // Upstream takes this warning for a failure: there is no result.
    if (result.resetConflict) {
      this.note = 'resets'
      return undefined
    }
    if (result.reconciled) this.note = 'reconciled'
    const histogram = compactHistogram(result.histogram)
    this.histogram = this.expr.op === '-' ? withHint(histogram, 'gauge') : histogram
    return true
  }

  private tell(s: number, note: StepNote): void {
    const known = this.notes[s]
    if (known === undefined || known.order <= note.order) this.notes[s] = note
  }

  /** Tells what there was to say. Once, at the end. */
  annotate(annotations: Annotations): void {
    const { expr } = this
    const operation = expr.op === '+' ? 'addition' : 'subtraction'
    for (const note of this.notes) {
      if (note === undefined) continue
      const kind = (isHistogram: boolean) => (isHistogram ? 'histogram' : 'float')
      switch (note.note) {
        case 'types':
          annotations.incompatibleTypes(
            kind(note.isLeftHistogram),
            expr.op,
            kind(note.isRightHistogram),
            expr,
          )
          break
        case 'layout':
          annotations.incompatibleBuckets(expr.op, expr)
          break
        case 'resets':
          annotations.conflictingResets(operation, expr)
          break
        case 'reconciled':
          annotations.reconciledBuckets(operation, expr)
          break
      }
    }
    this.notes.length = 0
  }
}

function withFloat(op: BinaryOp, histogram: FloatHistogram, value: number): FloatHistogram {
  switch (op) {
    case '*':
      return compactHistogram(scaleHistogram(histogram, value))
    case '/':
      return compactHistogram(divideHistogram(histogram, value))
    case '</':
      return keepBelow(histogram, value)
    default:
      return keepAbove(histogram, value)
  }
}
