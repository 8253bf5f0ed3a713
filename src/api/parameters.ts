/** Readers of single parameters, with upstream's texts for what is wrong with them. */

import { parseGoFloat } from '../../promql/syntax/go-float.ts'
import { quoteString } from '../../promql/syntax/go-format.ts'
import { parseDuration } from '../config/duration.ts'
import { badData, invalidParameter } from './errors.ts'
import type { Form } from './form.ts'
import { parseRfc3339 } from './rfc3339.ts'

/** Nanoseconds, as upstream counts; checks between parameters are made on these. */
export type Nanoseconds = bigint

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** First and last time of upstream, as its clients write them for "from ever" and "for ever". */
const MIN_TIME_TEXT = '-292273086-05-16T16:47:06Z'
const MAX_TIME_TEXT = '292277025-08-18T07:12:54.999999999Z'

export const MIN_TIME_MS = Number.MIN_SAFE_INTEGER
export const MAX_TIME_MS = Number.MAX_SAFE_INTEGER

/** Rounded down. What lies beyond the integers of a float is moved to their bounds. */
export function toTimeMs(time: Nanoseconds): number {
  const ms = time >= 0n ? time / 1_000_000n : (time - 999_999n) / 1_000_000n
  if (ms < BigInt(MIN_TIME_MS)) return MIN_TIME_MS
  return ms > BigInt(MAX_TIME_MS) ? MAX_TIME_MS : Number(ms)
}

/** Unix seconds (rounded to milliseconds) or RFC 3339. Throws an Error with upstream's text. */
export function parseTime(text: string): Nanoseconds {
  const seconds = parseGoFloat(text)
  if (seconds !== undefined) return secondsToTime(seconds)
  const time = parseRfc3339(text)
  if (time !== undefined) return time
  if (text === MIN_TIME_TEXT) return BigInt(MIN_TIME_MS) * 1_000_000n
  if (text === MAX_TIME_TEXT) return BigInt(MAX_TIME_MS) * 1_000_000n
  throw new Error(`cannot parse ${quoteString(text)} to a valid timestamp`)
}

function secondsToTime(seconds: number): Nanoseconds {
  // What an int64 can't hold, NaN too, becomes its minimum, as on the machines that upstream mostly runs on.
  if (!(Math.abs(seconds) < 2 ** 63)) return INT64_MIN * 1_000_000_000n
  const whole = Math.trunc(seconds)
  const milliseconds = roundHalfAway((seconds - whole) * 1000)
  return BigInt(whole) * 1_000_000_000n + BigInt(milliseconds) * 1_000_000n
}

function roundHalfAway(x: number): number {
  return Math.sign(x) * Math.round(Math.abs(x))
}

/** `timeParameter` of the query_range endpoint, which has no default. */
export function rangeTimeParameter(form: Form, name: string): Nanoseconds {
  try {
    return parseTime(form.get(name))
  } catch (error) {
    throw invalidParameter(name, (error as Error).message)
  }
}

/** Milliseconds; `absentMs` where the parameter is absent or empty. */
export function timeParameter(form: Form, name: string, absentMs: number): number {
  const text = form.get(name)
  if (text === '') return absentMs
  try {
    return toTimeMs(parseTime(text))
  } catch (error) {
    throw invalidParameter(name, `invalid time value for '${name}': ${(error as Error).message}`)
  }
}

/** Seconds as a float, or a duration like `1m30s`. Throws an Error with upstream's text. */
export function parseDurationParameter(text: string): Nanoseconds {
  const seconds = parseGoFloat(text)
  if (seconds !== undefined) {
    const nanoseconds = seconds * 1e9
    if (Math.abs(nanoseconds) > 2 ** 63) {
      throw new Error(`cannot parse ${quoteString(text)} to a valid duration. It overflows int64`)
    }
    // NaN, and 2^63 which is one too many, become the minimum.
    if (!(nanoseconds < 2 ** 63)) return INT64_MIN
    return BigInt(Math.trunc(nanoseconds))
  }
  try {
    return BigInt(parseDuration(text)) * 1_000_000n
  } catch {
    // What exactly is wrong with it is not said, as upstream.
    throw new Error(`cannot parse ${quoteString(text)} to a valid duration`)
  }
}

/** The parameter as a duration; undefined where it is absent or empty. */
function durationParameter(form: Form, name: string): Nanoseconds | undefined {
  const text = form.get(name)
  if (text === '') return undefined
  try {
    return parseDurationParameter(text)
  } catch (error) {
    throw invalidParameter(name, (error as Error).message)
  }
}

/** Milliseconds: the `timeout` parameter, which can only shorten the server's. */
export function timeoutParameter(form: Form, serverTimeoutMs: number): number {
  const timeout = durationParameter(form, 'timeout')
  return timeout === undefined ? serverTimeoutMs : Math.min(Number(timeout) / 1e6, serverTimeoutMs)
}

/** Milliseconds; the server's value where the parameter is absent, zero or negative. */
export function lookbackParameter(form: Form, serverLookbackMs: number): number {
  const text = form.get('lookback_delta')
  if (text === '') return serverLookbackMs
  try {
    const lookback = parseDurationParameter(text)
    // A lookback below a millisecond finds nothing but samples at the very time; 1 ms is as short.
    return lookback <= 0n ? serverLookbackMs : Math.max(1, Number(lookback / 1_000_000n))
  } catch (error) {
    throw badData(`error parsing lookback delta duration: ${(error as Error).message}`)
  }
}

/** The integer of Go's strconv.Atoi. Throws an Error with its text. */
export function parseInteger(text: string): number {
  const fault = (why: string): Error => new Error(`strconv.Atoi: parsing ${quoteString(text)}: ${why}`)
  if (!/^[+-]?[0-9]+$/.test(text)) throw fault('invalid syntax')
  const value = BigInt(text.replace(/^\+/, ''))
  if (value > INT64_MAX || value < INT64_MIN) throw fault('value out of range')
  return Number(value)
}

/** `limit` of queries: 0 is no limit. */
export function limitParameter(form: Form): number {
  const text = form.get('limit')
  if (text === '') return 0
  let limit: number
  try {
    limit = parseInteger(text)
  } catch (error) {
    throw invalidParameter('limit', (error as Error).message)
  }
  if (limit < 0) throw invalidParameter('limit', 'limit must be non-negative')
  return limit
}

/** A limit of the metadata endpoints: undefined is no limit, and so is a negative one. */
export function metadataLimitParameter(form: Form, name: string): number | undefined {
  const text = form.get(name)
  if (text === '') return undefined
  let limit: number
  try {
    limit = parseInteger(text)
  } catch {
    throw badData(`${name} must be a number`)
  }
  return limit < 0 ? undefined : limit
}

/** Start, end and step of a range query, in milliseconds, after the checks that bind them together. */
export function stepParameters(form: Form): { startMs: number; endMs: number; stepMs: number } {
  const start = rangeTimeParameter(form, 'start')
  const end = rangeTimeParameter(form, 'end')
  if (end < start) throw invalidParameter('end', 'end timestamp must not be before start time')
  let step: Nanoseconds
  try {
    step = parseDurationParameter(form.get('step'))
  } catch (error) {
    throw invalidParameter('step', (error as Error).message)
  }
  // Steps are counted in milliseconds: a shorter one is as good as zero.
  if (step < 1_000_000n) {
    const fault = 'zero or negative query resolution step widths are not accepted. Try a positive integer'
    throw invalidParameter('step', fault)
  }
  const length = end - start
  if ((length > INT64_MAX ? INT64_MAX : length) / step > RANGE_POINTS_MAX) {
    throw badData(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    )
  }
  return { startMs: toTimeMs(start), endMs: toTimeMs(end), stepMs: Number(step / 1_000_000n) }
}

/** Enough for a step of 60 s over a week, or of 1 h over a year. The count is of steps between the points. */
const RANGE_POINTS_MAX = 11_000n
