/** Label sets as upstream writes them in messages: `{__name__="up", job="node"}`. */
import { isLegacyLabelName, type Labels } from '../../storage/model/labels.ts'
import { quoteGo } from '../telemetry/quote.ts'

export function labelsText(labels: Labels): string {
  const parts: string[] = []
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]
    parts.push(`${isLegacyLabelName(name) ? name : quoteGo(name)}=${quoteGo(labels.pairs[i + 1])}`)
  }
  return `{${parts.join(', ')}}`
}
