/**
 * `npm run promqltest -- [--mutate SEED] PATH...`: runs scripts, files or folders of *.test, and prints what failed.
 *
 * With `--mutate` one thing is changed of what each evaluation expects, and each such mutant has to fail; those that
 * do not are printed.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prng } from './prng.ts'
import { runScript } from './promql-runner.ts'

/** The scripts under a path, sorted; a file is taken whatever its name. Throws when there is no such path. */
export function findScripts(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.test'))
    .sort()
    .map((name) => join(path, name))
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { mutate: { type: 'string' } },
    allowPositionals: true,
  })
  const seed = values.mutate === undefined ? undefined : Number(values.mutate)
  if (positionals.length === 0 || (seed !== undefined && !/^\d+$/.test(values.mutate!))) {
    console.error('usage: npm run promqltest -- [--mutate SEED] PATH...')
    return 1
  }
  const random = seed === undefined ? undefined : prng(seed)
  const sums = { passed: 0, failed: 0, executions: 0, mutants: 0, survived: 0 }
  for (const file of positionals.flatMap(findScripts)) {
    const outcome = await runScript(readFileSync(file, 'utf8'), random)
    sums.passed += outcome.passed
    sums.failed += outcome.failures.length
    sums.executions += outcome.executions
    sums.mutants += outcome.mutants
    sums.survived += outcome.survivors.length
    for (const { line, message } of outcome.failures) console.log(`${file}:${line}: ${message}`)
    for (const { line, message } of outcome.survivors)
      console.log(`${file}:${line}: mutant survives: ${message}`)
  }
  if (random !== undefined) {
    console.log(
      `${sums.mutants} mutants of seed ${seed}: ${sums.mutants - sums.survived} fail, ${sums.survived} survive`,
    )
  }
  if (sums.passed + sums.failed === 0) {
    console.error('there is nothing to run')
    return 1
  }
  console.log(`${sums.passed} passed, ${sums.failed} failed, in ${sums.executions} executions`)
  return sums.failed + sums.survived === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
