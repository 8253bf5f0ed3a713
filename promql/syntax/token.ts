/** The words and signs of the language. */
import { quoteString } from './go-format.ts'

/** Decides how an error text shows a token. */
type TokenClass = 'operator' | 'aggregator' | 'keyword' | 'value' | 'end'

/**
 * A keyword's type is its lower-case spelling, a sign's and an operator's the sign itself; the rest are named as
 * errors name them.
 */
export interface Token {
  readonly type: string
  /** As written. */
  readonly text: string
  /** UTF-8 byte offsets, [start, end). */
  readonly start: number
  readonly end: number
}

export const END = 'end of input'
export const IDENTIFIER = 'identifier'
/** An identifier with a colon in it. */
export const METRIC_IDENTIFIER = 'metric identifier'
export const NUMBER = 'number'
export const DURATION = 'duration'
export const STRING = 'string'

const OPERATORS = [
  ...['+', '-', '*', '/', '%', '^', '@', '==', '!=', '<=', '<', '>=', '>', '</', '>/', '=~', '!~'],
  ...['and', 'or', 'unless', 'atan2'],
]

/** All aggregations; those of the second group take a parameter. */
const PLAIN_AGGREGATORS = ['avg', 'count', 'group', 'max', 'min', 'stddev', 'stdvar', 'sum']
const PARAMETER_AGGREGATORS = ['bottomk', 'count_values', 'limitk', 'limit_ratio', 'quantile', 'topk']
export const AGGREGATORS: readonly string[] = [...PLAIN_AGGREGATORS, ...PARAMETER_AGGREGATORS]

const MODIFIERS = [
  ...['anchored', 'bool', 'by', 'fill', 'fill_left', 'fill_right', 'group_left', 'group_right', 'ignoring'],
  ...['offset', 'on', 'smoothed', 'without'],
]

/** Words that are functions too, with a meaning of their own in durations or after `@`. */
const PREPROCESSORS = ['start', 'end', 'step', 'range', 'max_of', 'min_of']

/** Words by lower-case spelling → type. */
export const KEYWORDS: ReadonlyMap<string, string> = new Map([
  ...['and', 'or', 'unless', 'atan2', ...AGGREGATORS, ...MODIFIERS, ...PREPROCESSORS].map(
    (word): [string, string] => [word, word],
  ),
  ['inf', NUMBER],
  ['nan', NUMBER],
])

/** Words that stand for a duration inside brackets. */
export const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of'])

/** Keywords only before a parenthesis, so that metrics of these names stay usable. */
export const FILL_WORDS: ReadonlySet<string> = new Set(['fill', 'fill_left', 'fill_right'])

const CLASSES: ReadonlyMap<string, TokenClass> = new Map([
  ...OPERATORS.map((type): [string, TokenClass] => [type, 'operator']),
  ...AGGREGATORS.map((type): [string, TokenClass] => [type, 'aggregator']),
  ...MODIFIERS.map((type): [string, TokenClass] => [type, 'keyword']),
  ...[IDENTIFIER, METRIC_IDENTIFIER, NUMBER, DURATION, STRING].map((type): [string, TokenClass] => [
    type,
    'value',
  ]),
  [END, 'end'],
])

const AGGREGATOR_SET: ReadonlySet<string> = new Set(AGGREGATORS)
const PARAMETER_SET: ReadonlySet<string> = new Set(PARAMETER_AGGREGATORS)

export function isAggregator(type: string): boolean {
  return AGGREGATOR_SET.has(type)
}

/** Whether the aggregation takes a parameter before its vector. */
export function takesParameter(type: string): boolean {
  return PARAMETER_SET.has(type)
}

const NO_METRIC = new Set(['bool', 'on', 'ignoring', 'group_left', 'group_right', 'atan2', ...FILL_WORDS])

/** Whether a token can be the bare name of a metric. */
export function isMetricName(type: string): boolean {
  if (type === IDENTIFIER || type === METRIC_IDENTIFIER) return true
  return KEYWORDS.get(type) === type && !NO_METRIC.has(type)
}

/** Whether a token can be a label in a grouping list. */
export function isGroupingLabel(type: string): boolean {
  if (type === IDENTIFIER || type === METRIC_IDENTIFIER) return true
  return KEYWORDS.get(type) === type && type !== 'without' && !FILL_WORDS.has(type)
}

/** Whether `type (` is a function call. */
export function isFunctionName(type: string): boolean {
  return type === IDENTIFIER || PREPROCESSORS.includes(type)
}

/** Characters of a string, a number or a duration that an error text shows. */
const SHOWN_MAX = 10

function quoteShort(text: string): string {
  if (Buffer.byteLength(text) <= SHOWN_MAX) return quoteString(text)
  return `${quoteString([...text].slice(0, SHOWN_MAX).join(''))}...`
}

/** How error texts name a token: `identifier "x"`, `<op:*>`, `<aggr:sum>`, `<by>`, `"("`, `end of input`. */
export function describeToken(token: Token): string {
  switch (CLASSES.get(token.type)) {
    case 'operator':
      return `<op:${token.text}>`
    case 'aggregator':
      return `<aggr:${token.text}>`
    case 'keyword':
      return `<${token.text}>`
    case 'end':
      return END
    case 'value':
      if (token.type === IDENTIFIER || token.type === METRIC_IDENTIFIER) {
        return `${token.type} ${quoteString(token.text)}`
      }
      return `${token.type} ${quoteShort(token.text)}`
    default:
      return quoteShort(token.text)
  }
}
