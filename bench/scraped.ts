/** One server, fed by the exporter from an empty folder on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { removeFolder, temporaryFolder } from './children.ts'
import { type Exporter, type ExporterOptions, scrapeConfig, startExporter } from './exporter.ts'
import { appendedSamples, queryNumber, type Server, type ServerName, start, untilReady } from './server.ts'

/** Of ours, hidden: how much time a generation of the head spans. */
export const CUT_SPAN_FLAG = 'storage.head-cut-span'

/** Of what the exporter has served: the last scrapes of a run are on their way. */
const ARRIVED_SHARE_MIN = 0.98

export interface Scraped {
  server: Server
  exporter: Exporter
  targets: number
  /** Starts the server again, on the data that is there. Requires: it has ended. */
  restart(): Promise<Server>
}

/** Starts both, waits until each target was scraped twice, and ends both when `use` is done. */
export async function underScrapes<T>(
  name: ServerName,
  options: ExporterOptions,
  flags: readonly string[],
  use: (scraped: Scraped) => Promise<T>,
): Promise<T> {
  const { targets, intervalMs } = options
  const folder = temporaryFolder()
  const exporter = await startExporter(options)
  const startServer = () => start(name, folder, scrapeConfig(exporter.port, targets, intervalMs), flags)
  const scraped: Scraped = {
    server: await startServer(),
    exporter,
    targets,
    restart: async () => {
      scraped.server = await startServer()
      return scraped.server
    },
  }
  try {
    await untilReady(scraped.server)
    await untilServed(exporter, 2 * targets, 10 * intervalMs + 60_000)
    await sleep(Math.min(2000, intervalMs / 2))
    return await use(scraped)
  } finally {
    await scraped.server.child.kill()
    await exporter.child.kill()
    removeFolder(folder)
  }
}

/** Resolves when the exporter has served so many pages. */
export async function untilServed(exporter: Exporter, pages: number, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const { pages: served } = await exporter.served()
    if (served >= pages) return
    if (Date.now() > deadline) throw new Error(`${served} of ${pages} scrapes came in time`)
    await sleep(200)
  }
}

/** Throws unless the targets are up and what the exporter has served has been taken. */
export async function checkArrival({ server, exporter, targets }: Scraped): Promise<void> {
  const { samples: served } = await exporter.served()
  const appended = await appendedSamples(server)
  if (appended < served * ARRIVED_SHARE_MIN) {
    throw new Error(`${server.name} has taken ${appended} samples of ${served} that were served`)
  }
  const up = await queryNumber(server, 'sum(up)', Date.now() / 1000)
  if (up !== targets) throw new Error(`${server.name}: ${up} of ${targets} targets are up`)
}
