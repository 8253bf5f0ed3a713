/**
 * The process that is scraped, the same for each server: `/t/N` is target N. Pages are rendered and compressed one
 * interval ahead, a class of targets at a time, spread over the interval: a request costs it a lookup. It never runs
 * out of pages, so no counter is ever reset.
 *
 * Started by `startExporter`; runs itself with `node exporter.ts OPTIONS-AS-JSON`, bound to one core.
 */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Child } from './children.ts'
import { PageModel } from './page-model.ts'

export interface ExporterOptions {
  targets: number
  /** Of each target. */
  series: number
  /**
   * Targets i and i + classes answer with the same page and differ by their labels job and instance only, as the
   * replicas of an application do.
   */
  classes: number
  intervalMs: number
  /** Whether values move. */
  isMoving: boolean
  /** Whether pages are never compressed, even for who takes gzip. */
  isPlain?: boolean
}

export interface Exporter {
  readonly child: Child
  readonly port: number
  served(): Promise<Served>
  /** From now on the next page served counts as the first. */
  forgetFirst(): Promise<void>
  /** All pages become those of other pods: every series is replaced. */
  replaceAll(): Promise<void>
}

export interface Served {
  /** Pages since its start. */
  pages: number
  /** Samples in them. */
  samples: number
  /** Of each page; what was asked for, but for rounding. */
  pageSeries: number
  /** Unix ms of the first page since the start or `forgetFirst`; 0 when there is none. */
  firstAtMs: number
}

const CORE = 1
const GZIP_LEVEL = 6

export async function startExporter(options: ExporterOptions): Promise<Exporter> {
  const child = new Child(process.execPath, [import.meta.filename, JSON.stringify(options)], { core: CORE })
  const port = Number(await child.firstLine())
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  return {
    child,
    port,
    served: async () => JSON.parse(await ask('/served')),
    forgetFirst: async () => {
      await ask('/forget-first')
    },
    replaceAll: async () => {
      await ask('/replace-all')
    },
  }
}

/** Configuration that scrapes all targets of an exporter. */
export function scrapeConfig(port: number, targets: number, intervalMs: number): string {
  const lines = [
    `global: { scrape_interval: ${intervalMs}ms, scrape_timeout: ${intervalMs}ms }`,
    'scrape_configs:',
    '  - job_name: bench',
    '    static_configs:',
  ]
  for (let i = 0; i < targets; i++) {
    const labels = `{ __metrics_path__: '/t/${i}', instance: 'app-${i}' }`
    lines.push(`      - { targets: ['127.0.0.1:${port}'], labels: ${labels} }`)
  }
  return `${lines.join('\n')}\n`
}

class Pages {
  private readonly options: ExporterOptions
  private models: PageModel[] = []
  private readonly plain: Buffer[] = []
  private readonly packed: Buffer[] = []
  private generation = 0
  private next = 0

  constructor(options: ExporterOptions) {
    this.options = options
    this.make()
  }

  /** Series of a page: what was asked for, but for rounding. */
  get series(): number {
    return this.models[0].series
  }

  of(target: number, isPacked: boolean): Buffer {
    return (isPacked ? this.packed : this.plain)[target % this.options.classes]
  }

  /** Moves one class on. To be called `classes` times an interval. */
  turn(): void {
    const index = this.next++ % this.options.classes
    this.models[index].step()
    this.render(index)
  }

  replaceAll(): void {
    this.generation++
    this.make()
  }

  private make(): void {
    const { classes, series } = this.options
    this.models = Array.from(
      { length: classes },
      (_, i) => new PageModel(i + 1, `${this.generation}-${i}`, series),
    )
    for (let i = 0; i < classes; i++) this.render(i)
  }

  private render(index: number): void {
    this.plain[index] = Buffer.from(this.models[index].render())
    this.packed[index] = gzipSync(this.plain[index], { level: GZIP_LEVEL })
  }
}

async function serve(options: ExporterOptions): Promise<void> {
  const pages = new Pages(options)
  let [served, firstAtMs] = [0, 0]
  const server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const url = request.url!
    if (url === '/served') {
      const pageSeries = pages.series
      const answer: Served = { pages: served, samples: served * pageSeries, pageSeries, firstAtMs }
      response.end(JSON.stringify(answer))
      return
    }
    if (url === '/forget-first') {
      firstAtMs = 0
      response.end()
      return
    }
    if (url === '/replace-all') {
      pages.replaceAll()
      response.end()
      return
    }
    const isPacked = !options.isPlain && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    const body = pages.of(Number(url.slice('/t/'.length)), isPacked)
    response.writeHead(200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'content-length': body.length,
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    })
    response.end(body)
    served++
    firstAtMs ||= Date.now()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  if (options.isMoving) setInterval(() => pages.turn(), options.intervalMs / options.classes)
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
}

if (import.meta.main) await serve(JSON.parse(process.argv[2]) as ExporterOptions)
