/**
 * Arithmetic and comparison between two vectors, one-to-one or with a "many" side.
 *
 * Which series meet is worked out once, by their labels. Only the rules that speak of samples at one step (two
 * partners at once, two results with the same labels) are looked at step by step, and only for the few series
 * that they can concern: partners shared by several, or results with equal labels.
 */
import { compareLabels, type Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import { duplicateLabelSet, QueryError } from '../errors.ts'
import type { BinaryNode } from '../plan/plan.ts'
import type { BinaryOp, VectorMatching } from '../syntax/ast.ts'
import { ABSENT, Column } from '../value.ts'
import { applyOperator, isArithmetic, isTrim } from './binary-operators.ts'
import { fillSides, matchingLabels } from './fill.ts'
import { freeColumns, materialize, Operator } from './operator.ts'
import { haveResult, SampleOperator } from './sample-operators.ts'
import { formatLabels, labelsKey, withoutMetadata } from './series-labels.ts'

/** A series of the "many" side and one of the "one" side with the same matching labels. */
interface Pair {
  many: number
  one: number
  /** Ordinal of their matching labels. */
  signature: number
}

/** All pairs whose results have the same labels. Nearly always a single one. */
interface Output {
  labels: Labels
  pairs: Pair[]
}

function groupingError(isOneToOne: boolean): QueryError {
  const text = isOneToOne
    ? 'many-to-one matching must be explicit (group_left/group_right)'
    : 'grouping labels must ensure unique matches'
  return new QueryError('execution', `multiple matches for labels: ${text}`)
}

/** Labels of the result of `many op one`. */
function resultLabels(
  many: Labels,
  one: Labels,
  op: BinaryOp,
  returnBool: boolean,
  m: VectorMatching,
): Labels {
  let labels = isArithmetic(op) ? withoutMetadata(many) : many
  if (m.card === 'one-to-one') {
    const names = new Set(m.labels)
    labels = m.on ? labels.only(names) : labels.without(names)
  }
  if (m.include.length > 0) {
    const builder = new LabelsBuilder(labels)
    for (const name of m.include) builder.set(name, one.get(name))
    labels = builder.labels()
  }
  return returnBool ? withoutMetadata(labels) : labels
}

class MatchingOperator extends Operator {
  private readonly node: BinaryNode
  private readonly many: Operator
  private readonly one: Operator
  /** Of the "one" side, all series. */
  private readonly ones: readonly (Column | undefined)[]
  /** Those of the "many" side that are needed more than once, or in another order than that of the outputs. */
  private readonly manies: ReadonlyMap<number, Column>
  private readonly outputs: readonly Output[]
  private readonly isManyLeft: boolean
  private readonly scratch: Column
  private readonly mixed: SampleOperator

  constructor(
    node: BinaryNode,
    many: Operator,
    one: Operator,
    ones: readonly (Column | undefined)[],
    manies: ReadonlyMap<number, Column>,
    outputs: readonly Output[],
  ) {
    const { returnBool, matching } = node.expr
    const drops = new Uint8Array(outputs.length)
    // Arithmetic drops names at once even where removal is delayed.
    if (returnBool && many.context.settings.delayedNameRemoval) drops.fill(1)
    super(
      many.context,
      node.frame,
      outputs.map((output) => output.labels),
      drops,
    )
    this.node = node
    this.many = many
    this.one = one
    this.ones = ones
    this.manies = manies
    this.outputs = outputs
    this.isManyLeft = matching!.card !== 'one-to-many'
    this.scratch = new Column(node.frame.count)
    this.mixed = new SampleOperator(node.expr)
  }

  protected override compute(i: number, out: Column): number {
    const { pairs } = this.outputs[i]
    if (pairs.length > 1) return this.combineAll(pairs, out)
    const [{ many, one }] = pairs
    const held = this.manies.get(many)
    if (held === undefined) this.many.fill(many, out)
    else out.copyFrom(held)
    return this.combine(out, this.ones[one], many)
  }

  /** Puts the result of `column op one` in the place of the column of series `many`. */
  private combine(column: Column, one: Column | undefined, many: number): number {
    const { op, returnBool } = this.node.expr
    const { values, present } = column
    if (one === undefined) {
      present.fill(ABSENT)
      return 0
    }
    if (column.mayHaveHistograms || one.mayHaveHistograms || isTrim(op))
      return this.combineMixed(column, one, many)
    for (let s = 0; s < present.length; s++) present[s] &= one.present[s]
    const lhs = this.isManyLeft ? values : one.values
    const rhs = this.isManyLeft ? one.values : values
    return applyOperator(op, lhs, rhs, lhs, present, returnBool, values)
  }

  private combineMixed(column: Column, one: Column, many: number): number {
    const lhs = this.isManyLeft ? column : one
    const rhs = this.isManyLeft ? one : column
    let found = 0
    for (let s = 0; s < column.present.length; s++) {
      if (column.present[s] === ABSENT) continue
      if (one.present[s] === ABSENT) column.present[s] = ABSENT
      else if (this.mixed.apply(lhs, rhs, lhs, column, s, many)) found++
    }
    return found
  }

  /** Several pairs with one label set: at each step at most one of them may have a result. */
  private combineAll(pairs: readonly Pair[], out: Column): number {
    const { scratch } = this
    out.present.fill(ABSENT)
    let found = 0
    for (const { many, one } of pairs) {
      const column = this.manies.get(many)
      if (column === undefined) continue
      scratch.copyFrom(column)
      if (this.combine(scratch, this.ones[one], many) === 0) continue
      for (let s = 0; s < scratch.present.length; s++) {
        if (scratch.present[s] === ABSENT) continue
        if (out.present[s] !== ABSENT) throw duplicateLabelSet()
        out.copyStep(s, scratch)
        found++
      }
    }
    return found
  }

  protected override finish(): void {
    this.mixed.annotate(this.context.annotations)
    freeColumns(this, this.ones)
    freeColumns(this, this.manies.values())
    this.many.release()
    this.one.release()
  }
}

class Matcher {
  private readonly node: BinaryNode
  private readonly matching: VectorMatching
  private readonly many: Operator
  private readonly one: Operator
  private readonly count: number
  private readonly ordinals = new Map<string, number>()
  private readonly manySignatures: Int32Array
  private readonly oneSignatures: Int32Array

  constructor(node: BinaryNode, many: Operator, one: Operator) {
    this.node = node
    this.matching = node.expr.matching!
    this.many = many
    this.one = one
    this.count = node.frame.count
    const key = labelsKey(this.matching.labels, this.matching.on)
    this.manySignatures = this.sign(many, key)
    this.oneSignatures = this.sign(one, key)
  }

  private sign(operator: Operator, key: (labels: Labels) => string): Int32Array {
    return Int32Array.from(operator.labels, (labels) => {
      const text = key(labels)
      let ordinal = this.ordinals.get(text)
      if (ordinal === undefined) {
        ordinal = this.ordinals.size
        this.ordinals.set(text, ordinal)
      }
      return ordinal
    })
  }

  match(): Operator {
    const { many, one, node } = this
    const ones = materialize(one)
    const members = this.membersBySignature(ones)
    const duplicates = this.findDuplicates(members, ones)
    const outputs = this.pairUp(members)
    const manies = this.readManySide(outputs, duplicates)
    const duplicateStep = duplicates === undefined ? this.count : this.firstDuplicate(duplicates, manies)
    // Upstream goes step by step, and meets the duplicates of a step before its rivals.
    this.checkSteps(outputs, ones, manies, duplicateStep)
    if (duplicates !== undefined && duplicateStep < this.count) {
      throw this.duplicateError(duplicates.first[duplicateStep] - 1, duplicates.second[duplicateStep] - 1)
    }
    return new MatchingOperator(node, many, one, ones, manies, outputs)
  }

  /** Series of the "one" side that have samples, by their signature. */
  private membersBySignature(ones: readonly (Column | undefined)[]): Map<number, number[]> {
    const members = new Map<number, number[]>()
    for (const [i, signature] of this.oneSignatures.entries()) {
      if (ones[i] === undefined) continue
      const others = members.get(signature)
      if (others === undefined) members.set(signature, [i])
      else others.push(i)
    }
    return members
  }

  /** For each step with two "one" samples of a signature, those two (plus 1, so that 0 is none). */
  private findDuplicates(
    members: Map<number, number[]>,
    ones: readonly (Column | undefined)[],
  ): { first: Int32Array; second: Int32Array } | undefined {
    let duplicates: { first: Int32Array; second: Int32Array } | undefined
    const holder = new Int32Array(this.count)
    for (const series of members.values()) {
      if (series.length < 2) continue
      holder.fill(0)
      for (const i of series) {
        const { present } = ones[i]!
        for (let s = 0; s < this.count; s++) {
          if (present[s] === ABSENT) continue
          if (holder[s] === 0) holder[s] = i + 1
          else {
            duplicates ??= { first: new Int32Array(this.count), second: new Int32Array(this.count) }
            // Upstream meets the series in order, and stops at the first that is the second of its signature.
            if (duplicates.second[s] === 0 || i + 1 < duplicates.second[s]) {
              duplicates.first[s] = holder[s]
              duplicates.second[s] = i + 1
            }
          }
        }
      }
    }
    return duplicates
  }

  private pairUp(members: Map<number, number[]>): Output[] {
    const { op, returnBool } = this.node.expr
    // Where removal is delayed, the marks do this.
    const dropsForBool = returnBool && !this.many.context.settings.delayedNameRemoval
    const outputs = new Map<string, Output>()
    for (const [many, signature] of this.manySignatures.entries()) {
      for (const one of members.get(signature) ?? []) {
        const { matching } = this
        const labels = resultLabels(this.many.labels[many], this.one.labels[one], op, dropsForBool, matching)
        const key = labels.key()
        const output = outputs.get(key)
        if (output === undefined) outputs.set(key, { labels, pairs: [{ many, one, signature }] })
        else output.pairs.push({ many, one, signature })
      }
    }
    return [...outputs.values()]
  }

  /**
   * Reads what of the "many" side is not read once by one output. The series without a partner are read too: what
   * they have to say (errors, annotations, statistics) belongs to the query.
   */
  private readManySide(outputs: readonly Output[], duplicates: unknown): Map<number, Column> {
    const uses = new Int32Array(this.many.size)
    const isShared = new Uint8Array(this.many.size)
    for (const { pairs } of outputs) {
      for (const { many } of pairs) {
        uses[many]++
        if (pairs.length > 1) isShared[many] = 1
      }
    }
    const manies = new Map<number, Column>()
    let spare: Column | undefined
    for (let i = 0; i < this.many.size; i++) {
      if (uses[i] === 1 && isShared[i] === 0 && duplicates === undefined && !this.sharesSignature(i)) continue
      const column = spare ?? this.many.context.newColumn(this.count)
      spare = undefined
      this.many.fill(i, column)
      if (uses[i] > 0 || duplicates !== undefined) manies.set(i, column)
      else spare = column
    }
    return manies
  }

  private sharing: Int32Array | undefined

  /** One-to-one: whether another series of the "many" side has the same signature. */
  private sharesSignature(i: number): boolean {
    if (this.matching.card !== 'one-to-one') return false
    if (this.sharing === undefined) {
      this.sharing = new Int32Array(this.ordinals.size)
      for (const signature of this.manySignatures) this.sharing[signature]++
    }
    return this.sharing[this.manySignatures[i]] > 1
  }

  /** The first step where the "one" side has two samples of a signature while the other side has any; else `count`. */
  private firstDuplicate({ second }: { second: Int32Array }, manies: ReadonlyMap<number, Column>): number {
    for (let s = 0; s < this.count; s++) {
      if (second[s] === 0) continue
      // With a fill value the other side counts as there, even where it is empty.
      if (isFilled(this.matching)) return s
      for (const column of manies.values()) if (column.present[s] !== ABSENT) return s
    }
    return this.count
  }

  private duplicateError(first: number, second: number): QueryError {
    const pair = [this.one.labels[first], this.one.labels[second]].sort(compareLabels)
    const group = matchingLabels(pair[0], this.matching)
    const side = this.matching.card === 'one-to-many' ? 'left' : 'right'
    return new QueryError(
      'execution',
      `found duplicate series for the match group ${formatLabels(group)} on the ${side} hand-side of the ` +
        `operation: [${pair.map(formatLabels).join(', ')}];many-to-many matching not allowed: matching labels ` +
        'must be unique on one side',
    )
  }

  /** The rules about several partners at one of the first `end` steps, for the series that may break them. */
  private checkSteps(
    outputs: readonly Output[],
    ones: readonly (Column | undefined)[],
    manies: ReadonlyMap<number, Column>,
    end: number,
  ): void {
    const isOneToOne = this.matching.card === 'one-to-one'
    // One-to-one: all of a signature share the one partner. Grouped: only those with equal results do.
    const rivals = new Map<string, Pair[]>()
    for (const [o, { pairs }] of outputs.entries()) {
      for (const pair of pairs) {
        if (!manies.has(pair.many)) continue
        const key = isOneToOne ? `${pair.signature}` : `${o} ${pair.signature}`
        const others = rivals.get(key)
        if (others === undefined) rivals.set(key, [pair])
        else others.push(pair)
      }
    }
    const isTaken = new Uint8Array(this.count)
    for (const pairs of rivals.values()) {
      if (pairs.length < 2) continue
      isTaken.fill(0)
      for (const { many, one } of pairs) {
        const left = manies.get(many)!
        const right = ones[one]!
        for (let s = 0; s < end; s++) {
          if (left.present[s] === ABSENT || right.present[s] === ABSENT) continue
          // Upstream does not get as far where samples have no result.
          if (!haveManyResult(this.node, left, right, s)) continue
          if (isTaken[s] !== 0) throw groupingError(isOneToOne)
          isTaken[s] = 1
        }
      }
    }
  }
}

/** Whether samples of the "many" and the "one" side have a result. */
function haveManyResult({ expr }: BinaryNode, many: Column, one: Column, s: number): boolean {
  const isSwapped = expr.matching!.card === 'one-to-many'
  return isSwapped ? haveResult(expr.op, one, many, s) : haveResult(expr.op, many, one, s)
}

function isFilled({ fill }: VectorMatching): boolean {
  return fill.lhs !== null || fill.rhs !== null
}

/** `lhs op rhs` between vectors, for all operators but and, or, unless. */
export function matchVectors(node: BinaryNode, lhs: Operator, rhs: Operator): Operator {
  const matching = node.expr.matching!
  let [many, one] = matching.card === 'one-to-many' ? [rhs, lhs] : [lhs, rhs]
  if (isFilled(matching))
    [many, one] = fillSides(many, one, matching, (a, b, s) => haveManyResult(node, a, b, s))
  return new Matcher(node, many, one).match()
}
