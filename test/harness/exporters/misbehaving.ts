/**
 * An exporter that does what exporters should not. Each misbehaviour is a job and a path of its own, with a
 * round of pages: scrape n of a reader gets page n modulo the round's length, whenever it comes. Readers are
 * told apart by their User-Agent.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { HttpTarget } from '../http-target.ts'

export interface Page {
  body: string | Buffer
  status?: number
  /** Instead of the usual content type; null sends none. */
  contentType?: string | null
  encoding?: string
  location?: string
  delayMs?: number
  /** Closes the connection without the end of the body. */
  breaksOff?: boolean
}

export interface Misbehaviour {
  name: string
  /** Further lines of the job, in YAML. */
  config?: readonly string[]
  /** Further targets beside the exporter itself. */
  targets?: readonly string[]
  /** `nowMs` is when the request came. */
  round: readonly ((nowMs: number) => Page)[]
}

const TEXT = 'text/plain; version=0.0.4'

const text = (...lines: string[]) => always({ body: `${lines.join('\n')}\n` })

function always(page: Page): () => Page {
  return () => page
}

const GOOD = text('a 1', 'b{x="1"} 2', 'b{x="2"} 3')
const MANY = text('a 1', 'b{x="1"} 2', 'b{x="2"} 3', 'c 4', 'd 5', 'e 6')

/** A sample that says of when it is. */
const timed = (line: string, ageMs: number) => (nowMs: number) => `${line} ${nowMs - ageMs}`

function timedText(...lines: ((nowMs: number) => string)[]): (nowMs: number) => Page {
  return (nowMs) => ({ body: `${lines.map((line) => line(nowMs)).join('\n')}\n` })
}

const plain = (line: string) => () => line

const HOUR_MS = 3_600_000

export const MISBEHAVIOURS: readonly Misbehaviour[] = [
  { name: 'well_behaved', round: [GOOD] },
  {
    name: 'duplicate_lines',
    round: [text('a 1', 'a 1', 'b{x="1"} 1', 'b{x="1"} 2', 'c 3'), text('a 2', 'c 4', 'c 5')],
  },
  {
    name: 'same_series_written_differently',
    round: [text('m{a="1",b="2"} 1'), text('m{b="2",a="1"} 2'), text('m{a="1",b="2",c=""} 3', 'n 1')],
  },
  {
    name: 'label_conflicts',
    round: [
      text('m{job="own",instance="here"} 1', 'm{job="own",exported_job="old"} 2', 'm{exported_job="only"} 3'),
    ],
  },
  {
    name: 'label_conflicts_honored',
    config: ['honor_labels: true'],
    round: [
      text(
        'honored{honored="label_conflicts_honored",job="own"} 1',
        'honored{honored="label_conflicts_honored",job="",instance=""} 2',
        'honored{honored="label_conflicts_honored",instance="here",exported_job="x"} 3',
        'honored{honored="label_conflicts_honored"} 4',
      ),
    ],
  },
  {
    name: 'own_timestamps',
    round: [
      timedText(timed('a 1', 2000), timed('b{x="1"} 2', 2000), plain('c 3')),
      timedText(timed('a 2', 2000), plain('c 4')),
      timedText(timed('b{x="1"} 5', 2000), timed('c 6', 2000)),
    ],
  },
  {
    name: 'own_timestamps_not_honored',
    config: ['honor_timestamps: false'],
    round: [timedText(timed('a 1', 9000), timed('b 2', -9000)), timedText(timed('b 3', 9000))],
  },
  {
    name: 'own_timestamps_out_of_bounds',
    round: [
      timedText(
        timed('late 1', 2 * HOUR_MS),
        // An hour would be just at the bound, which moves with what others bring.
        timed('early 2', -HOUR_MS - 60_000),
        timed('fine 3', 0),
        plain('plain 4'),
      ),
      timedText(timed('late 5', 2 * HOUR_MS), timed('back 6', 0), timed('back 7', 2000), plain('plain 8')),
    ],
  },
  { name: 'sample_limit', config: ['sample_limit: 3'], round: [GOOD, MANY, GOOD, GOOD, MANY] },
  {
    name: 'sample_limit_after_relabelling',
    config: [
      'sample_limit: 4',
      "metric_relabel_configs: [{source_labels: [__name__], regex: '[ab]', action: drop}]",
    ],
    round: [MANY, GOOD, text('c 1', 'd 2', 'e 3', 'f 4', 'g 5', 'a 6')],
  },
  {
    name: 'label_limit',
    config: ['label_limit: 4'],
    round: [GOOD, text('a 1', 'b{x="1",y="2"} 2', 'c 3'), GOOD],
  },
  {
    name: 'label_name_length_limit',
    config: ['label_name_length_limit: 12'],
    round: [GOOD, text('a 1', 'b{rather_long_name="1"} 2', 'c 3'), GOOD],
  },
  {
    name: 'label_value_length_limit',
    config: ['label_value_length_limit: 40'],
    round: [GOOD, text('a 1', `b{x="${'v'.repeat(41)}"} 2`, 'c 3'), GOOD, text(`b{x="${'v'.repeat(40)}"} 2`)],
  },
  {
    name: 'body_size_limit',
    config: ['body_size_limit: 100B'],
    round: [
      GOOD,
      always({ body: `a 1\n#${'.'.repeat(95)}\n` }),
      always({ body: `a 1\n#${'.'.repeat(94)}\n` }),
      always({ body: `a 1\n#${'.'.repeat(500)}\nb 2\n` }),
    ],
  },
  {
    name: 'body_size_limit_gzip',
    config: ['body_size_limit: 100B'],
    round: [GOOD, always({ body: gzipSync(`a 1\n#${'.'.repeat(500)}\n`), encoding: 'gzip' })],
  },
  { name: 'empty_body', round: [GOOD, always({ body: '' }), GOOD, GOOD] },
  { name: 'status_500', round: [GOOD, always({ body: 'a 1\n', status: 500 }), GOOD, GOOD] },
  { name: 'status_204', round: [GOOD, always({ body: '', status: 204 })] },
  {
    name: 'truncated_gzip',
    round: [
      always({ body: gzipSync('a 1\nb{x="1"} 2\n'), encoding: 'gzip' }),
      always({ body: gzipSync('a 1\nb{x="1"} 2\n').subarray(0, -9), encoding: 'gzip' }),
      always({ body: gzipSync('a 1\nb{x="1"} 2\n').subarray(0, 6), encoding: 'gzip' }),
      always({ body: 'a 1\nb{x="1"} 2\n', encoding: 'gzip' }),
    ],
  },
  {
    name: 'broken_off',
    round: [GOOD, always({ body: 'a 1\nb{x="1"} 2\n', breaksOff: true }), GOOD],
  },
  {
    name: 'too_slow',
    config: ['scrape_timeout: 300ms'],
    round: [GOOD, () => ({ ...GOOD(), delayMs: 600 }), GOOD, GOOD],
  },
  {
    name: 'come_and_go',
    round: [
      text('a 1', 'b{x="1"} 1', 'c 1'),
      text('b{x="1"} 2', 'd 2'),
      text('a 3', 'd 3'),
      text('a 4', 'b{x="2"} 4', 'c 4'),
      always({ body: '# nothing but a comment\n' }),
    ],
  },
  {
    name: 'syntax_errors',
    round: [
      GOOD,
      text('a 1', 'b 2 3 4'),
      text('a 1', 'b{x="1" 2', 'c 3'),
      text('a 1', 'b 0x1p3'),
      text('a 1', 'b 1e999'),
      text('a 1', 'b 1\r', 'c 1'),
      text('a 1', 'b 1 -5'),
      text('a 1', '# TYPE b wrong', 'b 1'),
    ],
  },
  {
    name: 'strange_but_legal',
    round: [
      always({ body: 'a 1\n\n\n  \n#\n# a comment\nb{x="1",} 2\nc NaN\nd +Inf\ne -Inf\nf 1' }),
      always({ body: 'a\t1\t\nb { x = "1" , y = "" } 2\nc nan\nd Inf\ne{x="\\"\\\\\\n\\q"} 3' }),
    ],
  },
  { name: 'redirect_followed', round: [always({ body: '', status: 302, location: '/elsewhere' }), GOOD] },
  {
    name: 'redirect_refused',
    config: ['follow_redirects: false'],
    round: [always({ body: '', status: 302, location: '/elsewhere' }), GOOD],
  },
  {
    name: 'name_relabelled_away',
    config: ['metric_relabel_configs: [{regex: __name__, action: labeldrop}]'],
    round: [GOOD],
  },
  {
    name: 'all_relabelled_away',
    config: ['metric_relabel_configs: [{source_labels: [__name__], action: drop}]'],
    round: [GOOD],
  },
  {
    name: 'made_equal_by_relabelling',
    config: ['metric_relabel_configs: [{regex: x, action: labeldrop}]'],
    round: [GOOD, text('b{x="2"} 7', 'b{x="1"} 8'), text('a 1')],
  },
  {
    name: 'target_limit',
    config: ['target_limit: 1'],
    targets: ['127.0.0.1:9'],
    round: [GOOD],
  },
  {
    name: 'nobody_listens',
    config: ["relabel_configs: [{target_label: __address__, replacement: '127.0.0.1:9'}]"],
    round: [GOOD],
  },
  { name: 'content_type_html', round: [always({ body: 'a 1\n', contentType: 'text/html' }), GOOD] },
  { name: 'content_type_blank', round: [always({ body: 'a 1\n', contentType: null }), GOOD] },
  { name: 'content_type_garbage', round: [always({ body: 'a 1\n', contentType: 'text plain;;' }), GOOD] },
]

export class MisbehavingExporter {
  private readonly served = new Map<string, number>()
  private readonly agents = new Set<string>()
  private target: HttpTarget | undefined

  static async start(): Promise<MisbehavingExporter> {
    const exporter = new MisbehavingExporter()
    exporter.target = await HttpTarget.start((request, response) => exporter.answer(request, response))
    return exporter
  }

  get address(): string {
    return this.target!.address
  }

  /** User-Agents that have asked. */
  get readers(): string[] {
    return [...this.agents]
  }

  /** How many pages of this misbehaviour the reader was given. */
  servedTo(reader: string, name: string): number {
    return this.served.get(`${reader} /${name}`) ?? 0
  }

  stop(): Promise<void> {
    return this.target!.stop()
  }

  /** A whole configuration in which each misbehaviour is a job. */
  config(interval: string): string {
    const jobs = MISBEHAVIOURS.map(({ name, config = [], targets = [] }) => {
      const all = [this.address, ...targets].map((target) => `'${target}'`).join(', ')
      return [
        `- job_name: ${name}`,
        `metrics_path: /${name}`,
        `static_configs: [{targets: [${all}]}]`,
        ...config,
      ].join('\n  ')
    })
    return `global:\n  scrape_interval: ${interval}\nscrape_configs:\n${jobs.join('\n')}\n`
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '/'
    if (path === '/elsewhere') {
      send(response, { body: 'elsewhere 1\n' })
      return
    }
    const reader = request.headers['user-agent'] ?? ''
    this.agents.add(reader)
    const key = `${reader} ${path}`
    const n = this.served.get(key) ?? 0
    this.served.set(key, n + 1)
    const { round } = MISBEHAVIOURS.find(({ name }) => path === `/${name}`)!
    const page = round[n % round.length](Date.now())
    if (page.delayMs === undefined) send(response, page)
    else setTimeout(() => send(response, page), page.delayMs)
  }
}

function send(response: ServerResponse, page: Page): void {
  const body = Buffer.from(page.body)
  response.statusCode = page.status ?? 200
  if (page.contentType !== null) response.setHeader('content-type', page.contentType ?? TEXT)
  if (page.encoding !== undefined) response.setHeader('content-encoding', page.encoding)
  if (page.location !== undefined) response.setHeader('location', page.location)
  if (page.breaksOff !== true) {
    response.end(body)
    return
  }
  response.setHeader('content-length', body.length + 100)
  response.write(body, () => response.destroy())
}
