/** From the labels of a line to those of its series, and the checks on these. */
import {
  compareUtf8,
  isLegacyLabelName,
  isLegacyMetricName,
  isUtf8Name,
  Labels,
  LabelsBuilder,
  METRIC_NAME,
} from '../../storage/model/labels.ts'
import type { NameValidationScheme } from '../config/model.ts'
import { relabel } from '../relabel/relabel.ts'
import type { RelabelRule } from '../relabel/rule.ts'
import { quoteGo } from '../telemetry/quote.ts'
import { labelsText } from './labels-text.ts'

export interface LabelRules {
  targetLabels: Labels
  honorLabels: boolean
  metricRelabelConfigs: readonly RelabelRule[]
  nameScheme: NameValidationScheme
  /** 0 means no limit. */
  labelLimit: number
  labelNameLengthLimit: number
  labelValueLengthLimit: number
}

/** A line that fails the whole scrape. */
export class LabelError extends Error {
  readonly isLimit: boolean

  constructor(message: string, isLimit: boolean) {
    super(message)
    this.name = 'LabelError'
    this.isLimit = isLimit
  }
}

/**
 * Labels of the series, or undefined when relabelling drops it. `raw`: `[name, value, …]` as scraped, with empty
 * values and repeated names. Throws LabelError with upstream's text.
 */
export function seriesLabels(raw: readonly string[], rules: LabelRules): Labels | undefined {
  const exposed = new Map<string, string>()
  const repeated = new Set<string>()
  const emptied = new Set<string>()
  for (let i = 0; i < raw.length; i += 2) {
    if (exposed.has(raw[i])) repeated.add(raw[i])
    else exposed.set(raw[i], raw[i + 1])
    if (raw[i + 1] === '') emptied.add(raw[i])
  }
  const builder = new LabelsBuilder(exposedLabels(exposed, emptied))
  if (rules.honorLabels) addTargetLabels(builder, rules.targetLabels, exposed)
  else overrideByTargetLabels(builder, rules.targetLabels, exposed)
  if (!relabel(builder, rules.metricRelabelConfigs)) return undefined
  const labels = builder.labels()
  if (labels.size === 0) return undefined
  checkNames(labels, rules.nameScheme)
  checkLimits(labels, rules)
  // Where something else set or removed the label, the repetition is gone; storage would refuse what is left.
  for (const name of [...repeated].sort(compareUtf8)) {
    if (!labels.has(name) || builder.isSet(name)) continue
    throw new LabelError(`label name ${quoteGo(name)} is not unique: invalid sample`, false)
  }
  return labels
}

/** An empty value takes away all labels of its name; of others the first counts. */
function exposedLabels(exposed: ReadonlyMap<string, string>, emptied: ReadonlySet<string>): Labels {
  const pairs: string[] = []
  for (const name of [...exposed.keys()].sort(compareUtf8)) {
    if (!emptied.has(name)) pairs.push(name, exposed.get(name)!)
  }
  return new Labels(pairs)
}

/** An exposed label wins, even an empty one, which then just goes away. */
function addTargetLabels(builder: LabelsBuilder, target: Labels, exposed: ReadonlyMap<string, string>): void {
  for (let i = 0; i < target.pairs.length; i += 2) {
    if (!exposed.has(target.pairs[i])) builder.set(target.pairs[i], target.pairs[i + 1])
  }
}

/** The target's label wins; the exposed one is kept as `exported_…`, prefixed until the name is free. */
function overrideByTargetLabels(
  builder: LabelsBuilder,
  target: Labels,
  exposed: ReadonlyMap<string, string>,
): void {
  const conflicting: [name: string, value: string][] = []
  for (let i = 0; i < target.pairs.length; i += 2) {
    const name = target.pairs[i]
    // As upstream: the first of the exposed values, also where a later, empty one took the label away.
    const value = exposed.get(name) ?? ''
    if (value !== '') conflicting.push([name, value])
    builder.set(name, target.pairs[i + 1])
  }
  // Shorter names first, else `exported_x` could take the place that `x` moves to.
  conflicting.sort(([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b))
  for (const [name, value] of conflicting) {
    let free = `exported_${name}`
    while (builder.get(free) !== '') free = `exported_${free}`
    builder.set(free, value)
  }
}

function checkNames(labels: Labels, scheme: NameValidationScheme): void {
  if (!labels.has(METRIC_NAME)) throw new LabelError(`missing metric name (${METRIC_NAME} label)`, false)
  const isMetricName = scheme === 'legacy' ? isLegacyMetricName : isUtf8Name
  const isLabelName = scheme === 'legacy' ? isLegacyLabelName : isUtf8Name
  const { pairs } = labels
  for (let i = 0; i < pairs.length; i += 2) {
    const isValid =
      pairs[i] === METRIC_NAME
        ? isMetricName(pairs[i + 1])
        : isLabelName(pairs[i]) && pairs[i + 1].isWellFormed()
    if (!isValid) {
      throw new LabelError(`invalid metric name or label names: ${labelsText(labels)}`, false)
    }
  }
}

/** Lengths are bytes; `__name__` counts as a label. */
function checkLimits(labels: Labels, rules: LabelRules): void {
  const metric = (): string => clip(labels.get(METRIC_NAME))
  if (rules.labelLimit > 0 && labels.size > rules.labelLimit) {
    throw new LabelError(
      `label_limit exceeded (metric: ${metric()}, number of labels: ${labels.size}, limit: ${rules.labelLimit})`,
      true,
    )
  }
  if (rules.labelNameLengthLimit === 0 && rules.labelValueLengthLimit === 0) return
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]
    const value = labels.pairs[i + 1]
    const where = `(metric: ${metric()}, label name: ${clip(name)}`
    const nameLength = Buffer.byteLength(name)
    if (rules.labelNameLengthLimit > 0 && nameLength > rules.labelNameLengthLimit) {
      const lengths = `length: ${nameLength}, limit: ${rules.labelNameLengthLimit}`
      throw new LabelError(`label_name_length_limit exceeded ${where}, ${lengths})`, true)
    }
    const valueLength = Buffer.byteLength(value)
    if (rules.labelValueLengthLimit > 0 && valueLength > rules.labelValueLengthLimit) {
      const lengths = `length: ${valueLength}, limit: ${rules.labelValueLengthLimit}`
      throw new LabelError(
        `label_value_length_limit exceeded ${where}, value: ${quoteGo(clip(value))}, ${lengths})`,
        true,
      )
    }
  }
}

/** Go's %.50s: the first 50 characters. */
function clip(text: string): string {
  return text.length <= 50 ? text : [...text].slice(0, 50).join('')
}
