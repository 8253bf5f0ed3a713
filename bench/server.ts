/** The servers that are compared: ours, Prometheus and VictoriaMetrics as Debian packs them, each a process of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child, freePort } from './children.ts'

export const SERVERS = ['narthex', 'prometheus', 'victoriametrics'] as const
export type ServerName = (typeof SERVERS)[number]

const BINARY: Record<Exclude<ServerName, 'narthex'>, string> = {
  prometheus: '/usr/bin/prometheus',
  victoriametrics: '/usr/bin/victoria-metrics',
}
export const PROMTOOL = '/usr/bin/promtool'
const MAIN = resolve(import.meta.dirname, '../src/main.ts')
const READY_WITHIN_MS = 300_000

export interface Server {
  readonly name: ServerName
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string
  readonly dataPath: string
  readonly child: Child
}

/** Those of the names that can be started here; says in a line each which version, or that it is left out. */
function installed(names: readonly ServerName[]): ServerName[] {
  return names.filter((name) => {
    if (name === 'narthex') return true
    const isThere = existsSync(BINARY[name])
    console.log(isThere ? version(BINARY[name]) : `${name} is not installed (${BINARY[name]}): left out`)
    return isThere
  })
}

/** Debian's package and its version. */
function version(binary: string): string {
  const name = binary.slice(binary.lastIndexOf('/') + 1)
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' })
  return `${name} ${stdout || 'of unknown version'}`
}

/** Reads `--servers a,b`. Throws RangeError at a name that is none. */
export function serverNames(text: string): ServerName[] {
  const names = text.split(',') as ServerName[]
  for (const name of names) {
    if (!SERVERS.includes(name)) throw new RangeError(`no such server: ${name}, choose of ${SERVERS}`)
  }
  return installed(names)
}

/**
 * Starts a server with this configuration on the data below `folder`, which may be there from an earlier start.
 * Does not wait: see `untilReady`.
 */
export async function start(
  name: ServerName,
  folder: string,
  config: string,
  extra: readonly string[] = [],
): Promise<Server> {
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const dataPath = join(folder, 'data')
  const configPath = join(folder, 'prometheus.yml')
  mkdirSync(folder, { recursive: true })
  writeFileSync(configPath, config)
  // Both cores for all three: it is CPU time that is compared, not speed.
  const options = { cwd: folder, env: { GOMAXPROCS: '2', NODE_OPTIONS: '' } }
  const url = `http://${address}`
  if (name === 'victoriametrics') {
    const args = [
      `-promscrape.config=${configPath}`,
      `-storageDataPath=${dataPath}`,
      `-httpListenAddr=${address}`,
      '-search.latencyOffset=0s',
      '-search.disableCache',
      '-loggerLevel=ERROR',
      ...extra,
    ]
    return { name, url, dataPath, child: new Child(BINARY[name], args, options) }
  }
  const args = [
    `--config.file=${configPath}`,
    `--storage.tsdb.path=${dataPath}`,
    `--web.listen-address=${address}`,
    '--log.level=error',
    ...extra,
  ]
  const child =
    name === 'narthex'
      ? new Child(process.execPath, [MAIN, ...args], options)
      : new Child(BINARY[name], args, options)
  return { name, url, dataPath, child }
}

/** Polls until the server says that it is ready. Rejects, with its log, when it ends or takes too long. */
export async function untilReady({ name, url, child }: Server): Promise<void> {
  const path = name === 'victoriametrics' ? '/health' : '/-/ready'
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline && !child.hasEnded) {
    const response = await fetch(url + path).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await sleep(10)
  }
  throw new Error(`${name} ${child.hasEnded ? 'ended' : 'is not ready'}:\n${child.output}`)
}

/** Whether our command line knows the flag. */
export function hasFlag(flag: string): boolean {
  const { stdout } = spawnSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' })
  return new RegExp(`^\\s*--(\\[no-\\])?${flag.replaceAll('.', '\\.')}(=|$)`, 'm').test(stdout)
}

/** The server's own metrics, as text. */
export async function ownMetrics({ name, url }: Server): Promise<string> {
  const response = await fetch(`${url}/metrics`)
  if (response.status !== 200) throw new Error(`${name}: /metrics answers ${response.status}`)
  return response.text()
}

/** Sum of the series of one name; 0 when there is none. */
export function metricSum(metrics: string, name: string): number {
  let sum = 0
  for (const [, value] of metrics.matchAll(new RegExp(`^${name}(?:\\{[^\\n]*\\})? (\\S+)$`, 'gm'))) {
    sum += Number(value)
  }
  return sum
}

/** Samples that the server has taken since its start, those that it makes itself about scrapes among them. */
export async function appendedSamples(server: Server): Promise<number> {
  const metrics = await ownMetrics(server)
  return server.name === 'victoriametrics'
    ? metricSum(metrics, 'vm_rows_inserted_total')
    : metricSum(metrics, 'prometheus_tsdb_head_samples_appended_total')
}

/** The `data` of an answer of the API. Throws when it is not a success. */
export async function queryApi<T>(
  { name, url }: Server,
  path: string,
  parameters: Record<string, string> = {},
): Promise<T> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const text = await response.text()
  let answer: { status?: string; error?: string; data?: T } = {}
  try {
    answer = JSON.parse(text)
  } catch (error) {
    throw new Error(`${name}: ${path} answers ${response.status} ${text.slice(0, 200)}`, { cause: error })
  }
  if (answer.status !== 'success') throw new Error(`${name}: ${path}: ${answer.error}`)
  return answer.data as T
}

interface VectorAnswer {
  result: { value: [number, string] }[]
}

/** The one value of an instant query at a time in seconds; NaN when the answer is empty. */
export async function queryNumber(server: Server, query: string, atSeconds: number): Promise<number> {
  const { result } = await queryApi<VectorAnswer>(server, 'query', { query, time: String(atSeconds) })
  return result.length === 0 ? Number.NaN : Number(result[0].value[1])
}
