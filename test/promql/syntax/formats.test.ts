// Goal: pin the small formats: durations, and texts as Go prints them. Method: hand-worked rows.
import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../../promql/syntax/duration.ts'
import {
  describeRune,
  formatFixed,
  formatFloat,
  formatFloatShort,
  quoteRune,
  quoteString,
} from '../../../promql/syntax/go-format.ts'
import { parseNumber } from '../../../promql/syntax/literal.ts'
import { formatPosition, lineAndColumn } from '../../../promql/syntax/parse-error.ts'

const DAY = 86_400_000

describe('durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['1ms', 1],
    ['1s', 1000],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['1d', DAY],
    ['2w', 14 * DAY],
    ['1y', 365 * DAY],
    ['1y2w3d4h5m6s7ms', 365 * DAY + 17 * DAY + 4 * 3_600_000 + 306_007],
    ['90s', 90_000],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each([
    ['', 'empty duration string'],
    ['1', 'not a valid duration string: "1"'],
    ['1x', 'not a valid duration string: "1x"'],
    ['-1s', 'not a valid duration string: "-1s"'],
    ['1s1m', 'not a valid duration string: "1s1m"'],
    ['1m1m', 'not a valid duration string: "1m1m"'],
    ['1.5h', 'not a valid duration string: "1.5h"'],
    ['300y', 'duration out of range'],
  ])('refuses %j', (text, message) => expect(() => parseDuration(text)).toThrow(message))

  it.each([
    [0, '0s'],
    [1, '1ms'],
    [1500, '1s500ms'],
    [300_000, '5m'],
    [36 * 3_600_000, '1d12h'],
    [7 * DAY, '1w'],
    [10 * DAY, '10d'],
    [90 * DAY, '90d'],
    [365 * DAY, '1y'],
    [366 * DAY, '366d'],
    [730 * DAY, '2y'],
    [-90_000, '-1m30s'],
  ])('writes %d ms', (ms, text) => expect(formatDuration(ms)).toBe(text))
})

describe('Go texts', () => {
  it.each([
    [0, '0', '0'],
    [-0, '-0', '-0'],
    [1.5, '1.5', '1.5'],
    [123400, '123400', '123400'],
    [1234567, '1234567', '1.234567e+06'],
    [1e21, '1000000000000000000000', '1e+21'],
    [0.0001, '0.0001', '0.0001'],
    [0.00001, '0.00001', '1e-05'],
    [1.353755652e9, '1353755652', '1.353755652e+09'],
    [-2.5e-9, '-0.0000000025', '-2.5e-09'],
    [5e-324, `0.${'0'.repeat(323)}5`, '5e-324'],
    [Number.POSITIVE_INFINITY, '+Inf', '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf', '-Inf'],
    [Number.NaN, 'NaN', 'NaN'],
  ])('floats: %d', (value, long, short) => {
    expect(formatFloat(value)).toBe(long)
    expect(formatFloatShort(value)).toBe(short)
  })

  it('writes fixed decimals of any size', () => {
    expect(formatFixed(1.0005, 3)).toBe('1.000')
    expect(formatFixed(-0, 3)).toBe('-0.000')
    expect(formatFixed(2 ** 70, 1)).toBe('1180591620717411303424.0')
    expect(formatFixed(Number.NEGATIVE_INFINITY, 3)).toBe('-Inf')
  })

  it('quotes strings and runes', () => {
    expect(quoteString('a"\\\n\x00\x7f\u200b\u00a0ü😀\u{e0001}')).toBe(
      '"a\\"\\\\\\n\\x00\\x7f\\u200b\\u00a0ü😀\\U000e0001"',
    )
    expect(quoteRune("'")).toBe("'\\''")
    expect(quoteRune('"')).toBe(`'"'`)
    expect(quoteRune(undefined)).toBe("'\ufffd'")
    expect(describeRune('D')).toBe("U+0044 'D'")
    expect(describeRune('\n')).toBe('U+000A')
  })

  it('reads signed numbers of scripts', () => {
    expect(parseNumber('-0x10')).toBe(-16)
    expect(parseNumber('+017')).toBe(15)
    expect(parseNumber('-Inf')).toBe(Number.NEGATIVE_INFINITY)
    expect(parseNumber('infinity')).toBe(Number.POSITIVE_INFINITY)
    expect(() => parseNumber('0x')).toThrow('strconv.ParseFloat: parsing "0x": invalid syntax')
    expect(() => parseNumber('1a')).toThrow('strconv.ParseFloat: parsing "1a": invalid syntax')
  })
})

describe('positions', () => {
  it('counts lines from 1 and columns in bytes', () => {
    expect(lineAndColumn('ü\n😀x', 3)).toEqual({ line: 2, column: 1 })
    expect(lineAndColumn('ü\n😀x', 7)).toEqual({ line: 2, column: 5 })
    expect(formatPosition('abc', 0)).toBe('1:1')
    expect(formatPosition('', 0)).toBe('unknown position')
  })
})
