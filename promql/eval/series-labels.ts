/** What operators do to label sets. */
import { compareUtf8, type Labels, METRIC_NAME } from '../../storage/model/labels.ts'
import { quoteString } from '../syntax/go-format.ts'
import type { EvalContext } from './context.ts'

/** Labels that say what a metric is; an operator that changes the meaning drops them all. */
const METADATA: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__'])

export function withoutMetadata(labels: Labels): Labels {
  return labels.without(METADATA)
}

/**
 * Labels and marks of the output of an operator that drops the name: dropped now, or marked where removal is
 * delayed.
 */
export function dropNames(
  context: EvalContext,
  labels: readonly Labels[],
): { labels: readonly Labels[]; drops: Uint8Array } {
  const drops = new Uint8Array(labels.length)
  if (context.settings.delayedNameRemoval) return { labels, drops: drops.fill(1) }
  return { labels: labels.map(withoutMetadata), drops }
}

/** Whether the sets stay different from each other without their metadata, seen at a glance. */
export function areDistinctWithoutMetadata(labels: readonly Labels[]): boolean {
  if (labels.length < 2) return true
  const name = labels[0].get(METRIC_NAME)
  return labels.every((set) => set.get(METRIC_NAME) === name && !set.has('__type__') && !set.has('__unit__'))
}

/** Makes keys by which series are grouped or matched: equal exactly where the chosen labels are. */
export type LabelsKey = (labels: Labels) => string

/** Key over only the given names; or over all but these and the metric name. */
export function labelsKey(names: readonly string[], isOnly: boolean): LabelsKey {
  if (isOnly) {
    if (names.length === 0) return () => ''
    if (names.length === 1) {
      const [name] = names
      return (labels) => labels.get(name)
    }
    const sorted = [...new Set(names)].sort(compareUtf8)
    return (labels) => {
      let key = ''
      for (const name of sorted) key += `${labels.get(name)}\ud800`
      return key
    }
  }
  const left = new Set([...names, METRIC_NAME])
  return (labels) => {
    const { pairs } = labels
    let key = ''
    for (let i = 0; i < pairs.length; i += 2) {
      if (!left.has(pairs[i])) key += `${pairs[i]}\ud800${pairs[i + 1]}\ud800`
    }
    return key
  }
}

/** As Go prints a label set: `{a="b", c="d"}`. */
export function formatLabels(labels: Labels): string {
  const parts: string[] = []
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]
    const shown = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoteString(name)
    parts.push(`${shown}=${quoteString(labels.pairs[i + 1])}`)
  }
  return `{${parts.join(', ')}}`
}
