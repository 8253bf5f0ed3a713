/**
 * Bytes a sample on the disk: blocks with their index, once everything is written and merged.
 *
 *   npm run bench -- disk [--series 20000] [--hours 6] [--k8s [FOLDER]] [--servers narthex,prometheus,victoriametrics]
 *
 * The same samples, 15 s apart, go into each server by its own bulk way (bulk.ts). Made-up series of seven kinds
 * (mixed-data.ts), or with `--k8s` the series of recorded pages with values that move (page-data.ts). Space is counted as
 * `du` does.
 */

import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { BLOCK_HOURS, bulkLoad } from './bulk.ts'
import { removeFolder, temporaryFolder } from './children.ts'
import { type DataSpec, makeDataSet } from './data-set.ts'
import { type Figure, printFigures } from './figures.ts'
import { hasPages } from './page-data.ts'
import { diskBytes } from './proc.ts'
import { SERVERS, type ServerName, serverNames } from './server.ts'

const INTERVAL_MS = 15_000
const HOUR_MS = 3_600_000
const PAGES = resolve(import.meta.dirname, '../../shared/data/exposition/k8s-1.35')

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
      await bulkLoad(name, folder, spec, data)
      of[name] = storedBytes(name, join(folder, 'data')) / samples
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

/** Blocks, or data and index. */
function storedBytes(name: ServerName, dataPath: string): number {
  if (name === 'prometheus') return diskBytes(dataPath)
  const parts = name === 'narthex' ? ['narthex/blocks'] : ['data', 'indexdb']
  return parts.reduce((sum, part) => sum + diskBytes(join(dataPath, part)), 0)
}
