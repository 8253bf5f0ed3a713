/** A query that is not in the language, with upstream's texts and positions. */

/** Line and column, both from 1; the column counts bytes of UTF-8. */
export interface LineAndColumn {
  readonly line: number
  readonly column: number
}

/** Where a UTF-8 byte offset of a text lies. Offsets past the end count as the end. */
export function lineAndColumn(text: string, byteOffset: number): LineAndColumn {
  const before = Buffer.from(text, 'utf8').subarray(0, byteOffset)
  let line = 1
  let lineStart = 0
  for (let i = before.indexOf(10); i >= 0; i = before.indexOf(10, i + 1)) {
    line++
    lineStart = i + 1
  }
  return { line, column: before.length - lineStart + 1 }
}

/** `line:column`, as errors and annotations show it; an empty text has no positions. */
export function formatPosition(text: string, byteOffset: number): string {
  if (text === '') return 'unknown position'
  const { line, column } = lineAndColumn(text, byteOffset)
  return `${line}:${column}`
}

/** `message` is the whole text, `L:C: parse error: …`; `reason` is what comes after the colon. */
export class ParseError extends Error {
  readonly reason: string
  /** UTF-8 byte offsets into the query, [start, end). */
  readonly start: number
  readonly end: number
  readonly line: number
  readonly column: number

  constructor(query: string, start: number, end: number, reason: string, options?: ErrorOptions) {
    super(`${formatPosition(query, start)}: parse error: ${reason}`, options)
    this.name = 'ParseError'
    this.reason = reason
    this.start = start
    this.end = end
    const { line, column } = lineAndColumn(query, start)
    this.line = line
    this.column = column
  }
}
