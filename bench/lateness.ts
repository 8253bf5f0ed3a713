/** How late scrapes began, from the buckets of narthex_scrape_start_lateness_seconds. */

/** [upper bound in seconds, cumulative count], bounds ascending up to +Inf. */
export type Lateness = [number, number][]

export function latenessOf(metrics: string): Lateness {
  const lines = metrics.matchAll(/^narthex_scrape_start_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)$/gm)
  return [...lines].map(([, le, count]) => [
    le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
    Number(count),
  ])
}

/** What came between two readings. */
export function latenessBetween(before: Lateness, after: Lateness): Lateness {
  return after.map(([le, count], i) => [le, count - before[i][1]])
}

/** The upper bound of the bucket in which the quantile lies, in seconds. */
export function quantileBound(buckets: Lateness, q: number): number {
  const count = buckets.at(-1)![1]
  return buckets.find(([, cumulative]) => cumulative >= q * count)![0]
}

export function latenessText(buckets: Lateness): string {
  const bounds = [0.5, 0.99, 1].map((q) => quantileBound(buckets, q) * 1000)
  return `${buckets.at(-1)![1]} scrapes, p50 <= ${bounds[0]} ms, p99 <= ${bounds[1]} ms, max <= ${bounds[2]} ms`
}
