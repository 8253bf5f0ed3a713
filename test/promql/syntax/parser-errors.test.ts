// Goal: pin text and place of every error that a query can have. Method: one row a rule; places are line:column
// in bytes. Rows stand in the order of the language: words, numbers, strings, selectors, modifiers, durations,
// operators, aggregations, calls, types.
import { describe, expect, it } from 'vitest'
import { ParseError } from '../../../promql/syntax/parse-error.ts'
import { parse } from '../../../promql/syntax/parser.ts'

const ALL = { experimentalFunctions: true, extendedRangeSelectors: true, binopFill: true }

function errorOf(query: string, options = ALL): string {
  try {
    parse(query, options)
  } catch (error) {
    expect(error).toBeInstanceOf(ParseError)
    return (error as ParseError).message
  }
  return 'no error'
}

const TARGETS = 'an instant vector selector or range vector selector or a subquery'

const words: [query: string, message: string][] = [
  ['', 'unknown position: parse error: no expression found in input'],
  ['  ', '1:1: parse error: no expression found in input'],
  ['# only a comment', '1:1: parse error: no expression found in input'],
  ['1+', '1:3: parse error: unexpected end of input'],
  ['*1', '1:1: parse error: unexpected <op:*>'],
  ['-=', '1:2: parse error: unexpected "="'],
  ['++-++-+-+-<', '1:11: parse error: unexpected <op:<>'],
  ['a = 1', '1:3: parse error: unexpected "="'],
  ['a =~ 1', `1:3: parse error: unexpected character after '=': '~'`],
  ['a !b', `1:3: parse error: unexpected character after '!': 'b'`],
  ['a !', `1:3: parse error: unexpected character after '!': '\ufffd'`],
  ['a & b', `1:3: parse error: unexpected character: '&'`],
  ['x § y', `1:3: parse error: unexpected character: '§'`],
  ['"ü" § y', `1:6: parse error: unexpected character: '§'`],
  ['a}', `1:2: parse error: unexpected character: '}'`],
  ['a b', '1:3: parse error: unexpected identifier "b"'],
  ['a\nb', '2:1: parse error: unexpected identifier "b"'],
  ['a +\n\n  *', '3:3: parse error: unexpected <op:*>'],
  ['a b:c', '1:3: parse error: unexpected metric identifier "b:c"'],
  ['a 1', '1:3: parse error: unexpected number "1"'],
  ['a 5m', '1:3: parse error: unexpected duration "5m"'],
  ['a "b"', '1:3: parse error: unexpected string "\\"b\\""'],
  ['a "0123456789"', '1:3: parse error: unexpected string "\\"012345678"...'],
  ['a by', '1:3: parse error: unexpected <by>'],
  ['a BY', '1:3: parse error: unexpected <BY>'],
  ['a sum', '1:3: parse error: unexpected <aggr:sum>'],
  ['a start', '1:3: parse error: unexpected "start"'],
  ['bool', '1:1: parse error: unexpected <bool>'],
  ['on', '1:1: parse error: unexpected <on>'],
  ['ignoring', '1:1: parse error: unexpected <ignoring>'],
  ['group_left', '1:1: parse error: unexpected <group_left>'],
  ['atan2', '1:1: parse error: unexpected <op:atan2>'],
  ['fill(1)', '1:1: parse error: unexpected <fill>'],
  ['(1', '1:3: parse error: unclosed left parenthesis'],
  ['1)', "1:3: parse error: unexpected right parenthesis ')'"],
  ['()', '1:2: parse error: unexpected ")"'],
  ['(', '1:2: parse error: unclosed left parenthesis'],
  ['a]', "1:2: parse error: unexpected right bracket ']'"],
  ['a[5m', '1:5: parse error: unclosed left bracket'],
  ['a[', '1:3: parse error: unexpected end of input in duration expression'],
  ['a[[', `1:3: parse error: unexpected character in duration expression: '['`],
  ['a[5m[', "1:5: parse error: unexpected left bracket '['"],
]

const literals: [query: string, message: string][] = [
  ['5k', '1:1: parse error: bad number or duration syntax: "5"'],
  ['5mm', '1:1: parse error: bad number or duration syntax: "5mm"'],
  ['1d1y', '1:1: parse error: bad number or duration syntax: "1d1"'],
  ['1m1h', '1:1: parse error: not a valid duration string: "1m1h"'],
  ['1.5m', '1:1: parse error: not a valid duration string: "1.5m"'],
  ['1..2', '1:1: parse error: bad number or duration syntax: "1.."'],
  ['1.2.3', '1:1: parse error: bad number or duration syntax: "1.2."'],
  ['1__0', '1:1: parse error: bad number or duration syntax: "1__"'],
  ['1_', '1:1: parse error: bad number or duration syntax: "1_"'],
  ['1e', '1:1: parse error: bad number or duration syntax: "1e"'],
  ['1ee', '1:1: parse error: bad number or duration syntax: "1ee"'],
  ['0x1.5', '1:1: parse error: bad number or duration syntax: "0x1."'],
  ['0b1', '1:1: parse error: bad number or duration syntax: "0"'],
  ['0xg', '1:1: parse error: bad number or duration syntax: "0x"'],
  [
    '1e999',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range',
  ],
  ['999999y', '1:1: parse error: duration out of range'],
  ['"a', '1:1: parse error: unterminated quoted string'],
  ['"a\n"', '1:1: parse error: unterminated quoted string'],
  ['`a', '1:1: parse error: unterminated raw string'],
  ['"\\', '1:1: parse error: escape sequence not terminated'],
  ['"\\x4', '1:1: parse error: escape sequence not terminated'],
  ['"\\D"', `1:1: parse error: unknown escape sequence U+0044 'D'`],
  [`'\\"'`, `1:1: parse error: unknown escape sequence U+0022 '"'`],
  ['"\\x.1"', `1:1: parse error: illegal character U+002E '.' in escape sequence`],
  ['"\\08"', `1:1: parse error: illegal character U+0038 '8' in escape sequence`],
  ['"\\ud800"', '1:1: parse error: escape sequence is an invalid Unicode code point'],
  ['"\\U00110000"', '1:1: parse error: escape sequence is an invalid Unicode code point'],
  ['"\\777"', '1:1: parse error: escape sequence is an invalid Unicode code point'],
  ['"\ufffd"', '1:1: parse error: invalid UTF-8 rune'],
  ['`\ufffd`', '1:1: parse error: invalid UTF-8 rune'],
]

const selectors: [query: string, message: string][] = [
  ['{', '1:2: parse error: unexpected end of input inside braces'],
  ['a{', '1:3: parse error: unexpected end of input inside braces'],
  ['a{b', '1:4: parse error: unexpected end of input inside braces'],
  ['a{b}', '1:4: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['a{b=}', '1:5: parse error: unexpected "}" in label matching, expected string'],
  ['a{b=c}', '1:5: parse error: unexpected identifier "c" in label matching, expected string'],
  ['a{"b"=c}', '1:7: parse error: unexpected identifier "c" in label matching, expected string'],
  ['a{="b"}', '1:3: parse error: unexpected "=" in label matching, expected identifier or "}"'],
  ['a{,}', '1:3: parse error: unexpected "," in label matching, expected identifier or "}"'],
  ['a{b="c",,}', '1:9: parse error: unexpected "," in label matching, expected identifier or "}"'],
  ['a{b="c" d="e"}', '1:9: parse error: unexpected identifier "d" in label matching, expected "," or "}"'],
  ['{"a" "b"}', '1:6: parse error: unexpected string "\\"b\\"" in label matching, expected "," or "}"'],
  [
    'a{b"c"}',
    '1:4: parse error: unexpected string "\\"c\\"" in label matching, expected label matching operator',
  ],
  ['a{b!5}', `1:4: parse error: unexpected character after '!' inside braces: '5'`],
  ['a{b:c="d"}', `1:4: parse error: unexpected character inside braces: ':'`],
  ['a{1="d"}', `1:3: parse error: unexpected character inside braces: '1'`],
  ['a{{', "1:3: parse error: unexpected left brace '{'"],
  ['a{b="c"}{d="e"}', '1:9: parse error: unexpected "{"'],
  ['a{b=~"("}', '1:3: parse error: error parsing regexp: missing closing ): `(`'],
  [
    'a{c="d", b!~"*"}',
    '1:10: parse error: error parsing regexp: missing argument to repetition operator: `*`',
  ],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=""}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a!="b"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['1 + {a!~"b"}', '1:5: parse error: vector selector must contain at least one non-empty matcher'],
  ['a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'],
  ['a{"b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'],
]

const modifiers: [query: string, message: string][] = [
  ['1[5m]', '1:2: parse error: ranges only allowed for vector selectors'],
  ['(a)[5m]', '1:4: parse error: ranges only allowed for vector selectors'],
  ['a[5m][5m]', '1:6: parse error: ranges only allowed for vector selectors'],
  ['a offset 5m[5m]', '1:12: parse error: no offset modifiers allowed before range'],
  ['a @ 5[5m]', '1:6: parse error: no @ modifiers allowed before range'],
  [
    'a[]',
    '1:3: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['a[0]', '1:3: parse error: duration must be greater than 0'],
  ['a[-5m]', '1:3: parse error: duration must be greater than 0'],
  ['a[5m:0]', '1:6: parse error: duration must be greater than 0'],
  ['a[9999999999999]', '1:3: parse error: duration out of range'],
  ['a[5m+1/0]', '1:7: parse error: division by zero'],
  ['a[5m%0]', '1:5: parse error: modulo by zero'],
  ['a[5m 5m]', '1:6: parse error: unexpected duration "5m" in subquery or range, expected ":" or "]"'],
  ['a[5m:5m 5m]', '1:9: parse error: unexpected duration "5m" in subquery selector, expected "]"'],
  [
    'a[5m:*]',
    '1:6: parse error: unexpected <op:*> in subquery selector, expected number, duration, step(), range(), or "]"',
  ],
  ['a[5m::1m]', "1:6: parse error: unexpected colon ':'"],
  ['a[:5m]', '1:4: parse error: unexpected colon before duration in duration expression'],
  ['a[b]', `1:3: parse error: unexpected character in duration expression: 'b'`],
  ['a[sum]', `1:3: parse error: unexpected character in duration expression: 's'`],
  ['a[5m:b]', `1:6: parse error: unexpected character: 'b', expected ':'`],
  ['a[5m:sum]', `1:6: parse error: unexpected character: 's', expected ':'`],
  ['a[# comment\n5m]', `1:3: parse error: unexpected character in duration expression: '#'`],
  [
    'a[step]',
    '1:7: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  [
    'a[(5m]',
    '1:6: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['a["5m"]', `1:3: parse error: unexpected character in duration expression: '"'`],
  [
    'a[5m] offset',
    '1:13: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  [
    'a offset b',
    '1:10: parse error: unexpected identifier "b" in offset, expected number, duration, step(), or range()',
  ],
  ['a offset 5m offset 5m', '1:1: parse error: offset may not be set multiple times'],
  ['1 offset 5m', `1:1: parse error: offset modifier must be preceded by ${TARGETS}`],
  ['rate(a[5m]) offset 5m', `1:1: parse error: offset modifier must be preceded by ${TARGETS}`],
  ['b + (a) offset 5m', `1:5: parse error: offset modifier must be preceded by ${TARGETS}`],
  ['a @ b', '1:5: parse error: unexpected identifier "b" in @, expected timestamp'],
  ['a @ start', '1:10: parse error: unexpected end of input in @, expected timestamp'],
  ['a @ -b', '1:6: parse error: unexpected identifier "b" in @, expected timestamp'],
  ['a @ step()', '1:5: parse error: unexpected "step" in @, expected timestamp'],
  ['a @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['a @ start() @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['a @ 1 @ end()', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['rate(a[5m]) @ 1', `1:1: parse error: @ modifier must be preceded by ${TARGETS}`],
  ['a @ inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
  ['a @ -Inf', '1:1: parse error: timestamp out of bounds for @ modifier: -Inf'],
  ['a @ NaN', '1:1: parse error: timestamp out of bounds for @ modifier: NaN'],
  [
    'a @ 9223372036854775808',
    '1:1: parse error: timestamp out of bounds for @ modifier: 9223372036854775808.000000',
  ],
  ['a anchored smoothed', '1:1: parse error: anchored and smoothed modifiers cannot be used together'],
  ['a[5m] smoothed anchored', '1:1: parse error: anchored and smoothed modifiers cannot be used together'],
  ['a[5m:1m] anchored', '1:1: parse error: anchored modifier is not supported for subqueries'],
  ['a[5m:1m] smoothed', '1:1: parse error: smoothed modifier is not supported for subqueries'],
  ['1 anchored', '1:1: parse error: anchored modifier not implemented'],
]

const operators: [query: string, message: string][] = [
  ['1 and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['a unless 1', '1:1: parse error: set operator "unless" not allowed in binary scalar expression'],
  ['1 or on(b) a', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['a == on(b) 10', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['1 </ 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['a + bool b', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['a  and  bool b', '1:4: parse error: bool modifier can only be used on comparison operators'],
  ['a + group_left(b) c', '1:5: parse error: unexpected <group_left>'],
  ['a and on(b) group_left(c) d', '1:1: parse error: no grouping allowed for "and" operation'],
  ['a or on(b) group_right d', '1:1: parse error: no grouping allowed for "or" operation'],
  [
    'a + on(b) group_left(c, b) d',
    '1:3: parse error: label "b" must not occur in ON and GROUP clause at once',
  ],
  ['a + "b"', '1:5: parse error: binary expression must contain only scalar and instant vector types'],
  ['a[5m] + b', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  ['a + on b', '1:8: parse error: unexpected identifier "b" in grouping opts, expected "("'],
  ['a + on(1) b', '1:8: parse error: unexpected number "1" in grouping opts, expected label'],
  ['a + on(b c) d', '1:10: parse error: unexpected identifier "c" in grouping opts, expected "," or ")"'],
  ['a + on("") d', '1:8: parse error: invalid label name for grouping: ""'],
  ['a + fill(b) c', '1:10: parse error: unexpected identifier "b"'],
  ['1 + fill(0) 1', '1:1: parse error: filling in missing series only allowed between instant vectors'],
  ['a and fill(0) b', '1:1: parse error: filling in missing series not allowed for set operators'],
  [
    '-"a"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  ],
  [
    '-a[5m]',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"',
  ],
]

const calls: [query: string, message: string][] = [
  ['sum(a b)', '1:7: parse error: unexpected identifier "b" in aggregation'],
  ['sum a by (b)', '1:5: parse error: unexpected identifier "a"'],
  ['sum by (a) b', '1:12: parse error: unexpected identifier "b" in aggregation'],
  ['sum (a) by b', '1:12: parse error: unexpected identifier "b" in grouping opts, expected "("'],
  ['sum without(==)(a)', '1:13: parse error: unexpected <op:==> in grouping opts, expected label'],
  ['sum without(,)(a)', '1:13: parse error: unexpected "," in grouping opts, expected label'],
  ['sum without(a,,)(a)', '1:15: parse error: unexpected "," in grouping opts, expected label'],
  ['sum by (without) (a)', '1:9: parse error: unexpected <without> in grouping opts, expected label'],
  ['sum by (inf) (a)', '1:9: parse error: unexpected number "inf" in grouping opts, expected label'],
  [
    'sum by ("a" b) (a)',
    '1:13: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"',
  ],
  ['sum (a) without (b) by (c)', '1:21: parse error: unexpected <by>'],
  ['sum without (b) (a) by (c)', '1:21: parse error: unexpected <by>'],
  ['sum() by (b)', '1:1: parse error: no arguments for aggregate expression provided'],
  [
    'topk(a)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  [
    '1 + sum(a, b)',
    '1:5: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2',
  ],
  ['topk(a,)', '1:7: parse error: trailing commas not allowed in function call args'],
  ['topk(a, b)', '1:6: parse error: expected type scalar in aggregation parameter, got instant vector'],
  ['count_values(5, a)', '1:14: parse error: expected type string in aggregation parameter, got scalar'],
  ['sum(1)', '1:5: parse error: expected type instant vector in aggregation expression, got scalar'],
  [
    'sum(a[5m])',
    '1:5: parse error: expected type instant vector in aggregation expression, got range vector',
  ],
  ['nope(a)', '1:1: parse error: unknown function with name "nope"'],
  ['RATE(a[5m])', '1:1: parse error: unknown function with name "RATE"'],
  ['a>b()', '1:3: parse error: unknown function with name "b"'],
  ['rate(a[5m],)', '1:11: parse error: trailing commas not allowed in function call args'],
  ['rate(,)', '1:6: parse error: unexpected ","'],
  ['floor()', '1:1: parse error: expected 1 argument(s) in call to "floor", got 0'],
  ['floor(a, b)', '1:1: parse error: expected 1 argument(s) in call to "floor", got 2'],
  ['round()', '1:1: parse error: expected at least 1 argument(s) in call to "round", got 0'],
  ['hour(a, a)', '1:1: parse error: expected at most 1 argument(s) in call to "hour", got 2'],
  ['label_join(a, "b")', '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 2'],
  ['time(a)', '1:1: parse error: expected 0 argument(s) in call to "time", got 1'],
  ['rate(a)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
  ['floor(1)', '1:7: parse error: expected type instant vector in call to function "floor", got scalar'],
  [
    'label_join(a, "b", "c", 1)',
    '1:25: parse error: expected type string in call to function "label_join", got scalar',
  ],
  ['info(a, b)', '1:9: parse error: expected label selectors only, got vector selector instead'],
  ['info(a, b + c)', '1:9: parse error: expected label selectors only'],
  ['info(a, 1)', '1:1: parse error: expected type instant vector in call to function "info", got scalar'],
  ['1[5m:]', '1:1: parse error: subquery is only allowed on instant vector, got scalar instead'],
  ['a[5m][5m:]', '1:1: parse error: subquery is only allowed on instant vector, got matrix instead'],
]

describe('errors of queries', () => {
  it.each(words)('words: %j', (query, message) => expect(errorOf(query)).toBe(message))
  it.each(literals)('literals: %j', (query, message) => expect(errorOf(query)).toBe(message))
  it.each(selectors)('selectors: %j', (query, message) => expect(errorOf(query)).toBe(message))
  it.each(modifiers)('modifiers: %j', (query, message) => expect(errorOf(query)).toBe(message))
  it.each(operators)('operators: %j', (query, message) => expect(errorOf(query)).toBe(message))
  it.each(calls)('calls: %j', (query, message) => expect(errorOf(query)).toBe(message))
})

const LIMIT_FLAG = 'must be enabled with --enable-feature=promql-experimental-functions'

const disabled: [query: string, message: string][] = [
  ['mad_over_time(a[5m])', '1:1: parse error: function "mad_over_time" is not enabled'],
  ['1 + start()', '1:5: parse error: function "start" is not enabled'],
  ['limitk(1, a)', `1:1: parse error: limitk() is experimental and ${LIMIT_FLAG}`],
  ['limit_ratio(1, a)', `1:1: parse error: limit_ratio() is experimental and ${LIMIT_FLAG}`],
  ['a anchored', '1:1: parse error: anchored modifier is experimental and not enabled'],
  ['1 + rate(a[5m] smoothed)', '1:10: parse error: smoothed modifier is experimental and not enabled'],
  ['a + fill(0) b', '1:1: parse error: binop fill modifiers are experimental and not enabled'],
  ['a + fill_right(0) b', '1:1: parse error: binop fill modifiers are experimental and not enabled'],
]

describe('what is off unless asked for', () => {
  it.each(disabled)('%j', (query, message) => {
    expect(errorOf(query, {} as typeof ALL)).toBe(message)
    expect(errorOf(query)).toBe('no error')
  })

  it('refuses nesting that would use up the stack', () => {
    const query = `${'('.repeat(200_000)}a${')'.repeat(200_000)}`
    expect(errorOf(query)).toBe('1:1: parse error: expression is nested too deeply')
  })
})
