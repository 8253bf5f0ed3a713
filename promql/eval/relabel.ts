/** label_replace and label_join: new labels, the same numbers. */
import { isUtf8Name, type Labels, LabelsBuilder, METRIC_NAME } from '../../storage/model/labels.ts'
import { compileWrappedRegex, type Regex, RegexError } from '../../storage/model/regex.ts'
import { QueryError } from '../errors.ts'
import type { Column } from '../value.ts'
import { mergeEqualLabels } from './merge.ts'
import { Operator } from './operator.ts'
import { withoutMetadata } from './series-labels.ts'

class RelabelOperator extends Operator {
  private readonly input: Operator

  constructor(input: Operator, labels: readonly Labels[], drops: Uint8Array) {
    super(input.context, input.frame, labels, drops)
    this.input = input
  }

  protected override compute(i: number, out: Column): number {
    return this.input.fill(i, out)
  }

  protected override finish(): void {
    this.input.release()
  }
}

/** The end of a query whose names wait to be dropped. */
export function dropMarkedNames(input: Operator): Operator {
  if (!input.drops.includes(1)) return input
  const labels = input.labels.map((old, i) => (input.drops[i] === 0 ? old : withoutMetadata(old)))
  const operator = new RelabelOperator(input, labels, new Uint8Array(labels.length))
  return mergeEqualLabels(operator, 'same step')
}

/** `value` gives the new value of the label, or undefined to leave the series as it is. */
function setLabel(input: Operator, name: string, value: (labels: Labels) => string | undefined): Operator {
  const drops = input.drops.slice()
  const builder = new LabelsBuilder()
  const labels = input.labels.map((old, i) => {
    const text = value(old)
    if (text === undefined) return old
    builder.reset(old)
    // A name that was just given is not to be dropped.
    if (name === METRIC_NAME) drops[i] = 0
    return builder.set(name, text).labels()
  })
  return mergeEqualLabels(new RelabelOperator(input, labels, drops), 'same step')
}

function compile(pattern: string): Regex {
  try {
    return compileWrappedRegex(pattern)
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    const text = `invalid regular expression in label_replace(): ${pattern}`
    throw new QueryError('execution', text, { cause: error })
  }
}

function checkName(name: string, role: string, func: string): void {
  if (!isUtf8Name(name)) {
    throw new QueryError('execution', `invalid ${role} label name in ${func}(): ${name}`)
  }
}

/** What label_replace does, its texts checked. `input` is made after the checks. */
export function labelReplace(
  input: () => Operator,
  [destination, replacement, source, pattern]: readonly string[],
): Operator {
  const regex = compile(pattern)
  checkName(destination, 'destination', 'label_replace')
  return setLabel(input(), destination, (labels) => regex.expand(labels.get(source), replacement))
}

export function labelJoin(
  input: () => Operator,
  [destination, separator, ...sources]: readonly string[],
): Operator {
  for (const source of sources) checkName(source, 'source', 'label_join')
  checkName(destination, 'destination', 'label_join')
  return setLabel(input(), destination, (labels) =>
    sources.map((source) => labels.get(source)).join(separator),
  )
}
