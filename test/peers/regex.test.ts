// Goal: regular expressions match, capture and fail as in Debian's Prometheus 2.42, which is Go's own engine.
// Method: matchers with broken patterns for the messages; label_replace over random patterns and values for the
// rest, since one query can put a value into a label and take it apart again.
//
// Kept out: `(?<=a)` and `(?<!a)`, since named groups written `(?<n>…)` came with a later Go, and with them
// another message. 2.42 has no (?s) around its patterns, so they bring it themselves.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileRegex, compileWrappedRegex } from '../../storage/model/regex.ts'
import { type PrometheusPeer, queryApi, startPrometheus } from '../harness/peer.ts'
import { type Prng, prng, testSeed } from '../harness/prng.ts'

const PATTERNS = 600

let peer: PrometheusPeer

beforeAll(async () => {
  peer = await startPrometheus({ config: '{}' })
}, 60_000)

afterAll(async () => {
  await peer.stop()
})

const suspects = [
  ...[
    'a(',
    'a)',
    '[a',
    '[z-a]',
    '[[:foo:]]',
    '[[:word:]',
    '\\pX',
    '\\p{Foo}',
    '*a',
    '|*',
    '(*a)',
    'a**',
    'x{2}{3}',
    '\\b+',
  ],
  ...[
    '^*',
    '$*',
    'a{0}',
    'a{1000}',
    'a{1001}',
    'a{2,1}',
    'a{,2}',
    '(a{100}){100}',
    '(x{500}){3}',
    '\\8',
    '(a)\\1',
    'a\\Z',
    '\\C',
  ],
  ...[
    '\\xg',
    '\\x{110000}',
    '\\_',
    '\\-',
    '\\é',
    '[a\\_]',
    '[a-\\d]',
    '[\\]',
    'a\\',
    '\\',
    '\\Qa',
    'a(?=b)',
    'a(?!b)',
    '(?z)',
    '(?',
  ],
  ...[
    '(?i',
    '(?is-:a)',
    '(?i)(?-i:a',
    '(?P=n)',
    '(?P<n',
    '(?P<n->a)',
    '(?P<é>a)',
    '(?P<n>a)(?P<n>b)',
    '(?:)',
  ],
  ...['('.repeat(990) + ')'.repeat(990), '('.repeat(1010) + ')'.repeat(1010)],
]

describe('regular expressions', () => {
  it.each(suspects)('%.30s is taken or refused alike', async (pattern) => {
    const query = `{__name__="a",x=~${JSON.stringify(pattern)}}`
    const theirs = await queryApi(peer.url, 'query', { query }).then(
      () => 'taken',
      (error: Error) => error.message,
    )
    // 2.42 compiles a matcher's pattern with its anchors first, and then once more without.
    const anchored = fault(compileWrappedRegex, pattern)
    const ours = anchored === 'taken' ? fault(compileRegex, pattern) : anchored
    expect(theirs.replace(/^.*?(?=error parsing regexp)/s, '').replaceAll('^(?:', '^(?s:')).toBe(ours)
  })

  it(`match and capture alike, ${PATTERNS} random ones`, { timeout: 60_000 }, async () => {
    const seed = testSeed()
    const random = prng(seed)
    let matches = 0
    for (let run = 0; run < PATTERNS; run++) {
      const pattern = `(?s:${randomPattern(random, 3)})`
      const regex = compileWrappedRegex(pattern)
      const values = Array.from({ length: 6 }, () => randomValue(random))
      const theirs = await expandThere(pattern, values)
      const ours = values.map((value) => regex.expand(value, TEMPLATE))
      expect(theirs, `SEED=${seed} ${JSON.stringify({ pattern, values })}`).toEqual(ours)
      expect(values.map((value) => regex.matches(value))).toEqual(ours.map((text) => text !== undefined))
      matches += ours.filter((text) => text !== undefined).length
    }
    expect(matches, `SEED=${seed}`).toBeGreaterThan(PATTERNS / 2)
  })
})

function fault(compile: (pattern: string) => unknown, pattern: string): string {
  try {
    compile(pattern)
    return 'taken'
  } catch (error) {
    return (error as Error).message
  }
}

/** Never empty, so that no match and an empty match differ. */
const TEMPLATE = '<$0|$1|$2>'

async function expandThere(pattern: string, values: readonly string[]): Promise<(string | undefined)[]> {
  const one = (value: string, i: number) => {
    const text = JSON.stringify(value.replaceAll('$', '$$$$'))
    const source = `label_replace(label_replace(vector(1), "n", "${i}", "", ""), "src", ${text}, "", "")`
    return `label_replace(${source}, "dst", "${TEMPLATE}", "src", ${JSON.stringify(pattern)})`
  }
  const { result } = await queryApi<{ result: { metric: { n: string; dst?: string } }[] }>(
    peer.url,
    'query',
    {
      query: values.map(one).join(' or '),
    },
  )
  const found = new Map(result.map(({ metric }) => [metric.n, metric.dst]))
  return values.map((_, i) => found.get(String(i)))
}

const ATOMS = [
  ...[
    'a',
    'b',
    'ab',
    'é',
    '😀',
    '.',
    '\\.',
    '[ab]',
    '[^a]',
    '[a-c0-2]',
    '[[:alpha:]]',
    '[[:^digit:]]',
    '\\d',
    '\\w',
    '\\W',
    '\\s',
  ],
  ...[
    '\\pL',
    '\\PL',
    '\\p{Greek}',
    '\\b',
    '\\B',
    '^',
    '$',
    '\\x41',
    '\\x{1F600}',
    '\\Qa.b\\E',
    '(?i)k',
    '[\\w-]',
    '\\n',
    '-',
    '[é-λ]',
  ],
]
const QUANTIFIERS = ['', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{2,}?']

function randomPattern(random: Prng, depth: number): string {
  let text = ''
  for (let n = random.int(1, 3); n > 0; n--) {
    if (depth > 0 && random.chance(0.4)) {
      const open = random.pick(['(', '(', '(?:', '(?i:', '(?U:', '(?P<x>', '(?-s:', '(?m:'])
      text += `${open}${randomPattern(random, depth - 1)})`
    } else {
      text += random.pick(ATOMS)
    }
    text += random.pick(QUANTIFIERS)
  }
  return random.chance(0.25) ? `${text}|${randomPattern(random, Math.max(depth - 1, 0))}` : text
}

function randomValue(random: Prng): string {
  const alphabet = [
    'a',
    'b',
    'a',
    'b',
    'c',
    'A',
    'K',
    '1',
    '.',
    '-',
    ' ',
    '\n',
    'é',
    'λ',
    'Ω',
    '😀',
    '\u212a',
    'ſ',
    '_',
    '$',
  ]
  return Array.from({ length: random.int(0, 6) }, () => random.pick(alphabet)).join('')
}
