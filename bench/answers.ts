/** Answers of the query API: fetched whole, and compared. */
import { Agent, request } from 'node:http'

interface Series {
  metric: Record<string, string>
  value?: [number, string]
  values?: [number, string][]
}

interface Answer {
  status: string
  error?: string
  data?: { resultType: string; result: Series[] | [number, string] }
}

/** A client of its own: its requests use one connection. */
export class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })
  private readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Milliseconds from the request to the last byte, and the body. Rejects unless it is answered with 200. */
  async ask(path: string, parameters: Record<string, string>): Promise<{ ms: number; body: string }> {
    const startedAt = performance.now()
    const { status, body } = await this.post(
      `${this.url}/api/v1/${path}`,
      new URLSearchParams(parameters).toString(),
    )
    const ms = performance.now() - startedAt
    if (status !== 200) throw new Error(`${parameters.query}: ${status} ${body.slice(0, 300)}`)
    return { ms, body }
  }

  private post(url: string, form: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length }
      const outgoing = request(url, { method: 'POST', agent: this.agent, headers }, (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode!, body: Buffer.concat(chunks).toString('utf8') }),
        )
      })
      outgoing.on('error', reject)
      outgoing.end(form)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

/** What differs between two answers to one query, in words; undefined where they say the same to 1e-9 relative. */
export function difference(ours: string, theirs: string): string | undefined {
  const [a, b] = [ours, theirs].map((body) => JSON.parse(body) as Answer)
  if (a.status !== b.status) return `${a.error ?? a.status} against ${b.error ?? b.status}`
  if (a.data === undefined || b.data === undefined) return undefined
  if (a.data.resultType !== b.data.resultType) return `${a.data.resultType} against ${b.data.resultType}`
  if (a.data.resultType === 'scalar' || a.data.resultType === 'string') {
    return pointDifference(a.data.result as [number, string], b.data.result as [number, string])
  }
  const rows = new Map((b.data.result as Series[]).map((series) => [keyOf(series.metric), series]))
  for (const series of a.data.result as Series[]) {
    const key = keyOf(series.metric)
    const other = rows.get(key)
    if (other === undefined) return `${key} is ours alone`
    rows.delete(key)
    const text = seriesDifference(series, other)
    if (text !== undefined) return `${key}: ${text}`
  }
  for (const key of rows.keys()) return `${key} is missing`
  return undefined
}

/** Scrapes write the bound 1 as 1.0 since Prometheus 3. */
function keyOf(metric: Record<string, string>): string {
  const pairs = Object.entries(metric).map(([name, value]) => [name, name === 'le' ? Number(value) : value])
  return JSON.stringify(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function seriesDifference(ours: Series, theirs: Series): string | undefined {
  const [a, b] = [ours, theirs].map(({ value, values }) => values ?? (value === undefined ? [] : [value]))
  if (a.length !== b.length) return `${a.length} points against ${b.length}`
  for (let i = 0; i < a.length; i++) {
    const text = pointDifference(a[i], b[i])
    if (text !== undefined) return text
  }
  return undefined
}

function pointDifference(a: [number, string], b: [number, string]): string | undefined {
  if (a[0] !== b[0]) return `time ${a[0]} against ${b[0]}`
  if (a[1] === b[1]) return undefined
  const [x, y] = [Number(a[1]), Number(b[1])]
  if (Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y))) return undefined
  return `${a[1]} against ${b[1]} at ${a[0]}`
}

/** Number of series in an answer. */
export function seriesCount(body: string): number {
  const { data } = JSON.parse(body) as Answer
  return data === undefined || !Array.isArray(data.result) ? 0 : data.result.length
}
