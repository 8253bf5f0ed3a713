/** Names that are dropped, and sets of labels that must differ. */
import { Labels } from '../../../storage/model/labels.ts'
import {
  DUPLICATE_LABEL_SET,
  type Element,
  InterpreterError,
  type Settings,
  UndefinedResult,
  type Vector,
} from './model.ts'

const METADATA: ReadonlySet<string> = new Set(['__name__', '__type__', '__unit__'])

export function withoutMetadata(labels: Labels): Labels {
  return labels.without(METADATA)
}

export function metricName(labels: Labels): string {
  return labels.get('__name__')
}

/** The element with its name dropped: now, or marked so that it is dropped at the end. */
export function dropName(element: Element, settings: Settings): Element {
  if (settings.delayedNameRemoval) return { ...element, dropName: true }
  return { ...element, labels: withoutMetadata(element.labels), dropName: true }
}

/** The set with one label set, or deleted where the value is empty. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  return Labels.from({ ...labels.without(new Set([name])).toObject(), [name]: value })
}

/** Throws where two elements of a step have the same labels. */
export function checkUnique(steps: readonly Vector[]): void {
  for (const vector of steps) {
    const keys = new Set(vector.map(({ labels }) => labels.key()))
    if (keys.size < vector.length) throw new InterpreterError(DUPLICATE_LABEL_SET)
  }
}

/**
 * The steps as they are. Upstream tells series apart by their labels alone and marks them as they are where they first
 * appear; throws UndefinedResult where a later step has another mark.
 */
export function withFirstMarks(steps: readonly Vector[]): readonly Vector[] {
  const marks = new Map<string, boolean>()
  for (const { labels, dropName: mark } of steps.flat()) {
    const first = marks.get(labels.key()) ?? mark
    if (first !== mark) throw new UndefinedResult('a series whose name is to be dropped at some steps only')
    marks.set(labels.key(), first)
  }
  return steps
}
