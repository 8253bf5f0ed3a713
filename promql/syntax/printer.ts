/** The canonical text of an expression: what logs and rules show; parsing it gives the same tree again. */
import { compareUtf8, isLegacyLabelName } from '../../storage/model/labels.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import type {
  Aggregate,
  Binary,
  DurationExpr,
  DurationOperand,
  Expr,
  MatrixSelector,
  NumberLiteral,
  Subquery,
  TimeModifiers,
  VectorMatching,
  VectorSelector,
} from './ast.ts'
import { formatDuration } from './duration.ts'
import { formatFixed, formatFloat, formatFloatShort, quoteString } from './go-format.ts'

export function print(expr: Expr): string {
  switch (expr.type) {
    case 'aggregation':
      return printAggregate(expr)
    case 'binaryExpr':
      return printBinary(expr)
    case 'call':
      return `${expr.func.name}(${expr.args.map(print).join(', ')})`
    case 'matrixSelector':
      return printMatrixSelector(expr)
    case 'vectorSelector':
      return printBareSelector(expr) + printAt(expr) + printExtended(expr) + printOffset(expr)
    case 'subquery':
      return printSubquery(expr)
    case 'numberLiteral':
      return printNumber(expr)
    case 'stringLiteral':
      return quoteString(expr.value)
    case 'parenExpr':
      return `(${print(expr.expr)})`
    case 'unaryExpr':
      return expr.op + print(expr.expr)
  }
}

function printAggregate(expr: Aggregate): string {
  const param = expr.param === null ? '' : `${print(expr.param)}, `
  return `${printAggregateHead(expr)}(${param}${print(expr.expr)})`
}

/** What stands before the parenthesis: `sum`, or `sum by (a) `. */
export function printAggregateHead(expr: Aggregate): string {
  const grouping = `(${printLabels(expr.grouping)}) `
  let modifier = ''
  if (expr.without) modifier = ` without ${grouping}`
  else if (expr.grouping.length > 0) modifier = ` by ${grouping}`
  return expr.op + modifier
}

/** A name as it stands in lists and braces: quoted unless it is one of the legacy scheme. */
export function printLabelName(name: string): string {
  return isLegacyLabelName(name) ? name : quoteString(name)
}

function printLabels(labels: readonly string[]): string {
  return labels.map(printLabelName).join(', ')
}

function printBinary(expr: Binary): string {
  return `${print(expr.lhs)} ${printOperator(expr)} ${print(expr.rhs)}`
}

/** The operator with what modifies it: `> bool on (a)`. */
export function printOperator(expr: Binary): string {
  const bool = expr.returnBool ? ' bool' : ''
  const matching = expr.matching === null ? '' : printMatching(expr.matching)
  return `${expr.op}${bool}${matching}`
}

function printMatching({ card, labels, on, include, fill }: VectorMatching): string {
  const isGrouped = card === 'many-to-one' || card === 'one-to-many'
  let text = ''
  if (labels.length > 0 || on || isGrouped) text += ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`
  if (isGrouped) text += ` group_${card === 'many-to-one' ? 'left' : 'right'} (${printLabels(include)})`
  if (fill.lhs !== null && Object.is(fill.lhs, fill.rhs))
    return `${text} fill (${formatFloatShort(fill.lhs)})`
  if (fill.lhs !== null) text += ` fill_left (${formatFloatShort(fill.lhs)})`
  if (fill.rhs !== null) text += ` fill_right (${formatFloatShort(fill.rhs)})`
  return text
}

/** One matcher: `name="value"`. */
export function printMatcher(matcher: Matcher): string {
  return `${printLabelName(matcher.name)}${matcher.op}${quoteString(matcher.value)}`
}

/** Name and braces, without what follows. */
function printBareSelector({ name, matchers }: VectorSelector): string {
  const shown = matchers
    .filter((m) => m.name !== '__name__' || m.op !== '=' || m.value !== name || m.value === '')
    .map(printMatcher)
    .sort(compareUtf8)
  return shown.length === 0 ? name : `${name}{${shown.join(',')}}`
}

function printAt({ timestampMs, startOrEnd }: TimeModifiers): string {
  if (timestampMs !== null) return ` @ ${formatFixed(timestampMs / 1000, 3)}`
  return startOrEnd === null ? '' : ` @ ${startOrEnd}()`
}

function printOffset({ offsetMs, offsetExpr }: TimeModifiers): string {
  if (offsetExpr !== null) return ` offset ${printDuration(offsetExpr)}`
  return offsetMs === 0 ? '' : ` offset ${formatDuration(offsetMs)}`
}

function printExtended({ anchored, smoothed }: VectorSelector): string {
  if (anchored) return ' anchored'
  return smoothed ? ' smoothed' : ''
}

function printRange({ rangeMs, rangeExpr }: MatrixSelector | Subquery): string {
  return rangeExpr === null ? formatDuration(rangeMs) : printDuration(rangeExpr)
}

function printMatrixSelector(expr: MatrixSelector): string {
  const { selector } = expr
  const modifiers = printExtended(selector) + printAt(selector) + printOffset(selector)
  return `${printBareSelector(selector)}[${printRange(expr)}]${modifiers}`
}

function printSubquery(expr: Subquery): string {
  return print(expr.expr) + printSubquerySuffix(expr)
}

/** Brackets and modifiers of a subquery. */
export function printSubquerySuffix(expr: Subquery): string {
  let step = expr.stepMs === 0 ? '' : formatDuration(expr.stepMs)
  if (expr.stepExpr !== null) step = printDuration(expr.stepExpr)
  return `[${printRange(expr)}:${step}]${printAt(expr)}${printOffset(expr)}`
}

function printNumber({ value, isDuration }: NumberLiteral): string {
  if (!isDuration) return formatFloat(value)
  return formatDuration(Math.trunc(Math.trunc(value * 1e9) / 1e6))
}

/** A duration expression; a unary plus marks a literal in parentheses and is not shown. */
export function printDuration(operand: DurationOperand): string {
  if (operand.type === 'numberLiteral') return printNumber(operand)
  const text = printUnwrapped(operand)
  return operand.wrapped ? `(${text})` : text
}

function printUnwrapped({ op, lhs, rhs }: DurationExpr): string {
  if (rhs === null) return `${op}()`
  if (lhs === null) return (op === '-' ? '-' : '') + printDuration(rhs)
  if (op === 'min_of' || op === 'max_of') return `${op}(${printDuration(lhs)}, ${printDuration(rhs)})`
  return `${printDuration(lhs)} ${op} ${printDuration(rhs)}`
}
