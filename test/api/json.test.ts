// Goal: plain answers have the bytes of Go's encoder. Method: each kind of value against its text.
import { describe, expect, it } from 'vitest'
import { successJson, toJson } from '../../src/api/json.ts'
import { Labels } from '../../storage/model/labels.ts'

describe('JSON', () => {
  it.each([
    ['a<b>&"\u2028', '"a\\u003cb\\u003e\\u0026\\"\\u2028"'],
    [1.5, '1.5'],
    [true, 'true'],
    [null, 'null'],
    [[], '[]'],
    [['<', 1], '["\\u003c",1]'],
    [{ b: 1, a: undefined, c: { '<': [] } }, '{"b":1,"c":{"\\u003c":[]}}'],
    [
      new Map([
        ['b', 1],
        ['a<', 2],
        ['\uffff', 3],
        ['😀', 4],
      ]),
      '{"a\\u003c":2,"b":1,"\uffff":3,"😀":4}',
    ],
    [Labels.from({ b: '<', a: '"' }), '{"a":"\\"","b":"<"}'],
    [[Labels.EMPTY], '[{}]'],
  ])('%j', (value, json) => expect(toJson(value)).toBe(json))

  it('in its envelope', () => {
    expect(successJson({ yaml: 'a: <b>\n' })).toBe(
      '{"status":"success","data":{"yaml":"a: \\u003cb\\u003e\\n"}}',
    )
  })
})
