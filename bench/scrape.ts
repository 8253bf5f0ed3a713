/**
 * 1,000 targets × 100 series every 5 s, 300 of them hanging, on one core: how late scrapes begin, and what they cost.
 *
 *   npm run bench -- scrape [--seconds 60] [--targets 1000] [--hanging 300] [--series 100]
 *
 * An exporter process answers on a few loopback ports, a path a target; the whole server runs as a process of its own,
 * bound to core 0 (`taskset`), and is asked for its own metrics. Quantiles are the upper bounds of the buckets of
 * narthex_scrape_start_lateness_seconds.
 */
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child, freePort, removeFolder, temporaryFolder } from './children.ts'
import { type Lateness, latenessBetween, latenessOf, latenessText, quantileBound } from './lateness.ts'
import { metricSum } from './server.ts'

const PORTS = 4
const INTERVAL_SECONDS = 5
/** Reported by itself: all series are new, threads start, and code is compiled, on the one core. */
const WARM_UP_SECONDS = 15
const GOAL_SECONDS = 0.05

interface Size {
  seconds: number
  targets: number
  hanging: number
  series: number
}

export async function run(args: string[]): Promise<void> {
  if (args[0] === 'exporter') {
    await runExporter(Number(args[1]))
    return
  }
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      targets: { type: 'string', default: '1000' },
      hanging: { type: 'string', default: '300' },
      series: { type: 'string', default: '100' },
    },
  })
  await measure({
    seconds: Number(values.seconds),
    targets: Number(values.targets),
    hanging: Number(values.hanging),
    series: Number(values.series),
  })
}

async function measure(size: Size): Promise<void> {
  const folder = temporaryFolder()
  const children: Child[] = []
  try {
    const exporterArgs = [import.meta.filename, 'exporter', String(size.series)]
    const exporter = new Child(process.execPath, exporterArgs, { core: 1 })
    children.push(exporter)
    const ports = (await exporter.firstLine()).split(' ').map(Number)
    const config = join(folder, 'prometheus.yml')
    writeFileSync(config, configuration(size, ports))
    const serverPort = await freePort()
    const serverArgs = [
      resolve(import.meta.dirname, '../src/main.ts'),
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${serverPort}`,
      '--log.level=error',
    ]
    children.push(new Child(process.execPath, serverArgs, { core: 0 }))
    const url = `http://127.0.0.1:${serverPort}/metrics`
    await sleep(WARM_UP_SECONDS * 1000)
    const before = await readMetrics(url)
    await sleep(Math.max(1, size.seconds - WARM_UP_SECONDS) * 1000)
    report(before, await readMetrics(url), size)
  } finally {
    for (const child of children) await child.kill()
    removeFolder(folder)
  }
}

function configuration({ targets, hanging }: Size, ports: number[]): string {
  const lines = [
    `global: { scrape_interval: ${INTERVAL_SECONDS}s }`,
    'scrape_configs:',
    '  - job_name: bench',
    '    relabel_configs:',
    '      - { source_labels: [path], target_label: __metrics_path__ }',
    '    static_configs:',
  ]
  for (let i = 0; i < targets; i++) {
    const path = i < hanging ? `/hang/${i}` : `/t/${i}`
    lines.push(`      - { targets: ['127.0.0.1:${ports[i % ports.length]}'], labels: { path: '${path}' } }`)
  }
  return `${lines.join('\n')}\n`
}

interface OwnMetrics {
  atMs: number
  cpuSeconds: number
  rssBytes: number
  samples: number
  lateness: Lateness
}

async function readMetrics(url: string): Promise<OwnMetrics> {
  const text = await (await fetch(url)).text()
  return {
    atMs: Date.now(),
    cpuSeconds: metricSum(text, 'process_cpu_seconds_total'),
    rssBytes: metricSum(text, 'process_resident_memory_bytes'),
    samples: metricSum(text, 'prometheus_tsdb_head_samples_appended_total'),
    lateness: latenessOf(text),
  }
}

function report(before: OwnMetrics, after: OwnMetrics, size: Size): void {
  const steady = latenessBetween(before.lateness, after.lateness)
  const cpu = after.cpuSeconds - before.cpuSeconds
  const samples = after.samples - before.samples
  const seconds = (after.atMs - before.atMs) / 1000
  const p99 = quantileBound(steady, 0.99)
  const lines = [
    `targets        ${size.targets}, ${size.hanging} of them hanging; ${size.series} series each, every ${INTERVAL_SECONDS} s`,
    `start-up       first ${WARM_UP_SECONDS} s: ${latenessText(before.lateness)}`,
    `start lateness next ${seconds.toFixed(0)} s: ${latenessText(steady)}`,
    `samples        ${samples} in ${seconds.toFixed(1)} s`,
    `CPU            ${cpu.toFixed(2)} s, ${((cpu / samples) * 1e6).toFixed(2)} s a million samples`,
    `RSS            ${(after.rssBytes / 2 ** 20).toFixed(0)} MiB`,
    `goal           p99 < ${GOAL_SECONDS * 1000} ms: ${p99 < GOAL_SECONDS ? 'reached' : 'missed'}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** Answers `/t/…` with a page, of which half the values change, and `/hang/…` never. Prints its ports. */
async function runExporter(series: number): Promise<void> {
  const answer: http.RequestListener = (request, response) => {
    if (request.url!.startsWith('/hang/')) return
    const seconds = Math.floor(Date.now() / 1000)
    let body = '# HELP bench_requests_total Requests.\n# TYPE bench_requests_total counter\n'
    for (let i = 0; i < series; i++) {
      const value = i % 2 === 0 ? seconds * i : i
      body += `bench_requests_total{method="GET",handler="/api/v1/handler/${i}",code="200"} ${value}\n`
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
    response.end(body)
  }
  const ports: number[] = []
  for (let i = 0; i < PORTS; i++) {
    const server = http.createServer({ keepAliveTimeout: 60_000 }, answer)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    ports.push((server.address() as AddressInfo).port)
  }
  process.stdout.write(`${ports.join(' ')}\n`)
}

if (import.meta.main) await run(process.argv.slice(2))
