/**
 * Changes one thing of what an evaluation expects, so that it must fail: the proof that the comparison sees it. What the
 * language cannot tell apart is not made.
 */
import { Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import type { Prng } from './prng.ts'
import { type EvalCommand, type ExpectedSeries, exactly, type TextPattern } from './promql-script.ts'
import type { Point } from './series-description.ts'

export interface Mutant {
  /** What was changed, in words. */
  readonly change: string
  readonly command: EvalCommand
}

type Mutation = (command: EvalCommand, random: Prng) => Mutant | undefined

const ANY_TEXT: TextPattern = { description: 'any text', matches: () => true }
const NO_TEXT: TextPattern = { description: 'the text of a mutant', matches: () => false }

/** Another text: the last digit or letter of an exact one changed, which mostly is in its position. */
function otherText({ exact }: TextPattern): TextPattern {
  const changed = exact?.replace(/[0-9a-zA-Z](?=[^0-9a-zA-Z]*$)/, (c) =>
    c === '9' ? '8' : c === 'z' ? 'y' : nextOf(c),
  )
  return changed === undefined || changed === exact ? NO_TEXT : exactly(changed)
}

function nextOf(character: string): string {
  return String.fromCharCode(character.charCodeAt(0) + 1)
}

/** One mutant of the command, of a random kind that applies to it. */
export function mutate(command: EvalCommand, random: Prng): Mutant {
  const mutations = [...MUTATIONS]
  while (mutations.length > 0) {
    const [mutation] = mutations.splice(random.int(0, mutations.length - 1), 1)
    const mutant = mutation(command, random)
    if (mutant !== undefined) return mutant
  }
  throw new Error(`line ${command.line}: nothing can be changed`)
}

const MUTATIONS: readonly Mutation[] = [
  changeValue,
  changeValue,
  changeLabel,
  dropSeries,
  addSeries,
  swapOrder,
  changeAnnotation,
  swapSuccess,
  changeHistogram,
  changeHint,
]

/** Series that count: of those with equal labels the last, and only with points that are looked at. */
function effective(command: EvalCommand): ExpectedSeries[] {
  const last = new Map(command.series.map((series) => [series.labels.key(), series]))
  return [...last.values()].filter(({ points }) => places(command, points).length > 0)
}

/** Indexes of the points that are compared. */
function places(command: EvalCommand, points: readonly Point[]): number[] {
  const isMatrix = command.isRange || command.expectsRangeVector
  const { startMs, endMs, stepMs } = command
  return [...points.keys()].filter((i) => {
    if (points[i].type === 'missing') return false
    return isMatrix ? startMs + i * stepMs <= endMs : i === 0
  })
}

function withSeries(command: EvalCommand, change: string, series: readonly ExpectedSeries[]): Mutant {
  return { change, command: { ...command, series } }
}

function replacePoint(
  command: EvalCommand,
  change: string,
  series: ExpectedSeries,
  at: number,
  point: Point,
): Mutant {
  const points = series.points.map((old, i) => (i === at ? point : old))
  const list = command.series.map((old) => (old === series ? { ...series, points } : old))
  return withSeries(command, change, list)
}

/** Ten times what the comparison lets pass. */
function other(value: number): number {
  if (Number.isNaN(value)) return 1
  if (!Number.isFinite(value)) return -value
  return value === 0 ? 1e-5 : value * (1 + 1e-5)
}

function changeValue(command: EvalCommand, random: Prng): Mutant | undefined {
  if (command.expectsFail !== undefined) return undefined
  if (command.expectedScalar !== undefined) {
    const expectedScalar = other(command.expectedScalar)
    return { change: 'the scalar', command: { ...command, expectedScalar } }
  }
  if (command.expectedString !== undefined) {
    return { change: 'the string', command: { ...command, expectedString: `${command.expectedString}x` } }
  }
  const candidates = effective(command).filter(({ points }) => points.some(({ type }) => type === 'float'))
  if (candidates.length === 0) return undefined
  const series = random.pick(candidates)
  const floats = places(command, series.points).filter((i) => series.points[i].type === 'float')
  if (floats.length === 0) return undefined
  const at = random.pick(floats)
  const point = series.points[at]
  if (point.type !== 'float') return undefined
  return replacePoint(command, `value ${at + 1}`, series, at, { type: 'float', value: other(point.value) })
}

function changeLabel(command: EvalCommand, random: Prng): Mutant | undefined {
  const candidates = effective(command)
  if (command.expectsFail !== undefined || candidates.length === 0) return undefined
  const series = random.pick(candidates)
  const labels = new LabelsBuilder(series.labels).set('mutant', 'label').labels()
  const list = command.series.map((old) => (old === series ? { ...series, labels } : old))
  return withSeries(command, 'a label', list)
}

function dropSeries(command: EvalCommand, random: Prng): Mutant | undefined {
  const candidates = effective(command)
  if (command.expectsFail !== undefined || candidates.length === 0) return undefined
  const key = random.pick(candidates).labels.key()
  return withSeries(
    command,
    'a series less',
    command.series.filter(({ labels }) => labels.key() !== key),
  )
}

function addSeries(command: EvalCommand): Mutant | undefined {
  const isVector = command.expectedScalar === undefined && command.expectedString === undefined
  if (command.expectsFail !== undefined || !isVector) return undefined
  const extra: ExpectedSeries = {
    labels: Labels.from({ __name__: 'mutant' }),
    points: [{ type: 'float', value: 1 }],
  }
  return withSeries(command, 'a series more', [...command.series, extra])
}

function swapOrder(command: EvalCommand, random: Prng): Mutant | undefined {
  if (!command.expectsOrdered || effective(command).length < 2) return undefined
  const list = effective(command)
  const at = random.int(0, list.length - 2)
  const swapped = list.toSpliced(at, 2, list[at + 1], list[at])
  return withSeries(command, 'the order', swapped)
}

function changeAnnotation(command: EvalCommand, random: Prng): Mutant | undefined {
  const { warnings, infos, expectsNoWarning, expectsNoInfo } = command
  if (command.expectsFail !== undefined) return undefined
  const changed: Mutant[] = []
  const add = (change: string, fields: Partial<EvalCommand>) =>
    changed.push({ change, command: { ...command, ...fields } })
  if (expectsNoWarning) add('a warning', { expectsNoWarning: false, warnings: [ANY_TEXT] })
  if (expectsNoInfo) add('an info', { expectsNoInfo: false, infos: [ANY_TEXT] })
  if (warnings.length > 0) {
    add('no warning', { warnings: [], expectsNoWarning: true })
    add("a warning's text", { warnings: [...warnings.slice(1), otherText(warnings[0])] })
  }
  if (infos.length > 0) {
    add('no info', { infos: [], expectsNoInfo: true })
    add("an info's text", { infos: [...infos.slice(1), otherText(infos[0])] })
  }
  return changed.length === 0 ? undefined : random.pick(changed)
}

function swapSuccess(command: EvalCommand, random: Prng): Mutant {
  if (command.expectsFail === undefined) {
    return { change: 'a failure', command: { ...command, expectsFail: ANY_TEXT } }
  }
  return random.chance(0.5)
    ? { change: 'no failure', command: { ...command, expectsFail: undefined } }
    : { change: "the failure's text", command: { ...command, expectsFail: otherText(command.expectsFail) } }
}

function pickHistogram(command: EvalCommand, random: Prng) {
  const found = effective(command).flatMap((series) =>
    places(command, series.points).flatMap((at) => {
      const point = series.points[at]
      return point.type === 'histogram' ? [{ series, at, point }] : []
    }),
  )
  return command.expectsFail !== undefined || found.length === 0 ? undefined : random.pick(found)
}

function changeHistogram(command: EvalCommand, random: Prng): Mutant | undefined {
  const picked = pickHistogram(command, random)
  if (picked === undefined) return undefined
  const { series, at, point } = picked
  const { histogram } = point
  const changes = [
    { ...histogram, count: other(histogram.count) },
    { ...histogram, sum: other(histogram.sum) },
    { ...histogram, zeroCount: other(histogram.zeroCount) },
    { ...histogram, schema: histogram.schema + 1 },
    { ...histogram, zeroThreshold: other(histogram.zeroThreshold) },
    { ...histogram, customValues: [...histogram.customValues, 1e9] },
  ]
  for (const side of ['positive', 'negative'] as const) {
    const counts = histogram[`${side}Buckets`]
    const filled = [...counts.keys()].filter((i) => counts[i] !== 0)
    if (filled.length === 0) continue
    const bucket = random.pick(filled)
    const changed = counts.map((count, i) => (i === bucket ? other(count) : count))
    changes.push({ ...histogram, [`${side}Buckets`]: changed })
    const [{ offset, length }, ...rest] = histogram[`${side}Spans`]
    changes.push({ ...histogram, [`${side}Spans`]: [{ offset: offset + 1, length }, ...rest] })
  }
  return replacePoint(command, `histogram ${at + 1}`, series, at, {
    ...point,
    histogram: random.pick(changes),
  })
}

function changeHint(command: EvalCommand, random: Prng): Mutant | undefined {
  const picked = pickHistogram(command, random)
  if (!picked?.point.isHintGiven) return undefined
  const { series, at, point } = picked
  const counterResetHint = point.histogram.counterResetHint === 'gauge' ? 'reset' : 'gauge'
  const histogram = { ...point.histogram, counterResetHint } as const
  return replacePoint(command, `the hint of histogram ${at + 1}`, series, at, { ...point, histogram })
}
