/** `relabel_configs` and `metric_relabel_configs`: from YAML to rules that are ready to run. */
import { RegexError } from '../../storage/model/regex.ts'
import { makeRelabelRule } from '../relabel/build.ts'
import type { RelabelRule } from '../relabel/rule.ts'
import { Section } from './document.ts'
import { homeOf, RELABEL_KEYS } from './keys.ts'
import type { NameValidationScheme } from './model.ts'

/** Rules that are wrong are reported and left out. `emptyText` is what is said of a null item. */
export function readRelabelRules(
  job: Section,
  key: string,
  scheme: NameValidationScheme,
  emptyText: string,
): RelabelRule[] {
  const document = job.document
  const rules: RelabelRule[] = []
  for (const item of document.list(job.value(key), '[]relabel.Config') ?? []) {
    if (item.isNull) {
      document.report(item.node, emptyText, 'a rule')
      continue
    }
    const section = Section.open(document, item.node, key, RELABEL_KEYS, homeOf)
    const rule = section === undefined ? undefined : readRule(section, scheme)
    if (rule !== undefined) rules.push(rule)
  }
  return rules
}

function readRule(section: Section, scheme: NameValidationScheme): RelabelRule | undefined {
  const fields = {
    sourceLabels: section.strings('source_labels'),
    separator: section.string('separator'),
    regex: section.string('regex'),
    modulus: section.uint('modulus'),
    targetLabel: section.string('target_label'),
    replacement: section.string('replacement'),
    action: section.string('action'),
  }
  try {
    return makeRelabelRule(fields, scheme)
  } catch (error) {
    if (error instanceof RegexError)
      section.report('regex', error.message, 'a regular expression in RE2 syntax')
    else section.document.report(section.node, (error as Error).message)
    return undefined
  }
}
