/** The engine against Debian's Prometheus, on the part of the language that it has. */
import { Engine } from '../../../promql/engine.ts'
import { parse } from '../../../promql/syntax/parser.ts'
import { Labels } from '../../../storage/model/labels.ts'
import type { ResultSeries } from '../interpreter/interpreter.ts'
import { startPrometheus } from '../peer.ts'
import { prng } from '../prng.ts'
import { compareValues } from './compare.ts'
import { formatCase } from './describe-case.ts'
import { VERSION_DIFFERENCES, VERSION_OCCASIONS } from './differences.ts'
import { askEngine, storeData } from './engine-answer.ts'
import type { Difference, FuzzOptions, FuzzOutcome } from './promql-fuzz.ts'
import { DataGenerator } from './random-data.ts'
import { QueryGenerator, type RandomQuery } from './random-query.ts'
import { remoteWrite } from './remote-write.ts'

const HOUR_MS = 3_600_000
const QUERIES_PER_DATA_SET = 100
/** Data sets lie an hour apart, the first one so long ago; the server keeps all of that. */
const AGE_MS = 14 * 24 * HOUR_MS

interface ApiSeries {
  readonly metric: Record<string, string>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

interface ApiAnswer {
  readonly status: string
  readonly error?: string
  readonly data: { readonly resultType: string; readonly result: unknown }
}

function toFloat(text: string): number {
  return Number(text.replace('Inf', 'Infinity'))
}

function toSeries({ resultType, result }: ApiAnswer['data']): ResultSeries[] {
  const point = ([seconds, text]: readonly [number, string]) => ({
    t: Math.round(seconds * 1000),
    value: toFloat(text),
  })
  if (resultType === 'scalar') {
    return [{ labels: Labels.EMPTY, points: [point(result as [number, string])] }]
  }
  return (result as ApiSeries[]).map(({ metric, value, values }) => ({
    labels: Labels.from(metric),
    points: value === undefined ? values!.map(point) : [point(value)],
  }))
}

async function askPrometheus(url: string, query: RandomQuery): Promise<ResultSeries[] | { error: string }> {
  const { text, startMs, endMs, stepMs } = query
  const times: Record<string, string> =
    stepMs === 0
      ? { time: String(startMs / 1000) }
      : { start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) }
  const path = stepMs === 0 ? 'query' : 'query_range'
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ query: text, ...times }),
  })
  const answer = (await response.json()) as ApiAnswer
  if (answer.status !== 'success') return { error: answer.error ?? 'no error' }
  return toSeries(answer.data)
}

/** As fuzzPromql; differences are not shrunk, since each would need data of its own. */
export async function fuzzAgainstPrometheus(options: FuzzOptions): Promise<FuzzOutcome> {
  const engine = new Engine({
    lookbackMs: 300_000,
    maxSamples: 50_000_000,
    defaultSubqueryStepMs: 60_000,
    features: {},
  })
  const peer = await startPrometheus({
    config: 'global: { evaluation_interval: 1m }\n',
    args: ['--web.enable-remote-write-receiver', '--storage.tsdb.retention.time=60d'],
  })
  const until = performance.now() + options.seconds * 1000
  const differences: Difference[] = []
  const counts = { evaluations: 0, answered: 0, open: 0 }
  try {
    const firstMs = Math.floor((Date.now() - AGE_MS) / HOUR_MS) * HOUR_MS
    for (let set = 0; ; set++) {
      const seed = options.seed + set
      const baseMs = firstMs + set * HOUR_MS
      const random = prng(seed)
      const generator = new DataGenerator(random, {
        baseMs,
        hasHistograms: false,
        hasStartTimestamps: false,
        isOdd: true,
        isPlain: true,
      })
      const data = generator.generate()
      const queries = new QueryGenerator(random, {
        isExperimental: false,
        hasBorders: false,
        hasDurationExpressions: false,
        hasHistograms: false,
        isBetweenSeconds: true,
        ...data,
      })
      await remoteWrite(peer.url, data.series)
      const storage = await storeData(data.series)
      for (let i = 0; i < QUERIES_PER_DATA_SET; i++) {
        const isFull = counts.evaluations >= options.count || performance.now() > until
        if (isFull || differences.length >= options.differencesMax) return { ...counts, differences }
        const query = queries.generate()
        if (query.text === '"text"') continue
        const expr = parse(query.text)
        if (VERSION_DIFFERENCES.some(({ isMet }) => isMet(expr))) {
          counts.open++
          continue
        }
        counts.evaluations++
        const expected = await askPrometheus(peer.url, query)
        const actual = await askEngine(engine, storage, query)
        let message: string | undefined
        if ('error' in expected || 'error' in actual) {
          const [left, right] = [expected, actual].map((one) =>
            'error' in one ? `error ${one.error}` : 'an answer',
          )
          if ('error' in expected !== 'error' in actual) message = `${right}; Prometheus ${left}`
        } else {
          if (expected.length > 0) counts.answered++
          message = compareValues(expected, actual.series, false)
        }
        if (message === undefined) continue
        if (VERSION_OCCASIONS.some(({ isMet }) => isMet(expr))) {
          counts.open++
          continue
        }
        differences.push({ seed, script: formatCase({ data: data.series, query }, baseMs), message })
      }
    }
  } finally {
    await peer.stop()
  }
}
