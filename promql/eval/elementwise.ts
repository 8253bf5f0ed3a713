/** Functions and operators that look at one sample of one series at a time. */

import { DATE_FUNCTIONS } from '../functions/date.ts'
import { clamp, FLOAT_FUNCTIONS, round } from '../functions/math.ts'
import type { Binary } from '../syntax/ast.ts'
import { ABSENT, type Column } from '../value.ts'
import { applyOperator, isArithmetic, isTrim, refuseTrim } from './binary-operators.ts'
import { mergeEqualLabels } from './merge.ts'
import { Operator } from './operator.ts'
import type { Scalar } from './scalar.ts'
import { areDistinctWithoutMetadata, dropNames } from './series-labels.ts'

/** Changes a column in place; returns how many samples are present after it. `found` are so before. */
type ColumnFunction = (column: Column, found: number) => number

class ElementwiseOperator extends Operator {
  private readonly input: Operator
  private readonly apply: ColumnFunction
  private readonly scalars: readonly Scalar[]

  constructor(input: Operator, keepsName: boolean, scalars: readonly Scalar[], apply: ColumnFunction) {
    const { labels, drops } = keepsName ? input : dropNames(input.context, input.labels)
    super(input.context, input.frame, labels, drops)
    this.input = input
    this.apply = apply
    this.scalars = scalars
  }

  protected override compute(i: number, out: Column): number {
    const found = this.input.fill(i, out)
    return found === 0 ? 0 : this.apply(out, found)
  }

  protected override finish(): void {
    this.input.release()
    for (const scalar of this.scalars) scalar.release()
  }
}

function elementwise(
  input: Operator,
  keepsName: boolean,
  scalars: readonly Scalar[],
  apply: ColumnFunction,
): Operator {
  const operator = new ElementwiseOperator(input, keepsName, scalars, apply)
  const isDistinct = keepsName || operator.labels === input.labels || areDistinctWithoutMetadata(input.labels)
  return isDistinct ? operator : mergeEqualLabels(operator, 'same step')
}

function eachFloat(f: (x: number) => number): ColumnFunction {
  return ({ values }, found) => {
    for (let s = 0; s < values.length; s++) values[s] = f(values[s])
    return found
  }
}

/** Functions with the signature (vector) that map each float. Undefined for other names. */
export function floatFunction(name: string): ((x: number) => number) | undefined {
  return FLOAT_FUNCTIONS[name] ?? DATE_FUNCTIONS[name]
}

export function mapFloats(input: Operator, f: (x: number) => number): Operator {
  return elementwise(input, false, [], eachFloat(f))
}

export function negate(input: Operator): Operator {
  return elementwise(
    input,
    false,
    [],
    eachFloat((x) => -x),
  )
}

/** timestamp() of what is no bare selector: the evaluation time. */
export function evaluationTime(input: Operator): Operator {
  const { times } = input.frame
  return elementwise(input, false, [], ({ values }, found) => {
    for (let s = 0; s < values.length; s++) values[s] = times[s] / 1000
    return found
  })
}

export function roundTo(input: Operator, to: Scalar): Operator {
  return elementwise(input, false, [to], ({ values }, found) => {
    for (let s = 0; s < values.length; s++) values[s] = round(values[s], to.values[s])
    return found
  })
}

/** No samples at steps where the bounds are the wrong way round. */
export function clampBetween(input: Operator, low: Scalar, high: Scalar): Operator {
  return elementwise(input, false, [low, high], ({ values, present }, found) => {
    for (let s = 0; s < values.length; s++) {
      if (high.values[s] < low.values[s]) {
        if (present[s] !== ABSENT) found--
        present[s] = ABSENT
      } else values[s] = clamp(values[s], low.values[s], high.values[s])
    }
    return found
  })
}

/**
 * An operator between a vector and a scalar. A comparison without bool keeps the vector's own values where it
 * holds, whichever side the vector is on.
 */
export function vectorScalar(expr: Binary, input: Operator, scalar: Scalar, isScalarLeft: boolean): Operator {
  const { op, returnBool } = expr
  const keepsName = !isArithmetic(op) && !returnBool
  return elementwise(input, keepsName, [scalar], ({ values, present }) => {
    if (isTrim(op)) refuseTrim(input.context, op, present, expr)
    const lhs = isScalarLeft ? scalar.values : values
    const rhs = isScalarLeft ? values : scalar.values
    return applyOperator(op, lhs, rhs, values, present, returnBool, values)
  })
}
