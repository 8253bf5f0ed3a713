/**
 * Reads scripts of the language in which PromQL is tested: `load`, `clear` and `eval` with its expectations.
 * A command that is not understood becomes an `invalid` command; reading goes on behind its block.
 */
import { RE2JS } from 're2js'
import { parseDuration } from '../../promql/syntax/duration.ts'
import { parseNumber, unquoteString } from '../../promql/syntax/literal.ts'
import { parse } from '../../promql/syntax/parser.ts'
import type { Labels } from '../../storage/model/labels.ts'
import { type Point, parseSeries, parseStartOffsets, type SeriesDescription } from './series-description.ts'

/** What the suite has switched on in the language. */
export const SCRIPT_PARSE_OPTIONS = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  binopFill: true,
}

export interface LoadedSeries {
  readonly labels: Labels
  /** One every step from time 0. */
  readonly points: readonly Point[]
  /** Start timestamps in ms after each point's own time; null for none, and where no line gave any. */
  readonly startOffsets: readonly (number | null)[] | null
}

export interface LoadCommand {
  readonly type: 'load'
  readonly line: number
  readonly stepMs: number
  /** Whether classic histograms are loaded as histograms with custom buckets too. */
  readonly withNhcb: boolean
  readonly series: readonly LoadedSeries[]
}

/** A text that an error or annotation must equal or match. */
export interface TextPattern {
  readonly description: string
  /** The text, where it must be equal. */
  readonly exact?: string
  matches(text: string): boolean
}

export interface ExpectedSeries {
  readonly labels: Labels
  readonly points: readonly Point[]
}

export interface EvalCommand {
  readonly type: 'eval'
  readonly line: number
  readonly query: string
  readonly isRange: boolean
  /** Steps of a range query, or of the points that `expect range vector` lists. */
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  readonly expectsOrdered: boolean
  readonly expectsFail: TextPattern | undefined
  readonly warnings: readonly TextPattern[]
  readonly infos: readonly TextPattern[]
  readonly expectsNoWarning: boolean
  readonly expectsNoInfo: boolean
  readonly expectedString: string | undefined
  readonly expectedScalar: number | undefined
  readonly expectsRangeVector: boolean
  /** In the order of the lines; of equal labels the last counts. */
  readonly series: readonly ExpectedSeries[]
}

export interface InvalidCommand {
  readonly type: 'invalid'
  readonly line: number
  readonly message: string
}

export type ScriptCommand =
  | LoadCommand
  | EvalCommand
  | InvalidCommand
  | { readonly type: 'clear'; readonly line: number }

/** The commands of a script in their order. */
export function parseScript(text: string): ScriptCommand[] {
  const lines = text.split('\n').map((line) => (line.trim().startsWith('#') ? '' : line.trim()))
  const commands: ScriptCommand[] = []
  const reader = new ScriptReader(lines)
  for (let command = reader.next(); command !== undefined; command = reader.next()) commands.push(command)
  return commands
}

const LOAD = /^load(?:_(with_nhcb))?\s+(.+?)$/i
const EVAL_INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/i
const EVAL_RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/i
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/
const EXPECT_RANGE = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/
const START_TIMES = /^(.*?)@st\s+(.+)$/

const ANY_TEXT: TextPattern = { description: 'any text', matches: () => true }

/** Equal to the text. */
export function exactly(text: string): TextPattern {
  return { description: `exactly ${JSON.stringify(text)}`, exact: text, matches: (other) => other === text }
}

/** RE2, not anchored. */
function matching(pattern: string): TextPattern {
  const regex = RE2JS.compile(pattern)
  return {
    description: `a match of ${JSON.stringify(pattern)}`,
    matches: (text) => regex.matcher(text).find(),
  }
}

/** What is collected of an `eval` while its lines are read. */
type EvalDraft = { -readonly [Key in keyof EvalCommand]: EvalCommand[Key] } & {
  warnings: TextPattern[]
  infos: TextPattern[]
  series: ExpectedSeries[]
}

class ScriptReader {
  private readonly lines: readonly string[]
  private at = 0

  constructor(lines: readonly string[]) {
    this.lines = lines
  }

  next(): ScriptCommand | undefined {
    while (this.at < this.lines.length && this.lines[this.at] === '') this.at++
    if (this.at === this.lines.length) return undefined
    const line = this.at + 1
    try {
      return this.command(line)
    } catch (error) {
      const failedAt = Math.min(this.at, this.lines.length)
      while (this.at < this.lines.length && this.lines[this.at] !== '') this.at++
      const message = (error as Error).message
      return { type: 'invalid', line, message: failedAt > line ? `line ${failedAt}: ${message}` : message }
    }
  }

  private command(line: number): ScriptCommand {
    const text = this.lines[this.at++]
    const word = text.split(/[\t ]+/, 1)[0].toLowerCase()
    if (word === 'clear') return { type: 'clear', line }
    if (word.startsWith('load')) return this.load(line, text)
    if (word.startsWith('eval')) return this.evaluation(line, text)
    throw new Error(`invalid command ${JSON.stringify(text)}`)
  }

  /** The next line of this command; undefined at its end. */
  private argument(): string | undefined {
    const text = this.lines[this.at]
    if (text === undefined || text === '') return undefined
    this.at++
    return text
  }

  private load(line: number, text: string): LoadCommand {
    const match = LOAD.exec(text)
    if (match === null) throw new Error('invalid load command. (load[_with_nhcb] <step:duration>)')
    const series = new Map<string, LoadedSeries>()
    let defaults: (number | null)[] | undefined
    let pending: { labels: Labels; offsets: (number | null)[] } | undefined
    for (let row = this.argument(); row !== undefined; row = this.argument()) {
      const start = /^\S*@st\s/.test(row) ? START_TIMES.exec(row) : null
      if (start !== null) {
        if (pending !== undefined) throw new Error('@st line has no following sample line')
        const offsets = parseStartOffsets(start[2])
        if (start[1] === '') defaults = offsets
        else pending = { labels: parseSeries(start[1]).labels, offsets }
        continue
      }
      const { labels, points } = parseSeries(row)
      if (pending !== undefined) checkStartTimes(pending, labels, points)
      const startOffsets = pending?.offsets ?? cycle(defaults, points.length)
      pending = undefined
      series.set(labels.key(), { labels, points, startOffsets })
    }
    if (pending !== undefined) throw new Error('@st line has no following sample line')
    const withNhcb = match[1] !== undefined
    return { type: 'load', line, stepMs: parseDuration(match[2]), withNhcb, series: [...series.values()] }
  }

  private evaluation(line: number, text: string): EvalCommand {
    const instant = EVAL_INSTANT.exec(text)
    const range = instant === null ? EVAL_RANGE.exec(text) : null
    if (instant === null && range === null) {
      throw new Error('invalid evaluation command: neither instant nor range')
    }
    const query = instant === null ? range![5] : instant[3]
    parse(query, SCRIPT_PARSE_OPTIONS)
    const mode = (instant ?? range!)[1]?.toLowerCase()
    const times =
      instant === null ? parseTimes(range![2], range![3], range![4]) : atTime(parseDuration(instant[2] ?? ''))
    const draft: EvalDraft = {
      type: 'eval',
      line,
      query,
      isRange: instant === null,
      ...times,
      expectsOrdered: mode === 'ordered',
      expectsFail: mode === 'fail' ? ANY_TEXT : undefined,
      warnings: mode === 'warn' ? [ANY_TEXT] : [],
      infos: mode === 'info' ? [ANY_TEXT] : [],
      expectsNoWarning: false,
      expectsNoInfo: false,
      expectedString: undefined,
      expectedScalar: undefined,
      expectsRangeVector: false,
      series: [],
    }
    for (let row = this.argument(); row !== undefined; row = this.argument()) {
      if (!readExpectation(draft, row)) break
    }
    return draft
  }
}

function checkStartTimes(
  pending: { labels: Labels; offsets: readonly unknown[] },
  labels: Labels,
  points: readonly Point[],
): void {
  if (pending.labels.key() !== labels.key()) {
    throw new Error('@st metric does not match the following sample line metric')
  }
  if (pending.offsets.length !== points.length) {
    const counts = `${pending.offsets.length} values but sample line has ${points.length}`
    throw new Error(`@st line has ${counts}`)
  }
}

/** Default start timestamps, repeated over all points of a series. */
function cycle(defaults: readonly (number | null)[] | undefined, length: number): (number | null)[] | null {
  if (defaults === undefined || defaults.length === 0) return null
  return Array.from({ length }, (_, i) => defaults[i % defaults.length])
}

function atTime(timeMs: number): { startMs: number; endMs: number; stepMs: number } {
  return { startMs: timeMs, endMs: timeMs, stepMs: 0 }
}

function parseTimes(from: string, to: string, step: string): ReturnType<typeof atTime> {
  const times = { startMs: parseDuration(from), endMs: parseDuration(to), stepMs: parseDuration(step) }
  if (times.endMs < times.startMs) {
    throw new Error(`end timestamp (${to}) is before start timestamp (${from})`)
  }
  return times
}

/** One line under an `eval`. False when no line can follow it. */
function readExpectation(draft: EvalDraft, row: string): boolean {
  if (draft.expectsFail !== undefined && row.startsWith('expected_fail_message')) {
    draft.expectsFail = exactly(row.slice('expected_fail_message'.length).trim())
    return false
  }
  if (draft.expectsFail !== undefined && row.startsWith('expected_fail_regexp')) {
    draft.expectsFail = matching(row.slice('expected_fail_regexp'.length).trim())
    return false
  }
  if (row.startsWith('expect range vector')) {
    const match = EXPECT_RANGE.exec(row)
    if (match === null) throw new Error(`invalid range vector definition ${JSON.stringify(row)}`)
    Object.assign(draft, parseTimes(match[1], match[2], match[3]))
    draft.expectsRangeVector = true
    return true
  }
  if (row.startsWith('expect string')) {
    draft.expectedString = parseStringLiteral(row.slice('expect string'.length).trim())
    return true
  }
  if (row.split(' ', 1)[0] === 'expect') {
    readExpect(draft, row)
    return true
  }
  const scalar = tryParseNumber(row)
  if (scalar !== undefined) {
    draft.expectedScalar = scalar
    return false
  }
  const series: SeriesDescription = parseSeries(row)
  if (series.points.length > 1 && !draft.isRange && !draft.expectsRangeVector) {
    throw new Error("several values in an instant evaluation need an 'expect range vector' line")
  }
  draft.series.push(series)
  return true
}

function readExpect(draft: EvalDraft, row: string): void {
  const match = EXPECT.exec(row)
  if (match === null) {
    throw new Error('invalid expect statement, must match `expect <type> <match_type>: <string>` format')
  }
  const [, kind, form, body] = match
  const pattern =
    form === undefined ? ANY_TEXT : form === 'msg' ? exactly(body.trim()) : matching(body.trim())
  switch (kind) {
    case 'ordered':
      draft.expectsOrdered = true
      break
    case 'fail':
      if (draft.expectsFail !== undefined) throw new Error('multiple expect fail lines are not allowed')
      draft.expectsFail = pattern
      break
    case 'warn':
      draft.warnings.push(pattern)
      break
    case 'info':
      draft.infos.push(pattern)
      break
    case 'no_warn':
      draft.expectsNoWarning = true
      break
    case 'no_info':
      draft.expectsNoInfo = true
      break
  }
  if (draft.warnings.length > 0 && draft.expectsNoWarning) {
    throw new Error('invalid expect lines, warn and no_warn cannot be used together')
  }
  if (draft.infos.length > 0 && draft.expectsNoInfo) {
    throw new Error('invalid expect lines, info and no_info cannot be used together')
  }
}

function parseStringLiteral(text: string): string {
  if (!/^"(?:[^"\\]|\\.)*"$|^`[^`]*`$/s.test(text)) {
    throw new Error('expected string literal not valid - check that the string is correctly quoted')
  }
  return unquoteString(text)
}

function tryParseNumber(text: string): number | undefined {
  try {
    return parseNumber(text)
  } catch {
    // Not a number, so a series line: which says itself what is wrong with it.
    return undefined
  }
}
