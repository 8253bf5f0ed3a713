/**
 * Sizes in bytes as upstream writes them: `100MB` and `100MiB` are the same, powers of 1024; a unit is
 * required, except for a lone `0`. Follows github.com/alecthomas/units (Base2Bytes).
 */

const PREFIXES = ['', 'K', 'M', 'G', 'T', 'P', 'E']

/** Bytes, a whole number. Throws an Error with upstream's text. */
export function parseSize(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const body = /^[-+]/.test(text) ? text.slice(1) : text
  if (body === '0') return 0
  if (body === '') throw new Error(`units: invalid ${text}`)
  let bytes = 0
  let rest = body
  while (rest !== '') {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)
    if (number === null) throw new Error(`units: invalid ${text}`)
    rest = rest.slice(number[0].length)
    const unit = /^[^\d.]*/.exec(rest)![0]
    rest = rest.slice(unit.length)
    bytes += Number(number[0]) * unitBytes(unit, text)
  }
  if (bytes >= 2 ** 63) throw new Error('units: overflow parsing unit')
  return Math.trunc(bytes) * sign || 0
}

function unitBytes(unit: string, text: string): number {
  const prefix = /^([KMGTPE]?)i?B$/.exec(unit)
  const power = prefix === null || unit === 'iB' ? -1 : PREFIXES.indexOf(prefix[1])
  if (power < 0) throw new Error(`units: unknown unit ${unit} in ${text}`)
  return 1024 ** power
}

/** Largest units first, none rounded: 1572864 is `1MiB512KiB`, 0 is `0B`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B'
  if (bytes < 0) return `-${formatSize(-bytes)}`
  let text = ''
  let rest = bytes
  for (const prefix of PREFIXES) {
    const digit = rest % 1024
    if (digit !== 0) text = `${digit}${prefix === '' ? 'B' : `${prefix}iB`}${text}`
    rest = Math.floor(rest / 1024)
    if (rest === 0) break
  }
  return text
}
