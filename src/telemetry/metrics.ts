/**
 * The server's own metrics: one registry that is passed around, never prom-client's global one.
 *
 * What a Prometheus dashboard reads keeps its name (`process_*`, `prometheus_*`); what only this program has
 * is called `narthex_*`, and what belongs to Node `nodejs_*`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import { NARTHEX_VERSION, PROMETHEUS_VERSION } from '../version.ts'

/** What `render` answers is of this type. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

const NANOSECONDS = 1e9
const EVENT_LOOP_RESOLUTION_MS = 10

export function createRegistry(): Registry {
  const registry = new Registry()
  registerProcess(registry)
  registerEventLoop(registry)
  registerBuild(registry)
  new Gauge({
    name: 'prometheus_ready',
    help: 'Whether Prometheus startup was fully completed and the server is ready for normal operation.',
    registers: [registry],
  })
  new Gauge({
    name: 'narthex_config_unsupported_section',
    help: 'Sections of the configuration that say something this version does not do; they were skipped.',
    labelNames: ['section'],
    registers: [registry],
  })
  return registry
}

export function setReady(registry: Registry, ready: boolean): void {
  gauge(registry, 'prometheus_ready').set(ready ? 1 : 0)
}

/** Replaces what was reported before. */
export function setUnsupportedSections(registry: Registry, sections: readonly string[]): void {
  const unsupported = gauge(registry, 'narthex_config_unsupported_section')
  unsupported.reset()
  for (const section of sections) unsupported.set({ section }, 1)
}

/**
 * All metrics in text format 0.0.4, families by name. A family without samples is left out, as Go's client
 * does: a lone HELP line would claim that there is something.
 */
export async function render(registry: Registry): Promise<string> {
  const text = await registry.metrics()
  // prom-client puts an empty line between families.
  const families = text.trimEnd().split('\n\n')
  const filled = families.filter((family) =>
    family.split('\n').some((line) => line !== '' && line[0] !== '#'),
  )
  return filled.length === 0 ? '' : `${filled.sort().join('\n')}\n`
}

function gauge(registry: Registry, name: string): Gauge<string> {
  return registry.getSingleMetric(name) as Gauge<string>
}

function registerBuild(registry: Registry): void {
  const build = new Gauge({
    name: 'prometheus_build_info',
    help: "A metric with a constant '1' value labeled by the version that this server is compatible with, and by what it was built from.",
    labelNames: ['branch', 'goarch', 'goos', 'goversion', 'revision', 'tags', 'version'],
    registers: [registry],
  })
  build.set(
    {
      branch: 'main',
      goarch: process.arch === 'x64' ? 'amd64' : process.arch,
      goos: process.platform,
      goversion: `node${process.versions.node}`,
      revision: `narthex-${NARTHEX_VERSION}`,
      tags: 'unknown',
      version: PROMETHEUS_VERSION,
    },
    1,
  )
  const own = new Gauge({
    name: 'narthex_build_info',
    help: "A metric with a constant '1' value labeled by the version of this program and of Node.",
    labelNames: ['version', 'node_version'],
    registers: [registry],
  })
  own.set({ version: NARTHEX_VERSION, node_version: process.versions.node }, 1)
}

function registerProcess(registry: Registry): void {
  const registers = [registry]
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
    collect() {
      const used = process.cpuUsage()
      this.reset()
      this.inc((used.user + used.system) / 1e6)
    },
  })
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time of the process since unix epoch in seconds.',
    registers,
  }).set(Math.round((Date.now() / 1000 - process.uptime()) * 100) / 100)
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  // The rest is known only where there is a proc file system.
  if (!existsSync('/proc/self/status')) return
  new Gauge({
    name: 'process_virtual_memory_bytes',
    help: 'Virtual memory size in bytes.',
    registers,
    collect() {
      const kib = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
      if (kib !== null) this.set(Number(kib[1]) * 1024)
    },
  })
  new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers,
    collect() {
      // One of them is the folder that is being read.
      this.set(readdirSync('/proc/self/fd').length - 1)
    },
  })
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  if (limit === null) return
  new Gauge({
    name: 'process_max_fds',
    help: 'Maximum number of open file descriptors.',
    registers,
  }).set(limit[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit[1]))
}

/** Lag of the event loop since the last time the metrics were asked for, under prom-client's names; the heap. */
function registerEventLoop(registry: Registry): void {
  const registers = [registry]
  const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS })
  // What is measured is the time between two timers; only what goes beyond their period is lag.
  const lagSeconds = (measuredNs: number) =>
    Math.max(0, measuredNs / NANOSECONDS - EVENT_LOOP_RESOLUTION_MS / 1000)
  delay.enable()
  for (const percentile of [50, 90, 99]) {
    new Gauge({
      name: `nodejs_eventloop_lag_p${percentile}_seconds`,
      help: `The ${percentile}th percentile of the event loop lag since the last collection.`,
      registers,
      collect() {
        this.set(lagSeconds(delay.percentile(percentile)))
      },
    })
  }
  new Gauge({
    name: 'nodejs_eventloop_lag_max_seconds',
    help: 'The largest event loop lag since the last collection.',
    registers,
    collect() {
      this.set(lagSeconds(delay.max))
      // Families are collected by name: p50, p90 and p99 come after max and would see an empty histogram,
      // so the reset waits until this collection is over.
      setImmediate(() => delay.reset())
    },
  })
  new Gauge({
    name: 'nodejs_heap_size_used_bytes',
    help: 'Memory used by live and dead objects on the JavaScript heap of the main thread.',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed)
    },
  })
}
