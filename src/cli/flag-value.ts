/** The values of flags: read, checked and printed as upstream's kingpin does, error texts included. */

import { goFloatFault, parseGoFloat } from '../../promql/syntax/go-float.ts'
import { formatDuration, parseDuration } from '../config/duration.ts'
import { formatSize, parseSize } from '../config/size.ts'
import { quoteGo } from '../telemetry/quote.ts'
import type { FlagSpec } from './flag-table.ts'

/** Durations in milliseconds, sizes in bytes. */
export type FlagValue = string | boolean | number

/** Throws an Error with upstream's text. A boolean is not read here: it is set by being there. */
export function parseFlagValue(spec: FlagSpec, text: string): FlagValue {
  switch (spec.kind) {
    case 'string':
      return text
    case 'bool':
      return text === 'true'
    case 'int':
      return parseIntValue(text)
    case 'float':
      return parseFloatValue(text)
    case 'duration':
      return parseDuration(text)
    case 'go-duration':
      return parseGoDuration(text)
    case 'bytes':
      return parseSize(text)
    default:
      return parseChoice(spec, text)
  }
}

/** As /status/flags shows it. */
export function printFlagValue(spec: FlagSpec, value: FlagValue): string {
  if (spec.kind === 'duration' || spec.kind === 'go-duration') return formatDuration(value as number)
  if (spec.kind === 'bytes') return formatSize(value as number)
  return String(value)
}

export function zeroFlagValue(spec: FlagSpec): FlagValue {
  return spec.kind === 'string' ? '' : 0
}

function parseChoice(spec: FlagSpec, text: string): string {
  const values = spec.values ?? []
  if (values.includes(text)) return text
  if (spec.kind === 'level' || spec.kind === 'format') {
    // Log levels are the one choice that upstream reads in any case.
    if (spec.kind === 'level' && values.includes(text.toLowerCase())) return text.toLowerCase()
    throw new Error(`unrecognized log ${spec.kind} ${text}`)
  }
  throw new Error(`enum value must be one of ${values.join(',')}, got '${text}'`)
}

function parseFloatValue(text: string): number {
  const value = parseGoFloat(text)
  if (value === undefined) throw new Error(goFloatFault(text))
  return value
}

/** Upstream reads whole numbers as floats, and cuts what is behind the point. */
function parseIntValue(text: string): number {
  const value = Math.trunc(parseFloatValue(text))
  if (!Number.isFinite(value)) throw new Error(`${quoteGo(text)} is not a whole number`)
  return value
}

const GO_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Go's time.ParseDuration, in milliseconds. */
function parseGoDuration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  let rest = /^[-+]/.test(text) ? text.slice(1) : text
  if (rest === '0') return 0
  if (rest === '') throw new Error(`time: invalid duration ${quoteGo(text)}`)
  let totalMs = 0
  while (rest !== '') {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)
    if (number === null) throw new Error(`time: invalid duration ${quoteGo(text)}`)
    rest = rest.slice(number[0].length)
    const unit = /^[^\d.]*/.exec(rest)![0]
    if (unit === '') throw new Error(`time: missing unit in duration ${quoteGo(text)}`)
    const unitMs = GO_UNITS_MS[unit]
    if (unitMs === undefined) {
      throw new Error(`time: unknown unit ${quoteGo(unit)} in duration ${quoteGo(text)}`)
    }
    totalMs += Number(number[0]) * unitMs
    rest = rest.slice(unit.length)
  }
  return sign * totalMs
}
