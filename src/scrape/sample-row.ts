/**
 * Floats of one time on their way to storage, gathered from a page in columns. One row serves all targets: a page
 * empties it before another's turn.
 */
export const ROW_CAPACITY = 256

export class SampleRow {
  count = 0
  /** Side by side: series, value, and the line of the page's layout that it is from. */
  readonly refs = new Float64Array(ROW_CAPACITY)
  readonly v = new Float64Array(ROW_CAPACITY)
  readonly lines = new Int32Array(ROW_CAPACITY)
  readonly outcomes = new Int8Array(ROW_CAPACITY)
}
