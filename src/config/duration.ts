/** Durations in the configuration and in flags are written, and printed, as in the query language. */
export { formatDuration, parseDuration } from '../../promql/syntax/duration.ts'
