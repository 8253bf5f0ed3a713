/** `npm run promqltest -- PATH...`: runs scripts, files or folders of *.test, and prints what failed. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
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

async function main(paths: readonly string[]): Promise<number> {
  if (paths.length === 0) {
    console.error('usage: npm run promqltest -- PATH...')
    return 1
  }
  let passed = 0
  let failed = 0
  for (const file of paths.flatMap(findScripts)) {
    const outcome = await runScript(readFileSync(file, 'utf8'))
    passed += outcome.passed
    failed += outcome.failures.length
    for (const { line, message } of outcome.failures) console.log(`${file}:${line}: ${message}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
