/** Label sets as error texts write them. */
import { quoteString } from '../../../promql/syntax/go-format.ts'
import type { Labels } from '../../../storage/model/labels.ts'

/** `{a="b", c="d"}` with the name among them. */
export function formatLabels({ pairs }: Labels): string {
  const texts: string[] = []
  for (let i = 0; i < pairs.length; i += 2) {
    const name = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(pairs[i]) ? pairs[i] : quoteString(pairs[i])
    texts.push(`${name}=${quoteString(pairs[i + 1])}`)
  }
  return `{${texts.join(', ')}}`
}
