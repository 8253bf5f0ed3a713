/** Parsing of what stands in braces and in the lists of labels. */
import { isUtf8Name } from '../../storage/model/labels.ts'
import { Matcher, type MatchOp } from '../../storage/model/matcher.ts'
import { RegexError } from '../../storage/model/regex.ts'
import { quoteString } from './go-format.ts'
import { unquoteString } from './literal.ts'
import { IDENTIFIER, isGroupingLabel, STRING } from './token.ts'
import type { TokenStream } from './token-stream.ts'

const MATCH_OPS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~'])

/** `{a="b", "name", …}` with its closing brace. Requires: the next token is `{`. */
export function parseMatchers(tokens: TokenStream): { matchers: Matcher[]; end: number } {
  tokens.next()
  const matchers: Matcher[] = []
  let close = tokens.accept('}')
  while (close === undefined) {
    matchers.push(parseMatcher(tokens))
    close = tokens.accept('}')
    if (close !== undefined) break
    if (tokens.accept(',') === undefined) tokens.unexpected('label matching', '"," or "}"')
    close = tokens.accept('}')
  }
  return { matchers, end: close.end }
}

function parseMatcher(tokens: TokenStream): Matcher {
  const label = tokens.peek()
  if (label.type !== IDENTIFIER && label.type !== STRING) {
    tokens.unexpected('label matching', 'identifier or "}"')
  }
  tokens.next()
  const name = label.type === STRING ? unquoteString(label.text) : label.text
  if (!MATCH_OPS.has(tokens.peek().type)) {
    if (label.type === STRING) return new Matcher('__name__', '=', name)
    tokens.unexpected('label matching', 'label matching operator')
  }
  const op = tokens.next().type as MatchOp
  if (!tokens.is(STRING)) tokens.unexpected('label matching', 'string')
  const value = tokens.next()
  try {
    return new Matcher(name, op, unquoteString(value.text))
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    return tokens.fail({ start: label.start, end: value.end }, error.message, error)
  }
}

/** `(a, "b", by)`: the labels of by, without, on, ignoring, group_left and group_right. */
export function parseGrouping(tokens: TokenStream): { labels: string[]; end: number } {
  if (tokens.accept('(') === undefined) tokens.unexpected('grouping opts', '"("')
  const labels: string[] = []
  let close = tokens.accept(')')
  while (close === undefined) {
    labels.push(parseGroupingLabel(tokens))
    close = tokens.accept(')')
    if (close !== undefined) break
    if (tokens.accept(',') === undefined) tokens.unexpected('grouping opts', '"," or ")"')
    close = tokens.accept(')')
  }
  return { labels, end: close.end }
}

function parseGroupingLabel(tokens: TokenStream): string {
  const token = tokens.peek()
  if (token.type !== STRING && !isGroupingLabel(token.type)) tokens.unexpected('grouping opts', 'label')
  tokens.next()
  const label = token.type === STRING ? unquoteString(token.text) : token.text
  if (!isUtf8Name(label)) tokens.fail(token, `invalid label name for grouping: ${quoteString(label)}`)
  return label
}
