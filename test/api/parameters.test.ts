// Goal: parameters are read, and refused, as upstream does. Method: tables of texts with the value or the error,
// checked against upstream's answers where they could be had.
import { describe, expect, it } from 'vitest'
import { Form } from '../../src/api/form.ts'
import { unescapeLabelName } from '../../src/api/label-name.ts'
import {
  limitParameter,
  lookbackParameter,
  MAX_TIME_MS,
  MIN_TIME_MS,
  metadataLimitParameter,
  parseDurationParameter,
  parseInteger,
  parseTime,
  stepParameters,
  timeoutParameter,
  timeParameter,
  toTimeMs,
} from '../../src/api/parameters.ts'
import { formatRfc3339, parseRfc3339 } from '../../src/api/rfc3339.ts'

function form(values: Record<string, string>): Form {
  const made = new Form()
  for (const [name, value] of Object.entries(values)) made.add(name, value)
  return made
}

describe('times', () => {
  it.each([
    ['0', 0],
    ['1435781451.781', 1435781451781],
    ['0.0005', 1],
    ['1.0006', 1001],
    ['1.0004', 1000],
    ['-1.5', -1500],
    ['1e9', 1e12],
    ['1700000000123', 1700000000123000],
    ['1970-01-01T00:00:01Z', 1000],
    ['2015-07-01T20:10:51.781Z', 1435781451781],
    ['2015-07-01T20:10:51.781999999Z', 1435781451781],
    ['1969-12-31T23:59:59.9999Z', -1],
    ['2015-07-01T22:10:51.781+02:00', 1435781451781],
    ['2015-07-01T14:40:51,781-05:30', 1435781451781],
    ['0001-01-01T00:00:00Z', -62135596800000],
    ['-292273086-05-16T16:47:06Z', MIN_TIME_MS],
    ['292277025-08-18T07:12:54.999999999Z', MAX_TIME_MS],
    ['1e300', MIN_TIME_MS],
    ['9e15', MAX_TIME_MS],
  ])('%s is %d ms', (text, ms) => expect(toTimeMs(parseTime(text))).toBe(ms))

  it.each([
    'x',
    '',
    'now',
    '2015-07-01',
    '2015-07-01 20:10:51Z',
    '2015-07-01T20:10:51',
    '2015-02-29T00:00:00Z',
    '2015-07-01T24:00:00Z',
    '2015-07-01T20:10:60Z',
    '2015-13-01T00:00:00Z',
    '2015-07-01t20:10:51z',
    '2015-07-01T20:10:51+25:00',
    '1e400',
  ])('refuses %j', (text) => {
    expect(() => parseTime(text)).toThrow(`cannot parse "${text}" to a valid timestamp`)
  })

  it('say which parameter is wrong', () => {
    expect(timeParameter(form({}), 'time', 7)).toBe(7)
    expect(timeParameter(form({ time: '2' }), 'time', 7)).toBe(2000)
    expect(() => timeParameter(form({ time: 'a"b' }), 'time', 7)).toThrow(
      `invalid parameter "time": invalid time value for 'time': cannot parse "a\\"b" to a valid timestamp`,
    )
  })

  it.each([
    [1435781451781, '2015-07-01T20:10:51.781Z'],
    [1435781451780, '2015-07-01T20:10:51.78Z'],
    [1435781450000, '2015-07-01T20:10:50Z'],
    [0, '1970-01-01T00:00:00Z'],
  ])('%d ms is written as %s and read back', (ms, text) => {
    expect(formatRfc3339(ms)).toBe(text)
    expect(parseRfc3339(text)).toBe(BigInt(ms) * 1_000_000n)
  })
})

describe('durations', () => {
  it.each([
    ['1', 1_000_000_000n],
    ['0.5', 500_000_000n],
    ['-1', -1_000_000_000n],
    ['1m30s', 90_000_000_000n],
    ['5ms', 5_000_000n],
    ['0', 0n],
    ['1e9', 1_000_000_000_000_000_000n],
    ['NaN', -(2n ** 63n)],
  ])('%s', (text, nanoseconds) => expect(parseDurationParameter(text)).toBe(nanoseconds))

  it.each(['1e10', '-1e10', 'Inf', '9223372036.9'])('%s does not fit', (text) => {
    expect(() => parseDurationParameter(text)).toThrow(
      `cannot parse "${text}" to a valid duration. It overflows int64`,
    )
  })

  it.each(['', 'x', '1ns', '1h1h', '99999y', '5k', '-5m', '1.5m'])('refuses %j', (text) => {
    expect(() => parseDurationParameter(text)).toThrow(
      expect.objectContaining({ message: `cannot parse ${JSON.stringify(text)} to a valid duration` }),
    )
  })

  it('a timeout can only be shortened', () => {
    expect(timeoutParameter(form({}), 120_000)).toBe(120_000)
    expect(timeoutParameter(form({ timeout: '30s' }), 120_000)).toBe(30_000)
    expect(timeoutParameter(form({ timeout: '5m' }), 120_000)).toBe(120_000)
    expect(timeoutParameter(form({ timeout: '0' }), 120_000)).toBe(0)
    expect(() => timeoutParameter(form({ timeout: '1ns' }), 1)).toThrow(
      'invalid parameter "timeout": cannot parse "1ns" to a valid duration',
    )
  })

  it('a lookback of nothing is the default', () => {
    for (const text of ['', '0', '-5', '0s'])
      expect(lookbackParameter(form({ lookback_delta: text }), 300)).toBe(300)
    expect(lookbackParameter(form({ lookback_delta: '1m' }), 300)).toBe(60_000)
    expect(() => lookbackParameter(form({ lookback_delta: 'x' }), 1)).toThrow(
      'error parsing lookback delta duration: cannot parse "x" to a valid duration',
    )
  })
})

describe('limits', () => {
  it.each([
    ['0', 0],
    ['+5', 5],
    ['007', 7],
    ['-3', -3],
  ])('%s', (text, value) => expect(parseInteger(text)).toBe(value))

  it.each(['x', '1.5', '1e3', '', '1_0', ' 1'])('refuses %j', (text) => {
    expect(() => parseInteger(text)).toThrow(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
  })

  it('of queries', () => {
    expect(limitParameter(form({}))).toBe(0)
    expect(limitParameter(form({ limit: '3' }))).toBe(3)
    expect(() => limitParameter(form({ limit: '-1' }))).toThrow(
      'invalid parameter "limit": limit must be non-negative',
    )
    expect(() => limitParameter(form({ limit: '99999999999999999999' }))).toThrow(
      'invalid parameter "limit": strconv.Atoi: parsing "99999999999999999999": value out of range',
    )
  })

  it('of metadata, where 0 means none at all', () => {
    expect(metadataLimitParameter(form({}), 'limit')).toBeUndefined()
    expect(metadataLimitParameter(form({ limit: '-1' }), 'limit')).toBeUndefined()
    expect(metadataLimitParameter(form({ limit: '0' }), 'limit')).toBe(0)
    expect(() => metadataLimitParameter(form({ limit_per_metric: 'x' }), 'limit_per_metric')).toThrow(
      'limit_per_metric must be a number',
    )
  })
})

describe('start, end and step', () => {
  it('are taken as they are', () => {
    expect(stepParameters(form({ start: '1', end: '2.5', step: '500ms' }))).toEqual({
      startMs: 1000,
      endMs: 2500,
      stepMs: 500,
    })
    expect(stepParameters(form({ start: '1', end: '1', step: '1y' })).stepMs).toBe(365 * 86_400_000)
  })

  it.each([
    [{ end: '1', step: '1' }, 'invalid parameter "start": cannot parse "" to a valid timestamp'],
    [{ start: '1', end: 'x', step: '1' }, 'invalid parameter "end": cannot parse "x" to a valid timestamp'],
    [
      { start: '2', end: '1.999', step: 'x' },
      'invalid parameter "end": end timestamp must not be before start time',
    ],
    [{ start: '1', end: '2' }, 'invalid parameter "step": cannot parse "" to a valid duration'],
    ...['0', '-1', 'NaN', '0.0005'].map((step): [Record<string, string>, string] => [
      { start: '1', end: '2', step },
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ]),
    [
      { start: '0', end: '11001', step: '1' },
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ],
  ])('%j: %s', (values, message) => {
    expect(() => stepParameters(form(values as Record<string, string>))).toThrow(
      expect.objectContaining({ type: 'bad_data', message }),
    )
  })

  it('11,001 points pass', () => {
    expect(stepParameters(form({ start: '0', end: '11000.9', step: '1' })).endMs).toBe(11_000_900)
  })
})

describe('forms', () => {
  it('keep repeated names in order, the body before the URL', () => {
    const made = new Form()
    made.addEncoded('a=1&b=x+y%26&a=2&&c&=d')
    made.addEncoded('a=3')
    expect(made.getAll('a')).toEqual(['1', '2', '3'])
    expect(made.get('a')).toBe('1')
    expect(made.get('b')).toBe('x y&')
    expect(made.get('c')).toBe('')
    expect(made.get('')).toBe('d')
    expect(made.get('z')).toBe('')
    expect(made.getAll('z')).toEqual([])
    expect(made.fault).toBeUndefined()
  })

  it.each([
    ['a=%zz&b=1', 'invalid URL escape "%zz"'],
    ['a=%2&b=1', 'invalid URL escape "%2"'],
    ['a%=1&b=1', 'invalid URL escape "%"'],
    ['a=1;c=2&b=1', 'invalid semicolon separator in query'],
  ])('%s leaves out what does not decode, and says why', (encoded, fault) => {
    const made = new Form()
    made.addEncoded(encoded)
    expect(made.get('a')).toBe('')
    expect(made.get('b')).toBe('1')
    expect(made.fault).toBe(fault)
  })

  it('decode UTF-8, and replace what is none', () => {
    const made = new Form()
    made.addEncoded('a=gr%C3%BCn%F0%9F%98%80&b=x%FFy')
    expect(made.get('a')).toBe('grün😀')
    expect(made.get('b')).toBe('x\ufffdy')
  })
})

describe('label names in paths', () => {
  it.each([
    ['job', 'job'],
    ['U__http_2e_status__code', 'http.status_code'],
    ['U__', ''],
    ['U___1F600_', '😀'],
    ['U__a_', 'U__a_'],
    ['U__a_2e', 'U__a_2e'],
    ['U__a_zz_', 'U__a_zz_'],
    ['U__a_d800_', 'U__a_d800_'],
    ['U__a_0000041_', 'U__a_0000041_'],
    ['U__a_110000_', 'U__a_110000_'],
  ])('%s is %s', (text, name) => expect(unescapeLabelName(text)).toBe(name))
})
