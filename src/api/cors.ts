/** Headers that let pages of other origins call the API. */
import { compileRegex } from '../../storage/model/regex.ts'

const HEADERS = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-expose-headers': 'Date',
}

/**
 * Headers by a request's origin (undefined: it names none). The pattern is anchored; `.*` allows all, without
 * naming the origin. Throws RegexError when it is none.
 */
export function corsPolicy(
  pattern: string,
): (origin: string | undefined) => Readonly<Record<string, string>> {
  const regex = compileRegex(pattern)
  const allowsAll = pattern === '.*'
  return (origin) => {
    if (origin === undefined || origin === '') return {}
    if (allowsAll) return { ...HEADERS, 'access-control-allow-origin': '*' }
    return regex.matches(origin) ? { ...HEADERS, 'access-control-allow-origin': origin } : HEADERS
  }
}
