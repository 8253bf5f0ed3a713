// Goal: the dialect is RE2's with Go's error texts, and the shortcuts agree with the general engine.
// Method: tables, one rule a row; then random patterns of the simple part against re2js.
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { compileRegex, compileWrappedRegex, RegexError } from '../../../storage/model/regex.ts'
import { type Prng, prng, testSeed } from '../../harness/prng.ts'

const seed = testSeed()

const dialect: { rule: string; pattern: string; yes: string[]; no: string[] }[] = [
  { rule: 'whole value only', pattern: 'foo', yes: ['foo'], no: ['foobar', 'xfoo', ''] },
  { rule: 'anchors bind all branches', pattern: 'a|b', yes: ['a', 'b'], no: ['ab', 'ax', 'xb'] },
  { rule: 'written anchors are harmless', pattern: '^foo$|^bar$', yes: ['foo', 'bar'], no: ['foobar'] },
  { rule: 'dot matches newline', pattern: 'a.b', yes: ['a\nb', 'axb'], no: ['ab'] },
  { rule: 'dot matches newline in gaps', pattern: 'a.*b', yes: ['a\n\nb', 'ab'], no: ['a\n'] },
  { rule: 'dot is one code point', pattern: '.', yes: ['😀', 'x'], no: ['', 'xx'] },
  { rule: 'two gaps in a row count code points', pattern: '.+.+', yes: ['xy', '😀😀'], no: ['😀', 'x'] },
  { rule: '(?-s) takes the newline back', pattern: '(?-s)a.b', yes: ['axb'], no: ['a\nb'] },
  { rule: '(?i)', pattern: '(?i)FoO-[a-c]', yes: ['foo-B', 'FOO-a'], no: ['foo-d'] },
  { rule: '(?i) folds beyond ASCII', pattern: '(?i)straße|k', yes: ['STRAßE', '\u212a'], no: ['STRASSE'] },
  { rule: '(?i:…) ends with its group', pattern: '(?i:a)b', yes: ['Ab', 'ab'], no: ['AB'] },
  { rule: 'named group, both spellings', pattern: '(?P<n>a+)(?<m>b)', yes: ['aab'], no: ['aa'] },
  { rule: 'a name twice', pattern: '(?P<n>a+)(?P<n>b+)', yes: ['aab'], no: ['aa'] },
  { rule: '\\pL and \\p{Greek}', pattern: '\\pL\\p{Greek}', yes: ['éλ', 'xΩ'], no: ['1λ', 'xx'] },
  { rule: '\\PL', pattern: '\\PL+', yes: ['12'], no: ['1a'] },
  { rule: '\\Q…\\E', pattern: '\\Qa.b*\\E+', yes: ['a.b*', 'a.b**'], no: ['axb*'] },
  { rule: 'open \\Q', pattern: '\\Qa)(', yes: ['a)('], no: ['a'] },
  { rule: 'POSIX classes', pattern: '[[:alpha:]][[:^digit:]]', yes: ['ab', 'z-'], no: ['1b', 'a1'] },
  { rule: '\\d is ASCII', pattern: '\\d+', yes: ['059'], no: ['٣', ''] },
  { rule: '\\w is ASCII', pattern: '\\w', yes: ['a', '_', '9'], no: ['é'] },
  { rule: '\\s is ASCII', pattern: '\\s', yes: [' ', '\n', '\t'], no: ['\u00a0', '\v'] },
  { rule: '\\b is ASCII', pattern: 'a\\b.', yes: ['aé', 'a-'], no: ['ab'] },
  { rule: '\\A and \\z', pattern: '\\Aab\\z', yes: ['ab'], no: ['ab\n'] },
  { rule: '$ is the very end', pattern: 'ab$', yes: ['ab'], no: ['ab\n'] },
  { rule: '\\x{…} and octal', pattern: '\\x{1F600}\\x41\\101', yes: ['😀AA'], no: ['😀A'] },
  { rule: 'repeat of 1000', pattern: 'a{1000}', yes: ['a'.repeat(1000)], no: ['a'.repeat(999)] },
  { rule: 'what is no repeat is text', pattern: 'a{,2}', yes: ['a{,2}'], no: ['aa'] },
  { rule: 'optional group', pattern: 'a(-b)?', yes: ['a', 'a-b'], no: ['a-'] },
  { rule: 'class of punctuation', pattern: 'a[._]b', yes: ['a.b', 'a_b'], no: ['axb'] },
  { rule: 'negated class takes newline', pattern: '[^a]', yes: ['\n', 'b'], no: ['a'] },
  { rule: 'empty pattern', pattern: '', yes: [''], no: ['a'] },
  { rule: 'empty branch', pattern: 'a|', yes: ['', 'a'], no: ['b'] },
  { rule: 'gaps share no text', pattern: 'ab.*ba', yes: ['abba', 'abxba'], no: ['aba'] },
  { rule: '.+ needs a character', pattern: '.+foo.+', yes: ['xfoox'], no: ['foox', 'xfoo', 'foo'] },
]

const errors: [pattern: string, message: string][] = [
  ['a(', 'missing closing ): `a(`'],
  ['a)', 'unexpected ): `a)`'],
  ['a)(b', 'unexpected ): `a)(b`'],
  ['[a', 'missing closing ]: `[a`'],
  ['[z-a]', 'invalid character class range: `z-a`'],
  ['[[:foo:]]', 'invalid character class range: `[:foo:]`'],
  ['\\pX', 'invalid character class range: `\\pX`'],
  ['*a', 'missing argument to repetition operator: `*`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['(a{100}){100}', 'invalid repeat count: `{100}`'],
  ['a{2,1}', 'invalid repeat count: `{2,1}`'],
  ['\\8', 'invalid escape sequence: `\\8`'],
  ['(a)\\1', 'invalid escape sequence: `\\1`'],
  ['a\\Z', 'invalid escape sequence: `\\Z`'],
  ['\\', 'trailing backslash at end of expression: ``'],
  ['a(?=b)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['a(?!b)', 'invalid or unsupported Perl syntax: `(?!`'],
  ['(?z)', 'invalid or unsupported Perl syntax: `(?z`'],
  ['(?P=n)', 'invalid or unsupported Perl syntax: `(?P`'],
  ['(?P<n', 'invalid named capture: `(?P<n`'],
  ['(?P<n->a)', 'invalid named capture: `(?P<n->`'],
]

const sets: [pattern: string, literals: string[] | undefined][] = [
  ['a', ['a']],
  ['', ['']],
  ['a|b|c', ['a', 'b', 'c']],
  ['(a|b)', ['a', 'b']],
  ['(?:a|b)', ['a', 'b']],
  ['(?P<n>a|b)', ['a', 'b']],
  ['^(?:a|b)$', ['a', 'b']],
  ['a|a', ['a']],
  ['foo-(a|b)-bar', ['foo-a-bar', 'foo-b-bar']],
  ['x[1-3]', ['x1', 'x2', 'x3']],
  ['x[aa-b]', ['xa', 'xb']],
  ['node\\.example\\.com:9100', ['node.example.com:9100']],
  ['a(b)?', ['ab', 'a']],
  ['é|😀', ['é', '😀']],
  ['a.b', undefined],
  ['a.*', undefined],
  ['a+', undefined],
  ['(?i)a', undefined],
  ['\\d', undefined],
  ['[^a]', undefined],
  ['[a-z][a-z]', undefined],
]

const expansions: [pattern: string, value: string, template: string, want: string | undefined][] = [
  ['(.*)', 'abc', '$1', 'abc'],
  ['(.*)', '', '$1', ''],
  ['(.*)', 'abc', '$0-${1}', 'abc-abc'],
  ['(.*)', 'abc', '$2', ''],
  ['(.+)', '', '$1', undefined],
  ['(.+)', 'a', '$n', ''],
  ['(.*)', 'abc', '$1x', ''],
  ['(.*)', 'abc', '${1}x', 'abcx'],
  ['(.*)', 'abc', '$$1', '$1'],
  ['(.*)', 'abc', '$', '$'],
  ['(.*)', 'abc', 'a$-b', 'a$-b'],
  ['(.*)', 'abc', '${1', '${1'],
  ['(.*)', 'abc', '${}', '${}'],
  ['(.*)', 'abc', '$01', ''],
  ['(.*)', 'abc', '$1é', ''],
  ['(.*)', 'abc', '$1-$1', 'abc-abc'],
  ['(a)|(b)', 'b', '[$1|$2]', '[|b]'],
  ['(?P<x>a+)-(?P<y>b+)', 'aa-b', '$y/${x}', 'b/aa'],
  ['(?P<x>a+)|(?P<x>b+)', 'bb', '<$x>', '<bb>'],
  ['(?P<x>a+)(?P<x>b+)', 'abb', '<$x$2>', '<abb>'],
  ['([^:]+)(?::\\d+)?', '10.0.0.1:9100', '${1}:80', '10.0.0.1:80'],
  ['(a|ab)(c|bcd)?(.*)', 'abcd', '$1,$2,$3', 'a,bcd,'],
  ['(a*?)(a*)', 'aaa', '$1,$2', ',aaa'],
  ['a|b', 'b', 'x', 'x'],
  ['a|b', 'c', 'x', undefined],
  ['(a|b)-(.*)', 'b-😀', '$2$1', '😀b'],
]

describe('regex', () => {
  it.each(dialect)('$rule: $pattern', ({ pattern, yes, no }) => {
    for (const compile of pattern === '\\Qa)(' ? [compileRegex] : [compileRegex, compileWrappedRegex]) {
      const regex = compile(pattern)
      expect(yes.filter((value) => !regex.matches(value))).toEqual([])
      expect(no.filter((value) => regex.matches(value))).toEqual([])
    }
  })

  it.each(errors)('%s is refused with the text of Go', (pattern, message) => {
    expect(() => compileRegex(pattern)).toThrow(new RegexError(`error parsing regexp: ${message}`))
  })

  it('names too deep nesting', () => {
    const pattern = '('.repeat(1001) + ')'.repeat(1001)
    expect(() => compileRegex(pattern)).toThrow(
      new RegexError(`error parsing regexp: expression nests too deeply: \`${pattern}\``),
    )
  })

  it('looks at a wrapped pattern with its anchors', () => {
    expect(() => compileWrappedRegex('a(')).toThrow('error parsing regexp: missing closing ): `^(?s:a()$`')
    expect(() => compileWrappedRegex('\\Qa')).toThrow(
      'error parsing regexp: missing closing ): `^(?s:\\Qa)$`',
    )
    expect(compileWrappedRegex('a)(b').expand('ab', '$1')).toBe('b')
  })

  it.each(sets)('literals of %s', (pattern, literals) => {
    expect(compileRegex(pattern).literals).toEqual(literals)
  })

  it('knows what every match begins with', () => {
    expect(compileRegex('foo.*').prefix).toBe('foo')
    expect(compileRegex('foo-(a|b).*|foo').prefix).toBe('foo')
    expect(compileRegex('😀|😁').prefix).toBe('')
    expect(compileRegex('fo+').prefix).toBe('')
  })

  it.each(expansions)('%s on %s with %s', (pattern, value, template, want) => {
    expect(compileRegex(pattern).expand(value, template)).toBe(want)
    expect(compileWrappedRegex(pattern).expand(value, template)).toBe(want)
  })

  it('is linear where backtracking would not end', () => {
    const value = `${'a'.repeat(50_000)}b`
    const start = performance.now()
    expect(compileRegex('(a+)+$').matches(value)).toBe(false)
    expect(compileRegex('.*a.*a.*a.*a.*c').matches(value)).toBe(false)
    expect(compileRegex('(a*)*c').expand(value, '$1')).toBeUndefined()
    expect(performance.now() - start).toBeLessThan(2_000)
  })

  it('agrees with re2js on random simple patterns', () => {
    const random = prng(seed)
    let shortcuts = 0
    for (let run = 0; run < 3_000; run++) {
      const pattern = randomPattern(random, 3)
      const regex = compileRegex(pattern)
      if (regex.literals !== undefined || regex.prefix !== '') shortcuts++
      const reference = RE2JS.compile(`^(?s:${pattern.replaceAll('(?P<n>', '(')})$`)
      for (let i = 0; i < 12; i++) {
        const value = randomText(random, 7)
        const where = `SEED=${seed} run=${run} pattern=${pattern} value=${JSON.stringify(value)}`
        const want = reference.test(value)
        expect(regex.matches(value), where).toBe(want)
        if (regex.literals !== undefined) expect(regex.literals.includes(value), where).toBe(want)
        if (want) expect(value.startsWith(regex.prefix), where).toBe(true)
        const matcher = reference.matcher(value)
        const group = matcher.find() ? `<${matcher.group(0)}>` : undefined
        expect(regex.expand(value, '<$0>'), where).toBe(group)
      }
    }
    expect(shortcuts, `SEED=${seed}`).toBeGreaterThan(300)
  })
})

function randomPattern(random: Prng, depth: number): string {
  let text = random.chance(0.05) ? '^' : ''
  for (let n = random.int(0, 3); n >= 0; n--) {
    const kind = random.int(0, 9)
    if (kind < 4) text += random.pick(['a', 'b', 'ab', '-', '😀', '\\.', '\\*'])
    else if (kind < 6) text += random.pick(['.*', '.+', '.*', '.', '.?'])
    else if (kind === 6) text += random.pick(['[ab]', '[a-b-]', '[0-1]', '[^a]', '[.]'])
    else if (kind === 7) text += random.pick(['a?', 'b*', 'a+', '(ab)?', '[ab]?'])
    else if (depth > 0) {
      const open = random.pick(['(', '(?:', '(?P<n>', '(?i:'])
      text += `${open}${randomPattern(random, depth - 1)})`
    }
  }
  if (random.chance(0.3)) text += `|${randomPattern(random, depth - 1)}`
  return random.chance(0.05) ? `${text}$` : text
}

function randomText(random: Prng, length: number): string {
  let text = ''
  for (let n = random.int(0, length); n > 0; n--)
    text += random.pick(['a', 'b', 'a', 'b', '-', '.', '*', '😀', 'A', '\n', '0'])
  return text
}
