/**
 * Data from recorded pages: their series as they are, their values moved by a seeded walk in the manner of their type.
 *
 * What a counter counted until the recording is taken as a day's growth; a counter at zero mostly stays there. Buckets
 * move by what they hold alone, so that they stay cumulative, and a histogram's count is its last bucket. Of gauges,
 * those that tell a time, a flag or an info stay; the others take a step of a percent now and then, in the unit that
 * they were recorded in: memory pages, whole numbers, or as many decimals. Series that are not finite are left out.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Prng, prng } from '../test/harness/prng.ts'
import type { SeriesData } from './data-set.ts'

const STEPS_A_DAY = 5760
const MEMORY_PAGE = 4096

interface Line {
  target: number
  type: string
  name: string
  labels: [string, string][]
  value: number
  decimals: number
  /** Name and labels but for `le`: what buckets of one histogram share. */
  group: string
}

/** Whether the pages are there. */
export function hasPages(folder: string): boolean {
  return existsSync(folder) && pageFiles(folder).length > 0
}

function pageFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.prom'))
    .sort()
}

/** The walks of all series of the folder's pages, a page a target. */
export function pageSeries(pages: string, steps: number): SeriesData {
  const files = pageFiles(pages)
  const lines = files.flatMap((file, target) =>
    readPage(readFileSync(join(pages, file), 'utf8'), file.replace(/\.prom$/, ''), target),
  )
  const random = prng(2)
  const values = new Float64Array(lines.length * steps)
  const column = (i: number) => values.subarray(i * steps, (i + 1) * steps)
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]
    const before = i > 0 && lines[i - 1].group === line.group ? column(i - 1) : undefined
    if (line.name.endsWith('_count') && line.type === 'histogram' && i >= 2) {
      const buckets = lines[i - 2]
      if (buckets.name === line.name.replace(/_count$/, '_bucket') && buckets.value === line.value) {
        column(i).set(column(i - 2))
        continue
      }
    }
    const isBucket = line.name.endsWith('_bucket') && before !== undefined
    walk(line, isBucket ? before : undefined, isBucket ? lines[i - 1].value : 0, column(i), random)
  }
  return {
    labels: lines.map((line) => line.labels),
    target: Uint32Array.from(lines, (line) => line.target),
    values,
  }
}

function readPage(text: string, job: string, target: number): Line[] {
  const lines: Line[] = []
  let type = 'untyped'
  for (const text_ of text.split('\n')) {
    if (text_.startsWith('# TYPE ')) type = text_.split(' ')[3]
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(text_)
    if (match === null) continue
    const [, name, written = '', number] = match
    const value = Number(number.replace('+Inf', 'Infinity'))
    if (!Number.isFinite(value)) continue
    const labels: [string, string][] = [
      ['__name__', name],
      ['instance', `10.0.3.${target}:9100`],
      ['job', job],
    ]
    for (const [, label, raw] of written.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const unescaped = raw.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c))
      if (unescaped !== '')
        labels.push([label === 'job' || label === 'instance' ? `exported_${label}` : label, unescaped])
    }
    const group = JSON.stringify(labels.filter(([label]) => label !== 'le'))
    lines.push({ target, type, name, labels, value, decimals: decimalsOf(value), group })
  }
  return lines
}

function decimalsOf(value: number): number {
  const text = String(value)
  if (text.includes('e')) return 15
  return text.includes('.') ? text.length - text.indexOf('.') - 1 : 0
}

/** `below`, `belowFirst`: values of the bucket before and its recorded value. */
function walk(
  line: Line,
  below: Float64Array | undefined,
  belowFirst: number,
  column: Float64Array,
  random: Prng,
): void {
  const isCounter =
    line.type === 'counter' || line.type === 'histogram' || /_(total|sum|count)$/.test(line.name)
  const first = line.value - belowFirst
  const next = isCounter ? counterStep(first, line.decimals, random) : gaugeStep(line, random)
  let value = first
  for (let step = 0; step < column.length; step++) {
    column[step] = value + (below === undefined ? 0 : below[step])
    value = next(value)
  }
}

function counterStep(first: number, decimals: number, random: Prng): (value: number) => number {
  const isIdle = first <= 0 && random.chance(0.95)
  const perStep = isIdle ? 0 : Math.max(first, 10) / STEPS_A_DAY
  if (perStep === 0) return (value) => value
  if (decimals === 0) {
    return (value) =>
      value + Math.floor(2 * perStep * random.next() + (perStep < 1 ? 0.5 * random.next() : 0.5))
  }
  return (value) => (random.chance(0.5) ? rounded(value + 4 * perStep * random.next(), decimals) : value)
}

function gaugeStep({ name, value: first, decimals }: Line, random: Prng): (value: number) => number {
  const isStill =
    first === 0 || first === 1 || /(_info|_created|_time_seconds|_timestamp_seconds)$/.test(name)
  if (isStill) return (value) => value
  const size = Math.abs(first) * 0.01
  if (decimals > 0) {
    return (value) => (random.chance(0.5) ? rounded(value + size * (2 * random.next() - 1), decimals) : value)
  }
  const unit = first % MEMORY_PAGE === 0 ? MEMORY_PAGE : 1
  const most = Math.max(1, Math.round(size / unit))
  return (value) => (random.chance(0.3) ? Math.max(0, value + random.int(-most, most) * unit) : value)
}

function rounded(value: number, decimals: number): number {
  return decimals >= 15 ? value : Number(value.toFixed(decimals))
}
