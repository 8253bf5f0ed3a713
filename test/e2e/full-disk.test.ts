// Goal: a server whose disk is full goes on: it answers, starts, scrapes with up=1 and counts what it refuses, and takes
// samples again by itself when there is room; nothing it had shown is missing. Method: a file system of 64 MiB in memory,
// filled to the last byte under ingest by a file of ours, the ballast's room too; a kill and a start while it is full.
// Needs the right to mount: where there is none, that is said and nothing is tried.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ApiClient } from '../harness/api-client.ts'
import { CountingExporter } from '../harness/exporters/counting.ts'
import {
  freePort,
  type RunningNarthex,
  startNarthex,
  temporaryFolder,
  waitUntilReady,
} from '../harness/server.ts'
import { counterOf, everything, expectAllOf, type Shown } from '../harness/shown-pages.ts'

const SERIES = 300
const WITHIN_MS = 30_000

/** The folder of a file system of 64 MiB; undefined where none may be mounted. */
function mountSmallDisk(): string | undefined {
  const path = temporaryFolder('narthex-full-')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', path], { stdio: 'pipe' })
    return path
  } catch (error) {
    process.stdout.write(`full-disk.test.ts: cannot mount, nothing is tried: ${(error as Error).message}\n`)
    return undefined
  }
}

const disk = mountSmallDisk()

/** Takes all the room that there is, to the last byte. */
class Filler {
  private readonly path: string

  constructor(path: string) {
    this.path = path
  }

  fill(): void {
    const file = openSync(this.path, 'a')
    try {
      for (let size = 2 ** 20; size >= 1; ) {
        try {
          if (writeSync(file, new Uint8Array(size)) < size) size = Math.floor(size / 2)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          size = Math.floor(size / 2)
        }
      }
    } finally {
      closeSync(file)
    }
  }

  /** As long as it takes to have what the server frees, too. */
  async keepFull(ms: number): Promise<void> {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) this.fill()
  }

  free(): void {
    rmSync(this.path, { force: true })
  }
}

let exporter: CountingExporter
let server: RunningNarthex | undefined
beforeAll(async () => {
  exporter = await CountingExporter.start(SERIES)
})
afterAll(async () => {
  await server?.kill()
  await exporter.stop()
  if (disk === undefined) return
  execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true })
})

async function within<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + WITHIN_MS; Date.now() < deadline; await sleep(100)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`${what}: not within ${WITHIN_MS} ms\n${server?.logs()}`)
}

function pagesOf(shown: Shown): number[] {
  return (shown.get(counterOf(exporter.address)) ?? []).map(([, v]) => Number(v))
}

it.skipIf(disk === undefined)(
  'goes on with a full disk, starts on it, and takes samples again by itself',
  async () => {
    const dataPath = join(disk!, 'data')
    mkdirSync(dataPath)
    const port = await freePort()
    const config = [
      'global: {scrape_interval: 1s}',
      'scrape_configs:',
      `- {job_name: counting, static_configs: [{targets: ['${exporter.address}']}]}`,
    ].join('\n')
    const start = async (): Promise<void> => {
      const args = ['--storage.head-cut-span=2s']
      server = await startNarthex({ config, dataPath, port, args })
      await waitUntilReady(server)
    }
    const api = new ApiClient(`http://127.0.0.1:${port}`)
    const filler = new Filler(join(disk!, 'filler'))
    /** All that any query has shown so far. */
    let shown: Shown = new Map()
    const look = async (where: string): Promise<Shown> => {
      const now = await everything(api)
      expectAllOf(shown, now, where)
      shown = now
      return now
    }
    const takesPage = async (where: string): Promise<void> => {
      const page = exporter.served.at(-1)?.page ?? 0
      await within(where, async () => (pagesOf(await look(where)).some((n) => n > page) ? true : undefined))
    }
    const refuses = async (where: string): Promise<void> => {
      const series = 'narthex_scrape_refused_samples_total{scrape_job="counting"}'
      const before = (await api.ownMetric(series)) ?? 0
      await within(where, async () => {
        filler.fill()
        const [target] = await api.activeTargets()
        expect([target.health, target.lastError], where).not.toContain('down')
        await look(where)
        return ((await api.ownMetric(series)) ?? 0) > before + SERIES ? true : undefined
      })
      const [target] = await api.activeTargets()
      expect([target.health, target.lastError], where).toEqual(['up', ''])
    }

    await start()
    await takesPage('while there is room')
    await filler.keepFull(3000)
    await refuses('when it is full')
    await server!.kill()
    filler.fill()
    expect(statfsSync(disk!).bavail).toBe(0)
    await start()
    await look('after a start while it is full')
    await refuses('after a start while it is full')
    await filler.keepFull(3000)
    await look('still full')
    filler.free()
    await takesPage('when there is room again')
    await server!.kill()
    await start()
    await look('after a kill at the end')
    await takesPage('after a kill at the end')
    const pages = pagesOf(shown)
    expect(pages).toEqual([...new Set(pages)].sort((a, b) => a - b))
    expect(await server!.stop()).toBe(0)
    server = undefined
  },
  180_000,
)
