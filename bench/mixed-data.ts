/** Made-up series of seven kinds, of which each asks something else of a codec. */
import { type Prng, prng } from '../test/harness/prng.ts'
import type { SeriesData } from './data-set.ts'

const TARGET_SERIES = 1000
const BUCKETS = 10
const MEMORY_PAGE = 4096
const KINDS = ['counter', 'gauge', 'size', 'queue', 'bucket', 'info', 'float'] as const
const METRIC: Record<(typeof KINDS)[number], string> = {
  counter: 'bench_requests_total',
  gauge: 'bench_temperature_celsius',
  size: 'bench_resident_bytes',
  queue: 'bench_queue_length',
  bucket: 'bench_duration_seconds_bucket',
  info: 'bench_build_info',
  float: 'bench_load_ratio',
}

/** The seven kinds in equal parts in each target of 1,000 series. */
export function mixedSeries(series: number, steps: number): SeriesData {
  const random = prng(1)
  const labels: [string, string][][] = []
  const values = new Float64Array(series * steps)
  for (let i = 0; i < series; i++) {
    const target = Math.floor(i / TARGET_SERIES)
    const place = i % TARGET_SERIES
    const kind = KINDS[Math.floor((place * KINDS.length) / TARGET_SERIES)]
    const nth = place - Math.ceil((KINDS.indexOf(kind) * TARGET_SERIES) / KINDS.length)
    labels.push(mixedLabels(kind, target, nth))
    const column = values.subarray(i * steps, (i + 1) * steps)
    const below =
      kind === 'bucket' && nth % BUCKETS > 0 ? values.subarray((i - 1) * steps, i * steps) : undefined
    fill(kind, column, below, random)
  }
  return {
    labels,
    target: Uint32Array.from(labels, (_, i) => Math.floor(i / TARGET_SERIES)),
    values,
  }
}

function mixedLabels(kind: (typeof KINDS)[number], target: number, nth: number): [string, string][] {
  const labels: [string, string][] = [
    ['__name__', METRIC[kind]],
    ['cluster', 'production-eu-1'],
    ['container', 'app'],
    ['instance', `10.0.3.${target}:9100`],
    ['job', 'app'],
    ['namespace', `team-${target % 5}`],
    ['pod', `api-7c9d5f6b84-${target}`],
  ]
  if (kind === 'bucket') {
    labels.push(
      ['handler', `/api/v1/resource/${Math.floor(nth / BUCKETS)}`],
      ['le', `${2 ** (nth % BUCKETS)}`],
    )
  } else if (kind === 'info') {
    labels.push(['module', `example.org/module-${nth}`], ['version', `v1.${nth % 7}.${nth % 3}`])
  } else {
    labels.push(['handler', `/api/v1/resource/${nth}`])
  }
  return labels
}

/** `below`: the bucket before, which this one holds too. */
function fill(
  kind: (typeof KINDS)[number],
  column: Float64Array,
  below: Float64Array | undefined,
  random: Prng,
): void {
  let value = firstValue(kind, random)
  const most = random.pick([1, 10, 100, 2000])
  for (let step = 0; step < column.length; step++) {
    column[step] = value + (below === undefined ? 0 : below[step])
    if (kind === 'counter') value += random.int(0, most)
    else if (kind === 'gauge') value = (Math.round(value * 100) + random.int(-20, 20)) / 100
    else if (kind === 'size') value = Math.max(MEMORY_PAGE, value + random.int(-50, 50) * MEMORY_PAGE)
    else if (kind === 'queue') value = random.chance(0.3) ? random.int(0, 20) : value
    else if (kind === 'bucket') value += random.chance(0.5) ? random.int(0, 5) : 0
    else if (kind === 'float') value += fullPrecision(random) - 0.5
  }
}

function firstValue(kind: (typeof KINDS)[number], random: Prng): number {
  if (kind === 'counter') return random.int(0, 1e7)
  if (kind === 'gauge') return random.int(1500, 9000) / 100
  if (kind === 'size') return random.int(1000, 500_000) * MEMORY_PAGE
  if (kind === 'info') return 1
  if (kind === 'float') return fullPrecision(random) * 100
  return random.int(0, 20)
}

/** In [0, 1), with all bits of its mantissa random: the generator itself gives 32. */
function fullPrecision(random: Prng): number {
  return random.next() + random.next() * 2 ** -32
}
