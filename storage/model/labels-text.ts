/** Series in words, for people: in notes of damage and what `inspect` prints. */
import { type Labels, METRIC_NAME } from './labels.ts'

/** As `metric{label="value", …}`. */
export function labelsText(labels: Labels): string {
  const { pairs } = labels
  const parts: string[] = []
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] !== METRIC_NAME) parts.push(`${pairs[i]}=${JSON.stringify(pairs[i + 1])}`)
  }
  return `${labels.get(METRIC_NAME)}{${parts.join(', ')}}`
}
