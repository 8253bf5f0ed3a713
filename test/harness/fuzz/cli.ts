/** `npm run fuzz -- promql`: random data and queries, until something differs or the time is over. */
import { parseArgs } from 'node:util'
import { fuzzAgainstPrometheus } from './prometheus-fuzz.ts'
import { type FuzzOutcome, fuzzPromql } from './promql-fuzz.ts'

const USAGE =
  'usage: npm run fuzz -- promql [--seed S] [--count N] [--seconds T] [--features] [--floats] [--differences N] [--prometheus]'

function print({ evaluations, answered, open, differences }: FuzzOutcome): void {
  for (const { seed, script, message } of differences) {
    console.log(`--- seed ${seed}\n${script}\n# ${message}\n`)
  }
  console.log(
    `${evaluations} evaluations, ${answered} with an answer, ${open} left open, ` +
      `${differences.length} differences`,
  )
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      count: { type: 'string' },
      seconds: { type: 'string' },
      features: { type: 'boolean', default: false },
      floats: { type: 'boolean', default: false },
      differences: { type: 'string', default: '10' },
      prometheus: { type: 'boolean', default: false },
    },
  })
  if (positionals.length !== 1 || positionals[0] !== 'promql') {
    console.error(USAGE)
    return 1
  }
  const seed = Number(values.seed ?? Date.now() % 1e9)
  console.log(`seed ${seed}`)
  const fuzz = values.prometheus ? fuzzAgainstPrometheus : fuzzPromql
  const outcome = await fuzz({
    seed,
    count: Number(values.count ?? (values.seconds === undefined ? 10_000 : Number.POSITIVE_INFINITY)),
    seconds: Number(values.seconds ?? Number.POSITIVE_INFINITY),
    hasFeatures: values.features,
    hasHistograms: !values.floats,
    differencesMax: Number(values.differences),
  })
  print(outcome)
  return outcome.differences.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
