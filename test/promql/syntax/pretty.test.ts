// Goal: long queries are shown over several lines, as upstream splits them. Method: rows checked against upstream's own
// formatter, over each kind of expression; and what is shown parses to what was written.
import { describe, expect, it } from 'vitest'
import { parse } from '../../../promql/syntax/parser.ts'
import { prettyPrint } from '../../../promql/syntax/pretty.ts'
import { print } from '../../../promql/syntax/printer.ts'

const FEATURES = { experimentalFunctions: true, extendedRangeSelectors: true, binopFill: true }
const LONG =
  'http_server_requests_seconds_count{application="shop",cluster="eu-west-1",environment="production",job="api"}'

describe('prettyPrint', () => {
  it.each([
    ['sum  by(a) (rate( x [5m]))', 'sum by (a) (rate(x[5m]))'],
    [LONG, LONG],
    [`-${LONG}`, `-${LONG}`],
    [`sum by (pod) (rate(${LONG}[5m]))`, `sum by (pod) (\n  rate(\n    ${LONG}[5m]\n  )\n)`],
    [`topk(5, ${LONG})`, `topk(\n  5,\n  ${LONG}\n)`],
    [`x > bool on (job) group_left () ${LONG}`, `  x\n> bool on (job) group_left ()\n  ${LONG}`],
    [`(${LONG} + 1)`, `(\n    ${LONG}\n  +\n    1\n)`],
    [
      `max_over_time(sum(${LONG})[1h:1m] offset 5m)`,
      `max_over_time(\n  sum(\n    ${LONG}\n  )[1h:1m] offset 5m\n)`,
    ],
    [
      `label_replace(${LONG}, "a", "$1", "b", "(.*)")`,
      `label_replace(\n  ${LONG},\n  "a",\n  "$1",\n  "b",\n  "(.*)"\n)`,
    ],
  ])('%s', (query, shown) => {
    const expr = parse(query, FEATURES)
    expect(prettyPrint(expr)).toBe(shown)
    expect(print(parse(shown, FEATURES))).toBe(print(expr))
  })
})
