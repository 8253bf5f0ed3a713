// Goal: what we offer, and which answers are read as what. Method: tables.
import { describe, expect, it } from 'vitest'
import type { ScrapeProtocol } from '../../src/config/model.ts'
import { acceptHeader, negotiateType } from '../../src/exposition/content-type.ts'

const all: ScrapeProtocol[] = [
  'PrometheusProto',
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
]

describe('acceptHeader', () => {
  it('offers what is read', () => {
    expect(acceptHeader(all, 'allow-utf-8')).toBe(
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4',
    )
  })

  it('keeps the order configured, and the escaping', () => {
    expect(acceptHeader(['PrometheusText0.0.4', 'PrometheusText1.0.0'], 'underscores')).toBe(
      'text/plain;version=0.0.4;q=0.6,text/plain;version=1.0.0;escaping=underscores;q=0.5,*/*;q=0.4',
    )
    expect(acceptHeader(['OpenMetricsText1.0.0'], 'dots')).toBe('*/*;q=0.6')
  })

  it('is what upstream sends where all are read', () => {
    expect(acceptHeader(all.slice(1), 'allow-utf-8', new Set(all))).toBe(
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
        'application/openmetrics-text;version=0.0.1;q=0.5,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    )
  })
})

const blank = 'non-compliant scrape target sending blank Content-Type'

describe('negotiateType', () => {
  it.each([
    ['text/plain', 'text/plain'],
    ['text/plain; version=0.0.4; charset=utf-8', 'text/plain'],
    ['TEXT/Plain;version=9', 'text/plain'],
    ['text/plain;', 'text/plain'],
    ['text/plain; a="b;c"; a="b;c"', 'text/plain'],
    ['application/openmetrics-text; version=1.0.0', 'application/openmetrics-text'],
    ['application/vnd.google.protobuf; proto=x; encoding=delimited', 'application/vnd.google.protobuf'],
  ])('%j is %s', (contentType, mediaType) => {
    expect(negotiateType(contentType, undefined)).toEqual({ mediaType, warning: undefined })
    expect(negotiateType(contentType, 'PrometheusProto')).toEqual({ mediaType, warning: undefined })
  })

  it.each([
    ['', `${blank} and no fallback_scrape_protocol specified for target`],
    [
      'text/html',
      'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target',
    ],
    ['text', 'received unsupported Content-Type "text" and no fallback_scrape_protocol specified for target'],
    ...[
      [';', 'mime: no media type'],
      ['text/', 'mime: expected token after slash'],
      ['text plain', 'mime: expected slash after first token'],
      ['text/plain x', 'mime: unexpected content after media subtype'],
      ['text/plain; version', 'mime: invalid media parameter'],
      ['text/plain; a=1; a=2', 'mime: duplicate parameter name'],
    ].map(([text, fault]) => [
      text,
      `cannot parse Content-Type "${text}" and no fallback_scrape_protocol for target\n${fault}`,
    ]),
  ])('%j without a fallback fails', (contentType, message) => {
    expect(() => negotiateType(contentType, undefined)).toThrow(new Error(message))
  })

  it.each([
    ['', 'PrometheusText0.0.4', 'text/plain', `${blank}, using fallback_scrape_protocol "text/plain"`],
    [
      'text/html',
      'OpenMetricsText1.0.0',
      'application/openmetrics-text',
      'received unsupported Content-Type "text/html", using fallback_scrape_protocol "application/openmetrics-text"',
    ],
    [
      'text/',
      'PrometheusText1.0.0',
      'text/plain',
      'could not parse received Content-Type "text/", using fallback_scrape_protocol "text/plain"\nmime: expected token after slash',
    ],
  ] as const)('%j with fallback %s is %s', (contentType, fallback, mediaType, warning) => {
    expect(negotiateType(contentType, fallback)).toEqual({ mediaType, warning })
  })
})
