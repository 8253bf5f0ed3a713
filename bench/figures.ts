/** The table at the end of a benchmark: ours beside the peers', the ratios, and what was to be reached. */
import type { ServerName } from './server.ts'

export interface Goal {
  /** A bound on ours divided by the peer's, or on ours alone. */
  against: Exclude<ServerName, 'narthex'> | 'absolute'
  max: number
}

export interface Figure {
  what: string
  /** What was measured; a server that was not run is left out. */
  of: Partial<Record<ServerName, number>>
  digits: number
  /** Left out where a quotient says nothing. */
  hasRatios?: boolean
  goals?: readonly Goal[]
}

const HEADINGS = ['', 'narthex', 'prometheus', 'victoriam.', '/ prom.', '/ vict.', 'goal']

export function printFigures(title: string, figures: readonly Figure[]): void {
  const rows = [HEADINGS, ...figures.map(cells)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  console.log(`\n${title}`)
  for (const row of rows) {
    const padded = row.map((cell, column) =>
      column === 0 || column === row.length - 1 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
    )
    console.log(padded.join('  ').trimEnd())
  }
}

function cells({ what, of, digits, hasRatios = true, goals = [] }: Figure): string[] {
  const number = (value: number | undefined) => (value === undefined ? '–' : value.toFixed(digits))
  const ratios = (['prometheus', 'victoriametrics'] as const).map((peer) => {
    const ratio = hasRatios ? ratioTo(of, peer) : undefined
    return ratio === undefined ? '–' : ratio.toFixed(2)
  })
  const verdicts = goals.map((goal) => verdict(of, goal, digits))
  return [
    what,
    number(of.narthex),
    number(of.prometheus),
    number(of.victoriametrics),
    ...ratios,
    verdicts.join('; '),
  ]
}

function ratioTo(of: Figure['of'], peer: ServerName): number | undefined {
  const [ours, theirs] = [of.narthex, of[peer]]
  return ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs
}

function verdict(of: Figure['of'], { against, max }: Goal, digits: number): string {
  const value = against === 'absolute' ? of.narthex : ratioTo(of, against)
  const bound = against === 'absolute' ? `<= ${max.toFixed(digits)}` : `<= ${max.toFixed(2)} x ${against}`
  if (value === undefined) return `${bound}: not measured`
  return `${bound}: ${value <= max ? 'reached' : 'missed'}`
}
