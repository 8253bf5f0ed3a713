/** From the topmost operator to what a query answers. */
import type { FloatHistogram } from '../../storage/model/histogram.ts'
import { Labels } from '../../storage/model/labels.ts'
import { isHistogramKind, type SampleColumns } from '../../storage/model/sample.ts'
import { sampleWeight } from '../histogram/size.ts'
import type { Plan } from '../plan/plan.ts'
import type { ValueType } from '../syntax/ast.ts'
import {
  PRESENT_FLOAT,
  type QueryValue,
  type RawSeries,
  type ResultSeries,
  type StepRange,
} from '../value.ts'
import type { EvalContext } from './context.ts'
import { Evaluator } from './evaluate.ts'
import { extendedSamples } from './extended-samples.ts'
import { materialize, type Operator } from './operator.ts'
import type { RangeSource } from './range-source.ts'
import { dropMarkedNames } from './relabel.ts'

/** Evaluates a plan whose expression has the given type. Throws QueryError, and what storage throws. */
export function evaluatePlan(
  context: EvalContext,
  plan: Plan,
  type: ValueType,
  steps: StepRange,
): QueryValue {
  const evaluator = new Evaluator(context, steps, plan.sharing)
  const { root } = plan
  const timeMs = steps.startMs
  const isInstant = steps.stepMs === 0
  switch (type) {
    case 'string':
      return { type: 'string', timeMs, value: evaluator.text(root) }
    case 'matrix':
      return { type: 'samples', series: readRange(evaluator.topRange(root)) }
    case 'scalar': {
      const { values } = evaluator.scalar(root)
      if (isInstant) return { type: 'scalar', timeMs, value: values[0] }
      const present = new Uint8Array(values.length).fill(PRESENT_FLOAT)
      return { type: 'matrix', steps, series: [{ labels: Labels.EMPTY, values, present, histograms: [] }] }
    }
    case 'vector': {
      const series = readVector(dropMarkedNames(evaluator.vector(root)))
      return isInstant ? { type: 'vector', timeMs, series } : { type: 'matrix', steps, series }
    }
  }
}

/** The series that have samples, in the operator's order. */
function readVector(operator: Operator): ResultSeries[] {
  const series: ResultSeries[] = []
  for (const [i, column] of materialize(operator).entries()) {
    if (column === undefined) continue
    const { values, present, histograms } = column
    series.push({ labels: operator.labels[i], values, present, histograms })
  }
  return series
}

/** The samples in the only window. */
function readRange(source: RangeSource): RawSeries[] {
  const { labels } = source
  const series: RawSeries[] = []
  for (const [i, set] of labels.entries()) {
    const samples = source.read(i)
    const raw =
      source.extension === undefined ? readWindow(source, samples) : extendedSamples(source, samples)
    if (raw === undefined || raw.t.length === 0) continue
    const { context } = source
    const held = countRaw(raw)
    context.hold(held)
    context.takeHistograms(held - raw.t.length)
    if (source.isStorage) source.counts.add(0, held, held)
    series.push({ labels: set, ...raw })
  }
  source.release()
  return series
}

type RawSamples = Omit<RawSeries, 'labels'>

function countRaw({ t, histograms }: RawSamples): number {
  let held = t.length
  for (const histogram of histograms) if (histogram !== undefined) held += sampleWeight(histogram) - 1
  return held
}

function readWindow({ refMs, rangeMs }: RangeSource, samples: SampleColumns): RawSamples {
  const { t, v, length, allFloat, kind } = samples
  let from = 0
  while (from < length && t[from] <= refMs[0] - rangeMs) from++
  let to = from
  while (to < length && t[to] <= refMs[0]) to++
  const histograms: (FloatHistogram | undefined)[] = []
  for (let i = from; !allFloat && i < to; i++) {
    histograms.push(isHistogramKind(kind[i]) ? samples.histograms[v[i]] : undefined)
  }
  return { t: t.slice(from, to), v: v.slice(from, to), histograms }
}
