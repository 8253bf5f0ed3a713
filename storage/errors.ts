/** The errors of this layer: an expected failure has a stable code; a broken contract is an assertion. */

export type StorageErrorCode =
  /** The data written before the last stop is still being read; ask again. */
  | 'NOT_READY'
  /** Closing or closed. */
  | 'CLOSED'
  /** The directory is in use by another process. */
  | 'LOCKED'
  /** Written by a newer format than this program reads. */
  | 'NEWER_FORMAT'
  /** A record or page is not what was written. */
  | 'CORRUPTION'
  /** A byte budget is used up. */
  | 'NO_MEMORY'
  /** The write to disk failed; nothing of it counts as committed. */
  | 'WRITE_FAILED'

export class StorageError extends Error {
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StorageError'
    this.code = code
  }
}

/**
 * Outcome of appending one sample. Numbers and not exceptions: a page of 10,000 late samples must not throw
 * 10,000 times. Negative means that the sample was not taken.
 */
export const APPENDED = 0
/** Same time, same value: nothing to do, counts as taken. */
export const APPEND_SAME = 1
/** Same time as the newest sample of the series, other value. */
export const APPEND_DUPLICATE = -1
/** Older than the newest sample of the series, but within the head's bounds. */
export const APPEND_OUT_OF_ORDER = -2
/** Older than the head's bound (newest time − 1 h). */
export const APPEND_OUT_OF_BOUNDS = -3
/** The ref belongs to a generation that is gone: register the labels again. */
export const APPEND_UNKNOWN_REF = -4
/** A byte budget is used up; nothing was taken. */
export const APPEND_NO_MEMORY = -5
/** Late samples are taken, but not as late ones as this. */
export const APPEND_TOO_OLD = -6

export type AppendOutcome = 0 | 1 | -1 | -2 | -3 | -4 | -5 | -6
