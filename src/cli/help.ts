/** The text of `--help`: flags by group, with their defaults. Hidden flags are left out, as upstream. */
import { FLAG_SPECS, type FlagSpec } from './flag-table.ts'

const WIDTH = 100
const INDENT = 6

export function helpText(): string {
  const lines = [
    'usage: narthex [<flags>]',
    '',
    'A pull-based time-series database server, compatible with Prometheus.',
    '',
    '  -h, --help',
    `${' '.repeat(INDENT)}Show this text.`,
    '  --version',
    `${' '.repeat(INDENT)}Show the version.`,
  ]
  let group = ''
  for (const spec of FLAG_SPECS) {
    if (spec.isHidden) continue
    if (spec.group !== group) lines.push('', `${spec.group}:`)
    group = spec.group
    lines.push(`  ${usage(spec)}`, ...wrapped(description(spec)))
  }
  return `${lines.join('\n')}\n`
}

function usage(spec: FlagSpec): string {
  if (spec.kind === 'bool') return `--[no-]${spec.name}`
  const value = spec.initial === undefined || spec.initial === '' ? `<${spec.kind}>` : spec.initial
  const quoted = spec.kind === 'string' && value === spec.initial ? `"${value}"` : value
  return `--${spec.name}=${quoted}${spec.isRepeatable ? ' ...' : ''}`
}

function description(spec: FlagSpec): string {
  const parts = [spec.help]
  if (spec.values !== undefined) parts.push(`One of: ${spec.values.join(', ')}.`)
  if (spec.isRepeatable) parts.push('Can be repeated.')
  if (!spec.isEffective) parts.push('Accepted, no effect yet.')
  return parts.join(' ')
}

function wrapped(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(' '.repeat(INDENT) + line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  lines.push(' '.repeat(INDENT) + line)
  return lines
}
