/** From the text of a sample's series part to its labels. */

const BACKSLASH = 92
const QUOTE = 34
const COMMA = 44
const BRACE_CLOSE = 125

/**
 * `[name, value, …]`, `__name__` first, of a series part in its plain form: `name{label="value",…}` without
 * blanks. Requires that form; the parser has checked it.
 */
export function readPlainLabels(series: string): string[] {
  const brace = series.indexOf('{')
  if (brace < 0) return ['__name__', series]
  const labels = ['__name__', series.slice(0, brace)]
  const hasEscapes = series.includes('\\')
  for (let i = brace + 1; series.charCodeAt(i) !== BRACE_CLOSE; ) {
    const equal = series.indexOf('=', i)
    const valueStart = equal + 2
    const quote = hasEscapes ? closingQuote(series, valueStart) : series.indexOf('"', valueStart)
    const value = series.slice(valueStart, quote)
    labels.push(series.slice(i, equal), hasEscapes ? unescapeLabel(value) : value)
    i = series.charCodeAt(quote + 1) === COMMA ? quote + 2 : quote + 1
  }
  return labels
}

function closingQuote(series: string, i: number): number {
  for (; series.charCodeAt(i) !== QUOTE; i++) if (series.charCodeAt(i) === BACKSLASH) i++
  return i
}

/** `\\`, `\"` and `\n`; another backslash stays as it is. */
export function unescapeLabel(text: string): string {
  return text.includes('\\') ? text.replace(/\\([\\"n])/g, (_, c) => (c === 'n' ? '\n' : c)) : text
}
