/** One relabelling rule, checked and ready to run: what the configuration's `relabel_configs` items become. */
import type { Regex } from '../../storage/model/regex.ts'
import type { NameValidationScheme } from '../config/model.ts'

export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase'

export interface RelabelRule {
  sourceLabels: readonly string[]
  separator: string
  regex: Regex
  /** The pattern as written, for status/config. */
  regexText: string
  modulus: number
  targetLabel: string
  replacement: string
  action: RelabelAction
  /** Which label names `replace` may come out with. */
  nameValidationScheme: NameValidationScheme
}
