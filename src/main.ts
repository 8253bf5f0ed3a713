#!/usr/bin/env node
/**
 * The entry: what has to be set before anything else is loaded, then the program.
 *
 * Loading the modules is most of a start, and stripping their types most of that. Node keeps what it compiled (below
 * the system's folder for temporary files, or where NODE_COMPILE_CACHE says), for the next start and for the query
 * threads of this one; where it cannot write, everything works but takes longer.
 */
import './thread-pool.ts'
import './young-generation.ts'
import { enableCompileCache } from 'node:module'

const { directory } = enableCompileCache()
// Threads find it by the environment.
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory

const { main } = await import('./program.ts')
await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
