// Goal: every float is the nearest double, and what Go refuses is refused with its words. Method: JavaScript's own
// Number as the oracle of values, tables for the rest.
import { describe, expect, it } from 'vitest'
import { floatFault, floatFromText, normalizeFloatLabel, simpleFloat } from '../../src/exposition/float.ts'
import { prng, testSeed } from '../harness/prng.ts'

const bytes = (text: string) => new TextEncoder().encode(`<${text}>`)
const simple = (text: string) => simpleFloat(bytes(text), 1, 1 + text.length)

describe('simpleFloat', () => {
  it('is exact or does not answer', () => {
    const seed = testSeed()
    const random = prng(seed)
    const digits = (most: number) =>
      Array.from({ length: random.int(0, most) }, () => random.int(0, 9)).join('')
    let answers = 0
    for (let run = 0; run < 100_000; run++) {
      const sign = random.pick(['', '', '-', '+'])
      const fraction = random.chance(0.5) ? `.${digits(random.pick([3, 18]))}` : ''
      const exponent = random.chance(0.3) ? `e${random.pick(['', '-', '+'])}${digits(3)}` : ''
      const text = `${sign}${digits(random.pick([3, 18]))}${fraction}${exponent}`
      const value = simple(text)
      if (Number.isNaN(value)) continue
      answers++
      expect(Object.is(value, Number(text)), `SEED=${seed} ${text}: ${value}`).toBe(true)
      expect(floatFromText(text), `SEED=${seed} ${text}`).toBe(value)
    }
    expect(answers, `SEED=${seed}`).toBeGreaterThan(30_000)
  })

  it.each([
    '0',
    '-0',
    '1',
    '123456789012345',
    '9007199254740991',
    '0.9007199254740991',
    '0.1',
    '1e22',
    '-1.5e-21',
    '00000000000000000000001',
    '0e999',
    '.5',
    '5.',
  ])('answers %s', (text) => expect(simple(text)).toBe(Number(text)))

  it.each([
    '',
    '-',
    '.',
    '1e',
    '1e+',
    'e5',
    '1.2.3',
    '1 ',
    '+-1',
    '9007199254740992',
    '12345678901234567890',
    '0.12345678901234567',
    '1e23',
    '0x10',
    'NaN',
    'Inf',
    '1_0',
  ])('does not answer %j', (text) => expect(simple(text)).toBeNaN())
})

describe('floatFromText', () => {
  it.each([
    ['9007199254740993', 9007199254740992],
    ['2.5e-324', 5e-324],
    ['1e-999', 0],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['inf', Infinity],
    ['+INFINITY', Infinity],
    ['-Inf', -Infinity],
    ['nan', NaN],
    ['NaN', NaN],
  ])('%s', (text, want) => expect(floatFromText(text)).toBe(want))

  it.each([
    ['1e999', 'strconv.ParseFloat: parsing "1e999": value out of range'],
    ['-1.8e308', 'strconv.ParseFloat: parsing "-1.8e308": value out of range'],
    ['', 'strconv.ParseFloat: parsing "": invalid syntax'],
    ['+nan', 'strconv.ParseFloat: parsing "+nan": invalid syntax'],
    ['infinit', 'strconv.ParseFloat: parsing "infinit": invalid syntax'],
    ['0x10', 'strconv.ParseFloat: parsing "0x10": invalid syntax'],
    ['１', 'strconv.ParseFloat: parsing "１": invalid syntax'],
    ['0x1p3', 'unsupported character in float'],
    ['1_0', 'unsupported character in float'],
    ['P', 'unsupported character in float'],
  ])('%j is refused', (text, fault) => {
    expect(floatFromText(text)).toBeUndefined()
    expect(floatFault(text)).toBe(fault)
  })
})

describe('normalizeFloatLabel', () => {
  it.each([
    ['1', '1.0'],
    ['1.0', '1.0'],
    ['0', '0.0'],
    ['-0', '0.0'],
    ['-1', '-1.0'],
    ['0.50', '0.5'],
    ['100000', '100000.0'],
    ['1000000', '1e+06'],
    ['1234567', '1.234567e+06'],
    ['123456.7', '123456.7'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['1.5e-7', '1.5e-07'],
    ['1e100', '1e+100'],
    ['-2.5e10', '-2.5e+10'],
    ['+Inf', '+Inf'],
    ['inf', '+Inf'],
    ['-infinity', '-Inf'],
    ['nan', 'NaN'],
    ['0x1p3', '8.0'],
    ['1_0', '10.0'],
    ['', ''],
    ['abc', 'abc'],
    ['1e999', '1e999'],
    [' 1', ' 1'],
  ])('%j → %j', (value, want) => expect(normalizeFloatLabel(value)).toBe(want))
})
