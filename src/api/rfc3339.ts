/** Times in RFC 3339, read and written as Go does with the layout RFC3339Nano. */

const PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/

/** Unix nanoseconds; undefined where the text is no such time. */
export function parseRfc3339(text: string): bigint | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number)
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const date = new Date(0)
  // Not Date.UTC, which moves the years 0–99 into the twentieth century.
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  date.setUTCHours(hour, minute, second)
  const offset = offsetMs(match[8], Number(match[9] ?? 0), Number(match[10] ?? 0))
  if (offset === undefined) return undefined
  const nanoseconds = (match[7] ?? '').slice(0, 9).padEnd(9, '0')
  return BigInt(date.getTime() - offset) * 1_000_000n + BigInt(nanoseconds)
}

function offsetMs(sign: string | undefined, hours: number, minutes: number): number | undefined {
  if (hours > 24 || minutes > 60) return undefined
  const ms = (hours * 60 + minutes) * 60_000
  return sign === '-' ? -ms : ms
}

/** UTC, the fraction without trailing zeros: `2026-01-02T15:04:05.12Z`. */
export function formatRfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0+Z$/, 'Z')
}

/** What Go prints for a time that was never set. */
export const ZERO_TIME = '0001-01-01T00:00:00Z'
