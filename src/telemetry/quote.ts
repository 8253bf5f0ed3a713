/** Strings as they appear in messages and log lines. */
export { quoteString as quoteGo } from '../../promql/syntax/go-format.ts'

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u

/** Whether all of a text is what Go's strconv.IsPrint lets stand: letters, marks, numbers, punctuation, symbols, space. */
export function isPrintable(text: string): boolean {
  return PRINTABLE.test(text)
}
