/**
 * Parts of a UTC date from Unix seconds, in the proleptic Gregorian calendar, for any year a float can name.
 *
 * Days to dates by whole eras of 400 years, with years that begin in March so that the leap day comes last
 * (Howard Hinnant, "chrono-compatible low-level date algorithms").
 */

const SECONDS_A_DAY = 86_400
const DAYS_AN_ERA = 146_097
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468
/** What Go's conversion gives for floats that no int64 holds. */
const INT64_MIN = -(2 ** 63)

interface CivilDate {
  year: number
  /** 1–12. */
  month: number
  /** 1–31. */
  day: number
}

/** Whole seconds, towards zero. */
function wholeSeconds(seconds: number): number {
  const whole = Math.trunc(seconds)
  return whole >= INT64_MIN && whole < -INT64_MIN ? whole : INT64_MIN
}

function dayNumber(seconds: number): number {
  return Math.floor(wholeSeconds(seconds) / SECONDS_A_DAY)
}

function secondOfDay(seconds: number): number {
  const whole = wholeSeconds(seconds)
  return whole - Math.floor(whole / SECONDS_A_DAY) * SECONDS_A_DAY
}

function civilDate(seconds: number): CivilDate {
  const days = dayNumber(seconds) + EPOCH_DAYS
  const era = Math.floor(days / DAYS_AN_ERA)
  const dayOfEra = days - era * DAYS_AN_ERA
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day }
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365]

function daysInMonth(seconds: number): number {
  const { year, month } = civilDate(seconds)
  if (month === 2) return isLeapYear(year) ? 29 : 28
  return DAYS_BEFORE_MONTH[month] - DAYS_BEFORE_MONTH[month - 1]
}

function dayOfYear(seconds: number): number {
  const { year, month, day } = civilDate(seconds)
  return DAYS_BEFORE_MONTH[month - 1] + day + (month > 2 && isLeapYear(year) ? 1 : 0)
}

/** 1970-01-01 was a Thursday. */
function dayOfWeek(seconds: number): number {
  const days = dayNumber(seconds) + 4
  return days - Math.floor(days / 7) * 7
}

export const DATE_FUNCTIONS: Readonly<Record<string, (seconds: number) => number>> = {
  minute: (seconds) => Math.floor(secondOfDay(seconds) / 60) % 60,
  hour: (seconds) => Math.floor(secondOfDay(seconds) / 3600),
  day_of_week: dayOfWeek,
  day_of_month: (seconds) => civilDate(seconds).day,
  day_of_year: dayOfYear,
  days_in_month: daysInMonth,
  month: (seconds) => civilDate(seconds).month,
  year: (seconds) => civilDate(seconds).year,
}
