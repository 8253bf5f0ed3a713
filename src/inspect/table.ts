/** Text for people: tables, times, sizes. */

/** Lines of a table with its columns aligned; columns named in `left` to the left, others to the right. */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly string[] = [],
): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)))
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) =>
        left.includes(head[column]) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd(),
  )
}

/** `2026-01-02T15:04:05.000Z`; what is no time is `-`. */
export function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : '-'
}

/** `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let size = bytes
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** `bytes / samples` with two digits; `-` where there is no sample. */
export function ratioText(bytes: number, samples: number): string {
  return samples === 0 ? '-' : (bytes / samples).toFixed(2)
}
