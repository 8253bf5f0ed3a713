/** RE2 regular expressions, fully anchored. (first form; see the owner of this file) */
import { RE2JS } from 're2js'
export interface Regex {
  matches(value: string): boolean
  readonly literals: readonly string[] | undefined
}
export function compileRegex(pattern: string): Regex {
  const re = RE2JS.compile(`^(?s:${pattern})$`)
  return { matches: (v) => re.matches(v), literals: undefined }
}
