/** Functions and operators that look at one sample of one series at a time. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import type { Annotations } from '../annotations.ts'
import { clamp, round } from '../functions/math.ts'
import { scaleHistogram } from '../histogram/arithmetic.ts'
import type { Binary } from '../syntax/ast.ts'
import { ABSENT, Column, PRESENT_FLOAT, PRESENT_HISTOGRAM } from '../value.ts'
import { applyOperator, isArithmetic, isTrim } from './binary-operators.ts'
import { mergeEqualLabels } from './merge.ts'
import { Operator } from './operator.ts'
import { SampleOperator } from './sample-operators.ts'
import type { Scalar } from './scalar.ts'
import { areDistinctWithoutMetadata, dropNames } from './series-labels.ts'

/** Changes a column in place; returns how many samples are present after it. `found` are so before. */
type ColumnFunction = (column: Column, found: number) => number

/** For functions of floats: histograms are left out. */
function floatsOnly(apply: ColumnFunction): ColumnFunction {
  return (column, found) => {
    if (column.mayHaveHistograms) found -= column.dropHistograms()
    return found === 0 ? 0 : apply(column, found)
  }
}

class ElementwiseOperator extends Operator {
  private readonly input: Operator
  private readonly apply: ColumnFunction
  private readonly scalars: readonly Scalar[]
  private readonly atEnd: () => void

  constructor(
    input: Operator,
    keepsName: boolean,
    scalars: readonly Scalar[],
    apply: ColumnFunction,
    atEnd: () => void,
  ) {
    const { labels, drops } = keepsName ? input : dropNames(input.context, input.labels)
    super(input.context, input.frame, labels, drops)
    this.input = input
    this.apply = apply
    this.scalars = scalars
    this.atEnd = atEnd
  }

  protected override compute(i: number, out: Column): number {
    const found = this.input.fill(i, out)
    return found === 0 ? 0 : this.apply(out, found)
  }

  protected override finish(): void {
    this.atEnd()
    this.input.release()
    for (const scalar of this.scalars) scalar.release()
  }
}

function elementwise(
  input: Operator,
  keepsName: boolean,
  scalars: readonly Scalar[],
  apply: ColumnFunction,
  atEnd: () => void = () => {},
): Operator {
  const operator = new ElementwiseOperator(input, keepsName, scalars, apply, atEnd)
  const isDistinct = keepsName || operator.labels === input.labels || areDistinctWithoutMetadata(input.labels)
  return isDistinct ? operator : mergeEqualLabels(operator, 'same step')
}

function eachFloat(f: (x: number) => number): ColumnFunction {
  return floatsOnly(({ values }, found) => {
    for (let s = 0; s < values.length; s++) values[s] = f(values[s])
    return found
  })
}

export function mapFloats(input: Operator, f: (x: number) => number): Operator {
  return elementwise(input, false, [], eachFloat(f))
}

/** A number of each histogram; floats are left out. */
export function mapHistograms(input: Operator, f: (histogram: FloatHistogram) => number): Operator {
  return elementwise(input, false, [], (column) => {
    const { values, present, histograms } = column
    let found = 0
    for (let s = 0; s < present.length; s++) {
      if (present[s] !== PRESENT_HISTOGRAM) {
        present[s] = ABSENT
        continue
      }
      values[s] = f(histograms[s]!)
      present[s] = PRESENT_FLOAT
      found++
    }
    column.forgetHistograms()
    return found
  })
}

/** Of a histogram it makes a gauge. */
export function negate(input: Operator): Operator {
  return elementwise(input, false, [], (column, found) => {
    const { values, present, histograms } = column
    for (let s = 0; s < values.length; s++) values[s] = -values[s]
    for (let s = 0; s < histograms.length; s++) {
      if (present[s] === PRESENT_HISTOGRAM) column.setHistogram(s, scaleHistogram(histograms[s]!, -1))
    }
    return found
  })
}

/** timestamp() of what is no bare selector: the evaluation time. */
export function evaluationTime(input: Operator): Operator {
  const { times } = input.frame
  return elementwise(input, false, [], (column, found) => {
    const { values, present } = column
    for (let s = 0; s < values.length; s++) {
      values[s] = times[s] / 1000
      if (present[s] !== ABSENT) present[s] = PRESENT_FLOAT
    }
    column.forgetHistograms()
    return found
  })
}

export function roundTo(input: Operator, to: Scalar): Operator {
  const roundAll: ColumnFunction = ({ values }, found) => {
    for (let s = 0; s < values.length; s++) values[s] = round(values[s], to.values[s])
    return found
  }
  return elementwise(input, false, [to], floatsOnly(roundAll))
}

/** No samples at steps where the bounds are the wrong way round. */
export function clampBetween(input: Operator, low: Scalar, high: Scalar): Operator {
  const clampAll: ColumnFunction = ({ values, present }, found) => {
    for (let s = 0; s < values.length; s++) {
      if (high.values[s] < low.values[s]) {
        if (present[s] !== ABSENT) found--
        present[s] = ABSENT
      } else values[s] = clamp(values[s], low.values[s], high.values[s])
    }
    return found
  }
  return elementwise(input, false, [low, high], floatsOnly(clampAll))
}

/**
 * An operator between a vector and a scalar. A comparison without bool keeps the vector's own values where it
 * holds, whichever side the vector is on.
 */
export function vectorScalar(expr: Binary, input: Operator, scalar: Scalar, isScalarLeft: boolean): Operator {
  const { op, returnBool } = expr
  const keepsName = !isArithmetic(op) && !returnBool
  const mixed = new MixedScalarOperator(expr, scalar, isScalarLeft)
  const apply: ColumnFunction = (column) => {
    const { values, present } = column
    if (column.mayHaveHistograms || isTrim(op)) return mixed.apply(column)
    const lhs = isScalarLeft ? scalar.values : values
    const rhs = isScalarLeft ? values : scalar.values
    return applyOperator(op, lhs, rhs, values, present, returnBool, values)
  }
  return elementwise(input, keepsName, [scalar], apply, () => mixed.annotate(input.context.annotations))
}

/** The same for columns with histograms. */
class MixedScalarOperator {
  private readonly operator: SampleOperator
  private readonly scalar: Scalar
  private readonly isScalarLeft: boolean
  /** The scalar as the sample of a series. */
  private readonly scalars: Column
  private order = 0

  constructor(expr: Binary, scalar: Scalar, isScalarLeft: boolean) {
    this.operator = new SampleOperator(expr)
    this.scalar = scalar
    this.isScalarLeft = isScalarLeft
    this.scalars = new Column(scalar.values.length)
  }

  apply(column: Column): number {
    const { scalars } = this
    scalars.values.set(this.scalar.values)
    scalars.present.fill(PRESENT_FLOAT)
    const lhs = this.isScalarLeft ? scalars : column
    const rhs = this.isScalarLeft ? column : scalars
    const order = this.order++
    let found = 0
    for (let s = 0; s < column.present.length; s++) {
      if (column.present[s] === ABSENT) continue
      if (this.operator.apply(lhs, rhs, column, column, s, order)) found++
    }
    return found
  }

  annotate(annotations: Annotations): void {
    this.operator.annotate(annotations)
  }
}
