/** From the fields of a relabelling rule as configured to a rule that is ready to run. */
import { quoteString } from '../../promql/syntax/go-format.ts'
import { isLegacyLabelName, isUtf8Name } from '../../storage/model/labels.ts'
import { compileWrappedRegex } from '../../storage/model/regex.ts'
import type { NameValidationScheme } from '../config/model.ts'
import type { RelabelAction, RelabelRule } from './rule.ts'

/** Undefined is a field that was not written. */
export interface RelabelFields {
  sourceLabels?: readonly string[] | undefined
  separator?: string | undefined
  regex?: string | undefined
  /** A whole number, 0 or more. */
  modulus?: number | undefined
  targetLabel?: string | undefined
  replacement?: string | undefined
  action?: string | undefined
}

const DEFAULT_SEPARATOR = ';'
const DEFAULT_REGEX = '(.*)'
const DEFAULT_REPLACEMENT = '$1'

const ACTIONS: ReadonlySet<string> = new Set<RelabelAction>([
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
])

const WITH_TARGET: ReadonlySet<RelabelAction> = new Set([
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
])

/** These set or compare the joined value as it is. */
const WITHOUT_REPLACEMENT: ReadonlySet<RelabelAction> = new Set([
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
])

/** Where the legacy scheme holds: a label name in which references to groups may stand. */
const LEGACY_TARGET = /^(?:[a-zA-Z_]|\$(?:\{\w+\}|\w))(?:\w|\$(?:\{\w+\}|\w))*$/

/**
 * Fills in the defaults and checks what goes together. Throws RegexError for the pattern, and Error for the rest,
 * with upstream's texts.
 */
export function makeRelabelRule(fields: RelabelFields, scheme: NameValidationScheme): RelabelRule {
  for (const name of fields.sourceLabels ?? []) {
    if (!isUtf8Name(name)) throw new Error(`${quoteString(name)} is not a valid label name`)
  }
  const regexText = fields.regex ?? DEFAULT_REGEX
  const regex = compileWrappedRegex(regexText)
  const action = readAction(fields.action ?? 'replace')
  const rule: RelabelRule = {
    sourceLabels: fields.sourceLabels ?? [],
    separator: fields.separator ?? DEFAULT_SEPARATOR,
    regex,
    regexText,
    modulus: fields.modulus ?? 0,
    targetLabel: fields.targetLabel ?? '',
    replacement: fields.replacement ?? DEFAULT_REPLACEMENT,
    action,
    nameValidationScheme: scheme,
  }
  checkTarget(rule)
  checkFieldsOf(rule, fields)
  return rule
}

function readAction(text: string): RelabelAction {
  const action = text.toLowerCase()
  if (!ACTIONS.has(action)) throw new Error(`unknown relabel action ${quoteString(text)}`)
  return action as RelabelAction
}

export function isLabelName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? isLegacyLabelName(name) : isUtf8Name(name)
}

function checkTarget(rule: RelabelRule): void {
  const { action, targetLabel, replacement, nameValidationScheme } = rule
  if (rule.modulus === 0 && action === 'hashmod') {
    throw new Error('relabel configuration for hashmod requires non-zero modulus')
  }
  if (WITH_TARGET.has(action) && targetLabel === '') {
    throw new Error(`relabel configuration for ${action} action requires 'target_label' value`)
  }
  const isTemplate = (text: string) =>
    nameValidationScheme === 'legacy' ? LEGACY_TARGET.test(text) : isUtf8Name(text)
  const mayNameGroups = action === 'replace' && targetLabel.includes('$')
  const isValid = mayNameGroups ? isTemplate(targetLabel) : isLabelName(targetLabel, nameValidationScheme)
  const badTarget = () =>
    new Error(`${quoteString(targetLabel)} is invalid 'target_label' for ${action} action`)
  // The order of upstream, of which the first fault is told.
  if (WITH_TARGET.has(action) && action !== 'hashmod' && !isValid) throw badTarget()
  if (WITHOUT_REPLACEMENT.has(action) && replacement !== DEFAULT_REPLACEMENT) {
    throw new Error(`'replacement' can not be set for ${action} action`)
  }
  if (action === 'labelmap' && !isTemplate(replacement)) {
    throw new Error(`${quoteString(replacement)} is invalid 'replacement' for ${action} action`)
  }
  if (action === 'hashmod' && !isValid) throw badTarget()
}

/** Fields that would do nothing are refused with some actions. A regex written out counts even as the default. */
function checkFieldsOf(rule: RelabelRule, fields: RelabelFields): void {
  const { action } = rule
  const others =
    rule.modulus !== 0 || rule.separator !== DEFAULT_SEPARATOR || rule.replacement !== DEFAULT_REPLACEMENT
  if ((action === 'dropequal' || action === 'keepequal') && (fields.regex !== undefined || others)) {
    throw new Error(
      `${action} action requires only 'source_labels' and \`target_label\`, and no other fields`,
    )
  }
  if (action !== 'labeldrop' && action !== 'labelkeep') return
  if (fields.sourceLabels !== undefined || rule.targetLabel !== '' || others) {
    throw new Error(`${action} action requires only 'regex', and no other fields`)
  }
}
