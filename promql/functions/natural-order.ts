/**
 * Natural order of strings, as sort_by_label has it: runs of digits compare as numbers.
 *
 * Source: github.com/facette/natsort, which Prometheus uses. Zeros before a number do not count, so that two
 * different strings may be equal here.
 */
import { compareUtf8 } from '../../storage/model/labels.ts'

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Index of the first digit that counts, of the run at `i`: its leading zeros are skipped, but for the last digit. */
function skipZeros(text: string, i: number): number {
  while (text.charCodeAt(i) === 48 && i + 1 < text.length) i++
  return i
}

function endOfDigits(text: string, i: number): number {
  while (i < text.length && isDigit(text.charCodeAt(i))) i++
  return i
}

/** Negative, 0 or positive. */
export function compareNatural(a: string, b: string): number {
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    if (isDigit(a.charCodeAt(i)) && isDigit(b.charCodeAt(j))) {
      i = skipZeros(a, i)
      j = skipZeros(b, j)
      // After zeros a run may be empty; its first character then counts as a run of one.
      const iEnd = Math.max(endOfDigits(a, i), i + 1)
      const jEnd = Math.max(endOfDigits(b, j), j + 1)
      if (iEnd - i !== jEnd - j) return iEnd - i - (jEnd - j)
      const order = compareUtf8(a.slice(i, iEnd), b.slice(j, jEnd))
      if (order !== 0) return order
      i = iEnd
      j = jEnd
      continue
    }
    if (a.charCodeAt(i) !== b.charCodeAt(j)) return compareUtf8(a.slice(i), b.slice(j))
    i++
    j++
  }
  return a.length - i - (b.length - j)
}
