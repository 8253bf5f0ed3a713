/** What a page may be written in: what we ask for, and what the answer says it is. */

import { quoteString } from '../../promql/syntax/go-format.ts'
import type { NameEscapingScheme, ScrapeProtocol } from '../config/model.ts'

export type ExpositionMediaType =
  | 'text/plain'
  | 'application/openmetrics-text'
  | 'application/vnd.google.protobuf'

const ACCEPT: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto:
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
}

const MEDIA_TYPES: Readonly<Record<ScrapeProtocol, ExpositionMediaType>> = {
  PrometheusProto: 'application/vnd.google.protobuf',
  'OpenMetricsText1.0.0': 'application/openmetrics-text',
  'OpenMetricsText0.0.1': 'application/openmetrics-text',
  'PrometheusText1.0.0': 'text/plain',
  'PrometheusText0.0.4': 'text/plain',
}

/** The protocols that this version reads. Others are not offered, so that no exporter chooses them. */
const OFFERED: ReadonlySet<ScrapeProtocol> = new Set(['PrometheusText1.0.0', 'PrometheusText0.0.4'])

/** With these the names may need escaping, so the header says how. */
const WITH_ESCAPING: ReadonlySet<ScrapeProtocol> = new Set(['PrometheusText1.0.0', 'OpenMetricsText1.0.0'])

/** The Accept header: the offered protocols in the order configured, each a tenth less wanted than the one before. */
export function acceptHeader(
  protocols: readonly ScrapeProtocol[],
  escaping: NameEscapingScheme,
  offered: ReadonlySet<ScrapeProtocol> = OFFERED,
): string {
  let weight = Object.keys(ACCEPT).length + 1
  const ranges: string[] = []
  for (const protocol of protocols) {
    if (!offered.has(protocol)) continue
    const parameter = WITH_ESCAPING.has(protocol) ? `;escaping=${escaping}` : ''
    ranges.push(`${ACCEPT[protocol]}${parameter};q=0.${weight}`)
    weight--
  }
  ranges.push(`*/*;q=0.${weight}`)
  return ranges.join(',')
}

export interface NegotiatedType {
  mediaType: ExpositionMediaType
  /** Why the fallback was taken; undefined when the answer said what it is. */
  warning: string | undefined
}

/**
 * What a page is, by the Content-Type of the answer ('' when there was none); where that says nothing usable, by
 * the configured fallback. Throws Error with upstream's text when there is no fallback either.
 */
export function negotiateType(contentType: string, fallback: ScrapeProtocol | undefined): NegotiatedType {
  const fallbackType = fallback === undefined ? '' : MEDIA_TYPES[fallback]
  const using = `using fallback_scrape_protocol ${quoteString(fallbackType)}`
  const otherwise = (fault: string, warning: string): NegotiatedType => {
    if (fallbackType === '') throw new Error(fault)
    return { mediaType: fallbackType, warning }
  }
  if (contentType === '') {
    const blank = 'non-compliant scrape target sending blank Content-Type'
    return otherwise(`${blank} and no fallback_scrape_protocol specified for target`, `${blank}, ${using}`)
  }
  const quoted = quoteString(contentType)
  const parsed = parseMediaType(contentType)
  if (parsed.fault !== undefined) {
    return otherwise(
      `cannot parse Content-Type ${quoted} and no fallback_scrape_protocol for target\n${parsed.fault}`,
      `could not parse received Content-Type ${quoted}, ${using}\n${parsed.fault}`,
    )
  }
  const known = Object.values(MEDIA_TYPES).find((type) => type === parsed.mediaType)
  if (known !== undefined) return { mediaType: known, warning: undefined }
  const unsupported = `received unsupported Content-Type ${quoted}`
  return otherwise(
    `${unsupported} and no fallback_scrape_protocol specified for target`,
    `${unsupported}, ${using}`,
  )
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"
const SUBTYPE = new RegExp(`^(${TOKEN}*)(/?)(${TOKEN}*)(.*)$`, 's')
const PARAMETER = new RegExp(
  `^\\s*;\\s*(${TOKEN}+)\\s*=\\s*(?:(${TOKEN}+)|"((?:\\\\[^\\r\\n]|[^"\\r\\n])*)")`,
  's',
)

/** The type without its parameters, which must be well-formed all the same. The faults are those of Go's mime. */
function parseMediaType(text: string): { mediaType: string; fault: string | undefined } {
  const semicolon = text.indexOf(';')
  const mediaType = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase()
  return {
    mediaType,
    fault: typeFault(mediaType) ?? (semicolon < 0 ? undefined : parametersFault(text.slice(semicolon))),
  }
}

function typeFault(mediaType: string): string | undefined {
  const [, type, slash, subtype, rest] = SUBTYPE.exec(mediaType)!
  if (type === '') return 'mime: no media type'
  if (slash === '') return rest === '' ? undefined : 'mime: expected slash after first token'
  if (subtype === '') return 'mime: expected token after slash'
  return rest === '' ? undefined : 'mime: unexpected content after media subtype'
}

function parametersFault(text: string): string | undefined {
  const values = new Map<string, string>()
  let rest = text.trimStart()
  while (rest !== '') {
    const parameter = PARAMETER.exec(rest)
    // A semicolon at the end is forgiven.
    if (parameter === null) return rest.trim() === ';' ? undefined : 'mime: invalid media parameter'
    const name = parameter[1].toLowerCase()
    const value = parameter[2] ?? parameter[3]
    if ((values.get(name) ?? value) !== value) return 'mime: duplicate parameter name'
    values.set(name, value)
    rest = rest.slice(parameter[0].length).trimStart()
  }
  return undefined
}
