/** label_replace, label_join, orders by labels, and the labels of absent(). */
import type { Expr } from '../../../promql/syntax/ast.ts'
import { compareLabels, compareUtf8, isUtf8Name, Labels } from '../../../storage/model/labels.ts'
import { compileRegex } from '../../../storage/model/regex.ts'
import { type Element, InterpreterError, type Vector } from './model.ts'
import { withLabel } from './naming.ts'
import { unparenthesized } from './position.ts'

/** Sets a label and, where it is the name, saves it from being dropped. */
function relabelled(element: Element, name: string, value: string): Element {
  const isSaved = name === '__name__'
  return {
    ...element,
    labels: withLabel(element.labels, name, value),
    dropName: isSaved ? false : element.dropName,
  }
}

/** Go's Regexp.Expand: `$1`, `${1}`, `$name`, `$$`; the longest run of letters, digits and `_` is the name. */
function expand(
  template: string,
  groups: readonly (string | undefined)[],
  names: Readonly<Record<string, string>>,
): string {
  return template.replace(/\$(?:\$|\{([^}]*)\}|([\p{L}\p{Nd}_]+))/gu, (whole, braced, bare) => {
    if (whole === '$$') return '$'
    const name: string = braced ?? bare
    if (braced !== undefined && !/^[\p{L}\p{Nd}_]+$/u.test(name)) return whole
    if (/^\d+$/.test(name)) return groups[Number(name)] ?? ''
    return names[name] ?? ''
  })
}

export function labelReplace(steps: readonly Vector[], args: readonly string[]): Element[][] {
  const [destination, replacement, source, pattern] = args
  let regex: RegExp
  try {
    compileRegex(pattern)
    // The patterns of generated queries mean the same in both dialects.
    regex = new RegExp(`^(?:${pattern.replaceAll('(?P<', '(?<')})$`, 'su')
  } catch {
    throw new InterpreterError(`invalid regular expression in label_replace(): ${pattern}`)
  }
  if (!isUtf8Name(destination)) {
    throw new InterpreterError(`invalid destination label name in label_replace(): ${destination}`)
  }
  return steps.map((vector) =>
    vector.map((element) => {
      const match = regex.exec(element.labels.get(source))
      if (match === null) return element
      return relabelled(element, destination, expand(replacement, match, match.groups ?? {}))
    }),
  )
}

export function labelJoin(steps: readonly Vector[], args: readonly string[]): Element[][] {
  const [destination, separator, ...sources] = args
  for (const source of sources) {
    if (!isUtf8Name(source))
      throw new InterpreterError(`invalid source label name in label_join(): ${source}`)
  }
  if (!isUtf8Name(destination)) {
    throw new InterpreterError(`invalid destination label name in label_join(): ${destination}`)
  }
  return steps.map((vector) =>
    vector.map((element) => {
      const joined = sources.map((source) => element.labels.get(source)).join(separator)
      return relabelled(element, destination, joined)
    }),
  )
}

/** Whether runs of digits, taken as numbers, put `a` before `b`. */
function isNaturallyLess(a: string, b: string): boolean {
  const parts = (text: string) => text.match(/\d+|\D+/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < left.length && i < right.length; i++) {
    if (left[i] === right[i]) continue
    const [x, y] = [left[i], right[i]]
    if (/^\d/.test(x) && /^\d/.test(y) && BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y)
    return compareUtf8(x, y) < 0
  }
  return left.length < right.length
}

export function sortByLabels(vector: Vector, names: readonly string[], sign: 1 | -1): Element[] {
  return vector.toSorted((a, b) => {
    for (const name of names) {
      const [x, y] = [a.labels.get(name), b.labels.get(name)]
      if (x !== y) return isNaturallyLess(x, y) ? -sign : sign
    }
    return sign * compareLabels(a.labels, b.labels)
  })
}

/** The labels that the missing series would have had. */
export function absentLabels(arg: Expr): Labels {
  const inner = unparenthesized(arg)
  const selector = inner.type === 'matrixSelector' ? inner.selector : inner
  if (selector.type !== 'vectorSelector') return Labels.EMPTY
  const values: Record<string, string> = {}
  const seen = new Set<string>()
  for (const { name, op, value } of selector.matchers) {
    if (name === '__name__') continue
    if (op === '=' && !seen.has(name)) {
      values[name] = value
      seen.add(name)
    } else delete values[name]
  }
  return Labels.from(values)
}
