/** Which queries wait and run now, for whom, and which of the last hour were the slowest; and how to end one. */
import {
  isEngineRequest,
  type QueryOrigin,
  type QueryRequest,
  type QueryResponse,
  type QueryService,
  stepsOf,
} from './request.ts'
import { copyOfText, type Measure, type QueryTotals, SlowestQueries } from './slowest.ts'

/** One that is not answered yet. Times in Unix ms. */
export interface ActiveQuery {
  /** Of this query and no other one until the next start. */
  id: number
  kind: QueryRequest['kind']
  /** PromQL, or what a label query asks for, as in a URL. */
  text: string
  /** Of the data that it is about; step 0 is that of an instant query, both times of which are the same. */
  startMs: number
  endMs: number
  stepMs: number
  sinceMs: number
  state: 'waiting' | 'running'
  /** For how long threads have had it. */
  runningMs: number
  clientIp: string
  path: string
  headers: Readonly<Record<string, string>>
}

interface Entry {
  id: number
  request: QueryRequest
  origin: QueryOrigin | undefined
  sinceMs: number
  /** On the clock of performance.now(); undefined while it waits. */
  startedMs: number | undefined
  /** What is behind it; one that was handed back is run twice. */
  ranMs: number
}

/** Headers by which Grafana says what a query is for: dashboard, panel, rule, organization, user. */
const ATTRIBUTING = /^(?:x-(?:dashboard|panel|rule)-.+|x-grafana-(?:org-id|user)|fromalert)$/
const HEADER_LENGTH_MAX = 200
const NO_HEADERS: Readonly<Record<string, string>> = {}

export class QueryActivity implements QueryService {
  private readonly service: QueryService
  private readonly cancelRequest: (request: QueryRequest) => void
  private readonly active = new Map<QueryRequest, Entry>()
  private readonly slowest = new SlowestQueries()
  private lastId = 0

  /** `cancelRequest` makes an end of one of the requests that `service` was given. */
  constructor(service: QueryService, cancelRequest: (request: QueryRequest) => void) {
    this.service = service
    this.cancelRequest = cancelRequest
  }

  async run(request: QueryRequest, signal?: AbortSignal, origin?: QueryOrigin): Promise<QueryResponse> {
    const id = ++this.lastId
    const entry: Entry = { id, request, origin, sinceMs: Date.now(), startedMs: undefined, ranMs: 0 }
    this.active.set(request, entry)
    try {
      const response = await this.service.run(request, signal, origin)
      this.note(entry, response)
      return response
    } finally {
      this.active.delete(request)
    }
  }

  close(): Promise<void> {
    return this.service.close()
  }

  /** A thread has the request. */
  start(request: QueryRequest): void {
    const entry = this.active.get(request)
    if (entry !== undefined) entry.startedMs = performance.now()
  }

  /** It has it no more. */
  end(request: QueryRequest): void {
    const entry = this.active.get(request)
    if (entry?.startedMs === undefined) return
    entry.ranMs += performance.now() - entry.startedMs
    entry.startedMs = undefined
  }

  /** Oldest first. */
  list(): ActiveQuery[] {
    const nowMs = performance.now()
    return [...this.active.values()].map((entry) => describe(entry, nowMs))
  }

  /** The `count` costliest texts of the last hour by a measure, costliest first. */
  top(measure: Measure, count: number): QueryTotals[] {
    return this.slowest.top(measure, count, Date.now())
  }

  /** Ends a query as if its client had gone away. False where there is none of this id. */
  cancel(id: number): boolean {
    for (const entry of this.active.values()) {
      if (entry.id !== id) continue
      this.cancelRequest(entry.request)
      return true
    }
    return false
  }

  private note({ request, origin, ranMs }: Entry, { status, samplesRead }: QueryResponse): void {
    // One that no thread ever had cost nothing.
    if (ranMs === 0 || request.kind === 'headStatus') return
    this.slowest.add({
      text: textOf(request),
      kind: request.kind,
      hasFailed: status !== 200,
      seconds: ranMs / 1000,
      samplesRead,
      endMs: Date.now(),
      headers: () => attributionOf(origin),
    })
  }
}

function describe({ id, request, origin, sinceMs, startedMs, ranMs }: Entry, nowMs: number): ActiveQuery {
  return {
    id,
    kind: request.kind,
    text: textOf(request),
    ...timesOf(request),
    sinceMs,
    state: startedMs === undefined ? 'waiting' : 'running',
    runningMs: ranMs + (startedMs === undefined ? 0 : nowMs - startedMs),
    clientIp: origin?.clientIp ?? '',
    path: origin?.path ?? '',
    headers: attributionOf(origin),
  }
}

function textOf(request: QueryRequest): string {
  if ('query' in request) return request.query
  if (request.kind === 'headStatus') return ''
  const parameters = request.selectors.map((selector) => `match[]=${selector}`)
  if (request.kind === 'labelValues') parameters.unshift(`label=${request.name}`)
  return parameters.join('&')
}

function timesOf(request: QueryRequest): { startMs: number; endMs: number; stepMs: number } {
  if (isEngineRequest(request)) return stepsOf(request)
  if (request.kind === 'headStatus') return { startMs: 0, endMs: 0, stepMs: 0 }
  return { startMs: request.startMs, endMs: request.endMs, stepMs: 0 }
}

function attributionOf(origin: QueryOrigin | undefined): Readonly<Record<string, string>> {
  if (origin === undefined) return NO_HEADERS
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(origin.headers)) {
    if (value === undefined || !ATTRIBUTING.test(name)) continue
    found[name] = copyOfText(String(value).slice(0, HEADER_LENGTH_MAX))
  }
  return found
}
