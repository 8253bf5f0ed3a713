/** Durations as people write them: `1h30m`. */
import { quoteString } from './go-format.ts'

const PATTERN =
  /^(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/

/** Milliseconds of y, w, d, h, m, s, ms. */
const UNITS_MS = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1]
const UNIT_NAMES = ['y', 'w', 'd', 'h', 'm', 's', 'ms']

/** Largest whole number of milliseconds whose nanoseconds fit 64 bits. */
const DURATION_MAX_MS = 9_223_372_036_854

/** Milliseconds of `1y2w3d4h5m6s7ms` or `0`. Throws Error with upstream's text, which carries no position. */
export function parseDuration(text: string): number {
  if (text === '') throw new Error('empty duration string')
  if (text === '0') return 0
  const units = PATTERN.exec(text)
  if (units === null) throw new Error(`not a valid duration string: ${quoteString(text)}`)
  let ms = 0
  for (let i = 0; i < UNITS_MS.length; i++) {
    if (units[i + 1] !== undefined) ms += Number(units[i + 1]) * UNITS_MS[i]
    if (ms > DURATION_MAX_MS) throw new Error('duration out of range')
  }
  return ms
}

/** Canonical form. Years and weeks only where they divide exactly: `90d` rather than `12w6d`. Whole ms; sign kept. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms === 0) return '0s'
  let text = ''
  for (let i = 0; i < UNITS_MS.length; i++) {
    const isExactOnly = i < 2
    if (isExactOnly && ms % UNITS_MS[i] !== 0) continue
    const count = Math.floor(ms / UNITS_MS[i])
    if (count > 0) text += count + UNIT_NAMES[i]
    ms -= count * UNITS_MS[i]
  }
  return text
}
