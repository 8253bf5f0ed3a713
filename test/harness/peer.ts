/** Debian's Prometheus as a process of its own, for comparison. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROMETHEUS = '/usr/bin/prometheus'
const READY_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 10_000

export interface PrometheusOptions {
  /** The configuration file's text. */
  config: string
  args?: readonly string[]
  /** Where it listens, for a configuration that names the server itself. */
  port?: number
}

export interface PrometheusPeer {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  url: string
  /** Ends the process and removes its data. */
  stop(): Promise<void>
}

/** Starts the server on a free port of the loopback with an empty data folder; resolves when it is ready. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-peer-'))
  const configFile = join(folder, 'prometheus.yml')
  await writeFile(configFile, options.config)
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  const child = spawn(
    PROMETHEUS,
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const log: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text))
  const stop = async () => {
    await end(child)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilReady(child, url)
  } catch (error) {
    await stop()
    throw new Error(`prometheus did not start:\n${log.join('')}`, { cause: error })
  }
  return { url, stop }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const until = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`)
    // Refused connections are the normal case until the server listens.
    const response = await fetch(`${url}/-/ready`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`not ready after ${READY_TIMEOUT_MS} ms`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(late)
}

/** The `data` of an answer of the API. Throws when the answer is not a success. */
export async function queryApi<T>(
  url: string,
  path: string,
  parameters: Record<string, string> = {},
): Promise<T> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const answer = (await response.json()) as { status: string; error?: string; data: T }
  if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
  return answer.data
}
