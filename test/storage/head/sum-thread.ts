/** Thread of invariant.test.ts: sums constant series again and again and tells where a sum was another one. */
import { parentPort, workerData } from 'node:worker_threads'
import { attachStorage, type StorageHandle } from '../../../storage/attach.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { SampleColumns } from '../../../storage/model/sample.ts'

const { handle, reader, seriesCount, sampleCount } = workerData as {
  handle: StorageHandle
  reader: number
  seriesCount: number
  /** Of each series, all with the value 1. */
  sampleCount: number
}
const faults: string[] = []
const queryable = attachStorage(handle, reader, (note) => faults.push(JSON.stringify(note)))
const matchers = [new Matcher('__name__', '=', 'constant')]
const columns = new SampleColumns()
let views = 0
let isStopped = false
parentPort!.on('message', () => {
  isStopped = true
})
parentPort!.postMessage('ready')

while (!isStopped && faults.length < 20) {
  const querier = queryable.querier(0, 1e12)
  const set = await querier.select(matchers, { func: 'sum', stepMs: 0, rangeMs: 0, labelsOnly: false })
  let sum = 0
  for (let i = 0; i < set.count; i++) {
    set.read(i, columns)
    for (let j = 0; j < columns.length; j++) sum += columns.v[j]
  }
  if (sum !== seriesCount * sampleCount) faults.push(`${set.count} series, sum ${sum}`)
  faults.push(...querier.warnings())
  querier.close()
  views++
  // Lets the stop message in.
  await new Promise((resolve) => setImmediate(resolve))
}
await queryable.close()
parentPort!.postMessage({ views, faults: faults.slice(0, 20) })
