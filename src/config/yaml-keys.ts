/** The order in which Go's yaml.v2 writes the keys of a map. */

const LETTER = /^\p{L}$/u
const DIGIT = /^\p{Nd}$/u

/**
 * Natural order: runs of digits count as numbers (`a9` before `a10`), and letters come after all else.
 * Follows the comparison of go-yaml's sorter.go.
 */
export function compareYamlKeys(a: string, b: string): number {
  const left = [...a]
  const right = [...b]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] === right[i]) continue
    const byCode = left[i].codePointAt(0)! - right[i].codePointAt(0)!
    const leftIsLetter = LETTER.test(left[i])
    const rightIsLetter = LETTER.test(right[i])
    if (leftIsLetter && rightIsLetter) return byCode
    if (leftIsLetter !== rightIsLetter) return leftIsLetter ? 1 : -1
    return compareNumbers(left, right, i) || byCode
  }
  return left.length - right.length
}

/** The numbers that begin at i, or go on there; then the shorter one first. 0 when there are none. */
function compareNumbers(left: readonly string[], right: readonly string[], i: number): number {
  let leftEnd = i
  while (leftEnd < left.length && DIGIT.test(left[leftEnd])) leftEnd++
  let rightEnd = i
  while (rightEnd < right.length && DIGIT.test(right[rightEnd])) rightEnd++
  const lead = left[i] === '0' || right[i] === '0' ? leadingDigit(left, i) : ''
  const leftNumber = Number(lead + left.slice(i, leftEnd).join(''))
  const rightNumber = Number(lead + right.slice(i, rightEnd).join(''))
  return leftNumber - rightNumber || leftEnd - rightEnd
}

/** '1' where a digit other than 0 stands before, in the same run: then a 0 that follows has a weight. */
function leadingDigit(text: readonly string[], i: number): string {
  for (let j = i - 1; j >= 0 && DIGIT.test(text[j]); j--) if (text[j] !== '0') return '1'
  return ''
}
