/** The `match[]` parameters. */
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parseSelector } from '../../promql/syntax/parser.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import { badData } from '../api/errors.ts'

/** One list of matchers for each selector. Throws ApiError for the first that is wrong, or that could match all. */
export function parseSelectors(selectors: readonly string[]): (readonly Matcher[])[] {
  // All are parsed before any is looked at, as upstream: a parse error goes before an empty selector.
  const parsed = selectors.map(parse)
  if (parsed.some((matchers) => matchers.every((matcher) => matcher.matchesEmpty()))) {
    throw badData('match[] must contain at least one non-empty matcher')
  }
  return parsed
}

function parse(selector: string): readonly Matcher[] {
  try {
    return parseSelector(selector)
  } catch (error) {
    throw error instanceof ParseError ? badData(error.message) : error
  }
}
