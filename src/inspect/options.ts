/** The command line of the inspector. */
import { parseArgs } from 'node:util'
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parseSelector } from '../../promql/syntax/parser.ts'
import type { Matcher } from '../../storage/model/matcher.ts'

export const HELP = `usage: npm run inspect -- DIR [OPTIONS]

Says what lies in DIR, the folder of --storage.tsdb.path. Only reads; a server may run on it.

Without options: blocks, the write-ahead log, tombstones, quarantine, and the largest labels.

  --block ID             only this block (its hexadecimal name, zeros in front may be left out)
  --pages                pages of the blocks
  --series SELECTOR      the chunks of series such as 'up{job="node"}', how they are encoded, and what the log has of them
  --verify               reads every page of the blocks and says which are damaged
  --top N                entries in lists of labels and series; 0 leaves the labels out (default 10)
  --help                 this text

Exit codes: 0, 1 for a bad command line, 2 for a folder that cannot be read, 3 when something is damaged.
`

/** What is wrong with the command line; the message is for people. */
export class OptionError extends Error {}

export interface InspectOptions {
  folder: string
  /** Undefined: all. */
  block: number | undefined
  pages: boolean
  series: readonly Matcher[] | undefined
  verify: boolean
  top: number
}

const OPTIONS = {
  block: { type: 'string' },
  pages: { type: 'boolean' },
  series: { type: 'string' },
  verify: { type: 'boolean' },
  top: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Undefined when help is asked for. Throws OptionError. */
export function parseOptions(argv: string[]): InspectOptions | undefined {
  const { values, positionals } = readArguments(argv)
  if (values.help === true) return undefined
  const [folder] = positionals
  if (folder === undefined || positionals.length > 1)
    throw new OptionError(`one folder is expected\n\n${HELP}`)
  return {
    folder,
    block: values.block === undefined ? undefined : blockId(values.block),
    pages: values.pages === true,
    series: values.series === undefined ? undefined : matchers(values.series),
    verify: values.verify === true,
    top: values.top === undefined ? 10 : count(values.top),
  }
}

function readArguments(argv: string[]) {
  try {
    return parseArgs({ args: argv, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new OptionError((error as Error).message)
  }
}

function blockId(text: string): number {
  if (!/^[0-9a-f]{1,8}$/i.test(text)) throw new OptionError(`--block: '${text}' is no name of a block`)
  return Number.parseInt(text, 16)
}

function count(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new OptionError(`--top: '${text}' is no number up to 999999`)
  return Number(text)
}

function matchers(text: string): readonly Matcher[] {
  try {
    return parseSelector(text)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw new OptionError(`--series: ${error.message}`)
  }
}
