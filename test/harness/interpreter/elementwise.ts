/** Functions of one float after the other. */
import { goLog2, goLog10, goMax, goMin } from './floats.ts'

type FloatFunction = (x: number, ...scalars: readonly number[]) => number

function sign(x: number): number {
  if (x < 0) return -1
  return x > 0 ? 1 : x
}

function daysInMonth(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
}

function dayOfYear(date: Date): number {
  const begin = Date.UTC(date.getUTCFullYear(), 0, 1)
  const today = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate())
  return (today - begin) / 86_400_000 + 1
}

export const FLOAT_FUNCTIONS: Readonly<Record<string, FloatFunction>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: goLog2,
  log10: goLog10,
  sgn: sign,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (x) => (x * 180) / Math.PI,
  rad: (x) => (x * Math.PI) / 180,
  round: (x, to = 1) => Math.floor(x * (1 / to) + 0.5) / (1 / to),
  clamp: (x, lo, hi) => goMax(lo, goMin(hi, x)),
  clamp_min: (x, lo) => goMax(lo, x),
  clamp_max: (x, hi) => goMax(Number.NEGATIVE_INFINITY, goMin(hi, x)),
}

/** Parts of a time in UTC. */
export const DATE_FUNCTIONS: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: dayOfYear,
  days_in_month: daysInMonth,
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
}

/** The largest time JavaScript knows, in seconds; what lies beyond, upstream takes from an overflowed integer. */
export const DATE_SECONDS_MAX = 8.64e12
