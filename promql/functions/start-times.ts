/**
 * What the start timestamps of two neighbouring samples say: whether the counter began anew between them. Times are Unix
 * ms; a start of 0 is unknown.
 *
 * Source: Prometheus promql/functions.go isStartTimestampReset and checkStartTimeOverlap.
 */

export function isStartReset(previousStart: number, previousT: number, start: number, t: number): boolean {
  // A start at the sample's own time is how OpenTelemetry says that it is unknown; one behind it is wrong.
  if (start === 0 || start >= t || start < previousT) return false
  if (start > previousT) return true
  // It begins where the sample before ends: a delta, unless the start of that one was unknown or wrong.
  return previousStart !== 0 && previousStart < previousT
}

/** Whether the sample claims time that belongs to the one before, without being of the same count. */
export function overlapsPrevious(previousStart: number, previousT: number, start: number): boolean {
  return start !== 0 && start < previousT && start !== previousStart
}
