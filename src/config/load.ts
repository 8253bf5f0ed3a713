/** From the text of a configuration file to the configuration that the server uses. */
import { dirname, isAbsolute, join } from 'node:path'
import { quoteGo } from '../telemetry/quote.ts'
import { ConfigDocument, Section } from './document.ts'
import { readGlobal } from './global.ts'
import { homeOf, ROOT_KEYS, RUNTIME_KEYS, UNBUILT_ROOT_KEYS } from './keys.ts'
import type { Config, GlobalConfig, ScrapeConfig } from './model.ts'
import { printConfig } from './print.ts'
import { ConfigError } from './problem.ts'
import { Reading } from './reading.ts'
import { readScrapeConfig } from './scrape-config.ts'
import { readStorage } from './storage.ts'

/** Go's garbage collector target; upstream's default, and without meaning here. */
const DEFAULT_GOGC = 75

export interface LoadOptions {
  /** For error messages; files named in the configuration are relative to its folder. */
  fileName: string
  /** Leave out what this version does not support, instead of refusing the file. */
  skipUnsupported?: boolean
  /** What `extra_scrape_metrics` is where it is not set; false unless given. */
  extraScrapeMetrics?: boolean
  /** For external labels; the process's own unless given. */
  environment?: Readonly<Record<string, string | undefined>>
  /** Told about each variable in an external label that is not set. */
  onEmptyVariable?: (name: string) => void
}

/** Throws ConfigError with everything that is wrong. */
export function loadConfig(text: string, options: LoadOptions): Config {
  const document = new ConfigDocument(text)
  // A tree that does not parse has only errors that follow from the first.
  if (document.problems.length > 0) throw configError(document, options)
  const reading = new Reading(document, options.skipUnsupported ?? false)
  const root = Section.open(
    document,
    document.root,
    'the top level',
    [...ROOT_KEYS, ...UNBUILT_ROOT_KEYS],
    homeOf,
  )
  for (const key of UNBUILT_ROOT_KEYS) {
    const value = root?.value(key)
    if (!reading.saysNothing(value)) reading.refuse(root!.keyNode(key), key)
  }
  const directory = dirname(options.fileName)
  const resolvePath = (path: string) => (path === '' || isAbsolute(path) ? path : join(directory, path))
  const { config: global, written } = readGlobal(reading, root?.value('global'), {
    extraScrapeMetrics: options.extraScrapeMetrics ?? false,
    lookup: lookupIn(options),
    resolvePath,
  })
  const gogc = Section.open(document, root?.value('runtime'), 'runtime', RUNTIME_KEYS, homeOf)?.int('gogc')
  const scrapeConfigs = readScrapeConfigs(reading, root, global, resolvePath)
  const storage = readStorage(reading, root?.value('storage'))
  if (document.problems.length > 0) throw configError(document, options)
  return {
    global,
    storage,
    scrapeConfigs,
    yaml: printConfig(global, written, gogc || DEFAULT_GOGC, scrapeConfigs, storage),
    unsupportedSections: reading.unsupported,
  }
}

function configError(document: ConfigDocument, options: LoadOptions): ConfigError {
  const problems = document.problems.sort((a, b) => a.line - b.line || a.column - b.column)
  return new ConfigError(options.fileName, problems)
}

function lookupIn(options: LoadOptions): (name: string) => string {
  const environment = options.environment ?? process.env
  return (name) => {
    const value = environment[name] ?? ''
    if (value === '') options.onEmptyVariable?.(name)
    return value
  }
}

function readScrapeConfigs(
  reading: Reading,
  root: Section | undefined,
  global: GlobalConfig,
  resolvePath: (path: string) => string,
): ScrapeConfig[] {
  const { document } = reading
  const configs: ScrapeConfig[] = []
  const lines = new Map<string, number>()
  for (const item of document.list(root?.value('scrape_configs'), '[]config.ScrapeConfig') ?? []) {
    if (item.isNull) {
      document.report(item.node, 'empty or null scrape config section', 'a job')
      continue
    }
    const read = readScrapeConfig(reading, item.node, global, resolvePath)
    if (read === undefined) continue
    const { jobName } = read.config
    const line = lines.get(jobName)
    if (jobName !== '' && line !== undefined) {
      const what = `found multiple scrape configs with job name ${quoteGo(jobName)}`
      document.report(item.node, what, `another name, as line ${line} has it already`)
    }
    lines.set(jobName, line ?? document.lineOf(item.node))
    if (read.isUsable) configs.push(read.config)
  }
  return configs
}
