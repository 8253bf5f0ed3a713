/** Payloads of real exporters, and seeded damage to them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Prng } from './prng.ts'

/** Recorded pages beside the repository; a user's clone has none. */
const PAYLOADS = '../shared/data/exposition'

/** Pages in the text format, with the samples that each has. */
export const TEXT_PAYLOADS: Readonly<Record<string, number>> = {
  'k8s-1.35/kube-apiserver.prom': 22_853,
  'k8s-1.35/kubelet-cadvisor.prom': 4_621,
  'k8s-1.35/kube-scheduler.prom': 2_334,
  'k8s-1.35/kube-controller-manager.prom': 2_852,
  'k8s-1.35/kube-state-metrics.prom': 1_698,
  'k8s-1.35/etcd.prom': 1_461,
  'node-exporter-e2e-output.prom': 3_027,
  'textparse-alltypes.237mfs.prom.txt': 1_857,
  'prometheus-2.42-self.prom': 351,
  'node-exporter-1.5-live.prom': 267,
}

export function havePayloads(): boolean {
  return existsSync(PAYLOADS)
}

export function readPayload(name: string): Buffer {
  return readFileSync(join(PAYLOADS, name))
}

/** Stands in where there are no recorded pages. */
const BUILT_IN = `# HELP http_requests_total Requests, with a \\\\ and a \\n in the text.
# TYPE http_requests_total counter
http_requests_total{code="200",method="get"} 1027 1395066363000
http_requests_total{code="400",method="post",} 3
# a comment
# TYPE rpc_seconds histogram
rpc_seconds_bucket{le="0.5"} 24054
rpc_seconds_bucket{le="1"} 33444
rpc_seconds_bucket{le="+Inf"} 144320
rpc_seconds_sum 53423.25
rpc_seconds_count 144320
# TYPE wait summary
wait{quantile="0.5",path="C:\\\\DIR\\"x\\"\\n"} 4.7e-05
wait_sum\t1.7560473e+07
# TYPE free gauge
free{unit="été 😀"} -1.25e-7
free NaN
empty{} +Inf

last 0.12345678901234568 0
`

/** Damages runs of lines of the payloads, or of a built-in page where there are none. */
export class ExpositionMutator {
  private readonly random: Prng
  private readonly pages: readonly (readonly string[])[]

  constructor(random: Prng) {
    this.random = random
    const pages = [BUILT_IN, BUILT_IN]
    if (havePayloads()) {
      for (const name of Object.keys(TEXT_PAYLOADS)) pages.push(readPayload(name).toString('latin1'))
    }
    this.pages = pages.map((page) => page.split('\n'))
  }

  /** A run of up to `linesMax` lines with one to four damages; one in twenty stays whole. */
  next(linesMax: number): Buffer {
    const { random } = this
    let page = this.excerpt(linesMax)
    if (!random.chance(0.05)) {
      for (let damages = random.int(1, 4); damages > 0; damages--) page = this.damage(page)
    }
    return Buffer.from(page, 'latin1')
  }

  /** A run of up to `linesMax` lines as they were recorded. */
  excerpt(linesMax: number): string {
    const lines = this.random.pick(this.pages)
    const count = Math.min(this.random.int(1, linesMax), lines.length)
    const first = this.random.int(0, lines.length - count)
    return `${lines.slice(first, first + count).join('\n')}\n`
  }

  /** One damage, to a page as latin1. */
  damage(page: string): string {
    const { random } = this
    const at = random.int(0, page.length)
    const length = random.chance(0.8) ? 1 : random.int(1, 12)
    const lines = page.split('\n')
    const line = random.int(0, lines.length - 1)
    switch (random.int(0, 12)) {
      case 0: {
        const code = page.charCodeAt(Math.min(at, page.length - 1)) ^ (1 << random.int(0, 7))
        return page.slice(0, at) + String.fromCharCode(code & 255) + page.slice(at + 1)
      }
      case 1:
      case 2:
      case 3:
        return page.slice(0, at) + random.pick(SNIPPETS) + page.slice(at)
      case 4:
        return page.slice(0, at) + page.slice(at + length)
      case 5:
        return page.slice(0, at + length) + page.slice(at)
      case 6:
        return page.slice(0, at)
      case 7:
        lines.splice(line, 0, lines[random.int(0, lines.length - 1)])
        return lines.join('\n')
      case 8:
        lines.splice(line, 1)
        return lines.join('\n')
      case 9:
        lines[line] += '\r'
        return lines.join('\n')
      case 10:
        lines[line] = lines[line].replace(/[^ \t]+$/, () => random.pick(NUMBERS))
        return lines.join('\n')
      case 11:
        lines[line] = random.pick(LINES)
        return lines.join('\n')
      default:
        lines[line] = lines[line].replace(/"[^"]*"/, () => `"${random.pick(SNIPPETS)}"`)
        return lines.join('\n')
    }
  }
}

const SNIPPETS = [
  ...[
    '\0',
    '\0\0',
    '\r',
    '\n',
    '\t',
    ' ',
    '  ',
    '\\',
    '\\\\',
    '\\"',
    '\\n',
    '\\x',
    '"',
    '{',
    '}',
    ',',
    '=',
    '#',
    '# ',
  ],
  ...[
    '\xff',
    '\xc3\xa9',
    '\xf0\x9f\x98\x80',
    '\xed\xa0\x80',
    '\xc0\x80',
    ':',
    '-',
    '+',
    '.',
    '0',
    '_',
    'e',
    '\x01',
    '\x7f',
  ],
  ...[
    ' 1',
    ' -1',
    ' 123456789',
    'a="b"',
    ',a="b",',
    '="',
    '"}',
    '{}',
    '{"a"',
    '"a"',
    '"a"="b"',
    ',,',
    '" "',
    'le="1"',
  ],
]

const NUMBERS = [
  ...[
    '0',
    '-0',
    '+1',
    '1.',
    '.5',
    '.',
    '1e5',
    '1E+5',
    '1e',
    '1e999',
    '-1e999',
    '1e-999',
    '4.9e-324',
    '2.5e-324',
    '0x1p3',
  ],
  ...[
    '0x10',
    '1_000',
    'NaN',
    'nan',
    '-nan',
    '+Inf',
    '-inf',
    'Infinity',
    'infinite',
    '1,5',
    '1.5.5',
    '--1',
    '1e5.5',
    '1p5',
  ],
  ...[
    '9007199254740993',
    '123456789012345678',
    '0.1234567890123456789',
    '1.7976931348623157e308',
    '1.7976931348623159e308',
  ],
  ...[
    '1e22',
    '1e23',
    '123456789012345e22',
    '1 2',
    '1 2 3',
    '1 -2',
    '1 2.5',
    '1 99999999999999999999',
    '1 9223372036854775807',
  ],
  ...[
    '1 0000000000000000000000007',
    '1 1e3',
    '1 +2',
    '1 2 ',
    '1\t2\t',
    '1 9223372036854775808',
    '000000000000000000001',
  ],
]

const LINES = [
  ...[
    '# TYPE a counter',
    '# TYPE a histogram',
    '# TYPE a summary',
    '# TYPE a unknown',
    '# TYPE a info',
    '# TYPE a counter ',
  ],
  ...[
    '# TYPE a',
    '# TYPE',
    '# TYPE ',
    '#TYPE a b',
    '#\tTYPE\ta\tgauge',
    ' # TYPE a gauge',
    '# TYPE a-gauge',
    '# TYPE a Gauge',
  ],
  ...[
    '# HELP',
    '# HELP ',
    '# HELP a',
    '# HELP a ',
    '# HELP a  b',
    '# HELP a{} b',
    '# HELP 1 b',
    '# HELP a \xff',
    '# HELPx a',
  ],
  ...[
    '# H\0ELP a b',
    '# \0',
    '#\0',
    '# x\0',
    '# HELP a\0 b',
    '# HELP a \0',
    '# HELP "a" b',
    '# TYPE "a\\"b" gauge',
    '# UNIT a b',
  ],
  ...[
    'a',
    'a ',
    ' a 1',
    'a\t1',
    'a{}1',
    'a{ } 1',
    'a {} 1',
    'a{b="c"}1',
    'a{b = "c" , } 1',
    'a{b="c" d="e"} 1',
    'a{,} 1',
  ],
  ...[
    'a{b="c",,} 1',
    'a{b="c"',
    'a{b=c} 1',
    "a{b='c'} 1",
    'a{b} 1',
    'a{="c"} 1',
    'a{1b="c"} 1',
    'a{b:c="d"} 1',
    'a{b="c"} {} 1',
  ],
  ...[
    'a{b="c\\"} 1',
    'a{b="\0c"} 1',
    'a{b="c"\0} 1',
    'a{b=\0"c"} 1',
    'a{b= \0"c"} 1',
    'a{b="",b="x"} 1',
    'a{__name__="b"} 1',
  ],
  ...[
    '{a="b"} 1',
    '{} 1',
    '{"a"} 1',
    '{"a",b="c"} 1',
    '{b="c","a"} 1',
    '{"a b"="c","d"} 1',
    '{"a","b"} 1',
    'a{"b"} 1',
    '{"a" 1',
  ],
  ...[
    'a:b 1',
    '1a 1',
    'a-b 1',
    '\xc3\xa9 1',
    'a{b="\\\n"} 1',
    'a{b="x\ny"} 1',
    '',
    ' ',
    '\t',
    '\0',
    ' \0',
    'a\0 1',
    'a 1\0',
  ],
]
