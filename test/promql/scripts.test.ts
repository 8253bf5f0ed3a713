// Goal: the engine gives what the scripts under testdata/ say. Method: each script is one test, its failures listed
// by line; a script of failing expectations shows that the runner sees every kind of difference.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { prng, testSeed } from '../harness/prng.ts'
import { mutate } from '../harness/promql-mutate.ts'
import { runScript } from '../harness/promql-runner.ts'
import { parseScript } from '../harness/promql-script.ts'
import { findScripts } from '../harness/promqltest-cli.ts'

describe('scripts', () => {
  it.each(findScripts('test/promql/testdata'))('%s', async (file) => {
    const outcome = await runScript(readFileSync(file, 'utf8'))
    expect(outcome.failures).toEqual([])
    expect(outcome.passed).toBeGreaterThan(0)
  })
})

describe('mutants of the scripts', () => {
  it('all fail', async () => {
    const seed = testSeed()
    const random = prng(seed)
    let mutants = 0
    for (const file of findScripts('test/promql/testdata')) {
      const outcome = await runScript(readFileSync(file, 'utf8'), random)
      expect(outcome.survivors, `SEED=${seed} ${file}`).toEqual([])
      mutants += outcome.mutants
    }
    expect(mutants).toBeGreaterThan(250)
  })

  it('are of many kinds', () => {
    const [load, command] = parseScript(`load 1m
  a {{schema:1 count:2 sum:3 buckets:[1 1]}}

eval instant at 0 sort(a)
  expect ordered
  expect no_warn
  expect info
  a {{schema:1 count:2 sum:3 buckets:[1 1] counter_reset_hint:gauge}}
  b 1
`)
    expect(load.type).toBe('load')
    if (command.type !== 'eval') throw new Error('an evaluation is expected')
    const random = prng(1)
    const changes = new Set(Array.from({ length: 500 }, () => mutate(command, random).change))
    expect([...changes].sort()).toEqual([
      'a failure',
      'a label',
      'a series less',
      'a series more',
      'a warning',
      "an info's text",
      'histogram 1',
      'no info',
      'the hint of histogram 1',
      'the order',
      'value 1',
    ])
  })
})

const LOAD = 'load 1m\n  up{job="a"} 1 2\n  up{job="b"} 3 4\n\n'

/** What the runner says of the only failing command of a script. */
async function difference(script: string): Promise<string> {
  const { failures } = await runScript(LOAD + script)
  expect(failures).toHaveLength(1)
  return failures[0].message
}

describe('the runner', () => {
  it.each([
    ['eval instant at 0 up\n  up{job="a"} 1', 'unexpected metric up{job="b"} in result, has 3@0'],
    ['eval instant at 0 up\n  up{job="a"} 1\n  up{job="b"} 4', 'expected 4 for up{job="b"} but got 3@0'],
    [
      'eval instant at 0 up{job="a"}\n  up{job="a"} 1\n  up{job="c"} 1',
      'expected metric up{job="c"} with 1 not found',
    ],
    ['eval instant at 0 up{job="a"}\n  up{job="a"} {{count:1}}', '}} for up{job="a"} but got 1@0'],
    [
      'eval instant at 0 sort_desc(up)\n  expect ordered\n  up{job="a"} 1\n  up{job="b"} 3',
      'expected metric up{job="b"} at position 2 but was at 1',
    ],
    ['eval instant at 0 1\n  2', 'expected scalar 2 but got 1'],
    ['eval instant at 0 1', 'expected series but got scalar 1'],
    ['eval instant at 0 up\n  1', 'expected a scalar but got a vector'],
    ['eval instant at 0 "a"\n  expect string "b"', 'expected string "b" but got "a"'],
    ['eval instant at 0 up\n  expect string "b"', 'expected a string but got a vector'],
    ['eval instant at 0 up\n  expect fail', 'expected an error evaluating up but got none'],
    [
      'eval instant at 0 up + on () up\n  expect fail msg: other',
      'expected error to be exactly "other" but got: found duplicate',
    ],
    ['eval instant at 0 up + on () up', 'error: found duplicate'],
    [
      'eval instant at 0 up{job="a"}\n  expect warn\n  up{job="a"} 1',
      'expected warn annotation to be any text, got none',
    ],
    [
      'eval instant at 0 quantile(2, up)\n  expect no_warn\n  {} Inf',
      'unexpected warn annotations: PromQL warning: quantile',
    ],
    [
      'eval instant at 0 quantile(2, up)\n  expect warn regex: ratio\n  {} Inf',
      'expected warn annotation to be a match of "ratio"',
    ],
    [
      'eval range from 0 to 1m step 1m up{job="a"}\n  up{job="a"} 1',
      'expected 1 points for up{job="a"} but got 1@0 2@60000',
    ],
    ['eval range from 0 to 1m step 1m up{job="a"}\n  up{job="a"} 1 _', 'expected 1 points for up{job="a"}'],
    ['eval range from 0 to 1m step 1m up{job="a"}\n  up{job="a"} 1 3', 'expected 3@60000 for up{job="a"}'],
    [
      'eval range from 0 to 1m step 1m up{job="a"}\n  up{job="a"} 1 2 3',
      '3 points are given for up{job="a"}: more than steps',
    ],
    [
      'eval range from 0 to 1m step 1m up{job="a"}\n  up{job="c"} 1 2',
      'unexpected metric up{job="a"} in result, has 1@0 2@60000',
    ],
    ['load 1m\n  up{job="a"} 5', 'sample of up at 0 ms refused (-2)'],
  ])('sees the difference in %j', async (script, message) => {
    expect(await difference(script)).toContain(message)
  })

  it('counts evaluations, and goes on behind a failing one and behind what it cannot read', async () => {
    const script = `${LOAD}eval instant at 0 up{job="a"}
  up{job="a"} 2

eval instant at 0 up{

what is this

clear

eval instant at 0 up
`
    const outcome = await runScript(script)
    expect(outcome.passed).toBe(1)
    expect(outcome.failures.map(({ line }) => line)).toEqual([5, 8, 10])
  })

  it('loads histograms and fails only evaluations that touch them', async () => {
    const script = `load_with_nhcb 1m
  h_bucket{le="1"} 1
  h_bucket{le="+Inf"} 2
  n {{schema:1 count:2 sum:3 buckets:[1 1]}}x2

eval instant at 0 h_bucket{le="1"}
  h_bucket{le="1"} 1

eval instant at 0 h
  h 1

eval instant at 0 n
  n 1
`
    const outcome = await runScript(script)
    expect(outcome.passed).toBe(1)
    expect(outcome.failures.map(({ line }) => line)).toEqual([9, 12])
  })
})

describe('the reader', () => {
  it('reads loads with start timestamps', () => {
    const script = `load 30s
  @st -1s -2s
  a 1 2 3
  b@st _ -5s
  b 1 2
`
    expect(parseScript(script)).toMatchObject([
      {
        type: 'load',
        line: 1,
        stepMs: 30_000,
        series: [{ startOffsets: [-1000, -2000, -1000] }, { startOffsets: [null, -5000] }],
      },
    ])
  })

  it('reads evaluations in the old forms', () => {
    const script = `eval_fail instant at 5m up
  expected_fail_message no luck

EVAL_ordered instant at 1h30m sort(up)
eval_warn range from 0 to 1m step 30s up
  up 1 2 3
`
    const [fail, ordered, warn] = parseScript(script)
    expect(fail).toMatchObject({ type: 'eval', startMs: 300_000, query: 'up' })
    expect(fail.type === 'eval' && fail.expectsFail?.matches('no luck')).toBe(true)
    expect(fail.type === 'eval' && fail.expectsFail?.matches('no luck!')).toBe(false)
    expect(ordered).toMatchObject({ type: 'invalid', line: 4 })
    expect(warn).toBeUndefined()
  })

  it.each([
    ['load', 'invalid load command. (load[_with_nhcb] <step:duration>)'],
    ['load 5', 'not a valid duration string: "5"'],
    ['load 1m\n  a b', 'line 2: not a point: b'],
    ['load 1m\n  a@st -1s', '@st line has no following sample line'],
    ['load 1m\n  a@st -1s\n  b 1', '@st metric does not match the following sample line metric'],
    ['load 1m\n  a@st -1s\n  a 1 2', '@st line has 1 values but sample line has 2'],
    ['eval up', 'invalid evaluation command: neither instant nor range'],
    ['eval instant at 5x up', 'not a valid duration string: "5x"'],
    ['eval range from 5m to 1m step 1m up', 'end timestamp (1m) is before start timestamp (5m)'],
    ['eval instant at 0 up +', '1:5: parse error: unexpected end of input'],
    [
      'eval instant at 0 up\n  up 1 2',
      "several values in an instant evaluation need an 'expect range vector' line",
    ],
    ['eval instant at 0 up\n  expect nothing', 'invalid expect statement'],
    ['eval instant at 0 up\n  expect fail\n  expect fail', 'multiple expect fail lines are not allowed'],
    ['eval instant at 0 up\n  expect warn\n  expect no_warn', 'warn and no_warn cannot be used together'],
    ['eval instant at 0 up\n  expect info\n  expect no_info', 'info and no_info cannot be used together'],
    ['eval instant at 0 up\n  expect string up', 'expected string literal not valid'],
    ['eval instant at 0 up\n  expect range vector', 'invalid range vector definition'],
    ['forget', 'invalid command "forget"'],
  ])('refuses %j', (script, message) => {
    const [command] = parseScript(script)
    expect(command).toMatchObject({ type: 'invalid', line: 1 })
    expect(command.type === 'invalid' && command.message).toContain(message)
  })
})
