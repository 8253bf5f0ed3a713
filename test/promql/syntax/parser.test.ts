// Goal: pin what every form of the language means. Method: each row gives a query and its canonical text, which
// shows structure, since the printer keeps brackets and puts none; precedence is shown with all operators
// bracketed. Then positions, values of literals, and the places where the tree holds more than the text.
import { describe, expect, it } from 'vitest'
import type {
  Binary,
  Call,
  DurationExpr,
  Expr,
  MatrixSelector,
  Subquery,
  VectorSelector,
} from '../../../promql/syntax/ast.ts'
import { parse, parseSelector } from '../../../promql/syntax/parser.ts'
import { print, printMatcher } from '../../../promql/syntax/printer.ts'

const ALL = { experimentalFunctions: true, extendedRangeSelectors: true, binopFill: true }

function canonical(query: string): string {
  return print(parse(query, ALL))
}

/** Every operator in brackets of its own. */
function structure(expr: Expr): string {
  if (expr.type === 'binaryExpr') return `(${structure(expr.lhs)} ${expr.op} ${structure(expr.rhs)})`
  if (expr.type === 'unaryExpr') return `(${expr.op}${structure(expr.expr)})`
  return print(expr)
}

const precedence: [query: string, structure: string][] = [
  ['a or b and c', '(a or (b and c))'],
  ['a and b or c', '((a and b) or c)'],
  ['a and b unless c', '((a and b) unless c)'],
  ['a unless b == c', '(a unless (b == c))'],
  ['a == b + c', '(a == (b + c))'],
  ['a </ b >/ c', '((a </ b) >/ c)'],
  ['a > b + c', '(a > (b + c))'],
  ['a + b * c', '(a + (b * c))'],
  ['a - b - c', '((a - b) - c)'],
  ['a / b % c', '((a / b) % c)'],
  ['a atan2 b * c', '((a atan2 b) * c)'],
  ['a * b ^ c', '(a * (b ^ c))'],
  ['2 ^ 3 ^ 2', '(2 ^ (3 ^ 2))'],
  ['-a ^ b', '(-(a ^ b))'],
  ['-1 ^ 2', '(-(1 ^ 2))'],
  ['-a * b', '((-a) * b)'],
  ['a ^ -b * c', '((a ^ (-b)) * c)'],
  ['a ^ -b ^ c', '(a ^ (-(b ^ c)))'],
  ['- - a', '(-(-a))'],
  ['-a + b', '((-a) + b)'],
  ['-a offset 5m', '(-a offset 5m)'],
  ['-(a)', '(-(a))'],
  ['a + b offset 5m', '(a + b offset 5m)'],
  ['a ^ b @ 5', '(a ^ b @ 5.000)'],
  ['a offset 5m + 1', '(a offset 5m + 1)'],
  ['a offset -2 ^ 2', '(a offset -2s ^ 2)'],
  ['a offset step() * 2', '(a offset step() * 2)'],
  ['a offset (5m) + b', '(a offset (5m) + b)'],
  ['a offset -(5m) ^ b', '(a offset -(5m) ^ b)'],
  ['a AND b Or c', '((a and b) or c)'],
]

const texts: [query: string, canonical: string][] = [
  // Numbers.
  ['1', '1'],
  ['+1', '1'],
  ['-1', '-1'],
  ['--1', '1'],
  ['1.', '1'],
  ['.5', '0.5'],
  ['5e3', '5000'],
  ['5E-3', '0.005'],
  ['1e-7', '0.0000001'],
  ['1e21', '1000000000000000000000'],
  ['123456789012345678901234567890', '123456789012345680000000000000'],
  ['0x1F', '31'],
  ['0X_ff', '255'],
  ['017', '15'],
  ['089', '89'],
  ['1_000.5', '1000.5'],
  ['Inf', '+Inf'],
  ['-iNf', '-Inf'],
  ['nAN', 'NaN'],
  ['-0', '-0'],
  // Durations are numbers.
  ['5m', '5m'],
  ['-5m', '-5m'],
  ['1y2w3d4h5m6s7ms', '382d4h5m6s7ms'],
  ['90d', '90d'],
  ['14d', '2w'],
  ['365d', '1y'],
  ['0s', '0s'],
  ['300 * 1m', '300 * 1m'],
  // Strings.
  [`"a"`, '"a"'],
  [`'a"b'`, '"a\\"b"'],
  ['`a\\n"`', '"a\\\\n\\""'],
  ['`a\nb`', '"a\\nb"'],
  ['"\\a\\b\\f\\n\\r\\t\\v\\\\"', '"\\a\\b\\f\\n\\r\\t\\v\\\\"'],
  ['"\\x41\\102\\u00fc\\U0001F600"', '"ABü😀"'],
  ['"\\xc3\\xbc"', '"ü"'],
  ['"\\xff\\xc3("', '"\\xff\\xc3("'],
  ['"\\x00\\u200b"', '"\\x00\\u200b"'],
  [`'\\''`, `"'"`],
  // Selectors.
  ['a', 'a'],
  ['a:b:c', 'a:b:c'],
  [':a', ':a'],
  ['a{}', 'a'],
  ['a{b="c"}', 'a{b="c"}'],
  ['a{c!="d",b=~"e.*",a!~"f",}', 'a{a!~"f",b=~"e.*",c!="d"}'],
  ['a{ b = "c" , d = \'e\' }', 'a{b="c",d="e"}'],
  ['a{by="1",on!="2",inf="3",start="4"}', 'a{by="1",inf="3",on!="2",start="4"}'],
  ['{"my.metric"}', '{__name__="my.metric"}'],
  ['{"my.metric", "label.name"="v"}', '{"label.name"="v",__name__="my.metric"}'],
  [`{'a"b'="c"}`, '{"a\\"b"="c"}'],
  ['{__name__="a"}', '{__name__="a"}'],
  ['{__name__=~"a|b", c=""}', '{__name__=~"a|b",c=""}'],
  ['{a="b", a="c"}', '{a="b",a="c"}'],
  ['a{b="ü😀"}', 'a{b="ü😀"}'],
  // Keywords as names.
  ['sum', 'sum'],
  ['sum{a="b"}', 'sum{a="b"}'],
  ['sum(sum)', 'sum(sum)'],
  ['by + offset', 'by + offset'],
  ['and', 'and'],
  ['start', 'start'],
  ['step[5m:]', 'step[5m:]'],
  ['fill + fill_left', 'fill + fill_left'],
  ['anchored offset 5m', 'anchored offset 5m'],
  ['min_of', 'min_of'],
  ['without{}', 'without'],
  // Ranges, offset, @.
  ['rate(a[300])', 'rate(a[5m])'],
  ['rate(a[1.5])', 'rate(a[1s500ms])'],
  ['rate(a [ 5m ] )', 'rate(a[5m])'],
  ['rate(a[5m] offset 1h)', 'rate(a[5m] offset 1h)'],
  ['rate(a[5m] offset -1h @ 5)', 'rate(a[5m] @ 5.000 offset -1h)'],
  ['a offset 0', 'a'],
  ['a offset 1.5', 'a offset 1s500ms'],
  ['a OFFSET 1h30m', 'a offset 1h30m'],
  ['a offset +5m', 'a offset 5m'],
  ['a @ 1.2345', 'a @ 1.235'],
  ['a @ -3.3e1', 'a @ -33.000'],
  ['a @ 5m', 'a @ 300.000'],
  ['a @ 0xA', 'a @ 10.000'],
  ['a @ START() offset 5m', 'a @ start() offset 5m'],
  ['a offset 5m @ end()', 'a @ end() offset 5m'],
  ['rate(a @ start()[5m])', 'rate(a[5m] @ start())'],
  ['a[5m:1m]', 'a[5m:1m]'],
  ['a[5m:]', 'a[5m:]'],
  ['(a + b)[1h:5m] offset 1d @ 0', '(a + b)[1h:5m] @ 0.000 offset 1d'],
  ['rate(a[5m])[1h:]', 'rate(a[5m])[1h:]'],
  ['max_over_time(rate(a[5m])[1h:30s])', 'max_over_time(rate(a[5m])[1h:30s])'],
  ['a smoothed offset 5m', 'a smoothed offset 5m'],
  ['a offset 5m anchored @ 1', 'a @ 1.000 anchored offset 5m'],
  ['rate(a[5m] offset 5m anchored)', 'rate(a[5m] anchored offset 5m)'],
  // Duration expressions.
  ['rate(a[5m+1])', 'rate(a[5m + 1])'],
  ['rate(a[1+2*3])', 'rate(a[1 + 2 * 3])'],
  ['rate(a[(1+2)*3])', 'rate(a[(1 + 2) * 3])'],
  ['rate(a[((1h))])', 'rate(a[(1h)])'],
  ['rate(a[-(-1h)])', 'rate(a[-(-1h)])'],
  ['rate(a[STEP()])', 'rate(a[step()])'],
  ['rate(a[range()/2:step()*2])', 'rate(a[range() / 2:step() * 2])'],
  ['rate(a[Min_Of(step()+1,1h)])', 'rate(a[min_of(step() + 1, 1h)])'],
  ['rate(a[max_of(1,2)^2%5])', 'rate(a[max_of(1, 2) ^ 2 % 5])'],
  ['a[5m:1m+step()]', 'a[5m:1m + step()]'],
  ['a[step():range()]', 'a[step():range()]'],
  ['a offset (5m+1)', 'a offset (5m + 1)'],
  ['a offset (5m)', 'a offset (5m)'],
  ['a offset -(5m)', 'a offset -(5m)'],
  ['a offset -step()', 'a offset -step()'],
  ['a offset +step()', 'a offset step()'],
  ['a offset -min_of(step(), 2s)', 'a offset -min_of(step(), 2s)'],
  // Binary operators and their modifiers.
  ['1 == bool 1', '1 == bool 1'],
  ['a==b', 'a == b'],
  ['a + ON(b,c) d', 'a + on (b, c) d'],
  ['a + on() d', 'a + on () d'],
  ['a + ignoring(b) d', 'a + ignoring (b) d'],
  ['a + ignoring() d', 'a + d'],
  ['a + on(b) group_left d', 'a + on (b) group_left () d'],
  ['a + on(b) group_right(c) d', 'a + on (b) group_right (c) d'],
  ['a + ignoring() group_left() d', 'a + ignoring () group_left () d'],
  ['a > bool on("my.label", by,) d', 'a > bool on ("my.label", by) d'],
  ['a + on(b) fill(0) d', 'a + on (b) fill (0) d'],
  ['a + fill(-1.5e10) d', 'a + fill (-1.5e+10) d'],
  ['a + fill_left(+1) d', 'a + fill_left (1) d'],
  ['a + fill_right(1) fill_left(2) d', 'a + fill_left (2) fill_right (1) d'],
  ['a atan2 b', 'a atan2 b'],
  ['a</b', 'a </ b'],
  ['a>/b', 'a >/ b'],
  ['a + -b', 'a + -b'],
  ['+a', '+a'],
  // Aggregations and calls.
  ['SUM(a)', 'sum(a)'],
  ['sum by (b, c) (a)', 'sum by (b, c) (a)'],
  ['sum(a) by (b)', 'sum by (b) (a)'],
  ['sum by () (a)', 'sum(a)'],
  ['sum without () (a)', 'sum without () (a)'],
  ['sum by ("my.label", a:b, by, avg, and,) (a)', 'sum by ("my.label", "a:b", by, avg, and) (a)'],
  ['topk(5, a) without (b)', 'topk without (b) (5, a)'],
  ['count_values("v", a)', 'count_values("v", a)'],
  ['quantile by (b) (.9, a)', 'quantile by (b) (0.9, a)'],
  ['limitk(1, a)', 'limitk(1, a)'],
  ['limit_ratio(-.5, a)', 'limit_ratio(-0.5, a)'],
  ['time()', 'time()'],
  ['round(a)', 'round(a)'],
  ['round(a, 5)', 'round(a, 5)'],
  ['label_join(a, "b", "-", "c", "d")', 'label_join(a, "b", "-", "c", "d")'],
  ['histogram_quantiles(a, "q", .1, .2, .3)', 'histogram_quantiles(a, "q", 0.1, 0.2, 0.3)'],
  ['info(a, {})', 'info(a, )'],
  ['info(a, {b="c"})', 'info(a, {b="c"})'],
  ['start() + end() + step() + range()', 'start() + end() + step() + range()'],
  ['max_of(1, 2)', 'max_of(1, 2)'],
  // Comments and space.
  ['a # comment', 'a'],
  ['a{ # comment\n b="c" # another\r }', 'a{b="c"}'],
  ['a[5m # comment\n]', 'a[5m]'],
  ['sum # x\n by # y\n (b) (\n\ta\r\n)', 'sum by (b) (a)'],
]

describe('parse', () => {
  it.each(precedence)('structure of %s', (query, want) => expect(structure(parse(query, ALL))).toBe(want))
  it.each(texts)('canonical text of %j', (query, want) => expect(canonical(query)).toBe(want))
})

describe('positions', () => {
  const spans: [
    query: string,
    pick: (expr: Expr) => { start: number; end: number },
    span: [number, number],
  ][] = [
    [' a{b="ü"} ', (expr) => expr, [1, 10]],
    ['a offset 5m', (expr) => expr, [0, 11]],
    ['a @ start()', (expr) => expr, [0, 11]],
    ['a[5m] offset 1h', (expr) => expr, [0, 15]],
    ['a[5m] offset 1h', (expr) => (expr as MatrixSelector).selector, [0, 1]],
    ['sum(a) by (b) + c', (expr) => (expr as Binary).lhs, [0, 13]],
    ['sum(a) by (b) + c', (expr) => expr, [0, 17]],
    ['-rate(a[5m])', (expr) => expr, [0, 12]],
    ['- 1', (expr) => expr, [0, 3]],
    ['(a)[5m:1m] @ 1', (expr) => expr, [0, 14]],
    ['rate( a[5m] )', (expr) => expr, [0, 13]],
    ['rate( a[5m] )', (expr) => (expr as Call).args[0], [6, 11]],
    ['a[5m - 5m]', (expr) => (expr as MatrixSelector).rangeExpr!, [2, 9]],
    ['a[-step()]', (expr) => (expr as MatrixSelector).rangeExpr!, [2, 9]],
    ['a[1h:step() * (1 + 2)]', (expr) => (expr as Subquery).stepExpr!, [5, 20]],
  ]
  it.each(spans)('%s', (query, pick, [start, end]) => {
    const { start: gotStart, end: gotEnd } = pick(parse(query, ALL))
    expect([gotStart, gotEnd]).toEqual([start, end])
  })
})

describe('trees', () => {
  it('keeps the name apart, and all conditions in the order of the text, the name last', () => {
    const selector = parse('a{c="d",b!~"e"}') as VectorSelector
    expect(selector.name).toBe('a')
    expect(selector.matchers.map(printMatcher)).toEqual(['c="d"', 'b!~"e"', '__name__="a"'])
    expect((parse('{"a"}') as VectorSelector).name).toBe('')
  })

  it('matches vectors only, and set operators many-to-many', () => {
    expect((parse('a + 1') as Binary).matching).toBeNull()
    expect((parse('1 + 1') as Binary).matching).toBeNull()
    expect((parse('a or b') as Binary).matching?.card).toBe('many-to-many')
    expect((parse('a and on(c) b') as Binary).matching).toMatchObject({
      card: 'many-to-many',
      on: true,
      labels: ['c'],
    })
    expect((parse('a + on(c) group_left(d) b') as Binary).matching).toMatchObject({
      card: 'many-to-one',
      include: ['d'],
    })
    expect((parse('a + on(c) group_right b') as Binary).matching?.card).toBe('one-to-many')
    expect((parse('a + fill(NaN) b', ALL) as Binary).matching?.fill).toEqual({
      lhs: Number.NaN,
      rhs: Number.NaN,
    })
  })

  it('rounds times to nanoseconds, then cuts to milliseconds', () => {
    expect((parse('a[0.0015]') as MatrixSelector).rangeMs).toBe(1)
    expect((parse('a offset -0.0015') as VectorSelector).offsetMs).toBe(-1)
    expect((parse('a[0.0019999999999]') as MatrixSelector).rangeMs).toBe(2)
    expect((parse('a @ 3.3335') as VectorSelector).timestampMs).toBe(3334)
    expect((parse('a @ -0.0005') as VectorSelector).timestampMs).toBe(-1)
    expect((parse('a[5m:]') as Subquery).stepMs).toBe(0)
  })

  it('keeps duration expressions as they are, even of literals only', () => {
    const { rangeMs, rangeExpr } = parse('a[(1 + 2) * step()]') as MatrixSelector
    expect(rangeMs).toBe(0)
    expect(rangeExpr).toMatchObject({
      op: '*',
      lhs: { op: '+', wrapped: true },
      rhs: { op: 'step', lhs: null, rhs: null },
    })
    const { offsetExpr } = parse('a offset (5m)') as VectorSelector
    expect(offsetExpr satisfies DurationExpr | null).toMatchObject({
      op: '+',
      lhs: null,
      wrapped: true,
      rhs: { value: 300 },
    })
  })

  it('is plain data', () => {
    const expr = parse('sum by (a) (rate(b{c="d"}[5m] offset 1h @ 5)) + on(e) f > bool 1')
    expect(JSON.parse(JSON.stringify(expr)).type).toBe('binaryExpr')
  })
})

describe('parseSelector', () => {
  it('gives the conditions of a series selector', () => {
    expect(parseSelector('up{job="x"}').map(printMatcher)).toEqual(['job="x"', '__name__="up"'])
    expect(parseSelector('{job=~""}').map(printMatcher)).toEqual(['job=~""'])
    expect(parseSelector('sum').map(printMatcher)).toEqual(['__name__="sum"'])
  })

  it.each([
    ['', 'unknown position: parse error: unexpected end of input'],
    ['up offset 5m', '1:4: parse error: unexpected <offset>'],
    ['up[5m]', '1:3: parse error: unexpected "["'],
    ['1', '1:1: parse error: unexpected number "1"'],
    ['sum(up)', '1:4: parse error: unexpected "("'],
  ])('refuses %j', (selector, message) => expect(() => parseSelector(selector)).toThrow(message))
})
