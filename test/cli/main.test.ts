// Goal: the program answers its callers before it is a server: texts and exit codes. Method: run it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'narthex-main-'))

function run(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...argv], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}

afterAll(() => rmSync(folder, { recursive: true }))

describe('the program', () => {
  it('prints its version', () => {
    const { status, stdout, stderr } = run('--version')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(
      `narthex, version ${packageJson.version} (compatible with prometheus, version 3.14.0)`,
    )
  })

  it('refuses an unknown flag with exit code 1', () => {
    expect(run('--web.enable-lifecicle')).toEqual({
      status: 1,
      stdout: '',
      stderr:
        "Error parsing command line arguments: unknown long flag '--web.enable-lifecicle', did you mean '--web.enable-lifecycle'?\n",
    })
  })

  it('lists all that is wrong with a configuration and exits with code 2', () => {
    writeFileSync(join(folder, 'bad.yml'), 'scrape_interval: 5s\nglobal:\n  scrape_timeout: 5x\n')
    const { status, stdout, stderr } = run('--config.file=bad.yml')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    const lines = stderr.split('\n')
    expect(lines.slice(0, 2)).toEqual([
      'bad.yml:1:1: field scrape_interval not found in the top level, expected it in global or scrape_configs',
      'bad.yml:3:19: not a valid duration string: "5x", expected a duration such as 15s, 1m30s or 1d',
    ])
    expect(lines[2]).toMatch(
      /^time=\S+ level=ERROR source=program\.ts msg="Error loading config \(--config\.file=bad\.yml\)" file=\S+bad\.yml err="2 problems, listed above"$/,
    )
  })

  it('misses a file that it was told to use', () => {
    const { status, stderr } = run('--config.file=absent.yml')
    expect(status).toBe(2)
    expect(stderr).toContain('err="open absent.yml: no such file or directory"')
  })
})
