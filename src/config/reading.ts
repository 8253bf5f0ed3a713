/** What the readers of one configuration share: the document, what may be skipped, and what was. */
import { isMap, isScalar, isSeq, type Node, type Pair } from 'yaml'
import { compareUtf8, isLegacyLabelName, isUtf8Name, Labels } from '../../storage/model/labels.ts'
import { quoteGo } from '../telemetry/quote.ts'
import type { ConfigDocument, Section } from './document.ts'
import { describe } from './document.ts'
import type { NameEscapingScheme, NameValidationScheme, ScrapeLimits, ScrapeProtocol } from './model.ts'
import { parseSize } from './size.ts'

export const DURATION_EXPECTED = 'a duration such as 15s, 1m30s or 1d'
export const SIZE_EXPECTED = 'a size with a unit such as 512KB or 100MB, or 0'

export const DEFAULT_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
]

const SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
  'PrometheusProto',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
]

export const ESCAPING_SCHEMES: readonly NameEscapingScheme[] = [
  'allow-utf-8',
  'underscores',
  'dots',
  'values',
]

export class Reading {
  readonly document: ConfigDocument
  /** Skipped sections, in the order of the file. */
  readonly unsupported: string[] = []
  private readonly skipUnsupported: boolean

  constructor(document: ConfigDocument, skipUnsupported: boolean) {
    this.document = document
    this.skipUnsupported = skipUnsupported
  }

  /** A section that says something this version does not do: skipped if that was asked for, else a problem. */
  refuse(place: Node, section: string): void {
    if (!this.skipUnsupported) {
      this.document.report(
        place,
        `${section} is not supported yet`,
        'it to be empty, or --config.skip-unsupported to start without it',
      )
    } else this.skip(section)
  }

  skip(section: string): void {
    if (!this.unsupported.includes(section)) this.unsupported.push(section)
  }

  /**
   * Whether a node says nothing at all: null, '', an empty list or mapping, or one of nothing but such. The
   * sample file that comes with Prometheus has an Alertmanager without targets; it must not count as one.
   */
  saysNothing(node: Node | undefined, isFalseNothing = false, above: readonly Node[] = []): boolean {
    const target = this.document.present(node)
    if (target === undefined) return true
    // An alias inside of what it stands for: it adds nothing.
    if (above.includes(target)) return true
    const below = [...above, target]
    if (isSeq(target)) {
      return (target.items as Node[]).every((item) => this.saysNothing(item, isFalseNothing, below))
    }
    if (isMap(target)) {
      return (target.items as Pair<Node, Node | null>[]).every((pair) =>
        this.saysNothing(pair.value ?? undefined, isFalseNothing, below),
      )
    }
    if (!isScalar(target)) return false
    return target.value === '' || (isFalseNothing && /^(false|no|off|n)$/i.test(target.source ?? ''))
  }

  /** A mapping of label names to values; a null value is the empty one. Names are checked, then sorted. */
  labels(
    node: Node | undefined,
    scheme: NameValidationScheme,
    map: (value: string) => string = (v) => v,
  ): Labels {
    const labels: Record<string, string> = Object.create(null)
    for (const [name, entry] of this.document.entries(node, 'map[string]string') ?? []) {
      if (!(scheme === 'legacy' ? isLegacyLabelName(name) : isUtf8Name(name))) {
        this.document.report(
          entry.key,
          `${quoteGo(name)} is not a valid label name`,
          labelNameExpected(scheme),
        )
        continue
      }
      const value = this.document.present(entry.value)
      if (value !== undefined && !isScalar(value)) {
        this.document.report(entry.value!, `cannot unmarshal ${describe(value)} into string`, 'a string')
        continue
      }
      const text = value === undefined ? '' : String(value.value ?? '')
      if (!text.isWellFormed()) {
        this.document.report(entry.value!, `${quoteGo(text)} is not a valid label value`, 'valid UTF-8')
        continue
      }
      labels[name] = map(text)
    }
    const names = Object.keys(labels).sort(compareUtf8)
    return new Labels(names.filter((name) => labels[name] !== '').flatMap((name) => [name, labels[name]]))
  }

  /** Undefined when not set. `where` ends the message: `for global config`. */
  scrapeProtocols(section: Section, where: string): ScrapeProtocol[] | undefined {
    const names = section.strings('scrape_protocols')
    if (names === undefined) return undefined
    const expected = `different ones of ${SCRAPE_PROTOCOLS.join(', ')}`
    if (names.length === 0) {
      section.report('scrape_protocols', `scrape_protocols cannot be empty ${where}`, expected)
      return undefined
    }
    const seen = new Set<string>()
    for (const name of names) {
      if (seen.has(name.toLowerCase())) {
        const what = `duplicated protocol in scrape_protocols, got [${names.join(' ')}] ${where}`
        section.report('scrape_protocols', what, expected)
        return undefined
      }
      seen.add(name.toLowerCase())
      if (!isScrapeProtocol(name)) {
        section.report('scrape_protocols', `scrape_protocols: ${unknownProtocol(name)} ${where}`)
        return undefined
      }
    }
    return names as ScrapeProtocol[]
  }
}

export function isScrapeProtocol(name: string): name is ScrapeProtocol {
  return (SCRAPE_PROTOCOLS as readonly string[]).includes(name)
}

export function unknownProtocol(name: string): string {
  return `unknown scrape protocol ${name}, supported: [${SCRAPE_PROTOCOLS.join(' ')}]`
}

/** A limit that is not set, or 0, is the one inherited. */
export function readLimits(section: Section, inherited: ScrapeLimits): ScrapeLimits {
  return {
    bodySizeLimit: section.parsed('body_size_limit', parseLimit, SIZE_EXPECTED) || inherited.bodySizeLimit,
    sampleLimit: section.uint('sample_limit') || inherited.sampleLimit,
    labelLimit: section.uint('label_limit') || inherited.labelLimit,
    labelNameLengthLimit: section.uint('label_name_length_limit') || inherited.labelNameLengthLimit,
    labelValueLengthLimit: section.uint('label_value_length_limit') || inherited.labelValueLengthLimit,
    targetLimit: section.uint('target_limit') || inherited.targetLimit,
    keepDroppedTargets: section.uint('keep_dropped_targets') || inherited.keepDroppedTargets,
  }
}

function parseLimit(text: string): number {
  const bytes = parseSize(text)
  if (bytes < 0) throw new Error(`negative size ${text}`)
  return bytes
}

export function readValidationScheme(section: Section): NameValidationScheme | undefined {
  return section.choice(
    'metric_name_validation_scheme',
    ['utf8', 'legacy'],
    (text) => `unrecognized ValidationScheme: ${quoteGo(text)}`,
  )
}

/** `whose` is `global` or `scrape config`, for the message. */
export function readEscapingScheme(section: Section, whose: string): NameEscapingScheme | undefined {
  const names = "'allow-utf-8', 'underscores', 'dots', or 'values'"
  return section.choice(
    'metric_name_escaping_scheme',
    ESCAPING_SCHEMES,
    (text) =>
      `unknown ${whose} name escaping method specified, must be one of ${names}, got ${quoteGo(text)}`,
  )
}

function labelNameExpected(scheme: NameValidationScheme): string {
  return scheme === 'legacy' ? 'letters, digits and _, not starting with a digit' : 'a name in valid UTF-8'
}
