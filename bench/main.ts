/** `npm run bench -- NAME [ARGUMENTS…]`: runs one benchmark of this folder. */
import { cpus } from 'node:os'

const BENCHMARKS = [
  'scrape',
  'page',
  'http',
  'promql',
  'ingest',
  'disk',
  'churn',
  'restart',
  'labels',
  'codec',
  'query',
] as const

interface Benchmark {
  run(args: string[]): Promise<void>
}

const [name, ...args] = process.argv.slice(2)
if (!(BENCHMARKS as readonly string[]).includes(name)) {
  process.stderr.write(`usage: npm run bench -- ${BENCHMARKS.join('|')} [ARGUMENTS…]\n`)
  process.exit(1)
}
const day = new Date().toISOString().slice(0, 10)
console.log(`${day}, ${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node}`)
const benchmark = (await import(`./${name}.ts`)) as Benchmark
await benchmark.run(args)
