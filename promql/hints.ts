/**
 * What to do about an error, where we know it: a sentence beside upstream's text. Pure: from the error's text and the query.
 *
 * A rule is told by the text, since that is what upstream's and ours have in common; the rules stand in the order in
 * which they are tried.
 */
import { SIGNATURES } from './functions/signatures.ts'
import { AGGREGATORS } from './syntax/token.ts'

/** `match` is what the rule's pattern found in the error's text. */
type Cure = (match: RegExpExecArray, query: string) => string | undefined

const AGGREGATION_CALL = new RegExp(`\\b(${AGGREGATORS.join('|')})\\b`)

/** The cure for an error, undefined where none is known. `message`: upstream's text, position and all. */
export function hintFor(message: string, query: string): string | undefined {
  for (const [pattern, cure] of RULES) {
    const match = pattern.exec(message)
    const hint = match === null ? undefined : cure(match, query)
    if (hint !== undefined) return hint
  }
  return undefined
}

const say =
  (hint: string): Cure =>
  () =>
    hint

/** Where the query has this, what to do. */
const where =
  (pattern: RegExp, hint: string): Cure =>
  (_, query) =>
    pattern.test(query) ? hint : undefined

const RULES: readonly (readonly [RegExp, Cure])[] = [
  [/unknown function with name "(.*)"/, ([, name]) => nearestName(name)],
  [/expected type range vector in call to function "(\w+)", got (.+)$/, needsRange],
  [
    /expected type instant vector in (?:call to function "(\w+)"|aggregation expression), got range vector/,
    ([, name = 'the aggregation']) =>
      `${called(name)} takes one value a series: leave out the range, or reduce it first, as in rate(x[5m]) or avg_over_time(x[5m])`,
  ],
  [
    /expected type instant vector in (?:call to function "(\w+)"|aggregation expression), got scalar/,
    say('a number is no vector: vector(5) makes one of it'),
  ],
  [
    /expected type scalar in .*, got instant vector/,
    say(
      'a number is needed here: write it first where the function wants it first, or make one of a single series by scalar()',
    ),
  ],
  [/expected type string in .*, got/, say('write it in quotes: "name"')],
  [
    /wrong number of arguments for aggregate expression provided, expected 2, got 1/,
    (_, query) => {
      const name = /\b(topk|bottomk|quantile|count_values|limitk|limit_ratio)\b/.exec(query)?.[1] ?? 'topk'
      const first = { quantile: '0.9', count_values: '"value"', limit_ratio: '0.1' }[name] ?? '5'
      return `${name} takes its parameter first: ${name}(${first}, x)`
    },
  ],
  [
    /expected (?:at least |at most )?\d+ argument\(s\) in call to "(\w+)", got \d+/,
    ([, name]) => usage(name),
  ],
  [/no arguments for aggregate expression provided/, say('an aggregation needs what to aggregate: sum(x)')],
  [
    /ranges only allowed for vector selectors/,
    say(
      'a range stands behind a selector only: take the rate first, as in sum(rate(x[5m])), or write a subquery, [5m:]',
    ),
  ],
  [
    /unexpected identifier .* in label matching, expected string/,
    say('label values stand in quotes: {job="api"}'),
  ],
  [
    /unexpected "=" in label matching, expected string/,
    say('a label is matched by = or != , or =~ and !~ for regular expressions: {job="api"}'),
  ],
  [
    /unexpected character after '!' inside braces/,
    say('"not" is != for texts and !~ for regular expressions'),
  ],
  [/unexpected character inside braces: ':'/, say('a label is matched by =, as in {job="api"}')],
  [
    /unexpected .* in label matching, expected "," or "}"/,
    say('matchers are separated by commas: {job="api",instance="a"}'),
  ],
  [/unexpected "," in label matching/, say('there is a comma too many inside the braces')],
  [/unexpected end of input inside braces/, say('a closing } is missing')],
  [/unclosed left parenthesis/, say('a closing ) is missing')],
  [/unclosed left bracket/, say('a closing ] is missing')],
  [/unexpected right parenthesis/, say('there is a ) too many, or a ( is missing')],
  [/unexpected character: '}'/, say('there is a } too many, or a { is missing')],
  [
    /at least one non-empty matcher/,
    say(
      'a selector needs a name, or a matcher that series without the label do not pass: {__name__=~".+"} selects all',
    ),
  ],
  [/metric name must not be set twice/, say('name the metric before the braces or inside, not both')],
  [
    /error parsing regexp/,
    say(
      'regular expressions are RE2, fully anchored; a character that is meant itself is escaped, in quotes by two backslashes: "a\\\\(b"',
    ),
  ],
  [/unknown escape sequence/, say('in quotes a backslash is written twice, "\\\\d"; in back-ticks once')],
  [/unterminated quoted string/, say('a closing quote is missing; a text in quotes ends on its line')],
  [/unexpected character: '[“”‘’]'/, say('write straight quotes: "')],
  [/unexpected character: '&'/, say('write and: x and y keeps what of x has a partner in y')],
  [/unexpected character: '\|'/, say('write or: x or y')],
  [/unexpected character after '!'/, say('there is no "not": write x == 0, x unless y, or absent(x)')],
  [/unexpected character: ';'/, say('a query is one expression')],
  [/unexpected character: '\$'/, say('$ begins a variable of a dashboard, which was not filled in')],
  [
    /unexpected "="/,
    (_, query) =>
      /!==|===/.test(query) ? 'comparisons are ==, !=, <, <=, >, >=' : 'to compare values write ==',
  ],
  [
    /bad number or duration syntax/,
    say(
      'durations are whole numbers with units, largest first: 30s, 5m, 1h30m, 7d; units are y w d h m s ms',
    ),
  ],
  [
    /in offset, expected|in subquery or range selector, expected|in subquery or range, expected/,
    say('a duration is needed here, such as 5m'),
  ],
  [/duration must be greater than 0/, say('a range or step has to be longer than 0')],
  [
    /unexpected .* in @, expected timestamp/,
    say('@ takes a Unix time in seconds, start() or end(): x @ 1609746000'),
  ],
  [
    /no (offset|@) modifiers allowed before range/,
    ([, what]) => `the range comes first: x[5m] ${what === '@' ? '@ 1609746000' : 'offset 5m'}`,
  ],
  [
    /(offset|@) modifier must be preceded by/,
    ([, what]) =>
      `${what} stands right behind the selector: sum(x ${what === '@' ? '@ end()' : 'offset 5m'})`,
  ],
  [/may not be set multiple times/, say('leave out one of the two')],
  [/comparisons between scalars must use BOOL/, say('between numbers write bool: 1 == bool 1')],
  [
    /bool modifier can only be used on comparison/,
    say('bool belongs to ==, !=, <, <=, > and >=, and makes 0 or 1 of them'),
  ],
  [
    /set operator "(\w+)" not allowed in binary scalar/,
    ([, op]) => `${op} works on vectors: wrap the number in vector()`,
  ],
  [
    /binary expression must contain only scalar and instant vector types/,
    (_, query) =>
      /\[[^\]]*\]/.test(query)
        ? 'a range of samples cannot be computed with: reduce it first, as in rate(x[5m]) or avg_over_time(x[5m])'
        : 'texts cannot be computed with',
  ],
  [
    /no grouping allowed for "(\w+)" operation/,
    ([, op]) => `${op} matches many to many by itself: leave out group_left or group_right`,
  ],
  [
    /label "(.*)" must not occur in ON and GROUP/,
    ([, label]) => `${label} is the same on both sides already: leave it out of the group list`,
  ],
  [/is not enabled|experimental and must be enabled|experimental and not enabled/, enable],
  [/trailing commas not allowed/, say('leave out the last comma')],
  [/in grouping opts, expected "\("/, say('labels stand in parentheses: by (job, instance)')],
  [
    /unexpected <(by|without)>/,
    ([, word]) => `${word} belongs to an aggregation, once: sum ${word} (job) (rate(x[5m]))`,
  ],
  [
    /unexpected <(on|ignoring|group_left|group_right)>/,
    ([, word]) => `${word} stands behind an operator: x / on (job) group_left () y`,
  ],
  [/unexpected <bool>/, say('bool stands right behind a comparison: x > bool y')],
  [/expected type scalar in .*, got string/, say('a number is needed here, without quotes')],
  [
    /unexpected (?:identifier|metric identifier) "|unexpected "\(" |unexpected <aggr:/,
    (match, query) => {
      const aggregation = AGGREGATION_CALL.exec(query)
      if (
        aggregation !== null &&
        new RegExp(`\\b${aggregation[1]}\\s+[a-zA-Z_]`).test(query) &&
        !match[0].includes('aggr')
      ) {
        return `an aggregation takes parentheses: ${aggregation[1]}(x)`
      }
      return 'an operator or a comma is missing before it'
    },
  ],
  [/unexpected "\("/, where(/^\s*(by|without)\b/, 'the aggregation comes first: sum by (job) (x)')],
  [/unexpected (?:duration|number)/, where(/\boffset\b/, 'offset stands behind the selector: x offset 5m')],
  [/unexpected end of input/, say('something is missing at the end')],
  [/no expression found in input/, say('the query is empty')],
  [
    /found duplicate series for the match group .* on the (left|right) hand-side of the operation: \[(.*)\];many-to-many/,
    manyToMany,
  ],
  [
    /many-to-one matching must be explicit/,
    say(
      'several series of the left side meet one of the right: add group_left () behind on () or ignoring (), or aggregate the left side',
    ),
  ],
  [
    /grouping labels must ensure unique matches/,
    say('the labels that are copied make several results the same: leave them out of the group list'),
  ],
  [
    /vector cannot contain metrics with the same labelset/,
    say('series that differ by their names alone become one: select one metric, or aggregate first'),
  ],
  [
    /would load too many samples/,
    say(
      'select fewer series or a shorter range, aggregate before anything else, or raise --query.max-samples',
    ),
  ],
  [
    /query timed out/,
    say('select fewer series or a shorter range, lengthen the step, or raise --query.timeout'),
  ],
  [
    /invalid expression type "(range vector|string)" for range query/,
    say('over a range each step needs a number: reduce the range first, as in rate(x[5m])'),
  ],
]

function called(name: string): string {
  return SIGNATURES.has(name) ? `${name}()` : name
}

function needsRange([, name, got]: RegExpExecArray, query: string): string {
  if (got === 'scalar' || got === 'string')
    return `${name}() needs the samples of a selector: ${usageText(name)}`
  const argument = new RegExp(
    `\\b${name}\\s*\\(\\s*(?:[^,()]*,\\s*)?([a-zA-Z_:][\\w:]*(?:\\{[^}]*\\})?)\\s*[,)]`,
  ).exec(query)
  const aggregation = new RegExp(`\\b${name}\\s*\\(\\s*(${AGGREGATORS.join('|')})\\b`).exec(query)
  if (aggregation !== null) {
    return `${name}() comes first, then the aggregation: ${aggregation[1]}(${name}(x[5m]))`
  }
  if (argument === null)
    return `${name}() needs a range: ${usageText(name)}, or a subquery, as in ${name}((x)[5m:])`
  return `${name}() needs a range: write ${usageText(name, argument[1])}`
}

function usage(name: string): string | undefined {
  return SIGNATURES.has(name) ? `write ${usageText(name)}` : undefined
}

/** A call as it is meant, with made-up arguments. */
function usageText(name: string, series = 'x'): string {
  const { argTypes } = SIGNATURES.get(name)!
  const texts = { vector: series, matrix: `${series}[5m]`, scalar: '1', string: '"a"' }
  return `${name}(${argTypes.map((type) => texts[type]).join(', ')})`
}

const RENAMED: Readonly<Record<string, string>> = {
  holt_winters: 'double_exponential_smoothing',
  mean: 'avg',
  median: 'quantile',
}

function nearestName(name: string): string | undefined {
  const renamed = RENAMED[name]
  if (renamed !== undefined) return `it is called ${renamed}`
  const lower = name.toLowerCase()
  let best: string | undefined
  let least = Math.min(3, Math.ceil(name.length / 3)) + 1
  for (const known of [...SIGNATURES.keys(), ...AGGREGATORS]) {
    const distance = editDistance(lower, known, least)
    if (distance < least) {
      least = distance
      best = known
    }
  }
  return best === undefined ? undefined : `did you mean "${best}"?`
}

/** Levenshtein; where it is `limit` or more, some number that is. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, k) => k)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let k = 1; k <= b.length; k++) {
      const same = row[k - 1] + (a[i - 1] === b[k - 1] ? 0 : 1)
      next.push(Math.min(same, row[k] + 1, next[k - 1] + 1))
    }
    row = next
  }
  return row[b.length]
}

function enable({ input }: RegExpExecArray): string {
  const feature = /smoothed|anchored/.test(input)
    ? 'promql-extended-range-selectors'
    : /binop fill/.test(input)
      ? 'promql-binop-fill-modifiers'
      : 'promql-experimental-functions'
  return `start the server with --enable-feature=${feature}`
}

/** Names the labels that the two series of one match group differ in. */
function manyToMany([, side, series]: RegExpExecArray): string {
  const sets = series.split(/(?<=\}), (?=\{)/).map(readLabels)
  const names = new Set(sets.flatMap((set) => [...set.keys()]))
  names.delete('__name__')
  const differing = [...names].filter((name) => sets.some((set) => set.get(name) !== sets[0].get(name)))
  const other = side === 'left' ? 'right' : 'left'
  const labels = differing.length === 0 ? 'a label that tells them apart' : differing.sort().join(', ')
  return (
    `several series of the ${side} side meet the same ones of the ${other}: match by ${labels} too, ` +
    `or aggregate the ${side} side so that one is left a match group`
  )
}

function readLabels(text: string): Map<string, string> {
  const pairs = text.matchAll(/([^\s,{=]+)="((?:[^"\\]|\\.)*)"/g)
  return new Map(Array.from(pairs, ([, name, value]) => [name, value]))
}
