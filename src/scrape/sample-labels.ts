/** From the labels of a line to those of its series, and the checks on these. */
import {
  isLegacyLabelName,
  isLegacyMetricName,
  isUtf8Name,
  type Labels,
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
  const scraped = new LabelsBuilder()
  let repeated: string | undefined
  const names = new Set<string>()
  for (let i = 0; i < raw.length; i += 2) {
    if (names.has(raw[i])) repeated ??= raw[i]
    else scraped.set(raw[i], raw[i + 1])
    names.add(raw[i])
  }
  const value = repeated === undefined ? '' : scraped.get(repeated)
  if (rules.honorLabels) addTargetLabels(scraped, rules.targetLabels, names)
  else overrideByTargetLabels(scraped, rules.targetLabels)
  if (!relabel(scraped, rules.metricRelabelConfigs)) return undefined
  const labels = scraped.labels()
  if (labels.size === 0) return undefined
  checkNames(labels, rules.nameScheme)
  checkLimits(labels, rules)
  if (repeated !== undefined && labels.get(repeated) === value && !rules.targetLabels.has(repeated)) {
    // Where something else set the label, the repetition is gone; storage would refuse what is left.
    throw new LabelError(`label name ${quoteGo(repeated)} is not unique: invalid sample`, false)
  }
  return labels
}

/** An exposed label wins, even an empty one, which then just goes away. */
function addTargetLabels(scraped: LabelsBuilder, target: Labels, exposed: ReadonlySet<string>): void {
  for (let i = 0; i < target.pairs.length; i += 2) {
    if (!exposed.has(target.pairs[i])) scraped.set(target.pairs[i], target.pairs[i + 1])
  }
}

/** The target's label wins; the exposed one is kept as `exported_…`, prefixed until the name is free. */
function overrideByTargetLabels(scraped: LabelsBuilder, target: Labels): void {
  const conflicting: [name: string, value: string][] = []
  for (let i = 0; i < target.pairs.length; i += 2) {
    const name = target.pairs[i]
    const exposed = scraped.get(name)
    if (exposed !== '') conflicting.push([name, exposed])
    scraped.set(name, target.pairs[i + 1])
  }
  // Shorter names first, else `exported_x` could take the place that `x` moves to.
  conflicting.sort(([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b))
  for (const [name, value] of conflicting) {
    let free = `exported_${name}`
    while (scraped.get(free) !== '') free = `exported_${free}`
    scraped.set(free, value)
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
