/** Runs relabelling rules over a label set: of targets, and of samples of new series. */
import { createHash } from 'node:crypto'
import type { LabelsBuilder } from '../../storage/model/labels.ts'
import { isLabelName } from './build.ts'
import { lowerCaseRunes, upperCaseRunes } from './letter-case.ts'
import type { RelabelRule } from './rule.ts'

/** Applies the rules in order to `labels`. False: dropped, and then the labels are in no defined state. */
export function relabel(labels: LabelsBuilder, rules: readonly RelabelRule[]): boolean {
  for (const rule of rules) if (!apply(labels, rule)) return false
  return true
}

function apply(labels: LabelsBuilder, rule: RelabelRule): boolean {
  switch (rule.action) {
    case 'replace':
      replace(labels, rule)
      return true
    case 'keep':
      return rule.regex.matches(joinedValue(labels, rule))
    case 'drop':
      return !rule.regex.matches(joinedValue(labels, rule))
    case 'keepequal':
      return labels.get(rule.targetLabel) === joinedValue(labels, rule)
    case 'dropequal':
      return labels.get(rule.targetLabel) !== joinedValue(labels, rule)
    case 'hashmod':
      labels.set(rule.targetLabel, hashModulus(joinedValue(labels, rule), rule.modulus))
      return true
    case 'labelmap':
      mapNames(labels, rule)
      return true
    case 'labeldrop':
      for (const name of labels.names()) if (rule.regex.matches(name)) labels.delete(name)
      return true
    case 'labelkeep':
      for (const name of labels.names()) if (!rule.regex.matches(name)) labels.delete(name)
      return true
    case 'lowercase':
      labels.set(rule.targetLabel, lowerCaseRunes(joinedValue(labels, rule)))
      return true
    case 'uppercase':
      labels.set(rule.targetLabel, upperCaseRunes(joinedValue(labels, rule)))
      return true
  }
}

/** The values of the source labels with the separator between; a missing label is ''. */
function joinedValue(labels: LabelsBuilder, rule: RelabelRule): string {
  const { sourceLabels, separator } = rule
  if (sourceLabels.length === 0) return ''
  let value = labels.get(sourceLabels[0])
  for (let i = 1; i < sourceLabels.length; i++) value += separator + labels.get(sourceLabels[i])
  return value
}

/** No match, or a target that comes out as no valid name: nothing is done. An empty result deletes the target. */
function replace(labels: LabelsBuilder, rule: RelabelRule): void {
  const { regex, targetLabel, replacement } = rule
  const value = joinedValue(labels, rule)
  const result = regex.expand(value, replacement)
  if (result === undefined) return
  if (!targetLabel.includes('$')) {
    labels.set(targetLabel, result)
    return
  }
  const target = regex.expand(value, targetLabel)!
  if (isLabelName(target, rule.nameValidationScheme)) labels.set(target, result)
}

/** Works on the labels as they were before the rule, in their order: of two with one new name the later wins. */
function mapNames(labels: LabelsBuilder, rule: RelabelRule): void {
  const names = labels.names()
  const values = names.map((name) => labels.get(name))
  for (let i = 0; i < names.length; i++) {
    const target = rule.regex.expand(names[i], rule.replacement)
    if (target !== undefined) labels.set(target, values[i])
  }
}

/** The last eight bytes of the MD5 sum as a big-endian number, modulo `modulus`. */
function hashModulus(value: string, modulus: number): string {
  const digest = createHash('md5').update(value, 'utf8').digest()
  return String(digest.readBigUInt64BE(8) % BigInt(modulus))
}
