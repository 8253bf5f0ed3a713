#!/usr/bin/env node
/** `npm run inspect -- DIR`: says what lies in a data folder. */
import { inspect } from './inspect.ts'
import { HELP, OptionError, parseOptions } from './options.ts'

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) process.stdout.write(HELP)
  else process.exitCode = await inspect(options, print)
} catch (error) {
  // The reader of a pipe went, as `head` does.
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = error instanceof OptionError ? 1 : 2
  }
}
