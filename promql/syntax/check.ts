/** Types of expressions, checked over the whole tree once the text is known to be well-formed. */
import {
  type Aggregate,
  type Binary,
  type Call,
  documentedType,
  type Expr,
  type Subquery,
  type Unary,
  type ValueType,
  type VectorSelector,
  valueType,
} from './ast.ts'
import { quoteString } from './go-format.ts'
import { ParseError } from './parse-error.ts'

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<=', '<', '>=', '>', '</', '>/'])
const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless'])

/** The tree when its types fit, with the matching of its binary operators settled. Throws ParseError. */
export function checkTypes(expr: Expr, input: string): Expr {
  new Checker(input).check(expr)
  return expr
}

class Checker {
  private readonly input: string
  /** Selectors that may match every series: labels that info() adds. */
  private readonly unrestricted = new Set<VectorSelector>()

  constructor(input: string) {
    this.input = input
  }

  private fail(at: { readonly start: number; readonly end: number }, reason: string): never {
    throw new ParseError(this.input, at.start, at.end, reason)
  }

  /** Checks what is under the expression, then the expression, and gives its type. */
  check(expr: Expr): ValueType {
    switch (expr.type) {
      case 'aggregation':
        return this.checkAggregate(expr)
      case 'binaryExpr':
        return this.checkBinary(expr)
      case 'call':
        return this.checkCall(expr)
      case 'unaryExpr':
        return this.checkUnary(expr)
      case 'subquery':
        return this.checkSubquery(expr)
      case 'parenExpr':
        return this.check(expr.expr)
      case 'matrixSelector':
        this.checkSelector(expr.selector)
        return 'matrix'
      case 'vectorSelector':
        this.checkSelector(expr)
        return 'vector'
      case 'numberLiteral':
        return 'scalar'
      case 'stringLiteral':
        return 'string'
    }
  }

  private checkUnary(expr: Unary): ValueType {
    const type = this.check(expr.expr)
    if (type !== 'scalar' && type !== 'vector') {
      const got = quoteString(documentedType(type))
      this.fail(
        expr,
        `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
      )
    }
    return type
  }

  private checkSubquery(expr: Subquery): ValueType {
    const type = this.check(expr.expr)
    if (type !== 'vector') this.fail(expr, `subquery is only allowed on instant vector, got ${type} instead`)
    return 'matrix'
  }

  private expectType(expr: Expr, wanted: ValueType, context: string): void {
    const type = this.check(expr)
    if (type === wanted) return
    this.fail(expr, `expected type ${documentedType(wanted)} in ${context}, got ${documentedType(type)}`)
  }

  private checkAggregate(expr: Aggregate): ValueType {
    this.expectType(expr.expr, 'vector', 'aggregation expression')
    if (expr.param !== null) {
      this.expectType(expr.param, expr.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter')
    }
    return 'vector'
  }

  private checkBinary(expr: Binary): ValueType {
    const lhs = this.check(expr.lhs)
    const rhs = this.check(expr.rhs)
    const matching = expr.matching!
    const isComparison = COMPARISONS.has(expr.op)
    if (expr.returnBool && !isComparison) {
      this.fail(this.operatorSpan(expr), 'bool modifier can only be used on comparison operators')
    }
    if (isComparison && !expr.returnBool && lhs === 'scalar' && rhs === 'scalar') {
      this.fail(this.operatorSpan(expr), 'comparisons between scalars must use BOOL modifier')
    }
    const twice = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined
    if (twice !== undefined) {
      const label = quoteString(twice)
      this.fail(this.operatorSpan(expr), `label ${label} must not occur in ON and GROUP clause at once`)
    }
    for (const [side, type] of [[expr.lhs, lhs] as const, [expr.rhs, rhs] as const]) {
      if (type !== 'scalar' && type !== 'vector') {
        this.fail(side, 'binary expression must contain only scalar and instant vector types')
      }
    }
    const isVectors = lhs === 'vector' && rhs === 'vector'
    this.checkMatching(expr, isVectors)
    settleMatching(expr, isVectors)
    return lhs === 'scalar' && rhs === 'scalar' ? 'scalar' : 'vector'
  }

  private checkMatching(expr: Binary, isVectors: boolean): void {
    const { card, labels, fill } = expr.matching!
    const isFilled = fill.lhs !== null || fill.rhs !== null
    const isSetOperator = SET_OPERATORS.has(expr.op)
    const op = quoteString(expr.op)
    if (!isVectors) {
      if (labels.length > 0) this.fail(expr, 'vector matching only allowed between instant vectors')
      if (isFilled) this.fail(expr, 'filling in missing series only allowed between instant vectors')
      if (isSetOperator) this.fail(expr, `set operator ${op} not allowed in binary scalar expression`)
    } else if (isSetOperator) {
      if (card !== 'one-to-one') this.fail(expr, `no grouping allowed for ${op} operation`)
      if (isFilled) this.fail(expr, 'filling in missing series not allowed for set operators')
    }
  }

  /** From the operator to the end of its modifiers. */
  private operatorSpan(expr: Binary): { start: number; end: number } {
    const bytes = Buffer.from(this.input)
    let { end: start } = expr.lhs
    while (isSpace(bytes[start])) start++
    let end = expr.rhs.start
    while (isSpace(bytes[end - 1])) end--
    return { start, end }
  }

  private checkCall(expr: Call): ValueType {
    const { name, argTypes, variadic } = expr.func
    const { args } = expr
    const wanted = argTypes.length
    const call = `argument(s) in call to ${quoteString(name)}, got ${args.length}`
    if (variadic === 0) {
      if (args.length !== wanted) this.fail(expr, `expected ${wanted} ${call}`)
    } else if (args.length < wanted - 1) {
      this.fail(expr, `expected at least ${wanted - 1} ${call}`)
    } else if (variadic > 0 && args.length > wanted - 1 + variadic) {
      this.fail(expr, `expected at most ${wanted - 1 + variadic} ${call}`)
    }
    const context = `call to function ${quoteString(name)}`
    if (name === 'info' && args.length > 1) this.checkInfoSelector(expr, args[1], context)
    args.forEach((arg, i) => {
      this.expectType(arg, argTypes[Math.min(i, wanted - 1)], context)
    })
    return expr.func.returnType
  }

  /** The second argument of info() is a bare selector of labels. */
  private checkInfoSelector(call: Call, arg: Expr, context: string): void {
    const type = valueType(arg)
    if (type !== 'vector') {
      this.fail(call, `expected type instant vector in ${context}, got ${documentedType(type)}`)
    }
    if (arg.type !== 'vectorSelector') this.fail(arg, 'expected label selectors only')
    if (arg.name !== '') this.fail(arg, 'expected label selectors only, got vector selector instead')
    this.unrestricted.add(arg)
  }

  private checkSelector(expr: VectorSelector): void {
    if (expr.name !== '') {
      // The last matcher is the one of the bare name.
      const other = expr.matchers.slice(0, -1).find((matcher) => matcher.name === '__name__')
      if (other !== undefined) {
        const names = `${quoteString(expr.name)} or ${quoteString(other.value)}`
        this.fail(expr, `metric name must not be set twice: ${names}`)
      }
      return
    }
    if (this.unrestricted.has(expr)) return
    if (expr.matchers.every((matcher) => matcher.matchesEmpty())) {
      this.fail(expr, 'vector selector must contain at least one non-empty matcher')
    }
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 10 || byte === 13
}

/**
 * Scalars are not matched, and set operators are many-to-many. Done in place: the parser has just made the node
 * and nobody else has seen it.
 */
function settleMatching(expr: Binary, isVectors: boolean): void {
  const node = expr as { -readonly [Key in keyof Binary]: Binary[Key] }
  if (!isVectors) node.matching = null
  else if (SET_OPERATORS.has(expr.op)) node.matching = { ...expr.matching!, card: 'many-to-many' }
}
