/**
 * An exporter that knows when it was asked, and whose every page is told from all others by its numbers:
 * page n (from 1) has `scrapes_served_total n` and `series` series with values that follow from n.
 */
import type { ServerResponse } from 'node:http'
import { HttpTarget } from '../http-target.ts'

export interface Served {
  /** Unix ms at which the request came. */
  atMs: number
  /** Path that was asked for, so that one exporter can be several targets. */
  path: string
  /** Number of the page, counted for each path from 1. */
  page: number
}

export class CountingExporter {
  /** Of each request, in order. */
  readonly served: Served[] = []
  readonly seriesCount: number
  private readonly pages = new Map<string, number>()
  private target: HttpTarget | undefined

  private constructor(seriesCount: number) {
    this.seriesCount = seriesCount
  }

  static async start(seriesCount: number): Promise<CountingExporter> {
    const exporter = new CountingExporter(seriesCount)
    exporter.target = await HttpTarget.start((request, response) =>
      exporter.answer(request.url ?? '/', response),
    )
    return exporter
  }

  get address(): string {
    return this.target!.address
  }

  stop(): Promise<void> {
    return this.target!.stop()
  }

  /** The value of series `i` on page `n`. */
  static valueOf(i: number, n: number): number {
    return n * 1000 + i
  }

  /** Times of the requests for a path at or after `sinceMs`. */
  arrivals(path: string, sinceMs = 0): number[] {
    return this.served.filter((one) => one.path === path && one.atMs >= sinceMs).map((one) => one.atMs)
  }

  private answer(path: string, response: ServerResponse): void {
    const page = (this.pages.get(path) ?? 0) + 1
    this.pages.set(path, page)
    this.served.push({ atMs: Date.now(), path, page })
    const lines = ['# TYPE scrapes_served_total counter', `scrapes_served_total ${page}`]
    lines.push('# TYPE load_level gauge')
    for (let i = 0; i < this.seriesCount; i++) {
      lines.push(`load_level{series="${i}"} ${CountingExporter.valueOf(i, page)}`)
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(`${lines.join('\n')}\n`)
  }
}
