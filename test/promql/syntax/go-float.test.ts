// Goal: floats are read, and refused, as Go's strconv.ParseFloat does. Method: tables by hand; and hexadecimal
// floats against the decimal reading of the same number, on seeded random ones.
import { describe, expect, it } from 'vitest'
import { goFloatFault, parseGoFloat } from '../../../promql/syntax/go-float.ts'
import { prng, testSeed } from '../../harness/prng.ts'

describe('floats', () => {
  it.each([
    ['1', 1],
    ['+1.5', 1.5],
    ['-.5', -0.5],
    ['5.', 5],
    ['-0', -0],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['0010', 10],
    ['1e-400', 0],
    ['1.7976931348623158e308', Number.MAX_VALUE],
  ])('%s', (text, value) => expect(parseGoFloat(text)).toBe(value))

  it.each([
    ['Inf', Number.POSITIVE_INFINITY],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
    ['nAn', Number.NaN],
  ])('%s', (text, value) => expect(parseGoFloat(text)).toBe(value))

  it.each([
    ['0x1p-2', 0.25],
    ['-0X1.8P1', -3],
    ['-0x10p0', -16],
    ['0x.8p0', 0.5],
    ['0xA.p0', 10],
    ['0xfp0', 15],
    ['-0x0p0', -0],
    ['0x0p99999', 0],
    ['0x1.fffffffffffffp1023', Number.MAX_VALUE],
    ['0x1p-1074', Number.MIN_VALUE],
    ['0x100p-1082', Number.MIN_VALUE],
    ['0x1p-99999999999999999999', 0],
  ])('%s', (text, value) => expect(parseGoFloat(text)).toBe(value))

  it.each([
    ['half, to the even one below', '0x1.00000000000008p0', 1],
    ['half, to the even one above', '0x1.00000000000018p0', 1 + 2 ** -51],
    ['above half', '0x1.000000000000080000000001p0', 1 + 2 ** -52],
    ['below half', '0x1.00000000000007ffp0', 1],
    ['half of the smallest', '0x1p-1075', 0],
    ['above half of the smallest', '0x1.0001p-1075', Number.MIN_VALUE],
    [
      'rounded once, where the smallest floats have fewer bits',
      '0x1.7ffffffffffffffp-1074',
      Number.MIN_VALUE,
    ],
    ['up to a power of two', '0x1.fffffffffffff8p0', 2],
  ])('rounds: %s', (_, text, value) => expect(parseGoFloat(text)).toBe(value))

  it('reads hexadecimals of many digits as the decimals of the same number', () => {
    const seed = testSeed()
    const random = prng(seed)
    for (let run = 0; run < 1000; run++) {
      const digits = Array.from({ length: random.int(1, 30) }, () => random.int(0, 15).toString(16)).join('')
      const power = random.int(0, 400)
      const decimal = String(BigInt(`0x${digits}`) << BigInt(power))
      expect(parseGoFloat(`0x${digits}p${power}`), `SEED=${seed} 0x${digits}p${power}`).toBe(Number(decimal))
    }
  })

  it.each([
    ['1_0', 10],
    ['1_000.2_5', 1000.25],
    ['1_0e+1_2', 1e13],
    ['0x_1_0.8_0p+0_1', 33],
  ])('underscores: %s', (text, value) => expect(parseGoFloat(text)).toBe(value))

  it.each([
    ...['1__0', '_1', '-_1', '1_', '1_.5', '1._5', '1_e5', '1e_5', '1e+_5', '1e5_', 'in_f', '0_x1p0'],
    ...['0x__1p0', '0x1__0p0', '_0x1p0', '0x1_.8p0', '0x1._8p0', '0x_.8p0', '0x1_p0', '0x1p_0', '0x1p0_'],
  ])('misplaced underscore: %s', (text) => expect(parseGoFloat(text)).toBeUndefined())

  it.each([
    ...[
      '',
      ' 1',
      '1 ',
      '1\n',
      '.',
      '-',
      'e5',
      '1e',
      '--1',
      '1.5.5',
      '1e5.5',
      'abc',
      '0b1',
      '0o7',
      '1,5',
      '١',
    ],
    ...['0x10', '0x', '0xp1', '0x.p1', '0x1e5', '1p5', '-nan', '+NaN', 'infi', 'in'],
  ])('not %j', (text) => {
    expect(parseGoFloat(text)).toBeUndefined()
    expect(goFloatFault(text)).toBe(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  })

  it.each(['1e400', '-1e400', '1.7976931348623159e308', '0x1p1024', '0x1.fffffffffffff8p1023'])(
    'out of range: %s',
    (text) => {
      expect(parseGoFloat(text)).toBeUndefined()
      expect(goFloatFault(text)).toBe(`strconv.ParseFloat: parsing "${text}": value out of range`)
    },
  )
})
