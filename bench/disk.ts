/**
 * Bytes a sample on the disk: blocks with their index, once everything is written and merged.
 *
 *   npm run bench -- disk [--series 20000] [--hours 6] [--k8s [FOLDER]] [--servers narthex,prometheus,victoriametrics]
 *
 * The same samples, 15 s apart, go into each server by its own bulk way: ours through the storage API in order of time
 * (load.ts), Prometheus by `promtool tsdb create-blocks-from openmetrics` into blocks of 6 h, VictoriaMetrics by
 * /api/v1/import, flushed and merged by force. Made-up series of seven kinds (mixed-data.ts), or with `--k8s` the
 * series of recorded pages with values that move (page-data.ts). Space is counted as `du` does.
 */

import { readdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child, removeFolder, temporaryFolder } from './children.ts'
import { type DataSet, type DataSpec, makeDataSet } from './data-set.ts'
import { type Figure, printFigures } from './figures.ts'
import { loadInProcess } from './load.ts'
import { hasPages } from './page-data.ts'
import { diskBytes } from './proc.ts'
import {
  metricSum,
  ownMetrics,
  PROMTOOL,
  SERVERS,
  type Server,
  serverNames,
  start,
  untilReady,
} from './server.ts'

const INTERVAL_MS = 15_000
const HOUR_MS = 3_600_000
/** Prometheus' second level of blocks; data that begins at a multiple of it makes one block. */
const BLOCK_HOURS = 6
const PAGES = resolve(import.meta.dirname, '../../shared/data/exposition/k8s-1.35')
const WRITE_BYTES = 8 * 2 ** 20
const IMPORT_SERIES = 200
const MERGED_WITHIN_MS = 300_000

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      series: { type: 'string', default: '20000' },
      hours: { type: 'string', default: '6' },
      k8s: { type: 'boolean', default: false },
      pages: { type: 'string', default: PAGES },
      servers: { type: 'string', default: SERVERS.join() },
    },
  })
  if (values.k8s && !hasPages(values.pages)) {
    console.log(`no pages in ${values.pages}: name their folder by --pages`)
    return
  }
  const hours = Number(values.hours)
  const firstMs =
    (Math.floor(Date.now() / HOUR_MS / BLOCK_HOURS) - Math.ceil(hours / BLOCK_HOURS)) * BLOCK_HOURS * HOUR_MS
  const spec: DataSpec = {
    kind: values.k8s ? 'pages' : 'mixed',
    pages: values.pages,
    series: Number(values.series),
    firstMs,
    intervalMs: INTERVAL_MS,
    steps: (hours * HOUR_MS) / INTERVAL_MS,
  }
  const data = makeDataSet(spec)
  const samples = data.labels.length * data.steps
  const of: Figure['of'] = {}
  for (const name of serverNames(values.servers)) {
    const folder = temporaryFolder()
    try {
      const measure = { narthex: ours, prometheus, victoriametrics }[name]
      const bytes = await measure(folder, spec, data)
      if (bytes !== undefined) of[name] = bytes / samples
    } finally {
      removeFolder(folder)
    }
  }
  const goals = values.k8s
    ? []
    : ([
        { against: 'prometheus', max: 0.35 },
        { against: 'victoriametrics', max: 0.8 },
      ] as const)
  const what = values.k8s ? 'series of recorded pages' : 'mixed series'
  printFigures(`${data.labels.length} ${what} × ${hours} h at 15 s`, [
    { what: 'disk, B a sample', of, digits: 3, goals },
  ])
}

async function ours(folder: string, spec: DataSpec, data: DataSet): Promise<number | undefined> {
  const { seconds, upkeepSeconds } = await loadInProcess(folder, spec)
  const perSecond = (data.values.length / seconds / 1e6).toFixed(2)
  console.log(
    `narthex: loaded at ${perSecond} million samples a second, upkeep ${upkeepSeconds.toFixed(1)} s more`,
  )
  const blocks = diskBytes(join(folder, 'narthex', 'blocks'))
  if (blocks === 0) {
    const wal = diskBytes(join(folder, 'narthex', 'wal')) / data.values.length
    console.log(`narthex: no blocks; the write-ahead log takes ${wal.toFixed(2)} B a sample`)
    return undefined
  }
  return blocks
}

async function prometheus(folder: string, _spec: DataSpec, data: DataSet): Promise<number> {
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
  return diskBytes(blocks)
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

async function victoriametrics(folder: string, _spec: DataSpec, data: DataSet): Promise<number> {
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
  return diskBytes(join(server.dataPath, 'data')) + diskBytes(join(server.dataPath, 'indexdb'))
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
