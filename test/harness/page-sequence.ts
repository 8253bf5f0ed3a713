/** Pages of one target as it goes on: mostly the page before with other values, now and then with changes and damage. */
import { ExpositionMutator } from './exposition-mutator.ts'
import type { Prng } from './prng.ts'

const NUMBERS = [
  '0',
  '1',
  '-0',
  '17',
  '123456789012',
  '1.5',
  '0.25',
  '1e3',
  '-2.5e-07',
  '0.12345678901234568',
]
const VALUES = [...NUMBERS, 'NaN', '+Inf']
const LABEL_VALUES = ['x', '\\\\', '\\"y', '\xc3\xa9', '']
const OTHER_LINES = ['# a comment', '', '# HELP m new text', '# TYPE m gauge', ' ', '#']

/** The value at the end of a sample's line, with the timestamp if it has one. */
const VALUE = /[ \t]+[-+.0-9a-zA-Z]+(?:[ \t]+[0-9]{9,})?[ \t]*$/

export class PageSequence {
  private readonly random: Prng
  private readonly mutator: ExpositionMutator
  private readonly nowMs: number
  /** The lines without newlines, as latin1. */
  private lines: string[]
  /** The first page, and some of those before, to come back to. */
  private readonly before: string[][] = []

  /** Timestamps on the pages are around `nowMs`. */
  constructor(random: Prng, nowMs: number) {
    this.random = random
    this.mutator = new ExpositionMutator(random)
    this.nowMs = nowMs
    this.lines = this.mutator.excerpt(random.chance(0.1) ? 400 : 40).split('\n')
    this.before.push([...this.lines])
  }

  next(): Buffer {
    const { random } = this
    if (random.chance(0.2)) this.lines = [...random.pick(this.before)]
    this.lines = this.lines.map((line) =>
      random.chance(0.5) ? line : this.withValue(line, random.pick(VALUES), random.chance(0.1)),
    )
    if (random.chance(0.4)) {
      for (let changes = random.int(1, 4); changes > 0; changes--) this.change()
    }
    this.before.push([...this.lines])
    if (this.before.length > 3) this.before.splice(random.int(1, 3), 1)
    const page = this.lines.join('\n')
    // Damage is not kept: the next page is whole again.
    return Buffer.from(random.chance(0.12) ? this.mutator.damage(page) : page, 'latin1')
  }

  private withValue(line: string, value: string, isStamped: boolean): string {
    if (line.startsWith('#')) return line
    const stamp = isStamped ? ` ${this.nowMs + this.random.int(-90, 700) * 1000}` : ''
    return line.replace(VALUE, () => ` ${value}${stamp}`)
  }

  private change(): void {
    const { random, lines } = this
    const at = random.int(0, lines.length - 1)
    const other = random.int(0, lines.length - 1)
    const length = random.int(1, 6)
    switch (random.int(0, 12)) {
      case 0:
      case 1:
        lines.splice(at, 0, ...lines.splice(other, length))
        break
      case 2:
      case 3:
        lines.splice(at, length)
        if (lines.length === 0) lines.push('a 1')
        break
      case 4:
        lines.splice(at, 0, ...lines.slice(other, other + length))
        break
      case 5:
        lines.splice(at, 0, ...this.mutator.excerpt(length).split('\n'))
        break
      case 6:
        lines[at] = lines[at].replace(/"[^"]*"/, () => `"${random.pick(LABEL_VALUES)}"`)
        break
      case 7:
        for (let i = at; i < Math.min(at + length, lines.length); i++) {
          lines[i] = this.withValue(lines[i], '5', true)
        }
        break
      case 8:
        lines.splice(at, 0, `refused{n="${random.int(0, 3)}"} 1`)
        break
      case 9:
        lines.splice(at, 0, random.pick(OTHER_LINES))
        break
      case 10:
        // Only the series part stays the same.
        if (!lines[at].startsWith('#')) lines[at] = lines[at].replace(VALUE, '\t 7  ')
        break
      case 11:
        this.shuffle()
        break
      default:
        lines[at] = `${lines[at].slice(0, random.int(0, lines[at].length))}x${lines[at].slice(-12)}`
    }
  }

  private shuffle(): void {
    const { random, lines } = this
    for (let i = lines.length - 1; i > 0; i--) {
      const k = random.int(0, i)
      ;[lines[i], lines[k]] = [lines[k], lines[i]]
    }
  }
}
