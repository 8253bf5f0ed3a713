/** Thread of readers.test.ts: reads all series again and again and tells what did not fit. */
import { parentPort, workerData } from 'node:worker_threads'
import { attachStorage, type StorageHandle } from '../../../storage/attach.ts'
import { Matcher } from '../../../storage/model/matcher.ts'
import { SampleColumns } from '../../../storage/model/sample.ts'

const { handle, reader, seriesCount } = workerData as {
  handle: StorageHandle
  reader: number
  seriesCount: number
}
const queryable = attachStorage(handle, reader)
const matchers = [new Matcher('__name__', '=', 'm')]
const faults: string[] = []
let views = 0
let longest = 0
let isStopped = false
parentPort!.on('message', () => {
  isStopped = true
})

while (!isStopped) {
  const querier = queryable.querier(0, 1e12)
  const set = await querier.select(matchers, { func: '', stepMs: 0, rangeMs: 0, labelsOnly: false })
  if (set.count !== 0 && set.count !== seriesCount && longest > 0) faults.push(`${set.count} series`)
  let first: string | undefined
  const columns = new SampleColumns()
  for (let i = 0; i < set.count; i++) {
    set.read(i, columns)
    let last = Number.NEGATIVE_INFINITY
    for (let j = 0; j < columns.length; j++) {
      if (columns.v[j] !== columns.t[j] * 3) faults.push(`torn sample ${columns.t[j]} ${columns.v[j]}`)
      if (columns.t[j] <= last) faults.push(`out of order ${last} ${columns.t[j]}`)
      last = columns.t[j]
    }
    const state = `${columns.length} samples to ${last}`
    first ??= state
    if (state !== first) faults.push(`series 0 has ${first}, series ${i} has ${state}`)
    if (columns.length < longest) faults.push(`had ${longest} samples, now ${columns.length}`)
  }
  longest = Math.max(longest, columns.length)
  querier.close()
  views++
  if (faults.length > 20) break
  // Lets the stop message in.
  await new Promise((resolve) => setImmediate(resolve))
}
parentPort!.postMessage({ views, faults: faults.slice(0, 20), longest })
