/**
 * Puts a data set into each server by its own bulk way: ours through the storage API in order of time (load.ts),
 * Prometheus by `promtool tsdb create-blocks-from openmetrics` into blocks of 6 h, VictoriaMetrics by /api/v1/import,
 * flushed and merged by force.
 */
import { readdirSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from './children.ts'
import type { DataSet, DataSpec } from './data-set.ts'
import { loadInProcess } from './load.ts'
import { diskBytes } from './proc.ts'
import { metricSum, ownMetrics, PROMTOOL, type Server, type ServerName, start, untilReady } from './server.ts'

/** Prometheus' second level of blocks; data that begins at a multiple of it makes no block more. */
export const BLOCK_HOURS = 6
const WRITE_BYTES = 8 * 2 ** 20
const IMPORT_SERIES = 200
const MERGED_WITHIN_MS = 300_000

/** Fills `folder`/data, on which the server can be started then. */
export async function bulkLoad(
  name: ServerName,
  folder: string,
  spec: DataSpec,
  data: DataSet,
): Promise<void> {
  if (name === 'narthex') await ours(join(folder, 'data'), spec, data)
  else if (name === 'prometheus') await prometheus(folder, data)
  else await victoriametrics(folder, data)
}

async function ours(dataPath: string, spec: DataSpec, data: DataSet): Promise<void> {
  const { seconds, upkeepSeconds } = await loadInProcess(dataPath, spec)
  const perSecond = (data.values.length / seconds / 1e6).toFixed(2)
  console.log(
    `narthex: loaded at ${perSecond} million samples a second, upkeep ${upkeepSeconds.toFixed(1)} s more`,
  )
}

async function prometheus(folder: string, data: DataSet): Promise<void> {
  const text = join(folder, 'samples.om')
  const file = await open(text, 'w')
  try {
    await writeOpenMetrics(file, data)
  } finally {
    await file.close()
  }
  const blocks = join(folder, 'data')
  const flags = ['tsdb', 'create-blocks-from', 'openmetrics', `--max-block-duration=${BLOCK_HOURS}h`]
  await new Child(PROMTOOL, [...flags, '--quiet', text, blocks]).finished()
  console.log(`prometheus: ${readdirSync(blocks).length} blocks`)
  rmSync(text)
}

async function writeOpenMetrics(file: FileHandle, data: DataSet): Promise<void> {
  const { steps, values, startMs, target, intervalMs } = data
  let text = ''
  for (let i = 0; i < data.labels.length; i++) {
    const [[, name], ...rest] = data.labels[i]
    const series = `${name}{${rest.map(([label, value]) => `${label}=${quoted(value)}`).join(',')}}`
    for (let step = 0; step < steps; step++) {
      const seconds = (startMs[target[i]] + step * intervalMs) / 1000
      text += `${series} ${values[i * steps + step]} ${seconds}\n`
    }
    if (text.length > WRITE_BYTES) {
      await file.write(text)
      text = ''
    }
  }
  await file.write(`${text}# EOF\n`)
}

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

async function victoriametrics(folder: string, data: DataSet): Promise<void> {
  const server = await start('victoriametrics', folder, 'scrape_configs: []\n', ['-retentionPeriod=1y'])
  try {
    await untilReady(server)
    for (let from = 0; from < data.labels.length; from += IMPORT_SERIES) {
      await post(server, '/api/v1/import', importLines(data, from, from + IMPORT_SERIES))
    }
    await post(server, '/internal/force_flush', '')
    const inserted = metricSum(await ownMetrics(server), 'vm_rows_inserted_total')
    if (inserted < data.values.length) {
      throw new Error(`victoriametrics has taken ${inserted} samples of ${data.values.length}`)
    }
    await post(server, '/internal/force_merge', '')
    await untilMerged(server)
  } finally {
    await server.child.stop()
  }
}

function importLines(data: DataSet, from: number, to: number): string {
  const { steps, values, startMs, target, intervalMs } = data
  const lines: string[] = []
  for (let i = from; i < Math.min(to, data.labels.length); i++) {
    lines.push(
      JSON.stringify({
        metric: Object.fromEntries(data.labels[i]),
        values: [...values.subarray(i * steps, (i + 1) * steps)],
        timestamps: Array.from({ length: steps }, (_, step) => startMs[target[i]] + step * intervalMs),
      }),
    )
  }
  return lines.join('\n')
}

async function post({ name, url }: Server, path: string, body: string): Promise<void> {
  const response = await fetch(url + path, { method: 'POST', body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${name}: ${path} answers ${response.status} ${text}`)
}

async function untilMerged(server: Server): Promise<void> {
  const deadline = Date.now() + MERGED_WITHIN_MS
  for (let quiet = 0, before = -1; quiet < 3 && Date.now() < deadline; ) {
    await sleep(1000)
    const metrics = await ownMetrics(server)
    const active = metricSum(metrics, 'vm_active_merges') + metricSum(metrics, 'vm_active_force_merges')
    const bytes = diskBytes(server.dataPath)
    quiet = active === 0 && bytes === before ? quiet + 1 : 0
    before = bytes
  }
}
