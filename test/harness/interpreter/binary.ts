/** Binary operators: on two values, on a vector and a number, and on two vectors that are matched. */
import type { Binary, BinaryOp, VectorMatching } from '../../../promql/syntax/ast.ts'
import { quoteString } from '../../../promql/syntax/go-format.ts'
import { compareLabels, type Labels } from '../../../storage/model/labels.ts'
import { goPow } from './floats.ts'
import { add, divide, equal, multiply, type NaiveHistogram, subtract } from './histogram.ts'
import { formatLabels } from './label-text.ts'
import { type Element, InterpreterError, isHistogram, type Run, type Value, type Vector } from './model.ts'
import { dropName, withLabel, withoutMetadata } from './naming.ts'
import { trim } from './trim.ts'

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>='])
const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^', 'atan2'])

function compare(op: BinaryOp, a: number, b: number): boolean {
  switch (op) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}

function calculate(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      return a % b
    case '^':
      return goPow(a, b)
    default:
      return Math.atan2(a, b)
  }
}

export function scalarOperation(op: BinaryOp, a: number, b: number): number {
  return COMPARISONS.has(op) ? Number(compare(op, a, b)) : calculate(op, a, b)
}

/** What an operator makes of two values: nothing, where they do not go together. */
interface Operated {
  readonly value: Value
  /** Whether a comparison holds. */
  readonly keep: boolean
}

/** Takes what there is to say about two values. */
type Tell = (level: 'warn' | 'info', text: string) => void

function operate(op: BinaryOp, a: Value, b: Value, tell: Tell): Operated | undefined {
  if (!isHistogram(a) && !isHistogram(b)) {
    if (op !== '</' && op !== '>/') {
      if (COMPARISONS.has(op)) return { value: a, keep: compare(op, a, b) }
      return { value: calculate(op, a, b), keep: true }
    }
  } else if (isHistogram(a) && isHistogram(b)) {
    if (op === '==' || op === '!=') return { value: a, keep: equal(a, b) === (op === '==') }
    if (op === '+' || op === '-') return operateOnHistograms(op, a, b, tell)
  } else if (isHistogram(a) && !isHistogram(b)) {
    if (op === '*') return { value: multiply(a, b), keep: true }
    if (op === '/') return { value: divide(a, b), keep: true }
    if (op === '</' || op === '>/') return { value: trim(a, b, op === '</'), keep: true }
  } else if (!isHistogram(a) && isHistogram(b) && op === '*') return { value: multiply(b, a), keep: true }
  const kind = (value: Value) => (isHistogram(value) ? 'histogram' : 'float')
  const text = `incompatible sample types encountered for binary operator ${quoteString(op)}: ${kind(a)} ${op} ${kind(b)}`
  tell('info', text)
  return undefined
}

function operateOnHistograms(
  op: '+' | '-',
  a: NaiveHistogram,
  b: NaiveHistogram,
  tell: Tell,
): Operated | undefined {
  const result = op === '+' ? add(a, b) : subtract(a, b)
  if (result === undefined) {
    tell('warn', `incompatible bucket layout encountered for binary operator ${op}`)
    return undefined
  }
  const name = op === '+' ? 'addition' : 'subtraction'
  if (result.reconciled) tell('info', `mismatched custom buckets were reconciled during ${name}`)
  if (result.conflict) tell('warn', `conflicting counter resets during histogram ${name}`)
  const { histogram } = result
  return { value: op === '-' ? { ...histogram, hint: 'gauge' } : histogram, keep: true }
}

/** A vector and a number; `isSwapped` where the number stands on the left. */
export function vectorAndScalar(
  expr: Binary,
  vector: Vector,
  scalar: number,
  isSwapped: boolean,
  run: Run,
): Element[] {
  const { op, returnBool } = expr
  const tell: Tell = (level, text) => run.notes[level](text, expr.start)
  return vector.flatMap((element): Element[] => {
    const { value } = element
    const operated = isSwapped ? operate(op, scalar, value, tell) : operate(op, value, scalar, tell)
    if (operated === undefined) return []
    if (returnBool) return [dropName({ ...element, value: Number(operated.keep) }, run.settings)]
    if (!operated.keep) return []
    if (COMPARISONS.has(op)) return [element]
    const result = { ...element, value: operated.value }
    return [ARITHMETIC.has(op) ? dropName(result, run.settings) : result]
  })
}

function matchLabels(labels: Labels, { on, labels: names }: VectorMatching): Labels {
  return on ? labels.only(new Set(names)) : labels.without(new Set([...names, '__name__']))
}

export function signature(labels: Labels, matching: VectorMatching): string {
  return matchLabels(labels, matching).key()
}

/** Two vectors, one-to-one or many-to-one. */
export class Matching {
  private readonly expr: Binary
  private readonly matching: VectorMatching
  private readonly run: Run

  constructor(expr: Binary, run: Run) {
    this.expr = expr
    this.matching = expr.matching!
    this.run = run
  }

  evaluate(lhs: Vector, rhs: Vector): Element[] {
    const { card, fill } = this.matching
    const canFill = fill.lhs !== null || fill.rhs !== null
    if (lhs.length === 0 && rhs.length === 0) return []
    if ((lhs.length === 0 || rhs.length === 0) && !canFill) return []
    const isTurned = card === 'one-to-many'
    const [many, one] = isTurned ? [rhs, lhs] : [lhs, rhs]
    // Upstream turns the sides of group_right around, but not the values that fill them.
    const told = new Map<string, 'warn' | 'info'>()
    const ones = this.bySignature(one)
    const matched = new Map<string, Set<string>>()
    const result: Element[] = []
    const pair = (m: Element, o: Element, key: string) => {
      const element = this.operateOnPair(m, o, key, matched, (level, text) => told.set(text, level))
      if (element !== undefined) result.push(element)
    }
    for (const element of many) {
      const key = signature(element.labels, this.matching)
      const partner = ones.get(key) ?? this.filled(element, fill.rhs)
      if (partner !== undefined) pair(element, partner, key)
    }
    for (const [key, element] of ones) {
      if (matched.has(key)) continue
      const partner = this.filled(element, fill.lhs)
      if (partner !== undefined) pair(partner, element, key)
    }
    this.run.notes.anyOf(told, this.expr.start)
    return result
  }

  private filled({ labels }: Element, value: number | null): Element | undefined {
    if (value === null) return undefined
    return { labels: matchLabels(labels, this.matching), dropName: false, value, t: 0 }
  }

  private bySignature(vector: Vector): Map<string, Element> {
    const bySignature = new Map<string, Element>()
    for (const element of vector) {
      const key = signature(element.labels, this.matching)
      const other = bySignature.get(key)
      if (other !== undefined) this.failDuplicate(element, other)
      bySignature.set(key, element)
    }
    return bySignature
  }

  private failDuplicate(element: Element, other: Element): never {
    const side = this.matching.card === 'one-to-many' ? 'left' : 'right'
    const group = formatLabels(matchLabels(element.labels, this.matching))
    const [a, b] = [element.labels, other.labels].toSorted(compareLabels).map(formatLabels)
    throw new InterpreterError(
      `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${a}, ${b}];` +
        'many-to-many matching not allowed: matching labels must be unique on one side',
    )
  }

  private operateOnPair(
    many: Element,
    one: Element,
    key: string,
    matched: Map<string, Set<string>>,
    tell: Tell,
  ): Element | undefined {
    const { op, returnBool } = this.expr
    const { card } = this.matching
    const { settings } = this.run
    const [a, b] = card === 'one-to-many' ? [one.value, many.value] : [many.value, one.value]
    const operated = operate(op, a, b, tell)
    if (operated === undefined) return undefined
    let labels = this.resultLabels(many.labels, one.labels)
    if (returnBool && !settings.delayedNameRemoval) labels = withoutMetadata(labels)
    const seen = matched.get(key)
    if (card === 'one-to-one') {
      if (seen !== undefined) {
        throw new InterpreterError(
          'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
        )
      }
    } else if (seen?.has(labels.key())) {
      throw new InterpreterError('multiple matches for labels: grouping labels must ensure unique matches')
    }
    matched.set(key, (seen ?? new Set()).add(labels.key()))
    if (returnBool) return { labels, dropName: true, value: Number(operated.keep), t: 0 }
    return operated.keep ? { labels, dropName: false, value: operated.value, t: 0 } : undefined
  }

  private resultLabels(many: Labels, one: Labels): Labels {
    const { card, on, labels: names, include } = this.matching
    let labels = ARITHMETIC.has(this.expr.op) ? withoutMetadata(many) : many
    if (card === 'one-to-one') labels = on ? labels.only(new Set(names)) : labels.without(new Set(names))
    for (const name of include) labels = withLabel(labels, name, one.get(name))
    return labels
  }
}

/** `and`, `or` and `unless`. */
export function setOperation({ op, matching }: Binary, lhs: Vector, rhs: Vector): Element[] {
  const signatures = (vector: Vector) => new Set(vector.map(({ labels }) => signature(labels, matching!)))
  const left = signatures(lhs)
  const right = signatures(rhs)
  if (op === 'or') return [...lhs, ...rhs.filter(({ labels }) => !left.has(signature(labels, matching!)))]
  return lhs.filter(({ labels }) => right.has(signature(labels, matching!)) === (op === 'and'))
}
