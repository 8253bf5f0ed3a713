/** Replacement templates, by the rules of Go's Regexp.Expand. */

export interface Template {
  /** The text, when the template names no group. */
  literal: string | undefined
  /** Texts and the groups between them: a number, or a name. */
  parts: readonly (string | GroupReference)[]
}

export interface GroupReference {
  name: string
  /** −1 when the name is not a group's number. */
  group: number
}

/** Letters and digits are Unicode's, as in Go. */
const REFERENCE = /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu

export function parseTemplate(template: string): Template {
  const parts: (string | GroupReference)[] = []
  let from = 0
  let text = ''
  for (const match of template.matchAll(REFERENCE)) {
    text += template.slice(from, match.index)
    from = match.index + match[0].length
    if (match[1] !== undefined) {
      text += '$'
      continue
    }
    if (text !== '') parts.push(text)
    text = ''
    const name = match[2] ?? match[3]
    parts.push({ name, group: groupNumber(name) })
  }
  text += template.slice(from)
  if (parts.length === 0) return { literal: text, parts }
  if (text !== '') parts.push(text)
  return { literal: undefined, parts }
}

/** Decimal without leading zeros; what Go's parser takes for too large is a name. */
function groupNumber(name: string): number {
  return /^(?:0|[1-9][0-9]{0,8})$/.test(name) ? Number(name) : -1
}

/**
 * @param textOf what a group matched; undefined when there is no such group or it took no part
 * @param groupsOf the numbers of the groups with a name, ascending; the first that took part counts
 */
export function expandTemplate(
  template: Template,
  textOf: (group: number) => string | undefined,
  groupsOf: (name: string) => readonly number[] | undefined,
): string {
  let result = ''
  for (const part of template.parts) {
    if (typeof part === 'string') result += part
    else if (part.group >= 0) result += textOf(part.group) ?? ''
    else {
      for (const group of groupsOf(part.name) ?? []) {
        const text = textOf(group)
        if (text === undefined) continue
        result += text
        break
      }
    }
  }
  return result
}
