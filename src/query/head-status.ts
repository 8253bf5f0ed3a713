/** The answer of `status/tsdb`. */
import type { HeadStatus } from '../../storage/interface.ts'
import { toJson } from '../api/json.ts'

/** Upstream's times of an empty head, which no float holds. */
const MINT_NONE = '9223372036854775807'
const MAXT_NONE = '-9223372036854775808'

export function headStatusAnswer(status: HeadStatus): Uint8Array<ArrayBuffer> {
  const { series, labelPairs, chunks, mint, maxt } = status
  const times = `"minTime":${Number.isFinite(mint) ? mint : MINT_NONE},"maxTime":${Number.isFinite(maxt) ? maxt : MAXT_NONE}`
  const head = `{"numSeries":${series},"numLabelPairs":${labelPairs},"chunkCount":${chunks},${times}}`
  const lists = (['seriesByMetric', 'valuesByLabel', 'bytesByLabel', 'seriesByPair'] as const).map(
    (key) => `"${LIST_NAMES[key]}":${toJson(status[key].map(({ name, count }) => ({ name, value: count })))}`,
  )
  return new TextEncoder().encode(`{"status":"success","data":{"headStats":${head},${lists.join(',')}}}`)
}

const LIST_NAMES = {
  seriesByMetric: 'seriesCountByMetricName',
  valuesByLabel: 'labelValueCountByLabelName',
  bytesByLabel: 'memoryInBytesByLabelName',
  seriesByPair: 'seriesCountByLabelValuePair',
} as const
