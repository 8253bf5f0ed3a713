/** `$NAME` and `${NAME}` in external labels, as Go's os.Expand reads them. */

const SPECIAL = /^[*#$@!?\-0-9]$/

/**
 * The text with variables replaced by what `lookup` says. `$$` is looked up under the name `$`. Broken syntax
 * is dropped as in Go: `${}` is eaten whole, `${` without an end loses these two characters, and a `$` before
 * something that is no name stays.
 */
export function expandVariables(text: string, lookup: (name: string) => string): string {
  let expanded = ''
  let i = 0
  while (i < text.length) {
    if (text[i] !== '$' || i + 1 >= text.length) {
      expanded += text[i]
      i++
      continue
    }
    const { name, length } = shellName(text.slice(i + 1))
    if (name !== '') expanded += lookup(name)
    else if (length === 0) expanded += '$'
    i += 1 + length
  }
  return expanded
}

/** The name at the start of the text, and how many characters it takes up there. */
function shellName(text: string): { name: string; length: number } {
  if (text[0] === '{') {
    if (text.length > 2 && SPECIAL.test(text[1]) && text[2] === '}') return { name: text[1], length: 3 }
    const end = text.indexOf('}')
    if (end === 1) return { name: '', length: 2 }
    return end < 0 ? { name: '', length: 1 } : { name: text.slice(1, end), length: end + 1 }
  }
  if (SPECIAL.test(text[0])) return { name: text[0], length: 1 }
  const name = /^[A-Za-z0-9_]*/.exec(text)![0]
  return { name, length: name.length }
}
