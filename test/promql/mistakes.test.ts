// Goal: whoever makes one of the common mistakes is told what upstream says, and what to do. Method: a table; the texts and
// positions were checked against a real Prometheus, but for what came after 2.42.
import { describe, expect, it } from 'vitest'
import { Engine } from '../../promql/engine.ts'
import { hintFor } from '../../promql/hints.ts'
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parse } from '../../promql/syntax/parser.ts'
import { MemoryStorage } from '../../storage/memory-storage.ts'
import { Labels } from '../../storage/model/labels.ts'
import { KIND_FLOAT } from '../../storage/model/sample.ts'
import { ENGINE } from '../query/requests.ts'

function messageOf(query: string): string {
  try {
    parse(query, {})
  } catch (error) {
    if (error instanceof ParseError) return error.message
    throw error
  }
  throw new Error(`${query} is no mistake`)
}

const MISTAKES: [query: string, error: string, hint: string][] = [
  [
    'http_requests_total{job="api"',
    '1:30: parse error: unexpected end of input inside braces',
    'a closing } is missing',
  ],
  [
    'http_requests_total{job="api"}}',
    "1:31: parse error: unexpected character: '}'",
    'there is a } too many, or a { is missing',
  ],
  ['sum(rate(x[5m])', '1:16: parse error: unclosed left parenthesis', 'a closing ) is missing'],
  [
    'rate(x)',
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
    'rate() needs a range: write rate(x[5m])',
  ],
  ['rate(x[5m]', '1:11: parse error: unclosed left parenthesis', 'a closing ) is missing'],
  ['x[5m', '1:5: parse error: unclosed left bracket', 'a closing ] is missing'],
  [
    'x[5k]',
    '1:3: parse error: bad number or duration syntax: "5"',
    'durations are whole numbers with units, largest first: 30s, 5m, 1h30m, 7d; units are y w d h m s ms',
  ],
  [
    'x[]',
    '1:3: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
    'a duration is needed here, such as 5m',
  ],
  [
    'rate(sum(x)[5m])',
    '1:12: parse error: ranges only allowed for vector selectors',
    'a range stands behind a selector only: take the rate first, as in sum(rate(x[5m])), or write a subquery, [5m:]',
  ],
  [
    'sum(x)[5m]',
    '1:7: parse error: ranges only allowed for vector selectors',
    'a range stands behind a selector only: take the rate first, as in sum(rate(x[5m])), or write a subquery, [5m:]',
  ],
  [
    'rate(x[5m])[5m]',
    '1:12: parse error: ranges only allowed for vector selectors',
    'a range stands behind a selector only: take the rate first, as in sum(rate(x[5m])), or write a subquery, [5m:]',
  ],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"', 'an operator or a comma is missing before it'],
  ['sum x', '1:5: parse error: unexpected identifier "x"', 'an aggregation takes parentheses: sum(x)'],
  [
    'sum by job (x)',
    '1:8: parse error: unexpected identifier "job" in grouping opts, expected "("',
    'labels stand in parentheses: by (job, instance)',
  ],
  ['by (job) sum(x)', '1:4: parse error: unexpected "("', 'the aggregation comes first: sum by (job) (x)'],
  [
    'sum(x) by job',
    '1:11: parse error: unexpected identifier "job" in grouping opts, expected "("',
    'labels stand in parentheses: by (job, instance)',
  ],
  [
    'rate(x[5m]) by (job)',
    '1:13: parse error: unexpected <by>',
    'by belongs to an aggregation, once: sum by (job) (rate(x[5m]))',
  ],
  [
    'histogram_quantil(0.9, x)',
    '1:1: parse error: unknown function with name "histogram_quantil"',
    'did you mean "histogram_quantile"?',
  ],
  [
    'histogramquantile(0.9, x)',
    '1:1: parse error: unknown function with name "histogramquantile"',
    'did you mean "histogram_quantile"?',
  ],
  ['avrg(x)', '1:1: parse error: unknown function with name "avrg"', 'did you mean "avg"?'],
  [
    'avg_overtime(x[5m])',
    '1:1: parse error: unknown function with name "avg_overtime"',
    'did you mean "avg_over_time"?',
  ],
  [
    'x{job=api}',
    '1:7: parse error: unexpected identifier "api" in label matching, expected string',
    'label values stand in quotes: {job="api"}',
  ],
  [
    "x{job='api}",
    '1:7: parse error: unterminated quoted string',
    'a closing quote is missing; a text in quotes ends on its line',
  ],
  [
    'x{job="api}',
    '1:7: parse error: unterminated quoted string',
    'a closing quote is missing; a text in quotes ends on its line',
  ],
  [
    'x{"job"=api}',
    '1:9: parse error: unexpected identifier "api" in label matching, expected string',
    'label values stand in quotes: {job="api"}',
  ],
  [
    'x{job==“api”}',
    '1:7: parse error: unexpected "=" in label matching, expected string',
    'a label is matched by = or != , or =~ and !~ for regular expressions: {job="api"}',
  ],
  [
    'x{job=="api"}',
    '1:7: parse error: unexpected "=" in label matching, expected string',
    'a label is matched by = or != , or =~ and !~ for regular expressions: {job="api"}',
  ],
  [
    'x{job=~api}',
    '1:8: parse error: unexpected identifier "api" in label matching, expected string',
    'label values stand in quotes: {job="api"}',
  ],
  [
    'x{job=~"("}',
    '1:3: parse error: error parsing regexp: missing closing ): `(`',
    'regular expressions are RE2, fully anchored; a character that is meant itself is escaped, in quotes by two backslashes: "a\\\\(b"',
  ],
  [
    'x{job!"api"}',
    "1:6: parse error: unexpected character after '!' inside braces: '\"'",
    '"not" is != for texts and !~ for regular expressions',
  ],
  [
    'x{job:"api"}',
    "1:6: parse error: unexpected character inside braces: ':'",
    'a label is matched by =, as in {job="api"}',
  ],
  [
    'x{job="a" instance="b"}',
    '1:11: parse error: unexpected identifier "instance" in label matching, expected "," or "}"',
    'matchers are separated by commas: {job="api",instance="a"}',
  ],
  [
    'x{,job="a"}',
    '1:3: parse error: unexpected "," in label matching, expected identifier or "}"',
    'there is a comma too many inside the braces',
  ],
  [
    '{}',
    '1:1: parse error: vector selector must contain at least one non-empty matcher',
    'a selector needs a name, or a matcher that series without the label do not pass: {__name__=~".+"} selects all',
  ],
  [
    '{job=""}',
    '1:1: parse error: vector selector must contain at least one non-empty matcher',
    'a selector needs a name, or a matcher that series without the label do not pass: {__name__=~".+"} selects all',
  ],
  [
    'x{__name__="y"}',
    '1:1: parse error: metric name must not be set twice: "x" or "y"',
    'name the metric before the braces or inside, not both',
  ],
  [
    'x && y',
    "1:3: parse error: unexpected character: '&'",
    'write and: x and y keeps what of x has a partner in y',
  ],
  ['x and y and', '1:12: parse error: unexpected end of input', 'something is missing at the end'],
  ['x || y', "1:3: parse error: unexpected character: '|'", 'write or: x or y'],
  ['x = 1', '1:3: parse error: unexpected "="', 'to compare values write =='],
  ['x == y z', '1:8: parse error: unexpected identifier "z"', 'an operator or a comma is missing before it'],
  [
    '1 == 1',
    '1:3: parse error: comparisons between scalars must use BOOL modifier',
    'between numbers write bool: 1 == bool 1',
  ],
  ['sum(x) > bool', '1:14: parse error: unexpected end of input', 'something is missing at the end'],
  [
    'x + bool y',
    '1:3: parse error: bool modifier can only be used on comparison operators',
    'bool belongs to ==, !=, <, <=, > and >=, and makes 0 or 1 of them',
  ],
  [
    'offset 5m x',
    '1:8: parse error: unexpected duration "5m"',
    'offset stands behind the selector: x offset 5m',
  ],
  [
    'x offset',
    '1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
    'a duration is needed here, such as 5m',
  ],
  [
    'rate(x offset 5m[5m])',
    '1:17: parse error: no offset modifiers allowed before range',
    'the range comes first: x[5m] offset 5m',
  ],
  [
    'x[5m] offset 5m offset 1m',
    '1:1: parse error: offset may not be set multiple times',
    'leave out one of the two',
  ],
  [
    'sum(x) offset 5m',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    'offset stands right behind the selector: sum(x offset 5m)',
  ],
  [
    'x @',
    '1:4: parse error: unexpected end of input in @, expected timestamp',
    '@ takes a Unix time in seconds, start() or end(): x @ 1609746000',
  ],
  [
    'x @ foo',
    '1:5: parse error: unexpected identifier "foo" in @, expected timestamp',
    '@ takes a Unix time in seconds, start() or end(): x @ 1609746000',
  ],
  ['x[5m:1m', '1:8: parse error: unclosed left bracket', 'a closing ] is missing'],
  [
    'topk(x)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
    'topk takes its parameter first: topk(5, x)',
  ],
  [
    'topk(5)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
    'topk takes its parameter first: topk(5, x)',
  ],
  [
    'topk("5", x)',
    '1:6: parse error: expected type scalar in aggregation parameter, got string',
    'a number is needed here, without quotes',
  ],
  [
    'quantile(x)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
    'quantile takes its parameter first: quantile(0.9, x)',
  ],
  [
    'count_values(job, x)',
    '1:14: parse error: expected type string in aggregation parameter, got instant vector',
    'write it in quotes: "name"',
  ],
  [
    'sum(5)',
    '1:5: parse error: expected type instant vector in aggregation expression, got scalar',
    'a number is no vector: vector(5) makes one of it',
  ],
  [
    'rate(5)',
    '1:6: parse error: expected type range vector in call to function "rate", got scalar',
    'rate() needs the samples of a selector: rate(x[5m])',
  ],
  [
    'rate("x")',
    '1:6: parse error: expected type range vector in call to function "rate", got string',
    'rate() needs the samples of a selector: rate(x[5m])',
  ],
  ['abs()', '1:1: parse error: expected 1 argument(s) in call to "abs", got 0', 'write abs(x)'],
  ['abs(x, y)', '1:1: parse error: expected 1 argument(s) in call to "abs", got 2', 'write abs(x)'],
  [
    'round(x, "a")',
    '1:10: parse error: expected type scalar in call to function "round", got string',
    'a number is needed here, without quotes',
  ],
  [
    'label_replace(x, "a", "b", "c")',
    '1:1: parse error: expected 5 argument(s) in call to "label_replace", got 4',
    'write label_replace(x, "a", "a", "a", "a")',
  ],
  [
    'label_replace(x, a, "b", "c", "d")',
    '1:18: parse error: expected type string in call to function "label_replace", got instant vector',
    'write it in quotes: "name"',
  ],
  [
    '"a" + "b"',
    '1:1: parse error: binary expression must contain only scalar and instant vector types',
    'texts cannot be computed with',
  ],
  [
    'x and 1',
    '1:1: parse error: set operator "and" not allowed in binary scalar expression',
    'and works on vectors: wrap the number in vector()',
  ],
  [
    '1 and x',
    '1:1: parse error: set operator "and" not allowed in binary scalar expression',
    'and works on vectors: wrap the number in vector()',
  ],
  [
    'x unless on(a) group_left y',
    '1:1: parse error: no grouping allowed for "unless" operation',
    'unless matches many to many by itself: leave out group_left or group_right',
  ],
  [
    'x + on(a) group_left(a) y',
    '1:3: parse error: label "a" must not occur in ON and GROUP clause at once',
    'a is the same on both sides already: leave it out of the group list',
  ],
  [
    'x group_left y',
    '1:3: parse error: unexpected <group_left>',
    'group_left stands behind an operator: x / on (job) group_left () y',
  ],
  [
    'x on(a) y',
    '1:3: parse error: unexpected <on>',
    'on stands behind an operator: x / on (job) group_left () y',
  ],
  [
    'x + ignoring y',
    '1:14: parse error: unexpected identifier "y" in grouping opts, expected "("',
    'labels stand in parentheses: by (job, instance)',
  ],
  [
    'clamp(x, 1)',
    '1:1: parse error: expected 3 argument(s) in call to "clamp", got 2',
    'write clamp(x, 1, 1)',
  ],
  [
    'vector(x)',
    '1:8: parse error: expected type scalar in call to function "vector", got instant vector',
    'a number is needed here: write it first where the function wants it first, or make one of a single series by scalar()',
  ],
  [
    'scalar(1)',
    '1:8: parse error: expected type instant vector in call to function "scalar", got scalar',
    'a number is no vector: vector(5) makes one of it',
  ],
  ['time(5)', '1:1: parse error: expected 0 argument(s) in call to "time", got 1', 'write time()'],
  [
    'x * 5mm',
    '1:5: parse error: bad number or duration syntax: "5mm"',
    'durations are whole numbers with units, largest first: 30s, 5m, 1h30m, 7d; units are y w d h m s ms',
  ],
  ['x !== y', '1:5: parse error: unexpected "="', 'comparisons are ==, !=, <, <=, >, >='],
  [
    '!x',
    "1:1: parse error: unexpected character after '!': 'x'",
    'there is no "not": write x == 0, x unless y, or absent(x)',
  ],
  ['x)', "1:3: parse error: unexpected right parenthesis ')'", 'there is a ) too many, or a ( is missing'],
  [
    'sum(x,)',
    '1:6: parse error: trailing commas not allowed in function call args',
    'leave out the last comma',
  ],
  ['x[-5m]', '1:3: parse error: duration must be greater than 0', 'a range or step has to be longer than 0'],
  ['x[0s]', '1:3: parse error: duration must be greater than 0', 'a range or step has to be longer than 0'],
  [
    'rate(x[1h30])',
    '1:8: parse error: bad number or duration syntax: "1h30"',
    'durations are whole numbers with units, largest first: 30s, 5m, 1h30m, 7d; units are y w d h m s ms',
  ],
  [
    'x{a="\\d"}',
    "1:5: parse error: unknown escape sequence U+0064 'd'",
    'in quotes a backslash is written twice, "\\\\d"; in back-ticks once',
  ],
  [
    'max(x) by (job) by (instance)',
    '1:17: parse error: unexpected <by>',
    'by belongs to an aggregation, once: sum by (job) (rate(x[5m]))',
  ],
  [
    'increase(http_requests_total)',
    '1:10: parse error: expected type range vector in call to function "increase", got instant vector',
    'increase() needs a range: write increase(http_requests_total[5m])',
  ],
  [
    'histogram_quantile(0.9 sum(x))',
    '1:24: parse error: unexpected <aggr:sum>',
    'an operator or a comma is missing before it',
  ],
  [
    'histogram_quantile(sum(x), 0.9)',
    '1:20: parse error: expected type scalar in call to function "histogram_quantile", got instant vector',
    'a number is needed here: write it first where the function wants it first, or make one of a single series by scalar()',
  ],
  [
    'rate(x[5m], 5)',
    '1:1: parse error: expected 1 argument(s) in call to "rate", got 2',
    'write rate(x[5m])',
  ],
  [
    'predict_linear(x[5m])',
    '1:1: parse error: expected 2 argument(s) in call to "predict_linear", got 1',
    'write predict_linear(x[5m], 1)',
  ],
  [
    'avg_over_time(rate(x[5m]))',
    '1:15: parse error: expected type range vector in call to function "avg_over_time", got instant vector',
    'avg_over_time() needs a range: avg_over_time(x[5m]), or a subquery, as in avg_over_time((x)[5m:])',
  ],
  [
    'sort_by_label(x, "a")',
    '1:1: parse error: function "sort_by_label" is not enabled',
    'start the server with --enable-feature=promql-experimental-functions',
  ],
  [
    'limitk(2, x)',
    '1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
    'start the server with --enable-feature=promql-experimental-functions',
  ],
  [
    'x smoothed',
    '1:1: parse error: smoothed modifier is experimental and not enabled',
    'start the server with --enable-feature=promql-extended-range-selectors',
  ],
  [
    'x + fill(0) y',
    '1:1: parse error: binop fill modifiers are experimental and not enabled',
    'start the server with --enable-feature=promql-binop-fill-modifiers',
  ],
  [
    'double_exponential_smoothing(x[5m], 0.5, 0.5)',
    '1:1: parse error: function "double_exponential_smoothing" is not enabled',
    'start the server with --enable-feature=promql-experimental-functions',
  ],
  [
    'holt_winters(x[5m], 0.5, 0.5)',
    '1:1: parse error: unknown function with name "holt_winters"',
    'it is called double_exponential_smoothing',
  ],
]

describe('mistakes in a query', () => {
  it.each(MISTAKES)('%s', (query, error, hint) => {
    expect(messageOf(query)).toBe(error)
    expect(hintFor(error, query)).toBe(hint)
  })

  it('are not made up for where no cure is known', () => {
    expect(hintFor('1:1: parse error: something new', 'x')).toBeUndefined()
  })
})

describe('mistakes that show when a query runs', () => {
  const SERIES: Record<string, string>[] = [
    { __name__: 'x', job: 'a', pod: '1' },
    { __name__: 'x', job: 'a', pod: '2' },
    { __name__: 'y', job: 'a', pod: '1' },
    { __name__: 'one', job: 'a' },
  ]

  async function errorOf(query: string): Promise<string> {
    const storage = new MemoryStorage({ appendableWindowMs: Number.POSITIVE_INFINITY })
    const appender = storage.appender()
    for (const labels of SERIES) appender.append(appender.register(Labels.from(labels)), 0, 1, KIND_FLOAT)
    await appender.commit()
    const failure = await new Engine(ENGINE).instantQuery(storage, query, 0).catch((error: Error) => error)
    return failure instanceof Error ? failure.message : 'no error'
  }

  it.each([
    [
      'one / on (job) x',
      'found duplicate series for the match group {job="a"} on the right hand-side of the operation: ' +
        '[{__name__="x", job="a", pod="1"}, {__name__="x", job="a", pod="2"}];many-to-many matching not allowed: ' +
        'matching labels must be unique on one side',
      'several series of the right side meet the same ones of the left: match by pod too, or aggregate the right side ' +
        'so that one is left a match group',
    ],
    [
      'x / on (job) one',
      'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      'several series of the left side meet one of the right: add group_left () behind on () or ignoring (), or aggregate ' +
        'the left side',
    ],
    [
      '-{job="a",pod="1"}',
      'vector cannot contain metrics with the same labelset',
      'series that differ by their names alone become one: select one metric, or aggregate first',
    ],
  ])('%s', async (query, error, hint) => {
    expect(await errorOf(query)).toBe(error)
    expect(hintFor(error, query)).toBe(hint)
  })
})
