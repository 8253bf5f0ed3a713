// Goal: this server's targets come out of relabelling with the labels that they have in Debian's Prometheus 2.42.
// Method: 300 jobs with one target each, random labels and random rules, which never need to be scraped, in one
// configuration that both servers run with; the answers of both to /api/v1/targets.
//
// Kept out, because the versions differ by design or the answer depends on chance:
//   values with newlines                  the dot matches them since 3.0 only
//   names outside [a-zA-Z_][a-zA-Z0-9_]*  UTF-8 names came with 3.0
//   `${` without its end in a target      3.0 checks it by the UTF-8 rule
//   an empty result for a target with `$`  until 3.0 the target as written was deleted, not as expanded
//   labelmap with two sources of one name which wins depends on the order of a Go map
//   three labels about histograms         that targets have before relabelling since 3.x, and labelmap copies
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRelabelRule, type RelabelFields } from '../../src/relabel/build.ts'
import { relabel } from '../../src/relabel/relabel.ts'
import { Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import { ApiClient, type ApiTarget } from '../harness/api-client.ts'
import { type PrometheusPeer, startPrometheus } from '../harness/peer.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'
import { type RunningNarthex, startNarthex } from '../harness/server.ts'

const JOBS = 300
const ADDRESS = '127.0.0.1:1'
const FOUND_WITHIN_MS = 60_000

interface Case {
  job: string
  labels: Record<string, string>
  rules: RelabelFields[]
}

interface Targets {
  activeTargets: ApiTarget[]
  droppedTargets: unknown[]
}

const seed = testSeed()
const cases: Case[] = []
let keptOut = 0
let peer: PrometheusPeer
let server: RunningNarthex

beforeAll(async () => {
  const random = prng(seed)
  while (cases.length < JOBS) {
    const one = randomCase(random, `job-${cases.length}`)
    if (needsUtf8Names(one)) keptOut++
    else cases.push(one)
  }
  const config = configuration()
  ;[peer, server] = await Promise.all([startPrometheus({ config }), startNarthex({ config })])
}, 60_000)

afterAll(async () => {
  await Promise.all([peer?.stop(), server?.stop()])
}, 60_000)

describe('relabelling', () => {
  it(`is Prometheus' own in ${JOBS} random chains`, { timeout: 2 * FOUND_WITHIN_MS }, async () => {
    const [theirs, ours] = await Promise.all([peer, server].map(({ url }) => settledTargets(url)))
    const found = byPool(ours)
    const expected = byPool(theirs)
    for (const { job, labels, rules } of cases) {
      const where = `SEED=${seed} ${job} ${JSON.stringify({ labels, rules })}`
      expect(found.get(job), where).toEqual(expected.get(job))
    }
    // By their number only: 2.42 spoils the discovered labels of a dropped target, the job's name too.
    expect(ours.droppedTargets.length, `SEED=${seed}`).toBe(theirs.droppedTargets.length)
    expect(found.size, `SEED=${seed}`).toBeGreaterThan(JOBS / 3)
    expect(ours.droppedTargets.length, `SEED=${seed}`).toBeGreaterThan(JOBS / 50)
    expect(keptOut, `SEED=${seed}`).toBeLessThan(JOBS / 2)
  })
})

const COPY_OF_NEW_LABEL =
  /__(?:convert_classic_histograms_to_nhcb|always_scrape_classic_histograms|scrape_native_histograms)__/

/** Without the labels as discovered: 3.x has more of them, and 2.42 shows some as relabelling left them. */
function byPool({ activeTargets }: Targets) {
  return new Map(
    activeTargets.map(({ scrapePool, labels, scrapeUrl }) => {
      const kept = Object.entries(labels).filter(([name]) => !COPY_OF_NEW_LABEL.test(name))
      return [scrapePool, { labels: Object.fromEntries(kept), scrapeUrl }]
    }),
  )
}

/** YAML is a superset of JSON. */
function configuration(): string {
  const scrape_configs = cases.map(({ job, labels, rules }) => ({
    job_name: job,
    scrape_interval: '1h',
    static_configs: [{ targets: [ADDRESS], labels }],
    relabel_configs: rules.map((rule) => ({
      source_labels: rule.sourceLabels,
      separator: rule.separator,
      regex: rule.regex,
      modulus: rule.modulus,
      target_label: rule.targetLabel,
      replacement: rule.replacement,
      action: rule.action,
    })),
  }))
  return JSON.stringify({ scrape_configs })
}

/** Waits until two answers in a row have as many: the pools are filled some seconds after the start. */
async function settledTargets(url: string): Promise<Targets> {
  const api = new ApiClient(url)
  const deadline = Date.now() + FOUND_WITHIN_MS
  let count = -1
  while (Date.now() < deadline) {
    const targets = await api.data<Targets>('/targets')
    const now = targets.activeTargets.length + targets.droppedTargets.length
    if (now > 0 && now === count) return targets
    count = now
    await sleep(2_000)
  }
  throw new Error(`SEED=${seed}: the targets did not settle within ${FOUND_WITHIN_MS} ms`)
}

/** Whether a rule makes a name that only 3.x allows: then the schemes of names give different labels. */
function needsUtf8Names(one: Case): boolean {
  return !isDeepStrictEqual(relabelled(one, 'legacy'), relabelled(one, 'utf8'))
}

function relabelled(
  { job, labels, rules }: Case,
  scheme: 'legacy' | 'utf8',
): Record<string, string> | 'dropped' {
  const discovered = {
    job,
    __address__: ADDRESS,
    __scheme__: 'http',
    __metrics_path__: '/metrics',
    __scrape_interval__: '1h',
    __scrape_timeout__: '10s',
  }
  const builder = new LabelsBuilder(Labels.from({ ...discovered, ...labels }))
  const isKept = relabel(
    builder,
    rules.map((rule) => makeRelabelRule(rule, scheme)),
  )
  return isKept ? builder.labels().toObject() : 'dropped'
}

const NAMES = ['a', 'b', 'c', 'd', 'instance', '__meta_x', '__meta_y_z', '__tmp', '__param_q', 'none']
const VALUES = [
  '',
  'foo',
  'bar',
  'Foo-Bar',
  '10.0.0.1:9100',
  'a;b',
  'x_1',
  'Straße ΣΑΣ',
  'ᾳŉİıﬁ',
  '$1',
  '😀é',
  'aaa',
  '0',
]
const PATTERNS = [
  ...[
    '(.*)',
    '(.+)',
    'foo|bar',
    '(foo|bar)',
    '([^:]+)(?::\\d+)?',
    '(?i)foo.*',
    '(a*)(a*)',
    '(.*);(.*)',
    '.*',
    'foo',
    '',
  ],
  ...[
    '(?P<first>[a-z]+)-?(?P<second>.*)',
    '(?P<n>f)?(?P<n>.)(.*)',
    '.*o',
    'f.+',
    '\\pL+',
    '[[:alpha:]]+.*',
    '(x|)(.*)',
    '^foo$',
  ],
]
const REPLACEMENTS = [
  '$1',
  '${1}',
  '$1-$2',
  '',
  'static',
  '$1x',
  '$$1',
  '${first}_$second',
  '$n',
  '$0',
  '$',
  'a$-b',
  '${1',
  '$01',
  '$2$1',
]
/** These never come out empty. */
const FULL_REPLACEMENTS = ['static', '$$1', 'a$-b', 'x$1', '<${first}>$2', '${1']
const TARGETS = ['a', 'b', 'e', 'instance', '__tmp', '${1}', 'x_$1', '${1}_$2', '$first', '__meta_x']
const NAME_PATTERNS = [
  '__meta_(.+)',
  '(.*)',
  '(a|b)',
  '([a-c])',
  '__.*',
  '__address__|__scrape.*|job|a',
  '[a-d]|job|__a.*|__s.*',
  'none',
]

function randomCase(random: Prng, job: string): Case {
  const labels: Record<string, string> = {}
  for (const name of NAMES.slice(0, -1)) if (random.chance(0.6)) labels[name] = random.pick(VALUES)
  const rules = Array.from({ length: random.int(1, 6) }, () => randomRule(random))
  return { job, labels, rules }
}

function randomRule(random: Prng): RelabelFields {
  const sourceLabels = Array.from({ length: random.int(0, 3) }, () => random.pick(NAMES))
  const source = random.chance(0.9) ? { sourceLabels } : {}
  const separator = random.chance(0.2) ? { separator: random.pick(['', '-', ';', '::']) } : {}
  const joined = { ...source, ...separator }
  const plainTarget = { targetLabel: random.pick(TARGETS.filter((target) => !target.includes('$'))) }
  const kind = random.int(0, 15)
  switch (kind) {
    case 0:
      return { ...joined, regex: random.pick(['.*', '.+', '.*o.*', '(foo|bar|).*']), action: 'keep' }
    case 1:
      return { ...joined, regex: random.pick(['foo', 'bar;.*', '[0-9].*', '.{3}']), action: 'drop' }
    case 2:
      return { ...source, ...plainTarget, action: random.pick(['keepequal', 'dropequal']) }
    case 3:
    case 4:
      return { ...joined, ...plainTarget, modulus: random.pick([1, 7, 1000, 2 ** 40]), action: 'hashmod' }
    case 5:
      return { regex: random.pick(NAME_PATTERNS), action: 'labeldrop' }
    case 6:
      return {
        regex: random.pick([
          '[a-d]|job|__.*',
          '.*',
          '(?:a|job|__address__|__scheme__|__metrics_path__|__scrape.*)',
        ]),
        action: 'labelkeep',
      }
    case 7:
    case 8:
      return {
        regex: random.pick(NAME_PATTERNS.filter((p) => p.includes('('))),
        replacement: random.pick(['m_$1', 'm_${1}_', 'x_$0']),
        action: 'labelmap',
      }
    case 9:
    case 10:
      return { ...joined, ...plainTarget, action: random.pick(['lowercase', 'UpperCase']) }
    default: {
      const targetLabel = random.pick(TARGETS)
      const replacement = random.pick(targetLabel.includes('$') ? FULL_REPLACEMENTS : REPLACEMENTS)
      return {
        ...joined,
        ...(random.chance(0.8) ? { regex: random.pick(PATTERNS) } : {}),
        targetLabel,
        ...(random.chance(0.8) || targetLabel.includes('$') ? { replacement } : {}),
      }
    }
  }
}
