/**
 * The expressions of kube-prometheus' rules and dashboards over recorded pages, which both servers scrape.
 *
 * The pages stand still, so that answers do not depend on when a page was read. Rules are not evaluated: expressions over
 * recorded series are empty in both servers.
 */
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, difference, seriesCount } from './answers.ts'
import { removeFolder, temporaryFolder } from './children.ts'
import { printFigures } from './figures.ts'
import { type ServerName, start, untilReady } from './server.ts'

/** Page, job, and the metrics_path that the label of that name says. */
const TARGETS: readonly [string, string, string][] = [
  ['k8s-1.35/kube-apiserver.prom', 'apiserver', '/metrics'],
  ['k8s-1.35/kubelet-cadvisor.prom', 'kubelet', '/metrics/cadvisor'],
  ['k8s-1.35/kube-scheduler.prom', 'kube-scheduler', '/metrics'],
  ['k8s-1.35/kube-controller-manager.prom', 'kube-controller-manager', '/metrics'],
  ['k8s-1.35/kube-state-metrics.prom', 'kube-state-metrics', '/metrics'],
  ['k8s-1.35/etcd.prom', 'etcd', '/metrics'],
  ['node-exporter-e2e-output.prom', 'node-exporter', '/metrics'],
  ['prometheus-2.42-self.prom', 'prometheus-k8s', '/metrics'],
]
const INTERVAL_SECONDS = 5
const SCRAPED_MS = 75_000

interface KubeQuery {
  probe: string
}

interface Outcome {
  body: string
  error: string | undefined
  ms: number
}

export async function runKubeQueries(
  pages: string,
  queries: string,
  servers: readonly ServerName[],
): Promise<void> {
  if (!existsSync(pages) || !existsSync(queries)) {
    console.log(`no pages in ${pages} or no expressions in ${queries}: name them by --pages and --queries`)
    return
  }
  const probes = [
    ...new Set((JSON.parse(readFileSync(queries, 'utf8')) as KubeQuery[]).map(({ probe }) => probe)),
  ]
  const exporter = await servePages(pages)
  const folder = temporaryFolder()
  const outcomes: Partial<Record<ServerName, Outcome[]>> = {}
  try {
    const names = servers.filter((name) => name !== 'victoriametrics')
    const running = await Promise.all(names.map((name) => start(name, join(folder, name), exporter.config)))
    try {
      await Promise.all(running.map(untilReady))
      await sleep(SCRAPED_MS)
      const atSeconds = String(Math.floor(Date.now() / 1000))
      for (const { name, url } of running) outcomes[name] = await askAll(new Client(url), probes, atSeconds)
    } finally {
      await Promise.all(running.map(({ child }) => child.stop()))
    }
  } finally {
    exporter.close()
    removeFolder(folder)
  }
  report(probes, outcomes)
}

async function servePages(pages: string) {
  const bodies = new Map(TARGETS.map(([file]) => [`/${file}`, readFileSync(join(pages, file))]))
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(bodies.get(request.url ?? ''))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const jobs = TARGETS.map(
    ([file, job, path]) => `- job_name: ${job}
  metrics_path: /${file}
  honor_labels: true
  honor_timestamps: false
  static_configs:
  - targets: ['127.0.0.1:${port}']
    labels: {metrics_path: ${path}, namespace: monitoring}
`,
  )
  const config = `global:\n  scrape_interval: ${INTERVAL_SECONDS}s\nscrape_configs:\n${jobs.join('')}`
  return {
    config,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function askAll(client: Client, probes: readonly string[], time: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const query of probes) {
    try {
      const { body, ms } = await client.ask('query', { query, time })
      outcomes.push({ body, error: undefined, ms })
    } catch (error) {
      outcomes.push({ body: '', error: (error as Error).message, ms: 0 })
    }
  }
  client.close()
  return outcomes
}

function report(probes: readonly string[], outcomes: Partial<Record<ServerName, Outcome[]>>): void {
  const { narthex, prometheus } = outcomes
  for (const [name, list] of Object.entries(outcomes)) {
    const failed = list.filter(({ error }) => error !== undefined)
    const filled = list.filter(({ error, body }) => error === undefined && seriesCount(body) > 0)
    console.log(`${name}: ${list.length} expressions, ${failed.length} fail, ${filled.length} have data`)
  }
  if (narthex === undefined) return
  for (const [i, query] of probes.entries()) {
    const ours = narthex[i]
    const theirs = prometheus?.[i]
    if (ours.error !== undefined && theirs?.error === undefined) console.log(`FAILS: ${query}: ${ours.error}`)
    else if (ours.error === undefined && theirs !== undefined && theirs.error === undefined) {
      const text = difference(ours.body, theirs.body)
      if (text !== undefined) console.log(`ANSWERS DIFFER: ${query}: ${text}`)
    }
  }
  const totals = Object.entries(outcomes).map(([name, list]) => [
    name,
    list.reduce((sum, { ms }) => sum + ms, 0),
  ])
  printFigures('expressions of kube-prometheus', [
    { what: 'all, ms', of: Object.fromEntries(totals), digits: 0 },
  ])
}
