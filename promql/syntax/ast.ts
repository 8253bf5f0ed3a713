/**
 * The typed tree of a query: plain data that is never changed after parsing and carries no state of a run.
 *
 * `type` and field names follow the tree that the HTTP API shows, with units added. Positions are UTF-8 byte
 * offsets into the input, [start, end); `lineAndColumn` turns them into what people read. All times are integer
 * milliseconds, truncated towards zero from what was written.
 */
import type { Matcher } from '../../storage/model/matcher.ts'
import type { Signature } from '../functions/signatures.ts'

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string'

export type ArithmeticOp = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2'
/** `</` and `>/` keep the observations of a histogram below or above a float. */
export type ComparisonOp = '==' | '!=' | '<=' | '<' | '>=' | '>' | '</' | '>/'
export type SetOp = 'and' | 'or' | 'unless'
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp

export type AggregateOp =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limitk'
  | 'limit_ratio'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk'

interface Spanned {
  /** UTF-8 byte offset of the first byte. */
  readonly start: number
  /** UTF-8 byte offset after the last byte. */
  readonly end: number
}

export interface Aggregate extends Spanned {
  readonly type: 'aggregation'
  readonly op: AggregateOp
  readonly expr: Expr
  /** The first argument of topk, bottomk, quantile, count_values, limitk and limit_ratio; else null. */
  readonly param: Expr | null
  readonly grouping: readonly string[]
  readonly without: boolean
}

export type Cardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many'

export interface VectorMatching {
  readonly card: Cardinality
  /** Names listed by on() or ignoring(). */
  readonly labels: readonly string[]
  /** Whether `labels` were given by on(); otherwise they are ignored. */
  readonly on: boolean
  /** Names listed by group_left() or group_right(): copied from the "one" side. */
  readonly include: readonly string[]
  /** Values that stand in for a missing sample of a side; null where a missing sample drops the pair. */
  readonly fill: { readonly lhs: number | null; readonly rhs: number | null }
}

export interface Binary extends Spanned {
  readonly type: 'binaryExpr'
  readonly op: BinaryOp
  readonly lhs: Expr
  readonly rhs: Expr
  /** A comparison that gives 0 or 1 rather than filter. */
  readonly returnBool: boolean
  /** Null unless both sides are vectors; set operators are many-to-many. */
  readonly matching: VectorMatching | null
}

export interface Call extends Spanned {
  readonly type: 'call'
  readonly func: Signature
  readonly args: readonly Expr[]
}

/** Fixes and shifts the time of a selector or subquery. */
export interface TimeModifiers {
  /** How far back; negative looks into the future. 0 where `offsetExpr` is given. */
  readonly offsetMs: number
  /** The offset as an expression that needs the query's step or range, or evaluates only at run time. */
  readonly offsetExpr: DurationExpr | null
  /** `@ 1.5`: Unix milliseconds. */
  readonly timestampMs: number | null
  /** `@ start()` or `@ end()`. */
  readonly startOrEnd: 'start' | 'end' | null
}

export interface VectorSelector extends Spanned, TimeModifiers {
  readonly type: 'vectorSelector'
  /** Metric name, or '' when it is not given by an equality or a bare name. */
  readonly name: string
  /** All conditions, the one on `__name__` included. */
  readonly matchers: readonly Matcher[]
  readonly anchored: boolean
  readonly smoothed: boolean
}

/** Offset, @, anchored and smoothed are those of `selector`. */
export interface MatrixSelector extends Spanned {
  readonly type: 'matrixSelector'
  readonly selector: VectorSelector
  /** Greater than 0, or 0 where `rangeExpr` is given or where less than a millisecond was written. */
  readonly rangeMs: number
  readonly rangeExpr: DurationExpr | null
}

export interface Subquery extends Spanned, TimeModifiers {
  readonly type: 'subquery'
  readonly expr: Expr
  readonly rangeMs: number
  readonly rangeExpr: DurationExpr | null
  /** 0 stands for the default step. */
  readonly stepMs: number
  readonly stepExpr: DurationExpr | null
}

export interface NumberLiteral extends Spanned {
  readonly type: 'numberLiteral'
  /** Seconds where `isDuration`. */
  readonly value: number
  /** Written as a duration (`5m`), and printed so. */
  readonly isDuration: boolean
}

export interface StringLiteral extends Spanned {
  readonly type: 'stringLiteral'
  /** A byte that is not valid UTF-8 (`"\xff"`) stands here as the lone surrogate U+DC00 + byte. */
  readonly value: string
}

export interface Paren extends Spanned {
  readonly type: 'parenExpr'
  readonly expr: Expr
}

export interface Unary extends Spanned {
  readonly type: 'unaryExpr'
  readonly op: '+' | '-'
  readonly expr: Expr
}

/**
 * An expression in the place of a duration, in seconds. `step` and `range` have no operands, a unary sign has
 * only `rhs`, all others have both. A sum of literals is kept as an expression too.
 */
export interface DurationExpr extends Spanned {
  readonly type: 'durationExpr'
  readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'step' | 'range' | 'min_of' | 'max_of'
  readonly lhs: DurationOperand | null
  readonly rhs: DurationOperand | null
  /** Written in parentheses. */
  readonly wrapped: boolean
}

export type DurationOperand = DurationExpr | NumberLiteral

export type Expr =
  | Aggregate
  | Binary
  | Call
  | MatrixSelector
  | NumberLiteral
  | Paren
  | StringLiteral
  | Subquery
  | Unary
  | VectorSelector

/** The type of what an expression that passed `check` evaluates to. */
export function valueType(expr: Expr): ValueType {
  switch (expr.type) {
    case 'aggregation':
    case 'vectorSelector':
      return 'vector'
    case 'matrixSelector':
    case 'subquery':
      return 'matrix'
    case 'numberLiteral':
      return 'scalar'
    case 'stringLiteral':
      return 'string'
    case 'call':
      return expr.func.returnType
    case 'parenExpr':
    case 'unaryExpr':
      return valueType(expr.expr)
    case 'binaryExpr':
      return valueType(expr.lhs) === 'scalar' && valueType(expr.rhs) === 'scalar' ? 'scalar' : 'vector'
  }
}

/** How error texts call a type. */
export function documentedType(type: ValueType): string {
  if (type === 'vector') return 'instant vector'
  return type === 'matrix' ? 'range vector' : type
}

/** The expressions directly under one, in the order of the text. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.type) {
    case 'aggregation':
      return expr.param === null ? [expr.expr] : [expr.param, expr.expr]
    case 'binaryExpr':
      return [expr.lhs, expr.rhs]
    case 'call':
      return expr.args
    case 'matrixSelector':
      return [expr.selector]
    case 'subquery':
    case 'parenExpr':
    case 'unaryExpr':
      return [expr.expr]
    case 'numberLiteral':
    case 'stringLiteral':
    case 'vectorSelector':
      return []
  }
}
