/** The HTTP API of a server, ours or Prometheus', as a test asks it. Times are Unix ms; the wire has seconds. */

export type Metric = Readonly<Record<string, string>>

export interface VectorSample {
  metric: Metric
  value: [t: number, v: string]
}

export interface MatrixSeries {
  metric: Metric
  values: [t: number, v: string][]
}

export interface ApiTarget {
  discoveredLabels: Metric
  labels: Metric
  scrapePool: string
  scrapeUrl: string
  lastError: string
  health: string
}

export interface ApiReply {
  status: number
  body: string
}

type Parameters = Readonly<Record<string, string | readonly string[]>>

export class ApiClient {
  private readonly url: string

  /** `http://host:port`, without a slash at its end. */
  constructor(url: string) {
    this.url = url
  }

  /** Whatever it answers. `path` begins with a slash. */
  async get(path: string, parameters: Parameters = {}): Promise<ApiReply> {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(parameters)) {
      for (const one of typeof value === 'string' ? [value] : value) search.append(name, one)
    }
    const response = await fetch(`${this.url}${path}${search.size > 0 ? `?${search}` : ''}`)
    return { status: response.status, body: await response.text() }
  }

  async post(path: string): Promise<ApiReply> {
    const response = await fetch(`${this.url}${path}`, { method: 'POST' })
    return { status: response.status, body: await response.text() }
  }

  /** The `data` of a successful answer of /api/v1. Rejects with the body of any other. */
  async data<T>(path: string, parameters: Parameters = {}): Promise<T> {
    const { status, body } = await this.get(`/api/v1${path}`, parameters)
    if (status !== 200) throw new Error(`${path} ${JSON.stringify(parameters)}: ${status} ${body}`)
    return (JSON.parse(body) as { data: T }).data
  }

  /** An instant query whose result is a vector; at `timeMs`, or now. */
  async query(query: string, timeMs?: number): Promise<VectorSample[]> {
    const data = await this.data<{ result: VectorSample[] }>('/query', instantParameters(query, timeMs))
    return data.result
  }

  /** An instant query of a range selector: the samples themselves. */
  async matrix(query: string, timeMs?: number): Promise<MatrixSeries[]> {
    const data = await this.data<{ resultType: string; result: MatrixSeries[] }>(
      '/query',
      instantParameters(query, timeMs),
    )
    if (data.resultType !== 'matrix') throw new Error(`${query} is a ${data.resultType}`)
    return data.result
  }

  async queryRange(query: string, startMs: number, endMs: number, stepMs: number): Promise<MatrixSeries[]> {
    const data = await this.data<{ result: MatrixSeries[] }>(
      '/query_range',
      rangeParameters(query, startMs, endMs, stepMs),
    )
    return data.result
  }

  series(selectors: readonly string[]): Promise<Metric[]> {
    return this.data('/series', { 'match[]': selectors })
  }

  labels(selectors: readonly string[] = []): Promise<string[]> {
    return this.data('/labels', { 'match[]': selectors })
  }

  labelValues(name: string, selectors: readonly string[] = []): Promise<string[]> {
    return this.data(`/label/${name}/values`, { 'match[]': selectors })
  }

  async activeTargets(): Promise<ApiTarget[]> {
    const { activeTargets } = await this.data<{ activeTargets: ApiTarget[] }>('/targets')
    return activeTargets
  }

  /** The value of one series of the server's own metrics; `series` as its line has it, labels and all. */
  async ownMetric(series: string): Promise<number | undefined> {
    const { body } = await this.get('/metrics')
    const line = body.split('\n').find((text) => text.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
}

export function instantParameters(query: string, timeMs: number | undefined): Record<string, string> {
  return timeMs === undefined ? { query } : { query, time: seconds(timeMs) }
}

export function rangeParameters(query: string, startMs: number, endMs: number, stepMs: number) {
  return { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

/** One text for one label set, to compare and to sort by. */
export function metricKey(metric: Metric): string {
  const pairs = Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(pairs)
}
