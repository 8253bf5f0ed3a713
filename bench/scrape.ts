/**
 * 1,000 targets × 100 series every 5 s, 300 of them hanging, on one core: how late scrapes begin, and what they cost.
 *
 *   npm run bench -- scrape [--seconds 60] [--targets 1000] [--hanging 300] [--series 100]
 *
 * An exporter process answers on a few loopback ports, a path a target; the whole server runs as a process of its own,
 * bound to core 0 (`taskset`), and is asked for its own metrics. Quantiles are the upper bounds of the buckets of
 * narthex_scrape_start_lateness_seconds.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

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
  const folder = mkdtempSync(join(tmpdir(), 'narthex-bench-'))
  const children: ChildProcess[] = []
  try {
    const exporter = startOnCore(1, [import.meta.filename, 'exporter', String(size.series)])
    children.push(exporter)
    const ports = (await firstLine(exporter)).split(' ').map(Number)
    const config = join(folder, 'prometheus.yml')
    writeFileSync(config, configuration(size, ports))
    const serverPort = await freePort()
    const server = startOnCore(0, [
      resolve(import.meta.dirname, '../src/main.ts'),
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${serverPort}`,
      '--log.level=error',
    ])
    children.push(server)
    const url = `http://127.0.0.1:${serverPort}/metrics`
    await sleep(WARM_UP_SECONDS * 1000)
    const before = await ownMetrics(url)
    await sleep(Math.max(1, size.seconds - WARM_UP_SECONDS) * 1000)
    report(before, await ownMetrics(url), size)
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map((child) => new Promise((done) => child.once('exit', done))))
    rmSync(folder, { recursive: true, force: true })
  }
}

function startOnCore(core: number, args: string[]): ChildProcess {
  return spawn('taskset', ['-c', String(core), process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return text.trim()
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

async function freePort(): Promise<number> {
  const probe = http.createServer()
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done))
  const { port } = probe.address() as AddressInfo
  await new Promise((done) => probe.close(done))
  return port
}

interface OwnMetrics {
  atMs: number
  cpuSeconds: number
  rssBytes: number
  samples: number
  /** [upper bound in seconds, cumulative count]. */
  lateness: [number, number][]
}

async function ownMetrics(url: string): Promise<OwnMetrics> {
  const text = await (await fetch(url)).text()
  const value = (line: RegExp): number => {
    const found = line.exec(text)
    if (found === null) throw new Error(`the server's metrics lack ${line.source}`)
    return Number(found[1])
  }
  const buckets = text.matchAll(/^narthex_scrape_start_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)$/gm)
  return {
    atMs: Date.now(),
    cpuSeconds: value(/^process_cpu_seconds_total (\S+)$/m),
    rssBytes: value(/^process_resident_memory_bytes (\S+)$/m),
    samples: value(/^prometheus_tsdb_head_samples_appended_total\{type="float"\} (\S+)$/m),
    lateness: [...buckets].map(([, le, count]) => [
      le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
      Number(count),
    ]),
  }
}

function report(before: OwnMetrics, after: OwnMetrics, size: Size): void {
  const steady = after.lateness.map(([le, count], i): [number, number] => [le, count - before.lateness[i][1]])
  const cpu = after.cpuSeconds - before.cpuSeconds
  const samples = after.samples - before.samples
  const seconds = (after.atMs - before.atMs) / 1000
  const p99 = quantile(steady, 0.99)
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

/** The upper bound of the bucket in which the quantile lies, in seconds. */
function quantile(buckets: readonly [number, number][], q: number): number {
  const count = buckets.at(-1)![1]
  return buckets.find(([, cumulative]) => cumulative >= q * count)![0]
}

function latenessText(buckets: readonly [number, number][]): string {
  const bounds = [0.5, 0.99, 1].map((q) => quantile(buckets, q) * 1000)
  return `${buckets.at(-1)![1]} scrapes, p50 <= ${bounds[0]} ms, p99 <= ${bounds[1]} ms, max <= ${bounds[2]} ms`
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
