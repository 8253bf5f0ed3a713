/** Queries of all kinds over mixed data (mixed-data.ts), by class, with the range that each is asked over. */

export interface MixedQuery {
  readonly class: string
  readonly query: string
  /** Hours back from the end of the data; 0 for an instant query at the end. */
  readonly hours: number
  readonly stepSeconds: number
}

const REQUESTS = 'bench_requests_total'
const GAUGE = 'bench_temperature_celsius'
const BUCKET = 'bench_duration_seconds_bucket'

/** [class, query]; asked over the whole data, each step being as many seconds as the data have hours, times ten. */
const OVER_ALL: readonly [string, string][] = [
  ['one series', `${REQUESTS}{instance="10.0.3.0:9100",handler="/api/v1/resource/1"}`],
  ['one series', `rate(${REQUESTS}{instance="10.0.3.0:9100",handler="/api/v1/resource/1"}[5m])`],
  ['one instance', `sum(rate(${REQUESTS}{instance="10.0.3.3:9100"}[5m]))`],
  ['one instance', `max by (handler) (bench_resident_bytes{instance="10.0.3.2:9100"})`],
  ['sum by rate', `sum by (namespace) (rate(${REQUESTS}[5m]))`],
  ['sum by rate', `sum(rate(${REQUESTS}[5m]))`],
  ['sum by rate', `sum by (pod, handler) (irate(${REQUESTS}[5m]))`],
  ['long window', `avg(avg_over_time(${GAUGE}[1h]))`],
  ['long window', `sum by (pod) (increase(${REQUESTS}[1h]))`],
  ['long window', `max by (instance) (max_over_time(bench_queue_length{namespace="team-1"}[2h]))`],
  ['long window', `avg by (namespace) (stddev_over_time(bench_load_ratio[30m]))`],
  ['long window', `sum(changes(bench_queue_length[1h]))`],
  ['quantile', `quantile by (namespace) (0.9, ${GAUGE})`],
  ['quantile', `avg(quantile_over_time(0.95, ${GAUGE}{namespace="team-2"}[30m]))`],
  ['join', `sum by (instance) (bench_resident_bytes) / on (instance) sum by (instance) (${REQUESTS})`],
  [
    'join',
    `avg by (pod) (rate(${REQUESTS}{namespace="team-0"}[5m]) * on (instance, handler) bench_load_ratio{namespace="team-0"})`,
  ],
  [
    'group_left',
    `sum by (namespace) (${GAUGE} * on (instance) group_left () count by (instance) (bench_build_info))`,
  ],
  ['group_left', `sum by (job, handler) (${GAUGE} / on (pod) group_left () sum by (pod) (${GAUGE}))`],
  ['topk', `topk(10, rate(${REQUESTS}[5m]))`],
  ['topk', `bottomk by (namespace) (3, bench_resident_bytes)`],
  ['subquery', `max_over_time(sum(rate(${REQUESTS}[5m]))[1h:1m])`],
  ['subquery', `avg(avg_over_time((bench_queue_length{namespace="team-3"} > 5)[30m:1m]))`],
  ['histogram_quantile', `histogram_quantile(0.99, sum by (le) (rate(${BUCKET}[5m])))`],
  ['histogram_quantile', `histogram_quantile(0.9, sum by (le, handler) (rate(${BUCKET}[5m])))`],
  ['regular expression', `sum by (job) (rate(${REQUESTS}{handler=~"/api/v1/resource/1.*"}[5m]))`],
  [
    'regular expression',
    `count({handler=~".*resource/(7|77|133)",__name__=~"bench_(requests_total|load_ratio)"})`,
  ],
  ['regression', `sum(deriv(${GAUGE}[10m]))`],
  ['regression', `max(predict_linear(bench_resident_bytes{namespace="team-4"}[30m], 3600))`],
  ['set operator', `count(${GAUGE} > 50 and on (instance) bench_load_ratio)`],
]

/** [class, query, hours, step in seconds]. */
const OTHERS: readonly [string, string, number, number][] = [
  ['1-hour window', `sum by (namespace) (rate(${REQUESTS}[1m]))`, 1, 15],
  ['1-hour window', `histogram_quantile(0.5, sum by (le, instance) (rate(${BUCKET}[2m])))`, 1, 15],
  ['raw, 400 series', `${GAUGE}{instance=~"10.0.3.(1|2|3):9100"}`, 3, 60],
  ['raw, 2,500 series', REQUESTS, 6, 120],
  ['instant', `sum by (namespace) (rate(${REQUESTS}[5m]))`, 0, 0],
  ['instant', `count by (__name__) ({__name__=~"bench_.*"})`, 0, 0],
  ['instant', `topk(5, ${GAUGE})`, 0, 0],
]

/** For data of a day or more. */
const DAYS: readonly [string, string, number, number][] = [
  ['1-day window', `avg(avg_over_time(${GAUGE}[1d]))`, 0, 0],
  ['1-day window', `sum by (pod) (increase(${REQUESTS}[1d]))`, 0, 0],
  ['1-day window', `max(max_over_time(bench_queue_length[1d]))`, 0, 0],
]

export function queryMix(hours: number): MixedQuery[] {
  const stepSeconds = hours * 10
  const all = OVER_ALL.map(([name, query]) => ({ class: name, query, hours, stepSeconds }))
  const others = hours >= 24 ? [...OTHERS, ...DAYS] : OTHERS
  return [
    ...all,
    ...others.map(([name, query, back, step]) => ({ class: name, query, hours: back, stepSeconds: step })),
  ]
}
