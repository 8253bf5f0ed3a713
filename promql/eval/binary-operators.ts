/** Arithmetic and comparison of two columns of floats. */
import { pow } from '../functions/math.ts'
import type { BinaryOp } from '../syntax/ast.ts'
import { ABSENT } from '../value.ts'

const ARITHMETIC: ReadonlySet<BinaryOp> = new Set<BinaryOp>(['+', '-', '*', '/', '%', '^', 'atan2'])

export function isArithmetic(op: BinaryOp): boolean {
  return ARITHMETIC.has(op)
}

/** Histograms only; between floats they give nothing. */
export function isTrim(op: BinaryOp): boolean {
  return op === '</' || op === '>/'
}

const SCALAR_LHS = new Float64Array(1)
const SCALAR_RHS = new Float64Array(1)
const SCALAR_OUT = new Float64Array(1)

/** Arithmetic of two floats, where there are only a few. */
export function calculate(op: BinaryOp, x: number, y: number): number {
  SCALAR_LHS[0] = x
  SCALAR_RHS[0] = y
  applyArithmetic(op, SCALAR_LHS, SCALAR_RHS, SCALAR_OUT)
  return SCALAR_OUT[0]
}

/** A float per step from two. Sides may be the same array as `out`. */
function applyArithmetic(op: BinaryOp, lhs: Float64Array, rhs: Float64Array, out: Float64Array): void {
  const count = out.length
  switch (op) {
    case '+':
      for (let s = 0; s < count; s++) out[s] = lhs[s] + rhs[s]
      break
    case '-':
      for (let s = 0; s < count; s++) out[s] = lhs[s] - rhs[s]
      break
    case '*':
      for (let s = 0; s < count; s++) out[s] = lhs[s] * rhs[s]
      break
    case '/':
      for (let s = 0; s < count; s++) out[s] = lhs[s] / rhs[s]
      break
    case '%':
      for (let s = 0; s < count; s++) out[s] = lhs[s] % rhs[s]
      break
    case '^':
      for (let s = 0; s < count; s++) out[s] = pow(lhs[s], rhs[s])
      break
    case 'atan2':
      for (let s = 0; s < count; s++) out[s] = Math.atan2(lhs[s], rhs[s])
      break
    default:
      throw new Error(`${op} is not arithmetic`)
  }
}

export function holds(op: BinaryOp, x: number, y: number): boolean {
  switch (op) {
    case '==':
      return x === y
    case '!=':
      return x !== y
    case '<':
      return x < y
    case '<=':
      return x <= y
    case '>':
      return x > y
    case '>=':
      return x >= y
    default:
      // Trims between floats hold nowhere.
      return false
  }
}

/**
 * Works out `lhs op rhs` of floats at the steps that are present, into `out`, which may be one of the sides.
 *
 * An arithmetic operator or `bool` leaves `present` as it is; a filter puts `kept`'s value where the comparison
 * holds, and takes away the others. Returns how many are present then.
 */
export function applyOperator(
  op: BinaryOp,
  lhs: Float64Array,
  rhs: Float64Array,
  kept: Float64Array,
  present: Uint8Array,
  returnBool: boolean,
  out: Float64Array,
): number {
  let found = 0
  if (isArithmetic(op)) {
    applyArithmetic(op, lhs, rhs, out)
    for (let s = 0; s < present.length; s++) if (present[s] !== ABSENT) found++
    return found
  }
  for (let s = 0; s < present.length; s++) {
    if (present[s] === ABSENT) continue
    const isTrue = holds(op, lhs[s], rhs[s])
    if (returnBool) out[s] = isTrue ? 1 : 0
    else if (isTrue) out[s] = kept[s]
    else {
      present[s] = ABSENT
      continue
    }
    found++
  }
  return found
}

/** The operator between two scalars; a comparison gives 0 or 1. */
export function applyToScalars(op: BinaryOp, lhs: Float64Array, rhs: Float64Array): Float64Array {
  const out = new Float64Array(lhs.length)
  if (isArithmetic(op)) applyArithmetic(op, lhs, rhs, out)
  else for (let s = 0; s < out.length; s++) out[s] = holds(op, lhs[s], rhs[s]) ? 1 : 0
  return out
}
