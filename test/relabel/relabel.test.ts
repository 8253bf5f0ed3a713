// Goal: each action as upstream does it. Method: a table of rules over one label set.
import { describe, expect, it } from 'vitest'
import { makeRelabelRule, type RelabelFields } from '../../src/relabel/build.ts'
import { relabel } from '../../src/relabel/relabel.ts'
import { Labels, LabelsBuilder } from '../../storage/model/labels.ts'
import { RegexError } from '../../storage/model/regex.ts'

const base = { a: 'foo', b: 'bar', c: 'baz', __meta_kind: 'Pod', __meta_name: 'x-1', n: 'a\nb' }

/** Null is dropped; else what differs from the base, with '' for a label that is gone. */
type Want = Record<string, string> | null

const rows: [rule: string, fields: RelabelFields[], want: Want][] = [
  [
    'replace with a group',
    [{ sourceLabels: ['a'], regex: 'f(.*)', targetLabel: 'd', replacement: 'ch${1}-ch${1}' }],
    { d: 'choo-choo' },
  ],
  ['$1x is another group', [{ sourceLabels: ['a'], targetLabel: 'd', replacement: '$1x' }], {}],
  ['an empty result deletes', [{ sourceLabels: ['a'], targetLabel: 'b', replacement: '' }], { b: '' }],
  ['no match, nothing done', [{ sourceLabels: ['a'], regex: 'x', targetLabel: 'b', replacement: 'y' }], {}],
  ['anchored', [{ sourceLabels: ['a'], regex: 'fo', targetLabel: 'b', replacement: 'y' }], {}],
  ['joined by ;', [{ sourceLabels: ['a', 'none', 'b'], targetLabel: 'd' }], { d: 'foo;;bar' }],
  [
    'joined by another separator',
    [{ sourceLabels: ['a', 'b'], separator: '', targetLabel: 'd' }],
    { d: 'foobar' },
  ],
  ['no source at all', [{ targetLabel: 'd', replacement: 'static' }], { d: 'static' }],
  [
    'a group in the target',
    [{ sourceLabels: ['a', 'b'], regex: '(.*);(.*)', targetLabel: '${1}_x', replacement: '$2' }],
    { foo_x: 'bar' },
  ],
  ['a target that is no name (utf8)', [{ sourceLabels: ['none'], targetLabel: '$1', replacement: 'x' }], {}],
  [
    'a target with a dot (utf8)',
    [{ sourceLabels: ['a'], targetLabel: '$1.d', replacement: 'x' }],
    { 'foo.d': 'x' },
  ],
  ['$$ is a dollar', [{ sourceLabels: ['a'], targetLabel: 'd', replacement: '$$1' }], { d: '$1' }],
  [
    'dot matches newline',
    [{ sourceLabels: ['n'], regex: 'a(.)b', targetLabel: 'd', replacement: '[$1]' }],
    { d: '[\n]' },
  ],
  [
    'a later rule sees an earlier',
    [
      { targetLabel: 'd', replacement: 'x' },
      { sourceLabels: ['d'], targetLabel: 'e' },
    ],
    { d: 'x', e: 'x' },
  ],
  ['keep', [{ sourceLabels: ['a'], regex: 'fo+', action: 'keep' }], {}],
  ['keep without a match', [{ sourceLabels: ['a'], regex: 'fo', action: 'keep' }], null],
  ['keep of a missing label', [{ sourceLabels: ['none'], regex: '.+', action: 'keep' }], null],
  ['drop', [{ sourceLabels: ['a'], regex: 'f|foo', action: 'drop' }], null],
  ['drop without a match', [{ sourceLabels: ['a'], regex: 'f', action: 'drop' }], {}],
  [
    'nothing runs after a drop',
    [
      { sourceLabels: ['a'], action: 'drop' },
      { targetLabel: 'd', replacement: 'x' },
    ],
    null,
  ],
  ['keepequal', [{ sourceLabels: ['a'], targetLabel: 'b', action: 'keepequal' }], null],
  [
    'keepequal of equals',
    [
      { targetLabel: 'd', replacement: 'foo' },
      { sourceLabels: ['a'], targetLabel: 'd', action: 'KeepEqual' },
    ],
    { d: 'foo' },
  ],
  ['dropequal', [{ sourceLabels: ['a'], targetLabel: 'a', action: 'dropequal' }], null],
  ['dropequal of others', [{ sourceLabels: ['a'], targetLabel: 'b', action: 'dropequal' }], {}],
  // md5('foo') = acbd18db4cc2f85c edef654fccc4a4d8
  ['hashmod', [{ sourceLabels: ['a'], targetLabel: 'd', modulus: 1000, action: 'hashmod' }], { d: '696' }],
  // md5('') = d41d8cd98f00b204 e9800998ecf8427e
  [
    'hashmod of nothing',
    [{ sourceLabels: ['none'], targetLabel: 'd', modulus: 2 ** 53, action: 'hashmod' }],
    { d: '10552415371902' },
  ],
  ['labelmap', [{ regex: '__meta_(.+)', action: 'labelmap' }], { kind: 'Pod', name: 'x-1' }],
  [
    'labelmap to one name: the last wins',
    [{ regex: '[abc]', replacement: 'd', action: 'labelmap' }],
    { d: 'baz' },
  ],
  [
    'labelmap does not see its own labels',
    [{ regex: '(a|xa)', replacement: 'x$1', action: 'labelmap' }],
    { xa: 'foo' },
  ],
  ['labeldrop', [{ regex: '__meta_.*|n', action: 'labeldrop' }], { __meta_kind: '', __meta_name: '', n: '' }],
  ['labelkeep', [{ regex: '[ab]|__meta_.+|n', action: 'labelkeep' }], { c: '' }],
  ['lowercase', [{ sourceLabels: ['__meta_kind'], targetLabel: 'd', action: 'lowercase' }], { d: 'pod' }],
  ['uppercase', [{ sourceLabels: ['a', 'b'], targetLabel: 'd', action: 'UPPERCASE' }], { d: 'FOO;BAR' }],
]

describe('relabel', () => {
  it.each(rows)('%s', (_, fields, want) => {
    const labels = new LabelsBuilder(Labels.from(base))
    const kept = relabel(
      labels,
      fields.map((rule) => makeRelabelRule(rule, 'utf8')),
    )
    expect(kept).toBe(want !== null)
    if (want !== null)
      expect(labels.labels().toObject()).toEqual(Labels.from({ ...base, ...want }).toObject())
  })

  it('lets a target through that is a name in the scheme', () => {
    const rule = { sourceLabels: ['a'], regex: '(.*)', targetLabel: '${1}x', replacement: 'y' }
    const names = (value: string, scheme: 'utf8' | 'legacy') => {
      const labels = new LabelsBuilder(Labels.from({ a: value }))
      relabel(labels, [makeRelabelRule(rule, scheme)])
      return labels.names()
    }
    expect(names('é.', 'utf8')).toEqual(['a', 'é.x'])
    expect(names('é.', 'legacy')).toEqual(['a'])
    expect(names('e_', 'legacy')).toEqual(['a', 'e_x'])
  })

  it.each([
    ['Straße', 'straße', 'STRAßE'],
    ['ΣΑΣ', 'σασ', 'ΣΑΣ'],
    ['İıŉǰΐ', 'iıŉǰΐ', 'İIŉǰΐ'],
    ['ᾳᾀᾈ', 'ᾳᾀᾀ', 'ᾼᾈᾈ'],
    ['ǅǆ', 'ǆǆ', 'ǄǄ'],
    ['ﬁ😀𐐨', 'ﬁ😀𐐨', 'ﬁ😀𐐀'],
  ])('changes the case of %s character by character', (value, lower, upper) => {
    const labels = new LabelsBuilder(Labels.from({ a: value }))
    const rules = ['lowercase', 'uppercase'].map((action) =>
      makeRelabelRule({ sourceLabels: ['a'], targetLabel: action, action }, 'utf8'),
    )
    relabel(labels, rules)
    expect([labels.get('lowercase'), labels.get('uppercase')]).toEqual([lower, upper])
  })
})

const refused: [fields: RelabelFields, scheme: 'utf8' | 'legacy', message: string][] = [
  [{}, 'utf8', "relabel configuration for replace action requires 'target_label' value"],
  [
    { action: 'LowerCase' },
    'utf8',
    "relabel configuration for lowercase action requires 'target_label' value",
  ],
  [{ action: '' }, 'utf8', 'unknown relabel action ""'],
  [{ action: 'x' }, 'utf8', 'unknown relabel action "x"'],
  [
    { action: 'hashmod', targetLabel: 'a' },
    'utf8',
    'relabel configuration for hashmod requires non-zero modulus',
  ],
  [
    { action: 'hashmod', modulus: 1 },
    'utf8',
    "relabel configuration for hashmod action requires 'target_label' value",
  ],
  [
    { action: 'hashmod', modulus: 1, targetLabel: 'a-b' },
    'legacy',
    `"a-b" is invalid 'target_label' for hashmod action`,
  ],
  [{ targetLabel: 'a-b' }, 'legacy', `"a-b" is invalid 'target_label' for replace action`],
  [{ targetLabel: 'a-$1' }, 'legacy', `"a-$1" is invalid 'target_label' for replace action`],
  [{ targetLabel: '1$a' }, 'legacy', `"1$a" is invalid 'target_label' for replace action`],
  [{ targetLabel: '${a' }, 'legacy', '"${a" is invalid \'target_label\' for replace action'],
  [{ targetLabel: '\ud800' }, 'utf8', `"\\ud800" is invalid 'target_label' for replace action`],
  [{ action: 'labelmap', replacement: '' }, 'utf8', `"" is invalid 'replacement' for labelmap action`],
  [
    { action: 'labelmap', replacement: 'a.$1' },
    'legacy',
    `"a.$1" is invalid 'replacement' for labelmap action`,
  ],
  [
    { action: 'keepequal', targetLabel: 'a', replacement: 'x' },
    'utf8',
    "'replacement' can not be set for keepequal action",
  ],
  [
    { action: 'uppercase', targetLabel: 'a', replacement: 'x' },
    'utf8',
    "'replacement' can not be set for uppercase action",
  ],
  ...([{ regex: '(.*)' }, { separator: '' }, { modulus: 1 }] as const).map(
    (extra): [RelabelFields, 'utf8', string] => [
      { action: 'dropequal', targetLabel: 'a', ...extra },
      'utf8',
      "dropequal action requires only 'source_labels' and `target_label`, and no other fields",
    ],
  ),
  ...(
    [
      { sourceLabels: [] },
      { targetLabel: 'a' },
      { separator: '' },
      { modulus: 1 },
      { replacement: 'a' },
    ] as const
  ).map((extra): [RelabelFields, 'utf8', string] => [
    { action: 'labeldrop', regex: 'a', ...extra },
    'utf8',
    "labeldrop action requires only 'regex', and no other fields",
  ]),
  [{ sourceLabels: ['a', ''], targetLabel: 'a' }, 'utf8', '"" is not a valid label name'],
]

describe('makeRelabelRule', () => {
  it.each(refused)('refuses %j (%s)', (fields, scheme, message) => {
    expect(() => makeRelabelRule(fields, scheme)).toThrow(new Error(message))
  })

  it.each([
    [{ targetLabel: 'a.b' }, 'utf8'],
    [{ targetLabel: 'é-$1' }, 'utf8'],
    [{ targetLabel: 'a${b_1}c$d' }, 'legacy'],
    [{ targetLabel: '$1' }, 'legacy'],
    [{ action: 'labelmap', regex: 'x(.+)' }, 'legacy'],
    [{ action: 'labeldrop', separator: ';', replacement: '$1' }, 'utf8'],
    [{ action: 'dropequal', targetLabel: 'a', separator: ';', modulus: 0 }, 'utf8'],
    [{ action: 'keep' }, 'utf8'],
  ] as const)('takes %j (%s)', (fields, scheme) => {
    expect(makeRelabelRule(fields, scheme).nameValidationScheme).toBe(scheme)
  })

  it('refuses a pattern, with its anchors', () => {
    expect(() => makeRelabelRule({ regex: 'a(', targetLabel: 'a' }, 'utf8')).toThrow(
      new RegexError('error parsing regexp: missing closing ): `^(?s:a()$`'),
    )
  })

  it('is quick to refuse a long target', () => {
    const start = performance.now()
    expect(() => makeRelabelRule({ targetLabel: `${'$a'.repeat(20_000)}-` }, 'legacy')).toThrow('is invalid')
    expect(performance.now() - start).toBeLessThan(500)
  })

  it('fills in the defaults', () => {
    const { regex, nameValidationScheme, ...rest } = makeRelabelRule({ targetLabel: 'a' }, 'utf8')
    expect(rest).toEqual({
      sourceLabels: [],
      separator: ';',
      regexText: '(.*)',
      modulus: 0,
      targetLabel: 'a',
      replacement: '$1',
      action: 'replace',
    })
    expect(regex.expand('x', '$1')).toBe('x')
  })
})
